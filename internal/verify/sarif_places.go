package verify

import (
	"net/url"
	"path"
	"strconv"
	"strings"

	"watertight.dev/watertight/internal/guarantee"
)

// sarifRules are the guarantees, in the order of reports.
func sarifRules() []sarifRule {
	var rules []sarifRule
	for _, g := range guarantee.All() {
		var list strings.Builder
		uri := ""
		for _, ref := range g.References {
			at := referenceURL(ref)
			if at == "" {
				list.WriteString("\n- " + ref)
				continue
			}
			list.WriteString("\n- [" + ref + "](" + at + ")")
			if uri == "" {
				uri = at
			}
		}
		ask := "watertight explain verdict TENANT " + string(g.ID)
		rules = append(rules, sarifRule{
			ID:               string(g.ID),
			ShortDescription: sarifMessage(g.Sentence),
			FullDescription:  sarifMessage("Guarantee " + string(g.ID) + " on the boundary " + string(g.Boundary) + ": " + g.Sentence + "."),
			HelpURI:          uri,
			Help: sarifHelp{
				Text:     g.Sentence + ". References: " + strings.Join(g.References, ", ") + ". All evidence: " + ask,
				Markdown: g.Sentence + ".\n\nReferences:\n" + list.String() + "\n\nAll evidence: `" + ask + "`",
			},
			Default:    sarifDefault{Level: "error"},
			Properties: sarifRuleProperties{Tags: []string{"security", string(g.Boundary)}, Boundary: g.Boundary, References: g.References},
		})
	}
	return rules
}

// referenceURL is where a reference can be read, for those whose address follows from
// their name; "" for the others.
func referenceURL(reference string) string {
	for _, r := range []struct{ prefix, address string }{
		{"ATT&CK ", "https://attack.mitre.org/techniques/"},
		{"CVE-", "https://www.cve.org/CVERecord?id=CVE-"},
		{"KEP-", "https://kep.k8s.io/"},
	} {
		if name, ok := strings.CutPrefix(reference, r.prefix); ok && !strings.ContainsAny(name, " :") {
			if r.prefix == "ATT&CK " {
				name = strings.ReplaceAll(name, ".", "/") + "/"
			}
			return r.address + name
		}
	}
	return ""
}

// sarifLocations are the objects and fields that a finding rests on, each once.
func sarifLocations(f guarantee.Finding, files SARIFFiles) []sarifLocation {
	locations := []sarifLocation{}
	seen := map[string]bool{}
	for _, e := range f.Evidence {
		key := e.Object.String() + "\x00" + e.Field + "\x00" + e.Source
		if seen[key] || len(locations) == mostSARIFLocations {
			continue
		}
		seen[key] = true
		l := sarifLocation{Logical: []sarifLogical{sarifLogicalOf(e)}, Physical: sarifPhysicalOf(e.Source, files)}
		if e.Detail != "" {
			detail := sarifMessage(e.Detail)
			l.Message = &detail
		}
		locations = append(locations, l)
	}
	if files.Root == "" {
		return locations
	}
	// Code scanning refuses a file in which a result's first location names no artifact.
	for i := range locations {
		if locations[i].Physical != nil {
			locations[0], locations[i] = locations[i], locations[0]
			return locations
		}
	}
	root := &sarifPhysical{Artifact: sarifArtifact{relativeURI(files.Root)}}
	if len(locations) == 0 {
		return []sarifLocation{{Physical: root}}
	}
	locations[0].Physical = root
	return locations
}

// sarifLogicalOf names an object as "namespace/name", with its kind and field.
func sarifLogicalOf(e guarantee.Evidence) sarifLogical {
	name := strings.TrimPrefix(e.Object.Namespace+"/"+e.Object.Name, "/")
	full := e.Object.String()
	if e.Field != "" {
		full += " " + e.Field
	}
	return sarifLogical{Name: Clean(name), FullyQualifiedName: Clean(full), Kind: Clean(e.Object.Kind)}
}

// sarifPhysicalOf is the file of a source; nil where the source is none, as for objects
// of a live cluster.
func sarifPhysicalOf(source string, files SARIFFiles) *sarifPhysical {
	file, document := splitSource(source)
	if file == "" {
		return nil
	}
	if files.Path != nil {
		file = files.Path(file)
	}
	p := &sarifPhysical{Artifact: sarifArtifact{relativeURI(file)}}
	if document > 0 {
		p.Properties = &sarifDocument{document}
	}
	return p
}

// splitSource cuts "shop.yaml#3" into the file and the number of the document in it.
func splitSource(source string) (file string, document int) {
	if i := strings.LastIndexByte(source, '#'); i > 0 {
		if n, err := strconv.Atoi(source[i+1:]); err == nil && n > 0 {
			return source[:i], n
		}
	}
	switch path.Ext(source) {
	case ".yaml", ".yml", ".json":
		return source, 0
	}
	return "", 0
}

// relativeURI is a path as a relative reference of RFC 3986: a colon in its first
// segment is no scheme, and what a URI may not hold is percent-encoded.
func relativeURI(file string) string {
	file = path.Clean(strings.ReplaceAll(file, `\`, "/"))
	return (&url.URL{Path: file}).String()
}
