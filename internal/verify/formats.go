package verify

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
)

// WriteJSON prints the report as JSON, in the structure of Report. encoding/json
// escapes control characters itself.
func (r Report) WriteJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *junitResult `xml:"failure,omitempty"`
	Skipped *junitResult `xml:"skipped,omitempty"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit prints the report for a CI system: a test suite per tenant and a test case
// per guarantee. Broken is a failure; unknown and not promised are skipped and say so.
func (r Report) WriteJUnit(out io.Writer) error {
	all := junitSuites{Name: "watertight verify: " + Clean(r.Source)}
	for _, t := range r.Tenants {
		s := suiteOf(t)
		all.Tests, all.Failures, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Skipped+s.Skipped
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	e := xml.NewEncoder(out)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func suiteOf(t TenantReport) junitSuite {
	s := junitSuite{Name: Clean(t.Tenant), Tests: len(t.Rows)}
	for _, r := range t.Rows {
		c := junitCase{Class: Clean(t.Tenant), Name: fmt.Sprintf("%s %s", r.Guarantee, r.Promise)}
		switch r.Verdict {
		case guarantee.Broken:
			c.Failure = &junitResult{Message: headline(r, guarantee.Broken), Type: "broken", Text: details(r)}
			s.Failures++
		case guarantee.Unknown:
			c.Skipped = &junitResult{Message: "unknown: " + headline(r, guarantee.Unknown), Text: details(r)}
			s.Skipped++
		case guarantee.NotPromised:
			c.Skipped = &junitResult{Message: "not promised by class " + Clean(t.Class)}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

// headline is the first reason for a verdict.
func headline(r Row, v guarantee.Verdict) string {
	for _, c := range r.Columns() {
		if c.Verdict != v {
			continue
		}
		for _, f := range c.Findings {
			if f.Verdict == v {
				return Clean(f.Message)
			}
		}
		return Clean(c.Reason)
	}
	return string(v)
}

// details are the reasons in full, as the table prints them.
func details(r Row) string {
	var b strings.Builder
	p := &printer{out: &b}
	p.line("")
	for _, c := range r.Columns() {
		if c.Verdict == guarantee.Broken || c.Verdict == guarantee.Unknown {
			p.column(c)
		}
	}
	return b.String()
}
