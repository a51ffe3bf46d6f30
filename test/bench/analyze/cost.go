package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"watertight.dev/watertight/test/bench/result"
)

// cost is what something took, in several rounds.
type cost struct {
	// user is the process's user CPU time, that of the garbage collector included; sorted.
	user []time.Duration
	// allocated is all that a round allocated, freed or not: it never holds more than
	// that beside what there was before.
	allocated int64
}

func (c cost) median() time.Duration { return c.user[len(c.user)/2] }
func (c cost) least() time.Duration  { return c.user[0] }

// measure runs something so many times in each round, and tells what one time took. Every
// round begins with nothing left to collect.
func (b *bench) measure(times int, run func() error) (cost, error) {
	var c cost
	for range b.rounds {
		runtime.GC()
		before, allocated := userTime(), allocations()
		for range times {
			if err := run(); err != nil {
				return c, err
			}
		}
		c.user = append(c.user, (userTime()-before)/time.Duration(times))
		c.allocated = (allocations() - allocated) / int64(times)
	}
	slices.Sort(c.user)
	return c, nil
}

// userTime of this process so far.
func userTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano())
}

func allocations() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// held is the heap that is in use once everything else is collected.
func held() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// peak is the most memory that the process had at a time.
func peak() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// timed adds a row about time; the aim, if there is one, is on the median.
func (b *bench) timed(what string, c cost, aim time.Duration, more string) {
	row := result.Row{What: what, Got: fmt.Sprintf("%s (best %s)%s", duration(c.median()), duration(c.least()), more)}
	if aim > 0 {
		row.Aim, row.Met = "< "+aim.String(), result.Yes(c.median() < aim)
		if c.median() >= aim && c.least() < aim {
			row.Met = "no, but in the best round"
		}
	}
	b.add(row)
}

// add adds a row, and tells it at once: a run takes minutes.
func (b *bench) add(row result.Row) {
	b.say("%s: %s", row.What, row.Got)
	b.rows = append(b.rows, row)
}

// sized adds a row about memory.
func (b *bench) sized(what string, bytes, aim int64, more string) {
	row := result.Row{What: what, Got: result.Megabytes(bytes) + more}
	if aim > 0 {
		row.Aim, row.Met = "< "+result.Megabytes(aim), result.Yes(bytes < aim)
	}
	b.add(row)
}

// duration prints three digits, which is more than a loaded machine deserves.
func duration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= 100*time.Microsecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f µs", d.Seconds()*1e6)
}
