package probe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Request is one call to the API server. Every verb but get and list is sent as a
// dry-run: a Request cannot be built that stores anything.
type Request struct {
	// Verb is get, list, create, update, patch, delete or deletecollection.
	Verb string
	// Resource is "v1/pods" or "group/version/resource".
	Resource    string
	Subresource string
	Namespace   string
	Name        string
	// Body of create and update, or the merge patch of patch.
	Body map[string]any
	// As is a user to impersonate: an attack, never the probe's own way in.
	As string
}

// methods are the HTTP methods of the verbs.
var methods = map[string]string{
	"get": http.MethodGet, "list": http.MethodGet, "create": http.MethodPost, "update": http.MethodPut,
	"patch": http.MethodPatch, "delete": http.MethodDelete, "deletecollection": http.MethodDelete,
}

// String says the request in words: "create v1/pods in acme-backend (dry-run)".
func (r Request) String() string {
	var b strings.Builder
	b.WriteString(r.Verb + " " + r.Resource)
	if r.Subresource != "" {
		b.WriteString("/" + r.Subresource)
	}
	if r.Name != "" {
		b.WriteString(" " + r.Name)
	}
	if r.Namespace != "" {
		b.WriteString(" in " + r.Namespace)
	}
	if r.As != "" {
		b.WriteString(" as " + r.As)
	}
	if r.writes() {
		b.WriteString(" (dry-run)")
	}
	return b.String()
}

// key is equal for equal requests.
func (r Request) key() string {
	body, _ := json.Marshal(r.Body) // maps of strings, numbers, lists and maps always marshal
	return r.String() + string(body)
}

func (r Request) writes() bool { return r.Verb != "get" && r.Verb != "list" }

// path is the path on the server.
func (r Request) path() string {
	group, resource, _ := cutLast(r.Resource)
	root := "/apis/" + group
	if !strings.Contains(group, "/") {
		root = "/api/" + group
	}
	parts := []string{root}
	if r.Namespace != "" {
		parts = append(parts, "namespaces", url.PathEscape(r.Namespace))
	}
	parts = append(parts, resource)
	if r.Name != "" {
		parts = append(parts, url.PathEscape(r.Name))
	}
	if r.Subresource != "" {
		parts = append(parts, r.Subresource)
	}
	return strings.Join(parts, "/") // not path.Join: a name must never climb
}

func (r Request) query() url.Values {
	q := url.Values{}
	switch {
	case r.writes():
		q.Set("dryRun", "All")
	case r.Verb == "list":
		q.Set("limit", "1") // whether it is allowed is all we ask
	}
	return q
}

// http makes the HTTP request, without its credential.
func (r Request) http(host string) (*http.Request, error) {
	method, ok := methods[r.Verb]
	if !ok {
		return nil, fmt.Errorf("send %s: unknown verb %q", r, r.Verb)
	}
	body := ""
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("encode the body of %s: %w", r, err)
		}
		body = string(raw)
	}
	target := strings.TrimSuffix(host, "/") + r.path() + "?" + r.query().Encode()
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("send %s: %w", r, err)
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Verb == "patch" {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	if r.As != "" {
		req.Header.Set("Impersonate-User", r.As)
	}
	return req, nil
}

// cutLast cuts around the last slash.
func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndex(s, "/")
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}
