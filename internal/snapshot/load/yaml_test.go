package load

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestYAML writes YAML as the API server's reader understands it.
func TestYAML(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"words of YAML 1.1":    {"a: yes\nb: Off\nc: y\nd: 'yes'\ne: yEs\n", `{"a":true,"b":false,"c":true,"d":"yes","e":"yEs"}`},
		"keys":                 {"1: a\ntrue: b\n1.5: c\nno: d\n", `{"1":"a","true":"b","1.5":"c","false":"d"}`},
		"numbers":              {"[0x10, 010, 1_000, 18446744073709551615, 1e3, 1.50, .5, 1.2.3, 100m, 1:30]", `[16,8,1000,18446744073709551615,1000,1.5,0.5,"1.2.3","100m","1:30"]`},
		"dates are words":      {"a: 2001-01-01\n", `{"a":"2001-01-01"}`},
		"nothing":              {"a:\nb: ~\nc: null\nd: ''\n", `{"a":null,"b":null,"c":null,"d":""}`},
		"tags":                 {"a: !!str 7\nb: !mine x\nc: !!int '7'\n", `{"a":"7","b":"x","c":7}`},
		"an alias":             {"a: &x {b: 1}\nc: *x\n", `{"a":{"b":1},"c":{"b":1}}`},
		"a merge":              {"a: &x {b: 1, c: 2}\nd:\n  c: 3\n  <<: *x\n", `{"a":{"b":1,"c":2},"d":{"c":3,"b":1}}`},
		"a merge of several":   {"a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n", `{"a":{"b":1},"c":{"b":2,"d":3},"e":{"b":1,"d":3}}`},
		"text":                 {"a: |\n  x\n  y\nb: >\n  x\n  y\nc: \"\\u00e9\\t\"\n", `{"a":"x\ny\n","b":"x y\n","c":"é\t"}`},
		"HTML and control":     {`a: "<b>\a"`, `{"a":"\u003cb\u003e\u0007"}`},
		"nothing but comments": {"# nothing\n", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := parseYAML([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.json(false)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
	d, _ := parseYAML([]byte("a: yes\nno: y\n"))
	if got, err := d.json(true); err != nil || string(got) != `{"a":"yes","no":"y"}` {
		t.Errorf("YAML 1.2: %s, %v", got, err)
	}
}

// TestBadYAML says what is wrong, and does not grow without end.
func TestBadYAML(t *testing.T) {
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	merges := "a0: &a0 {x: 1}\n"
	for i := range 12 {
		n, m := string(rune('a'+i)), string(rune('b'+i))
		if i == 0 {
			n = "a"
			laughs, merges = strings.ReplaceAll(laughs, "a0", n), strings.ReplaceAll(merges, "a0", n)
		}
		ten := strings.TrimSuffix(strings.Repeat("*"+n+",", 10), ",")
		laughs += m + ": &" + m + " [" + ten + "]\n"
		merges += m + ": &" + m + " {<<: [" + ten + "]}\n"
	}
	long := "a: &a \"" + strings.Repeat("x", 1<<20) + "\"\nb: [" + strings.Repeat("*a,", 200) + "]\n"
	for name, c := range map[string]struct{ text, want string }{
		"doubled key":               {"a: 1\nb: 2\na: 3\n", `line 3: key "a" is already set`},
		"doubled key among many":    {"{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1, m: 1, n: 1, a: 2}", `key "a" is already set`},
		"doubled by YAML 1.1":       {"yes: 1\ntrue: 2\n", `key "true" is already set`},
		"a list as key":             {"? [a]\n: b\n", "a key must be a word"},
		"a template":                {"name: {{ .Values.name }}\n", "render it first"},
		"no key":                    {"~: b\n", "a key is empty"},
		"no JSON number":            {"a: .inf\n", "no number that JSON can hold"},
		"no boolean":                {"a: !!bool maybe\n", "no boolean"},
		"binary":                    {"a: !!binary aGk=\n", "!!binary is not supported"},
		"an alias in itself":        {"a: &a [*a]\n", "inside its own anchor"},
		"a merge into itself":       {"a: &a {<<: *a}\n", "merged into itself"},
		"a merge of a word":         {"a: {<<: b}\n", "takes a mapping"},
		"a billion laughs":          {laughs, "expand to more than"},
		"a billion merges":          {merges, "expand to more than"},
		"one long word, many times": {long, "expand to more than"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := parseYAML([]byte(c.text))
			if err == nil {
				_, err = d.json(false)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

// TestPlainYAML is the part that is read without the real parser: what manifests are
// made of is in it, and nothing that could mean something else.
func TestPlainYAML(t *testing.T) {
	for _, text := range []string{
		"a: b\n", "\n# c\na:\n  b: 1\n  c: -2\n", "a:\n- b\n- c: d\n  e: f\n-\n  g: h\n", "a:\n  - 10.0.0.0/8\n  - 64Mi\n  - --flag=x\n  - 1.2.3.4\n",
		"a: \"b c\"\nd: 'e: f'\ng: ''\nh:\n", "a: {}\nb: []\nc: true\nd: null\n", "a: b\r\nc: d\r\n", "app.kubernetes.io/name: x\n", "- a\n- b: c\n", "a: https://x.example/y?z\n",
	} {
		if _, ok := plainYAML([]byte(text)); !ok {
			t.Errorf("%q went to the parser", text)
		}
		compareYAML(t, []byte(text))
	}
	for _, text := range []string{
		"", "# a\n", "a\n", "a: y\n", "no: b\n", "a: True\n", "a: ~\n", "a: 010\n", "a: 1.5\n", "a: 1e3\n", "a: 0x1f\n", "a: 2001-01-01\n", "a: 1_0\n", "a: -0\n", "a: +1\n",
		"a: &b c\n", "a: *b\n", "a: !c d\n", "a: |\n  b\n", "a: >\n  b\n", "a: {b: c}\n", "a: [b]\n", "a: b\n  c\n", "a: b # c\n", "a: b: c\n", "a: b:\n", "a : b\n", "a:b\n", "\"a\": b\n",
		"a: \"b\\n\"\n", "a: 'it''s'\n", "a: \"b\n", "a: 1\na: 2\n", "<<: a\n", "- - a\n", "a:\n  - b\n  c: d\n", "a:\n   b: c\n  d: e\n", "a: b\n- c\n", "  a: b\nc: d\n", "a:\tb\n", "a: é\n",
		"# a\rb: c\n", "? a\n", "a: %b\n", "a: @b\n", "a: .5\n", "a: -\n", "a: - b\n",
	} {
		if quick, ok := plainYAML([]byte(text)); ok {
			t.Errorf("%q was read as %s", text, quick)
		}
	}
	deep := ""
	for i := range 100 {
		deep += strings.Repeat(" ", i) + "a:\n"
	}
	if _, ok := plainYAML([]byte(deep)); ok {
		t.Error("read what is too deep")
	}
}

// FuzzYAML compares with the reader of the API server and kubectl (sigs.k8s.io/yaml).
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		goodPod, "a: yes\nb: [1, 0x10, 1.5, 1e3, ~]\n", "a: &x {b: 1}\nc: *x\n", "- a\n- b: c\n  d: |\n    e\n", "'a''b': \"c\\n\"\n",
		"a: b: c\n", "a:\n- b\n-  c: d\n   e: f\n", "a: # comment\n  b\n", "a: 'x\n  y'\n", "{a: [b, {c: d}], e: }\n", "a: -1\nb: +1\nc: 01\nd: -\n",
		"a: 10.0.0.0/8\nb: 100m\nc: 64Mi\nd: http\ne: 1.2.3\n", "a: b\n\n  c\n", "a:\n  - b\n -c\n", "\ta: b\n", "a: \"b\" c\n", "--- a\n", "a: @b\n", "? a\n", "a: !!str 7\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		documents, err := split("fuzz.yaml", data)
		if err != nil {
			return
		}
		for _, d := range documents {
			compareYAML(t, d.data)
		}
	})
}

func compareYAML(t *testing.T, data []byte) {
	t.Helper()
	theirs, err := yaml.YAMLToJSONStrict(data)
	if quick, ok := plainYAML(data); ok && err != nil {
		t.Errorf("%q\nwas read as %s, and is an error: %v", data, quick, err)
	} else if ok && !cmp.Equal(decoded(t, theirs), decoded(t, quick)) {
		t.Errorf("%q\nwant %s\ngot  %s", data, theirs, quick)
	}
	// Their reader merges "<<" in another order, and takes the bare tag "!" for a string.
	if err != nil || bytes.Contains(data, []byte("<<")) || bytes.IndexByte(data, '!') >= 0 {
		return
	}
	d, err := parseYAML(data)
	if err != nil {
		return // another parser, which may be stricter
	}
	ours, err := d.json(false)
	if err != nil {
		return
	}
	if a, b := decoded(t, theirs), decoded(t, ours); !cmp.Equal(a, b) {
		t.Errorf("%q\nwant %s\ngot  %s", data, theirs, ours)
	}
}

func decoded(t *testing.T, data []byte) any {
	t.Helper()
	var out any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return out
}
