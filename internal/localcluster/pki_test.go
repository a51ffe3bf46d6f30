package localcluster

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { return c.now }

func openTestPKI(t *testing.T, folder string, c *clock) *pki {
	t.Helper()
	p, err := openPKI(folder, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// issued returns the certificate that issue leaves in its files.
func issued(t *testing.T, p *pki, a *authority, name string, l leaf) *x509.Certificate {
	t.Helper()
	files, err := p.issue(a, name, l)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(files.cert, files.key)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(files.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key %s: mode %v (%v), want 0600", files.key, info.Mode(), err)
	}
	return pair.Leaf
}

func TestIssueKeepsWhatServes(t *testing.T) {
	folder, now := t.TempDir(), newClock()
	admin := leaf{commonName: "admin", groups: []string{"b", "a"}}
	p := openTestPKI(t, folder, now)
	first := issued(t, p, p.cluster, "admin", admin)
	if got := first.Subject.CommonName; got != "admin" || len(first.Subject.Organization) != 2 {
		t.Errorf("subject %v", first.Subject)
	}
	now.now = now.now.Add(leafLifetime - renewBefore - time.Hour)
	again := openTestPKI(t, folder, now)
	if !issued(t, again, again.cluster, "admin", admin).Equal(first) {
		t.Error("a certificate that still serves was replaced")
	}
	if len(again.notes) != 0 {
		t.Errorf("notes %q, want none", again.notes)
	}
	admin.groups = []string{"a"}
	if issued(t, again, again.cluster, "admin", admin).Equal(first) {
		t.Error("a certificate for other groups was kept")
	}
}

func TestIssueReplacesAndSaysSo(t *testing.T) {
	for _, test := range []struct {
		name  string
		later time.Duration
		want  string
	}{
		{"near its end", leafLifetime - renewBefore + time.Hour, "certificate server was to expire on 2027-01-01: a new one was issued"},
		{"expired", leafLifetime + time.Hour, "certificate server expired on 2027-01-01: a new one was issued"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder, now := t.TempDir(), newClock()
			p := openTestPKI(t, folder, now)
			first := issued(t, p, p.cluster, "server", localLeaf("server"))
			now.now = now.now.Add(test.later)
			p = openTestPKI(t, folder, now)
			second := issued(t, p, p.cluster, "server", localLeaf("server"))
			if second.Equal(first) || !second.NotAfter.After(now.now.Add(renewBefore)) {
				t.Errorf("not renewed: ends %s", second.NotAfter)
			}
			if got := strings.Join(p.notes, "\n"); got != test.want {
				t.Errorf("notes %q, want %q", got, test.want)
			}
		})
	}
}

func TestAuthorityRenewedWithAllItSigned(t *testing.T) {
	folder, now := t.TempDir(), newClock()
	p := openTestPKI(t, folder, now)
	first := issued(t, p, p.cluster, "admin", leaf{commonName: "admin"})
	now.now = now.now.Add(authorityLifetime + time.Hour)
	p = openTestPKI(t, folder, now)
	second := issued(t, p, p.cluster, "admin", leaf{commonName: "admin"})
	if second.Equal(first) || second.CheckSignatureFrom(p.cluster.cert) != nil {
		t.Error("the certificate is not one of the new authority")
	}
	if len(p.notes) != 4 { // three authorities and the certificate
		t.Errorf("notes %q", p.notes)
	}
}

// TestAuthoritiesAreApart wants a cluster's client certificate to open neither etcd
// nor the front proxy.
func TestAuthoritiesAreApart(t *testing.T) {
	p := openTestPKI(t, t.TempDir(), newClock())
	admin := issued(t, p, p.cluster, "admin", leaf{commonName: "admin"})
	for _, a := range []*authority{p.etcd, p.frontProxy} {
		if admin.CheckSignatureFrom(a.cert) == nil {
			t.Errorf("authority %s accepts a certificate of the cluster's", a.name)
		}
	}
}

func TestBrokenPairIsReplaced(t *testing.T) {
	folder, now := t.TempDir(), newClock()
	p := openTestPKI(t, folder, now)
	for _, name := range []string{"ca.crt", "etcd-ca.key"} {
		if err := os.WriteFile(folder+"/"+name, []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p = openTestPKI(t, folder, now)
	if got := strings.Join(p.notes, "\n"); strings.Count(got, "could not be read") != 2 {
		t.Errorf("notes %q", p.notes)
	}
	issued(t, p, p.cluster, "admin", leaf{commonName: "admin"})
}
