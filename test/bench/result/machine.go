package result

import (
	"os"
	"os/exec"
	"strings"
)

// Field is the value of the first line of a file of "name: value" lines.
func Field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// FirstLine of a file.
func FirstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// Load is the load average over 1, 5 and 15 minutes.
func Load() string {
	return strings.Join(strings.Fields(FirstLine("/proc/loadavg") + " - - -")[:3], " ")
}

// Revision names the checkout that was measured.
func Revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
