package engine

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
	"watertight.dev/watertight/internal/analyze/netreach/slab"
)

// space is a namespace with what is in it.
type space struct {
	id           int32 // in spaceTable.byID
	name, tenant string
	labels       map[string]string
	pods         []*corev1.Pod
	ghosts       []map[string]string
	// policies are those of the namespace itself; wide, those of the whole cluster whose
	// subject takes the namespace in.
	policies, wide []*policy
	classes        []*Class
}

// spaceTable finds namespaces by name and by labels.
type spaceTable struct {
	byName map[string]*space
	byID   []*space
	list   []*space // by name
	// posting lists the namespaces that carry a label.
	posting map[label][]*space
	found   map[*rules.Selector]*spaceSet
	room    slab.Of[space]
}

type label struct{ key, value string }

func newSpaceTable() spaceTable {
	return spaceTable{byName: map[string]*space{}, posting: map[label][]*space{}, found: map[*rules.Selector]*spaceSet{}}
}

func (t *spaceTable) add(name string, labels map[string]string, tenant string) *space {
	sp := t.room.One()
	*sp = space{id: int32(len(t.byID)), name: name, tenant: tenant, labels: labels}
	t.byID = append(t.byID, sp)
	t.byName[name] = sp
	t.list = append(t.list, sp)
	t.post(sp)
	for _, set := range t.found {
		if set.selector.Matches(labels) {
			set.add(sp)
		}
	}
	return sp
}

func (t *spaceTable) post(sp *space) {
	for k, v := range sp.labels {
		if k != corev1.LabelMetadataName { // byName finds those
			t.posting[label{k, v}] = append(t.posting[label{k, v}], sp)
		}
	}
}

func (t *spaceTable) unpost(sp *space) {
	for k, v := range sp.labels {
		at := label{k, v}
		t.posting[at] = slices.DeleteFunc(t.posting[at], func(o *space) bool { return o == sp })
		if len(t.posting[at]) == 0 {
			delete(t.posting, at)
		}
	}
}

// order sorts the list by name.
func (t *spaceTable) order() {
	slices.SortFunc(t.list, func(a, b *space) int { return strings.Compare(a.name, b.name) })
}

// remove forgets a namespace.
func (t *spaceTable) remove(sp *space) {
	t.unpost(sp)
	delete(t.byName, sp.name)
	t.list = slices.DeleteFunc(t.list, func(o *space) bool { return o == sp })
	for _, set := range t.found {
		set.remove(sp)
	}
}

// relabel gives a namespace other labels.
func (t *spaceTable) relabel(sp *space, labels map[string]string) {
	t.unpost(sp)
	sp.labels = labels
	t.post(sp)
	for _, set := range t.found {
		if set.selector.Matches(labels) {
			set.add(sp)
		} else {
			set.remove(sp)
		}
	}
}

// match is the set of namespaces that a selector matches, kept until it is released.
func (t *spaceTable) match(s *rules.Selector) *spaceSet {
	set, ok := t.found[s]
	if !ok {
		set = &spaceSet{selector: s}
		if t.without(s, set) {
			t.found[s] = set
			set.refs++
			return set
		}
		for _, sp := range t.candidates(s) {
			if s.Matches(sp.labels) {
				set.add(sp)
			}
		}
		t.found[s] = set
	}
	set.refs++
	return set
}

func (t *spaceTable) release(set *spaceSet) {
	if set == nil {
		return
	}
	if set.refs--; set.refs == 0 {
		delete(t.found, set.selector)
	}
}

// candidates are namespaces among which a selector's must be: the shortest posting list
// that must hold them all.
func (t *spaceTable) candidates(s *rules.Selector) []*space {
	best, narrowed := t.list, false
	for _, r := range s.Requirements() {
		if r.Operator != metav1.LabelSelectorOpIn {
			continue
		}
		var listed []*space
		switch {
		case r.Key == corev1.LabelMetadataName:
			for _, v := range r.Values {
				if sp := t.byName[v]; sp != nil {
					listed = append(listed, sp)
				}
			}
		case len(r.Values) == 1:
			listed = t.posting[label{r.Key, r.Values[0]}]
		default:
			for _, v := range r.Values {
				listed = append(listed, t.posting[label{r.Key, v}]...)
			}
		}
		if !narrowed || len(listed) < len(best) {
			best, narrowed = listed, true
		}
	}
	return best
}

// without fills the set of a selector that only leaves out the values of one key, which
// is nearly everybody, and reports whether it is one.
func (t *spaceTable) without(s *rules.Selector, set *spaceSet) bool {
	r := s.Requirements()
	if len(r) != 1 || r[0].Operator != metav1.LabelSelectorOpNotIn || len(t.list) < 64 {
		return false
	}
	for _, sp := range t.list {
		set.set(sp.id)
	}
	set.size = len(t.list)
	for _, v := range r[0].Values {
		out := t.posting[label{r[0].Key, v}]
		if sp := t.byName[v]; r[0].Key == corev1.LabelMetadataName && sp != nil {
			out = []*space{sp}
		}
		for _, sp := range out {
			set.remove(sp)
		}
	}
	return true
}
