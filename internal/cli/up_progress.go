package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"watertight.dev/watertight/internal/localcluster"
)

// upProgress prints one line for each part of a local cluster as it starts: on a
// terminal the current one counts its seconds, elsewhere a line appears when it is
// done.
type upProgress struct {
	out      io.Writer
	terminal bool
	printed  int // steps that have their final line
	notes    int
	current  int
	since    time.Time
	open     bool // an unfinished line stands on the terminal
}

func newUpProgress(out io.Writer) *upProgress {
	f, ok := out.(*os.File)
	return &upProgress{out: out, terminal: ok && term.IsTerminal(int(f.Fd())), current: -1}
}

// show prints what is new in the status.
func (p *upProgress) show(status localcluster.Status) {
	for ; p.notes < len(status.Notes); p.notes++ {
		p.end()
		fmt.Fprintf(p.out, "  note: %s\n", status.Notes[p.notes])
	}
	for i := p.printed; i < len(status.Steps); i++ {
		switch step := status.Steps[i]; step.State {
		case localcluster.Done:
			p.line("  ✓ %-26s %5.1fs\n", step.Name, step.Seconds)
			p.printed = i + 1
		case localcluster.Broken:
			p.line("  ✗ %-26s %5.1fs\n", step.Name, step.Seconds)
			p.printed = i + 1
		case localcluster.Running:
			p.running(i, step.Name)
			return
		default:
			return
		}
	}
}

func (p *upProgress) running(i int, name string) {
	if !p.terminal {
		return
	}
	if i != p.current {
		p.current, p.since = i, time.Now()
	}
	p.line("  … %-26s %5.1fs", name, time.Since(p.since).Seconds())
	p.open = true
}

// line replaces the unfinished line, if one stands there.
func (p *upProgress) line(format string, args ...any) {
	if p.open {
		fmt.Fprint(p.out, "\r\033[K")
		p.open = false
	}
	fmt.Fprintf(p.out, format, args...)
}

// end finishes the line that stands there.
func (p *upProgress) end() {
	if p.open {
		fmt.Fprint(p.out, "\r\033[K")
		p.open = false
	}
}
