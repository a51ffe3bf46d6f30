package services

import (
	"net"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze/services/address"
	"watertight.dev/watertight/internal/analyze/services/hostname"
)

// metadataNames are host names that lead to the metadata service.
var metadataNames = map[string]bool{
	"metadata.google.internal": true, "metadata": true, "instance-data": true, "instance-data.ec2.internal": true,
}

// target is where a host name or address leads. Cluster is set for names of Services.
type target struct {
	namespace, service string
	// what says it in words, where it is a place that a tenant may not call.
	what string
}

// lead says where a host name or address leads from a namespace's Service or annotation.
// A name with two labels counts as one of the cluster only where the second is a
// namespace: it is resolved by the search path of pods.
func (p *picture) lead(host string) target {
	if meaning := p.places.meaning(host); meaning != "" {
		return target{what: meaning}
	}
	host = hostname.Fold(host)
	switch {
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return target{what: "a loopback address"}
	case metadataNames[host]:
		return target{what: "the metadata service of the node"}
	case host == "kubernetes":
		return target{namespace: metaDefault, service: host, what: "the API server"}
	}
	labels := strings.Split(host, ".")
	if len(labels) < 2 || len(labels) > 2 && labels[2] != "svc" {
		return target{}
	}
	service, namespace := labels[0], labels[1]
	if len(labels) == 2 && !p.snapshot.Exists(namespace) {
		return target{}
	}
	out := target{namespace: namespace, service: service, what: "a Service of namespace " + namespace}
	if namespace == metaDefault && service == kubernetes {
		out.what = "the API server"
	}
	return out
}

// leadsTo is the target of an ExternalName in words.
func (j *judge) leadsTo(s *corev1.Service) string {
	name := clip(s.Spec.ExternalName)
	if t := j.lead(s.Spec.ExternalName); t.what != "" {
		return name + " (" + t.what + ")"
	}
	return name
}

// forbidden says in words why a URL is no address that a tenant's object may have a
// controller call; "" where it may: a Service of the same namespace, or a host outside.
func (j *judge) forbidden(raw, namespace string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" && u.Opaque == "" {
		return "" // what is no URL is judged as text
	}
	host := u.Hostname()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	t := j.lead(host)
	if t.namespace == namespace && t.service != "" {
		return ""
	}
	return t.what
}

// localOnly reports whether a hostIP is a loopback address, which no other machine reaches.
func localOnly(ip string) bool {
	for _, a := range address.Read(ip) {
		if a.IsLoopback() {
			return true
		}
	}
	return false
}
