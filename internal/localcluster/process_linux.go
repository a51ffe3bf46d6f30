package localcluster

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// childAttributes puts a child in a process group of its own, out of reach of the
// terminal's Ctrl-C, and has the kernel kill it when its parent is gone.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// startTime identifies the process that has pid now: another process that is given
// the same number later has another start time. It is "" when there is none.
func startTime(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the program's name in brackets and may hold anything.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 || string(fields[0]) == "Z" {
		return ""
	}
	// It counts from the machine's start, so it needs to say which one.
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s/%s", bytes.TrimSpace(boot), fields[19])
}
