package demo

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// lineWidth is what a line of the story keeps to, as verify's table does.
const lineWidth = 118

func (d *Demo) say(format string, args ...any) { fmt.Fprintf(d.Out, format+"\n", args...) }

// done says what happened and how long it took.
func (d *Demo) done(since time.Time, format string, args ...any) {
	d.say("  %s %s (%s)", d.good("✓"), fmt.Sprintf(format, args...), seconds(time.Since(since)))
}

func seconds(t time.Duration) string { return fmt.Sprintf("%.1fs", t.Seconds()) }

func (d *Demo) good(s string) string { return d.paint("32", s) }
func (d *Demo) bad(s string) string  { return d.paint("1;31", s) }
func (d *Demo) bold(s string) string { return d.paint("1", s) }

func (d *Demo) paint(code, s string) string {
	if !d.Colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// brief is text of the cluster on one line, without anything that drives a terminal, cut
// to what fits behind indent characters.
func brief(text string, indent int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if most := lineWidth - indent; len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
