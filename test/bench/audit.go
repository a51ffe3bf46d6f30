package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"watertight.dev/watertight/api/v1alpha1"
)

// audited is what matters of an entry of the API server's audit log.
type audited struct {
	Verb             string    `json:"verb"`
	RequestURI       string    `json:"requestURI"`
	StageTimestamp   time.Time `json:"stageTimestamp"`
	ImpersonatedUser struct {
		Username string `json:"username"`
	} `json:"impersonatedUser"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
}

// isWrite says whether the operator changed what is stored. Tries with dry-run and tokens
// store nothing; leases are excepted. The audit policy leaves events out.
func (a audited) isWrite() bool {
	return a.ImpersonatedUser.Username == v1alpha1.OperatorUser &&
		slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, a.Verb) &&
		!strings.Contains(a.RequestURI, "dryRun=") &&
		a.ObjectRef.Resource != "leases" && a.ObjectRef.Subresource != "token"
}

// writes counts the operator's writes since a moment, by verb and resource.
func (p *plane) writes(since time.Time) (map[string]int, error) {
	files, err := filepath.Glob(filepath.Join(p.state, "logs", "audit*.log"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("find the audit log in %s: %w", p.state, os.ErrNotExist)
	}
	out := map[string]int{}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || info.ModTime().Before(since) {
			continue
		}
		if err := countWrites(name, since, out); err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
	}
	return out, nil
}

func countWrites(name string, since time.Time, out map[string]int) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		if !bytes.Contains(scanner.Bytes(), []byte(v1alpha1.OperatorUser)) {
			continue
		}
		var a audited
		if json.Unmarshal(scanner.Bytes(), &a) != nil || a.StageTimestamp.Before(since) || !a.isWrite() {
			continue // the last line may be half written
		}
		what := a.Verb + " " + a.ObjectRef.Resource
		if a.ObjectRef.Subresource != "" {
			what += "/" + a.ObjectRef.Subresource
		}
		out[what]++
	}
	return scanner.Err()
}

// sum adds up what writes counted.
func sum(writes map[string]int) int {
	n := 0
	for v := range maps.Values(writes) {
		n += v
	}
	return n
}

// list names what writes counted, the most first.
func list(writes map[string]int) string {
	names := slices.SortedFunc(maps.Keys(writes), func(a, b string) int {
		return writes[b] - writes[a]
	})
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%d %s", writes[n], n))
	}
	return strings.Join(out, ", ")
}
