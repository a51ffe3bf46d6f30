package localcluster

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 365 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is issued anew.
	renewBefore = 30 * 24 * time.Hour
	// clockSkew is how far back a certificate is dated.
	clockSkew = 5 * time.Minute
)

// pki issues the cluster's certificates into a folder. It keeps those that still
// serve and notes, for people, those it had to replace.
type pki struct {
	folder string
	now    func() time.Time
	notes  []string

	// The cluster's clients, the aggregation layer and etcd trust different
	// authorities: a certificate signed for a user must never open etcd.
	cluster, frontProxy, etcd *authority
}

// authority signs certificates.
type authority struct {
	name string
	cert *x509.Certificate
	key  crypto.Signer
}

// leaf describes a certificate to be issued.
type leaf struct {
	commonName string
	groups     []string
	dnsNames   []string
	ips        []net.IP
	server     bool
}

// keyPair is the paths of a certificate and its key.
type keyPair struct{ cert, key string }

// openPKI loads or creates the authorities in folder.
func openPKI(folder string, now func() time.Time) (*pki, error) {
	p := &pki{folder: folder, now: now}
	for _, a := range []struct {
		name string
		to   **authority
	}{{"ca", &p.cluster}, {"front-proxy-ca", &p.frontProxy}, {"etcd-ca", &p.etcd}} {
		authority, err := p.authority(a.name)
		if err != nil {
			return nil, err
		}
		*a.to = authority
	}
	return p, nil
}

func (p *pki) paths(name string) keyPair {
	return keyPair{cert: filepath.Join(p.folder, name+".crt"), key: filepath.Join(p.folder, name+".key")}
}

func (p *pki) authority(name string) (*authority, error) {
	files := p.paths(name)
	pair, err := tls.LoadX509KeyPair(files.cert, files.key)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		p.note(name, fmt.Sprintf("could not be read (%v)", err))
	case p.ending(pair.Leaf) != "":
		p.note(name, p.ending(pair.Leaf))
	default:
		return &authority{name: name, cert: pair.Leaf, key: pair.PrivateKey.(crypto.Signer)}, nil
	}
	template := p.template(leaf{commonName: "watertight-" + name}, authorityLifetime)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = nil
	cert, key, err := sign(template, nil)
	if err != nil {
		return nil, fmt.Errorf("create authority %s: %w", name, err)
	}
	if err := writeKeyPair(files, cert, key); err != nil {
		return nil, err
	}
	return &authority{name: name, cert: cert, key: key}, nil
}

// issue returns the files of the certificate called name, signed by a. It keeps
// the one that is there while it says the same and has time left.
func (p *pki) issue(a *authority, name string, l leaf) (keyPair, error) {
	files := p.paths(name)
	if pair, err := tls.LoadX509KeyPair(files.cert, files.key); err == nil {
		switch why := p.ending(pair.Leaf); {
		case why != "":
			p.note(name, why)
		case pair.Leaf.CheckSignatureFrom(a.cert) == nil && l.describes(pair.Leaf):
			return files, nil
		}
	}
	cert, key, err := sign(p.template(l, leafLifetime), a)
	if err != nil {
		return keyPair{}, fmt.Errorf("issue certificate %s: %w", name, err)
	}
	return files, writeKeyPair(files, cert, key)
}

// inMemory returns a client certificate that is never written to disk.
func (p *pki) inMemory(a *authority, l leaf, lifetime time.Duration) (certPEM, keyPEM []byte, err error) {
	cert, key, err := sign(p.template(l, lifetime), a)
	if err != nil {
		return nil, nil, fmt.Errorf("issue a temporary certificate: %w", err)
	}
	return encodePair(cert, key)
}

// ending says why a certificate can no longer be used, or "".
func (p *pki) ending(cert *x509.Certificate) string {
	day := cert.NotAfter.Format(time.DateOnly)
	switch now := p.now(); {
	case now.After(cert.NotAfter):
		return "expired on " + day
	case now.Add(renewBefore).After(cert.NotAfter):
		return "was to expire on " + day
	}
	return ""
}

func (p *pki) note(name, why string) {
	p.notes = append(p.notes, fmt.Sprintf("certificate %s %s: a new one was issued", name, why))
}

func (p *pki) template(l leaf, lifetime time.Duration) *x509.Certificate {
	now := p.now()
	t := &x509.Certificate{
		Subject:     pkix.Name{CommonName: l.commonName, Organization: l.groups},
		DNSNames:    l.dnsNames,
		IPAddresses: l.ips,
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if l.server {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return t
}

// describes reports whether cert says what l asks for.
func (l leaf) describes(cert *x509.Certificate) bool {
	return cert.Subject.CommonName == l.commonName &&
		slices.Equal(slices.Sorted(slices.Values(cert.Subject.Organization)), slices.Sorted(slices.Values(l.groups))) &&
		slices.Equal(cert.DNSNames, l.dnsNames) &&
		slices.EqualFunc(cert.IPAddresses, l.ips, net.IP.Equal) &&
		slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth) == l.server
}

// sign completes the template with a new key and a serial number and has it signed
// by parent, or by itself when there is none.
func sign(template *x509.Certificate, parent *authority) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	issuer, signer := template, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.cert, parent.key
		if template.NotAfter.After(issuer.NotAfter) {
			template.NotAfter = issuer.NotAfter
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func encodePair(cert *x509.Certificate, key *ecdsa.PrivateKey) (certPEM, keyPEM []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	return certPEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// writeKeyPair writes the key first: a crash in between leaves a pair that does
// not match, which the next start replaces.
func writeKeyPair(files keyPair, cert *x509.Certificate, key *ecdsa.PrivateKey) error {
	certPEM, keyPEM, err := encodePair(cert, key)
	if err != nil {
		return err
	}
	if err := writeFile(files.key, keyPEM, 0o600); err != nil {
		return err
	}
	return writeFile(files.cert, certPEM, 0o600)
}

// serviceAccountKey returns the path of the key that signs service account tokens.
// The API server verifies with the same file, from which it takes the public half.
func (p *pki) serviceAccountKey() (string, error) {
	path := filepath.Join(p.folder, "service-account.key")
	if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte("PRIVATE KEY")) {
		return path, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("create service account key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode service account key: %w", err)
	}
	return path, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
