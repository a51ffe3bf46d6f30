package verify

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"

	"watertight.dev/watertight/internal/guarantee"
)

//go:embed page/page.html.tmpl page/page.css page/page.js
var pageFiles embed.FS

const (
	// mostWorst is how many tenants the summary lists.
	mostWorst = 10
	// mostFindings is how many findings of a row the page lists; JSON has them all.
	mostFindings = 20
	// briefAbove is the number of tenants above which rows that hold do not say what
	// they rest on, so that a page of a thousand tenants still opens at once.
	briefAbove = 100
)

// WriteHTML prints the report as one page that needs nothing else: no request leaves it
// and it reads without scripts, which only filter, sort and open what is printed. The
// summary comes first, then a table per tenant, written as it is made.
func (r Report) WriteHTML(out io.Writer) error {
	buffered := bufio.NewWriter(out)
	if err := r.writePage(buffered); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

func (r Report) writePage(out io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"clean": Clean, "verdict": verdictMark, "evidence": evidenceLine,
	}).ParseFS(pageFiles, "page/page.html.tmpl")
	if err != nil {
		return err
	}
	head, err := r.pageHead()
	if err != nil {
		return err
	}
	if err := page.ExecuteTemplate(out, "head", head); err != nil {
		return err
	}
	for i, t := range r.Tenants {
		if err := page.ExecuteTemplate(out, "tenant", pageTenantOf(i, t, head.Brief)); err != nil {
			return err
		}
	}
	return page.ExecuteTemplate(out, "foot", head)
}

// pageHead is everything above the tenants.
type pageHead struct {
	Report
	Policy     template.HTMLAttr
	Style      template.CSS
	Script     template.JS
	Count      verdictCount
	Broken     int // tenants
	Boundaries []pageTally
	Guarantees []pageTally
	Worst      []pageRank
	More       int // tenants with something broken that Worst leaves out
	Brief      bool
}

// verdictCount counts rows by verdict.
type verdictCount struct{ Holds, Broken, Unknown, NotPromised int }

func (c *verdictCount) add(v guarantee.Verdict) {
	switch v {
	case guarantee.Holds:
		c.Holds++
	case guarantee.Broken:
		c.Broken++
	case guarantee.NotPromised:
		c.NotPromised++
	default:
		c.Unknown++
	}
}

// Promised is how many rows say anything.
func (c verdictCount) Promised() int { return c.Holds + c.Broken + c.Unknown }

// PastUnknown is where the part that holds begins in a bar.
func (c verdictCount) PastUnknown() int { return c.Broken + c.Unknown }

// Share is a part of what is promised, in tenths of a percent, for a bar.
func (c verdictCount) Share(n int) int {
	if c.Promised() == 0 {
		return 0
	}
	return n * 1000 / c.Promised()
}

// pageTally is the count of one boundary or guarantee over all tenants.
type pageTally struct {
	Name, Promise string
	verdictCount
}

// pageRank is a tenant in the list of the worst.
type pageRank struct {
	N    int
	Name string
	verdictCount
}

func (r Report) pageHead() (pageHead, error) {
	style, err := pageFiles.ReadFile("page/page.css")
	if err != nil {
		return pageHead{}, err
	}
	script, err := pageFiles.ReadFile("page/page.js")
	if err != nil {
		return pageHead{}, err
	}
	h := pageHead{
		Report: r, Style: template.CSS(style), Script: template.JS(script), Policy: contentPolicy(style, script),
		Brief: len(r.Tenants) > briefAbove,
	}
	boundaries, guarantees := map[guarantee.Boundary]*verdictCount{}, map[guarantee.ID]*verdictCount{}
	var ranks []pageRank
	for i, t := range r.Tenants {
		rank := pageRank{N: i, Name: t.Tenant}
		for _, row := range t.Rows {
			rank.add(row.Verdict)
			h.Count.add(row.Verdict)
			counted(boundaries, row.Boundary).add(row.Verdict)
			counted(guarantees, row.Guarantee).add(row.Verdict)
		}
		if rank.verdictCount.Broken > 0 {
			h.Broken++
			ranks = append(ranks, rank)
		}
	}
	h.tally(boundaries, guarantees)
	slices.SortStableFunc(ranks, func(a, b pageRank) int {
		return cmp.Or(cmp.Compare(b.Broken, a.Broken), cmp.Compare(b.Unknown, a.Unknown), cmp.Compare(a.Name, b.Name))
	})
	h.Worst = ranks[:min(len(ranks), mostWorst)]
	h.More = len(ranks) - len(h.Worst)
	return h, nil
}

// tally lists boundaries and guarantees in the order of reports.
func (h *pageHead) tally(boundaries map[guarantee.Boundary]*verdictCount, guarantees map[guarantee.ID]*verdictCount) {
	for _, g := range guarantee.All() {
		if c, ok := guarantees[g.ID]; ok {
			h.Guarantees = append(h.Guarantees, pageTally{string(g.ID), g.Sentence, *c})
		}
		if c, ok := boundaries[g.Boundary]; ok {
			h.Boundaries = append(h.Boundaries, pageTally{Name: string(g.Boundary), verdictCount: *c})
			delete(boundaries, g.Boundary)
		}
	}
}

func counted[K comparable](counts map[K]*verdictCount, key K) *verdictCount {
	if counts[key] == nil {
		counts[key] = &verdictCount{}
	}
	return counts[key]
}

// contentPolicy lets the browser run and load nothing but the page's own two parts, so
// that even a flaw in escaping would give a tenant's text no power.
func contentPolicy(style, script []byte) template.HTMLAttr {
	hash := func(part []byte) string {
		sum := sha256.Sum256(part)
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return template.HTMLAttr(fmt.Sprintf(`content="default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'"`, hash(style), hash(script)))
}

// mark is how a verdict is shown: never by its colour alone.
type mark struct{ Class, Sign, Word string }

func verdictMark(v guarantee.Verdict) mark {
	switch v {
	case guarantee.Holds:
		return mark{"holds", "✓", "holds"}
	case guarantee.Broken:
		return mark{"broken", "✕", "broken"}
	case guarantee.NotPromised, guarantee.NotAsked:
		return mark{"none", "", string(v)}
	default:
		return mark{"unknown", "?", "unknown"}
	}
}
