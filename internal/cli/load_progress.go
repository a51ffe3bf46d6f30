package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"watertight.dev/watertight/internal/snapshot/load"
)

// A folder that is read in less than quietFor shows no progress; one that takes longer
// shows it every showEvery.
const (
	quietFor  = time.Second
	showEvery = 100 * time.Millisecond
)

// loadProgress shows on a terminal how far the reading of folders is. Elsewhere it says
// nothing: a log has no use for it.
type loadProgress struct {
	lock  sync.Mutex
	out   io.Writer
	now   func() time.Time
	began time.Time
	shown time.Time
	open  bool // an unfinished line stands on the terminal
}

func newLoadProgress(out io.Writer, now func() time.Time) *loadProgress {
	p := &loadProgress{now: now, began: now()}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.out = out
	}
	return p
}

// show prints the line anew. It is called from several goroutines.
func (p *loadProgress) show(at load.Progress) {
	p.lock.Lock()
	defer p.lock.Unlock()
	now := p.now()
	if p.out == nil || at.Of < 2 || now.Sub(p.began) < quietFor || now.Sub(p.shown) < showEvery {
		return
	}
	const width = 24
	full := width * at.Files / at.Of
	fmt.Fprintf(p.out, "\r\033[K  reading [%s%s] %d of %d files, %d objects",
		strings.Repeat("=", full), strings.Repeat(" ", width-full), at.Files, at.Of, at.Objects)
	p.shown, p.open = now, true
}

// end takes the line away.
func (p *loadProgress) end() {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.open {
		fmt.Fprint(p.out, "\r\033[K")
		p.open = false
	}
}
