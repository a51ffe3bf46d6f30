package load

import "sync"

// batch is how many documents a worker takes at a time.
const batch = 64

// crew are spare hands beside the one goroutine that reads each file: with few large
// files their documents are read in parallel, with many small ones the files are.
type crew struct{ free chan struct{} }

func newCrew(count int) *crew {
	c := &crew{free: make(chan struct{}, count)}
	for range count {
		c.free <- struct{}{}
	}
	return c
}

// try runs work on a spare worker, if there is one.
func (c *crew) try(wait *sync.WaitGroup, work func()) bool {
	select {
	case <-c.free:
		wait.Go(func() {
			defer func() { c.free <- struct{}{} }()
			work()
		})
		return true
	default:
		return false
	}
}

// each calls visit for 0 to n-1, in batches and with spare workers where there are any,
// and gathers what they yield in order. Nobody waits for a worker: what none takes up is
// done here.
func (h *harvest) each(n int, visit func(*harvest, int)) {
	if h.spare == nil || n <= batch {
		for i := range n {
			visit(h, i)
		}
		return
	}
	parts := make([]harvest, (n+batch-1)/batch)
	var wait sync.WaitGroup
	for b := range parts {
		part := &parts[b]
		part.spare = h.spare
		work := func() {
			for i := b * batch; i < min(n, (b+1)*batch); i++ {
				visit(part, i)
			}
		}
		if !h.spare.try(&wait, work) {
			work()
		}
	}
	wait.Wait()
	for _, p := range parts {
		h.merge(p)
	}
}
