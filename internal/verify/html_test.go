package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// htmlOf is a report as a page, and the page as a browser reads it.
func htmlOf(t *testing.T, r Report) (string, *html.Node) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), page
}

// elements lists the elements of a page, in order.
func elements(page *html.Node) []*html.Node {
	var out []*html.Node
	for n := range page.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// sample has a broken, a held, an unknown, a contradicted and a not promised guarantee.
func sample(t *testing.T) Report {
	t.Helper()
	report := run(t, Input{
		Source: "manifests in examples", Snapshot: picture(), AsIfApplied: true, Tenants: []string{"acme"},
		Analyzers: []analyze.Analyzer{saying(
			said(guarantee.API1, guarantee.Holds, "nobody reads others"),
			said(guarantee.NET5, guarantee.Broken, "egress is open to everybody; name the peers"),
			said(guarantee.NET4, guarantee.Unknown, "policies of kind CiliumNetworkPolicy are not judged"),
			said(guarantee.KRN1, guarantee.Holds, "every pod is restricted"),
		)},
		Observe: func(context.Context, string) ([]guarantee.Finding, error) {
			return []guarantee.Finding{
				said(guarantee.API1, guarantee.Holds, "12 of 12 tries were refused"),
				said(guarantee.KRN1, guarantee.Broken, "the tenant's owner can run a privileged container"),
			}, nil
		},
	})
	return few(report, guarantee.API1, guarantee.NET4, guarantee.NET5, guarantee.KRN1, guarantee.KRN2)
}

// TestHTML shows the page without its style and script, which are files of their own.
func TestHTML(t *testing.T) {
	text, _ := htmlOf(t, sample(t))
	for _, part := range []string{"style", "script"} {
		text = regexp.MustCompile(`(?s)<`+part+`>.*</`+part+`>`).ReplaceAllString(text, "<"+part+">…</"+part+">")
	}
	text = regexp.MustCompile(`sha256-[^']*`).ReplaceAllString(text, "sha256-…")
	golden(t, "html.golden", text)
}

// TestHTMLNeedsNothingElse: the page names no other place, runs nothing but its own
// script, and its policy lets a browser do no more.
func TestHTMLNeedsNothingElse(t *testing.T) {
	_, page := htmlOf(t, sample(t))
	policy := ""
	hashes := map[string]string{}
	for _, e := range elements(page) {
		switch e.Data {
		case "meta":
			if attribute(e, "http-equiv") == "Content-Security-Policy" {
				policy = attribute(e, "content")
			}
		case "style", "script":
			sum := sha256.Sum256([]byte(textOf(e)))
			hashes[e.Data] = "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		case "link", "img", "iframe", "object", "embed", "base", "form":
			t.Errorf("the page has a <%s>", e.Data)
		}
		for _, a := range e.Attr {
			switch {
			case a.Key == "src" || a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s> has an attribute %s", e.Data, a.Key)
			case a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
				t.Errorf("a link leads out of the page: %s", a.Val)
			}
		}
	}
	want := fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'", hashes["style"], hashes["script"])
	if policy != want {
		t.Errorf("the policy is\n%s\nand should be\n%s", policy, want)
	}
}

// TestHostileHTML: whatever a tenant writes, the page has the same elements and
// attributes as with harmless text, and shows every hostile character as an escape.
func TestHostileHTML(t *testing.T) {
	shape := func(text string) (string, *html.Node) {
		f := said(guarantee.NET5, guarantee.Broken, text)
		f.Reason = text
		f.Evidence[0] = guarantee.Evidence{Object: guarantee.Ref{Kind: text, Namespace: text, Name: text}, Field: text, Detail: text, Source: text}
		report := run(t, Input{
			Source: text, Snapshot: picture().WithProblems(snapshot.Problem{Source: text, Kind: "X", Message: text}),
			AsIfApplied: true, Analyzers: []analyze.Analyzer{saying(f)}, Notes: []string{text},
		})
		report.Tenants[0].Tenant, report.Tenants[0].Class, report.Tenants[0].Rejected = text, text, text
		_, page := htmlOf(t, report)
		var b strings.Builder
		for _, e := range elements(page) {
			b.WriteString(e.Data)
			for _, a := range e.Attr {
				b.WriteString(" " + a.Key)
			}
			b.WriteString("\n")
		}
		return b.String(), page
	}
	harmless, _ := shape("x")
	for _, evil := range []string{
		"</script><script>alert(1)</script>", `" onmouseover="alert(1)`, `' autofocus onfocus='alert(1)`, "</style><style>*{display:none}",
		"</title><img src=x onerror=alert(1)>", "<!-- ", "]]>", "</details></table></div>", "javascript:alert(1)", "{{.}}", "&#60;b&#62;",
		"x\x1b[2J\r\n\u202e\u200b\x00\xff\u2028",
	} {
		got, page := shape(evil)
		if got != harmless {
			t.Errorf("%q changes the elements of the page", evil)
		}
		if i := strings.IndexFunc(textOf(page), func(r rune) bool { return r != '\n' && hostile(r) }); i >= 0 {
			t.Errorf("%q: a hostile character gets through", evil)
		}
		if strings.Count(textOf(page), Clean(evil)) < 8 {
			t.Errorf("%q is not shown where it stands", evil)
		}
	}
}

// TestHTMLOfManyTenants: a page of 200 tenants stays small, has each of them once and
// next to each other, and begins with the worst.
func TestHTMLOfManyTenants(t *testing.T) {
	const tenants, mostBytes = 200, 5 << 20
	one := run(t, Input{Snapshot: picture(), AsIfApplied: true, Tenants: []string{"acme"}, Analyzers: []analyze.Analyzer{saying(
		said(guarantee.NET5, guarantee.Broken, strings.Repeat("egress is open to everybody; name the peers ", 5)),
	)}}).Tenants[0]
	whole := run(t, Input{Snapshot: picture(), AsIfApplied: true, Tenants: []string{"globex"}}).Tenants[0]
	report := Report{Source: "x", Verdict: guarantee.Broken}
	for i := range tenants {
		r := whole
		if i%50 == 49 {
			r = one
		}
		r.Tenant = fmt.Sprintf("tenant-%03d", i)
		report.Tenants = append(report.Tenants, r)
	}
	text, page := htmlOf(t, report)
	if len(text) > mostBytes {
		t.Errorf("the page has %d bytes, more than %d", len(text), mostBytes)
	}
	var names, links []string
	for _, e := range elements(page) {
		if strings.HasPrefix(attribute(e, "class"), "tenant ") {
			names = append(names, attribute(e, "data-name"))
			if attribute(e.Parent, "id") != "tenants" {
				t.Errorf("%s is inside of <%s>: something before it is not closed", attribute(e, "data-name"), e.Parent.Data)
			}
		}
		if e.Data == "a" {
			links = append(links, textOf(e)+attribute(e, "href"))
		}
	}
	if len(names) != tenants || len(slices.Compact(names)) != tenants {
		t.Errorf("%d tenants on the page, want %d", len(names), tenants)
	}
	if want := []string{"tenant-049#t49", "tenant-099#t99", "tenant-149#t149", "tenant-199#t199"}; !slices.Equal(links, want) {
		t.Errorf("the worst tenants are %v, want %v", links, want)
	}
	if strings.Contains(text, "by construction") {
		t.Error("a page of this many tenants says what rows that hold rest on")
	}
}
