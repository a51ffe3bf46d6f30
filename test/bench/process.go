package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"watertight.dev/watertight/internal/localcluster"
)

// process is what the kernel says of a process.
type process struct {
	resident, peak int64 // bytes
	cpu            time.Duration
}

func (o *operator) process() (process, error) { return processOf(o.cmd.Process.Pid) }

// cpu is the processor time that the control plane and the given processes have had.
func (p *plane) cpu(pids ...int) (time.Duration, error) {
	status, _, err := localcluster.ReadStatus(p.state)
	if err != nil {
		return 0, fmt.Errorf("read state of control plane: %w", err)
	}
	for _, child := range status.Children {
		pids = append(pids, child.PID)
	}
	var total time.Duration
	for _, pid := range pids {
		of, err := processOf(pid)
		if err != nil {
			return 0, err
		}
		total += of.cpu
	}
	return total, nil
}

func processOf(pid int) (process, error) {
	var p process
	folder := fmt.Sprintf("/proc/%d/", pid)
	status, err := os.ReadFile(folder + "status")
	if err != nil {
		return p, fmt.Errorf("read memory of process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "VmRSS:":
			p.resident = n << 10
		case "VmHWM:":
			p.peak = n << 10
		}
	}
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return p, fmt.Errorf("read processor time of process: %w", err)
	}
	// The second field is the program's name in brackets and may hold anything.
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	for _, ticks := range f[11:13] { // utime and stime, in hundredths of a second
		n, _ := strconv.ParseInt(ticks, 10, 64)
		p.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	return p, nil
}
