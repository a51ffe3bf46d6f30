package engine

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"watertight.dev/watertight/internal/analyze/netreach/rules"
)

// space is a namespace with what is in it.
type space struct {
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
	list   []*space // by name
	// posting lists the namespaces that carry a label.
	posting map[label][]*space
	found   map[*rules.Selector]*spaceSet
}

type label struct{ key, value string }

// spaceSet is the namespaces that a selector matches.
type spaceSet struct {
	selector *rules.Selector
	in       map[*space]bool
	// refs counts the peers and subjects that ask.
	refs int
}

func newSpaceTable() spaceTable {
	return spaceTable{byName: map[string]*space{}, posting: map[label][]*space{}, found: map[*rules.Selector]*spaceSet{}}
}

func (t *spaceTable) add(name string, labels map[string]string, tenant string) *space {
	sp := &space{name: name, tenant: tenant, labels: labels}
	t.byName[name] = sp
	t.list = append(t.list, sp)
	t.post(sp)
	for _, set := range t.found {
		if set.selector.Matches(labels) {
			set.in[sp] = true
		}
	}
	return sp
}

func (t *spaceTable) post(sp *space) {
	for k, v := range sp.labels {
		t.posting[label{k, v}] = append(t.posting[label{k, v}], sp)
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
		delete(set.in, sp)
	}
}

// relabel gives a namespace other labels.
func (t *spaceTable) relabel(sp *space, labels map[string]string) {
	t.unpost(sp)
	sp.labels = labels
	t.post(sp)
	for _, set := range t.found {
		if set.selector.Matches(labels) {
			set.in[sp] = true
		} else {
			delete(set.in, sp)
		}
	}
}

// match is the set of namespaces that a selector matches, kept until it is released.
func (t *spaceTable) match(s *rules.Selector) *spaceSet {
	set, ok := t.found[s]
	if !ok {
		set = &spaceSet{selector: s, in: map[*space]bool{}}
		for _, sp := range t.candidates(s) {
			if s.Matches(sp.labels) {
				set.in[sp] = true
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
		if len(r.Values) == 1 {
			listed = t.posting[label{r.Key, r.Values[0]}]
		} else {
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
