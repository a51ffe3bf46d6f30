package localcluster

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// buildProgress reads what the go tool says while it builds and shows how far it is.
// Packages that are in the go tool's own cache are not announced, so a warm build
// jumps to its end.
type buildProgress struct {
	out      io.Writer
	title    string
	terminal bool
	total    int
	began    time.Time

	mu         sync.Mutex
	line       []byte
	downloads  int
	packages   int
	complaints []string
	shown      time.Time
}

const (
	// plainEvery is how often a progress line is written where no bar can be drawn.
	plainEvery = 15 * time.Second
	drawEvery  = 100 * time.Millisecond
	barWidth   = 30
)

func newBuildProgress(out io.Writer, title string) *buildProgress {
	b := &buildProgress{out: out, title: title, terminal: isTerminal(out), began: time.Now()}
	if !b.terminal {
		fmt.Fprintf(out, "building engine %s (once; this takes minutes when Go's build cache is cold)\n", title)
		b.shown = b.began
	}
	return b
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Write takes the go tool's standard error.
func (b *buildProgress) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line = append(b.line, data...)
	for {
		line, rest, ended := bytes.Cut(b.line, []byte("\n"))
		if !ended {
			break
		}
		b.count(string(line))
		b.line = rest
	}
	b.show()
	return len(data), nil
}

// count sorts a line: a download, a package being compiled, or a complaint.
func (b *buildProgress) count(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		b.downloads++
	case line == "":
	case !strings.ContainsAny(line, " \t:") && !strings.HasPrefix(line, "#"):
		b.packages++
	default:
		b.complaints = append(b.complaints, line)
	}
}

func (b *buildProgress) show() {
	every := plainEvery
	if b.terminal {
		every = drawEvery
	}
	if time.Since(b.shown) < every {
		return
	}
	b.shown = time.Now()
	if b.terminal {
		fmt.Fprintf(b.out, "\r\033[Kbuilding engine %s %s", b.title, b.state())
	} else {
		fmt.Fprintf(b.out, "building engine %s: %s\n", b.title, b.state())
	}
}

func (b *buildProgress) state() string {
	took := time.Since(b.began).Round(time.Second)
	if b.total == 0 {
		return fmt.Sprintf("%d modules downloaded, %s", b.downloads, took)
	}
	full := barWidth * min(b.packages, b.total) / b.total
	return fmt.Sprintf("[%s%s] %d of at most %d packages, %s",
		strings.Repeat("#", full), strings.Repeat("-", barWidth-full), b.packages, b.total, took)
}

func (b *buildProgress) finished() {
	b.clear()
	fmt.Fprintf(b.out, "built engine %s in %s\n", b.title, time.Since(b.began).Round(time.Second))
}

// failed adds to err what the go tool complained about.
func (b *buildProgress) failed(err error) error {
	b.clear()
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := b.complaints[max(0, len(b.complaints)-15):]
	if len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w; the go tool says:\n%s", err, indent(strings.Join(lines, "\n")))
}

func (b *buildProgress) clear() {
	if b.terminal {
		fmt.Fprint(b.out, "\r\033[K")
	}
}
