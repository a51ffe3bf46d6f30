// Package watertight_test keeps the rules of the house that no compiler keeps: who may
// import whom (it reads the table in ARCHITECTURE.md), one package comment each, names
// that say something, and files and functions that can be read in one go.
package watertight_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	modulePath      = "watertight.dev/watertight"
	mostFileLines   = 500
	mostFuncLines   = 70
	everything      = "everything"
	nothing         = "nothing"
	architectureDoc = "ARCHITECTURE.md"
)

// rooms hold siblings that do not know each other; the exceptions are arrows with a
// reason.
var (
	rooms          = []string{"internal/analyze", "internal/cli", "internal/probe", "internal/reconcile"}
	siblingReasons = map[string]string{
		"internal/analyze/all -> *":                                    "it is the list of the analyzers",
		"internal/reconcile/tenant -> internal/reconcile/verification": "its Verdict goes into the tenant's status",
	}
	vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"}
	// outgrown are files and functions over the limit, each with a reason.
	outgrown = map[string]string{}
)

// goPackage is one folder of Go files, as far as the rules look at it.
type goPackage struct {
	path     string // inside the module
	name     string
	imports  []string // inside the module, of non-test files
	comments []string // files that have a package comment
	files    []goFile
}

type goFile struct {
	path      string
	lines     int
	generated bool
	funcs     map[string]int // lines by name
}

func TestArchitecture(t *testing.T) {
	doc, err := os.ReadFile(architectureDoc)
	if err != nil {
		t.Fatal(err)
	}
	table, err := importTable(string(doc))
	if err != nil {
		t.Fatal(err)
	}
	packages, err := readTree(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		for _, rule := range []func(goPackage) []string{table.arrows, siblings, packageComment, clearName, sizes} {
			for _, complaint := range rule(p) {
				t.Error(complaint)
			}
		}
	}
}

// allowed is who may import what, by room.
type allowed map[string][]string

// importTable reads the table whose first column is "package".
func importTable(doc string) (allowed, error) {
	table := allowed{}
	inside := false
	for line := range strings.Lines(doc) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case len(cells) != 2:
			inside = false
		case strings.TrimSpace(cells[0]) == "package":
			inside = true
		case inside && !strings.Contains(cells[0], "---"):
			for _, to := range strings.Split(cells[1], ",") {
				room := strings.TrimSpace(cells[0])
				table[room] = append(table[room], strings.TrimSpace(to))
			}
		}
	}
	if len(table) == 0 {
		return nil, fmt.Errorf("%s has no table of who may import whom", architectureDoc)
	}
	for room, list := range table {
		for _, to := range list {
			if _, ok := table[to]; !ok && to != everything && to != nothing {
				return nil, fmt.Errorf("%s: the row of %s names %q, which has no row", architectureDoc, room, to)
			}
		}
	}
	return table, nil
}

// room is the row that a package comes under: that of the nearest folder above it.
func (a allowed) room(pkg string) string {
	for at := pkg; at != "."; at = path.Dir(at) {
		if _, ok := a[at]; ok {
			return at
		}
	}
	return ""
}

func (a allowed) arrows(p goPackage) (complaints []string) {
	from := a.room(p.path)
	if from == "" {
		return []string{fmt.Sprintf("%s has no row in %s", p.path, architectureDoc)}
	}
	for _, i := range p.imports {
		to := a.room(i)
		if to != from && !slices.Contains(a[from], to) && !slices.Contains(a[from], everything) {
			complaints = append(complaints, fmt.Sprintf("%s imports %s, which %s does not allow to %s", p.path, i, architectureDoc, from))
		}
	}
	return complaints
}

func siblings(p goPackage) (complaints []string) {
	for _, i := range p.imports {
		_, known := siblingReasons[p.path+" -> "+i]
		_, list := siblingReasons[p.path+" -> *"]
		for _, room := range rooms {
			if path.Dir(p.path) == room && path.Dir(i) == room && !known && !list {
				complaints = append(complaints, fmt.Sprintf("%s imports its sibling %s: let what both need come in from outside, or move it to %s", p.path, i, room))
			}
		}
	}
	return complaints
}

func packageComment(p goPackage) []string {
	switch {
	case p.name == "": // nothing but tests
		return nil
	case len(p.comments) == 0:
		return []string{p.path + " has no package comment: say in a sentence what it is, and what it is not"}
	case len(p.comments) > 1:
		return []string{fmt.Sprintf("%s has several package comments: %s", p.path, strings.Join(p.comments, ", "))}
	}
	return nil
}

func clearName(p goPackage) []string {
	for _, word := range []string{p.name, path.Base(p.path)} {
		if slices.Contains(vague, word) {
			return []string{fmt.Sprintf("%s: %q says nothing; name the package after what it provides", p.path, word)}
		}
	}
	return nil
}

func sizes(p goPackage) (complaints []string) {
	for _, f := range p.files {
		if f.generated {
			continue
		}
		if f.lines > mostFileLines && outgrown[f.path] == "" {
			complaints = append(complaints, fmt.Sprintf("%s has %d lines, more than %d: split it", f.path, f.lines, mostFileLines))
		}
		for _, name := range slices.Sorted(maps.Keys(f.funcs)) {
			if n := f.funcs[name]; n > mostFuncLines && outgrown[f.path+" "+name] == "" {
				complaints = append(complaints, fmt.Sprintf("%s: %s has %d lines, more than %d: split it", f.path, name, n, mostFuncLines))
			}
		}
	}
	return complaints
}

// readTree parses the root module: engine/ holds modules of their own.
func readTree(tree fs.FS) ([]goPackage, error) {
	packages := map[string]*goPackage{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (name == "engine" || entry.Name() == "testdata" || len(name) > 1 && strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = &goPackage{path: dir}
		}
		return packages[dir].parse(tree, name)
	})
	var out []goPackage
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		if dir != "." { // this test
			out = append(out, *packages[dir])
		}
	}
	return out, err
}

func (p *goPackage) parse(tree fs.FS, name string) error {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	file := goFile{path: name, lines: strings.Count(string(text), "\n"), generated: ast.IsGenerated(parsed), funcs: map[string]int{}}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			file.funcs[f.Name.Name] = max(file.funcs[f.Name.Name], set.Position(f.End()).Line-set.Position(f.Pos()).Line+1)
		}
	}
	p.files = append(p.files, file)
	if strings.HasSuffix(name, "_test.go") {
		return nil
	}
	p.name = parsed.Name.Name
	if parsed.Doc != nil {
		p.comments = append(p.comments, name)
	}
	for _, i := range parsed.Imports {
		target, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return err
		}
		if inside, ok := strings.CutPrefix(target, modulePath+"/"); ok && !slices.Contains(p.imports, inside) {
			p.imports = append(p.imports, inside)
		}
	}
	return nil
}
