package apply

import (
	"encoding/json"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Outcome is what an Apply found.
type Outcome int

// The outcomes. Stale means that the cache does not show our last write yet, so there is
// nothing to judge: come back later. Repaired means that somebody else had changed or
// removed the object since.
const (
	Unchanged Outcome = iota
	Stale
	Written
	Repaired
)

// Wrote says whether the outcome took a write.
func (o Outcome) Wrote() bool { return o == Written || o == Repaired }

// settle is how long a cache may take to show an object that we created. Past it, an
// object that is not there is taken for removed.
const settle = 3 * time.Second

// Ledger remembers the last write of each object, so that a cache which lags behind is
// neither written to again nor mistaken for somebody else's doing. It is safe for
// concurrent use; losing it (a restart) costs nothing but that knowledge.
type Ledger struct {
	mu      sync.Mutex
	entries map[Key]entry
}

type entry struct {
	version string    // resourceVersion of our last write
	content uint64    // what we wrote
	at      time.Time // of our last write
	shown   bool      // the cache has shown that write or a later one
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{entries: map[Key]entry{}} }

// Forget drops what is known of an object that is to be deleted.
func (l *Ledger) Forget(k Key) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, k)
}

func (l *Ledger) wrote(k Key, desired client.Object, version string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[k] = entry{version: version, content: digest(desired), at: time.Now()}
}

// judge compares what is desired with what the cache shows.
func (l *Ledger) judge(k Key, desired, live client.Object) Outcome {
	same := live != nil && Same(desired, live)
	if l == nil {
		return pick(same, Unchanged, Written)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e, known := l.entries[k]
	switch {
	case known && live != nil && !atLeast(live.GetResourceVersion(), e.version):
		return Stale
	case known && live == nil && !e.shown && time.Since(e.at) < settle:
		return Stale
	case same && known && !e.shown:
		e.shown = true
		l.entries[k] = e
		return Unchanged
	case same:
		return Unchanged
	case known && e.shown && e.content == digest(desired):
		return Repaired
	default:
		return Written
	}
}

// digest tells whether two desired objects are the same.
func digest(o client.Object) uint64 {
	h := fnv.New64a()
	if err := json.NewEncoder(h).Encode(o); err != nil {
		return 0
	}
	return h.Sum64()
}

func pick(condition bool, yes, no Outcome) Outcome {
	if condition {
		return yes
	}
	return no
}

// atLeast compares resource versions, which KEP-5504 makes comparable as numbers.
func atLeast(a, b string) bool {
	x, err1 := strconv.ParseUint(a, 10, 64)
	y, err2 := strconv.ParseUint(b, 10, 64)
	return err1 != nil || err2 != nil || x >= y
}
