package services

import (
	"slices"
	"strings"
)

// Controllers of Ingresses whose annotations are known.
const (
	nginx   = "k8s.io/ingress-nginx"
	awsALB  = "ingress.k8s.aws/alb"
	haproxy = "haproxy.org/ingress-controller"
	traefik = "traefik.io/ingress-controller"
)

// meaning is what a controller makes of an annotation's value.
type meaning int

const (
	// pasted values go into the controller's configuration as they are.
	pasted meaning = iota
	// text values do where they are not checked.
	text
	// urls are called by the controller.
	urls
	// hosts are host names that the object claims as well.
	hosts
	// object values name an object, "namespace/name" where it is another namespace's.
	object
	// prefixed values name objects as "namespace-name@provider".
	prefixed
	// addresses are asked for, for a load balancer.
	addresses
	// group values name a load balancer that objects share.
	group
	// global Services take in the pods of other clusters.
	global
	// opaque values do what cannot be told from the annotation.
	opaque
)

// annotation is one that makes a controller do more than its object says. A key that ends
// in "*" is a prefix.
type annotation struct {
	key        string
	controller string // "" where it is not an Ingress controller that reads it
	meaning    meaning
	reference  string
}

const (
	nginxKey   = "nginx.ingress.kubernetes.io/"
	nginxDoc   = "kubernetes.github.io/ingress-nginx: Annotations"
	dnsDoc     = "kubernetes-sigs.github.io/external-dns: Annotations"
	albDoc     = "kubernetes-sigs.github.io/aws-load-balancer-controller: Ingress annotations"
	metallbDoc = "metallb.universe.tf/usage"
	ciliumDoc  = "docs.cilium.io: LoadBalancer IP Address Management"
	haproxyDoc = "haproxy.com/documentation/kubernetes-ingress: Annotations"
	traefikDoc = "doc.traefik.io: Kubernetes Ingress routing configuration"
)

// known are looked up in order: the first that fits counts.
var known = []annotation{
	{nginxKey + "configuration-snippet", nginx, pasted, "CVE-2023-5043"},
	{nginxKey + "server-snippet", nginx, pasted, "CVE-2021-25742"},
	{nginxKey + "auth-snippet", nginx, pasted, "CVE-2021-25742"},
	{nginxKey + "stream-snippet", nginx, pasted, "CVE-2021-25742"},
	{nginxKey + "modsecurity-snippet", nginx, pasted, "CVE-2021-25742"},
	{nginxKey + "auth-url", nginx, urls, "CVE-2025-24514"},
	{nginxKey + "mirror-target", nginx, urls, "CVE-2025-1098"},
	{nginxKey + "mirror-host", nginx, text, "CVE-2025-1098"},
	{nginxKey + "auth-tls-match-cn", nginx, text, "CVE-2025-1097"},
	{nginxKey + "permanent-redirect", nginx, text, "CVE-2023-5044"},
	{nginxKey + "server-alias", nginx, hosts, nginxDoc},
	{nginxKey + "auth-secret", nginx, object, nginxDoc},
	{nginxKey + "auth-tls-secret", nginx, object, nginxDoc},
	{nginxKey + "proxy-ssl-secret", nginx, object, nginxDoc},
	{nginxKey + "auth-proxy-set-headers", nginx, object, nginxDoc},
	{nginxKey + "custom-headers", nginx, object, nginxDoc},
	{nginxKey + "fastcgi-params-configmap", nginx, object, nginxDoc},
	{nginxKey + "*", nginx, text, "CVE-2021-25746"},
	{"haproxy.org/backend-config-snippet", haproxy, pasted, haproxyDoc},
	{"haproxy.org/frontend-config-snippet", haproxy, pasted, haproxyDoc},
	{"haproxy.org/auth-secret", haproxy, object, haproxyDoc},
	{"haproxy.org/server-ca", haproxy, object, haproxyDoc},
	{"haproxy.org/server-crt", haproxy, object, haproxyDoc},
	{"nginx.org/server-snippets", "nginx.org/ingress-controller", pasted, "docs.nginx.com: Snippets"},
	{"nginx.org/location-snippets", "nginx.org/ingress-controller", pasted, "docs.nginx.com: Snippets"},
	{"traefik.ingress.kubernetes.io/router.middlewares", traefik, prefixed, traefikDoc},
	{"traefik.ingress.kubernetes.io/router.tls.options", traefik, prefixed, traefikDoc},
	{"alb.ingress.kubernetes.io/group.name", awsALB, group, albDoc + ", group.name"},
	{"alb.ingress.kubernetes.io/conditions.*", awsALB, opaque, albDoc + ", conditions"},
	{"alb.ingress.kubernetes.io/actions.*", awsALB, opaque, albDoc + ", actions"},
	{"external-dns.alpha.kubernetes.io/hostname", "", hosts, dnsDoc},
	{"external-dns.alpha.kubernetes.io/internal-hostname", "", hosts, dnsDoc},
	{"metallb.io/loadBalancerIPs", "", addresses, metallbDoc},
	{"metallb.universe.tf/loadBalancerIPs", "", addresses, metallbDoc},
	{"metallb.io/allow-shared-ip", "", group, metallbDoc},
	{"metallb.universe.tf/allow-shared-ip", "", group, metallbDoc},
	{"kube-vip.io/loadbalancerIPs", "", addresses, "kube-vip.io: Services"},
	{"lbipam.cilium.io/ips", "", addresses, ciliumDoc},
	{"io.cilium/lb-ipam-ips", "", addresses, ciliumDoc},
	{"lbipam.cilium.io/sharing-key", "", group, ciliumDoc},
	{"service.beta.kubernetes.io/azure-load-balancer-ipv4", "", addresses, "cloud-provider-azure.sigs.k8s.io: LoadBalancer annotations"},
	{"service.beta.kubernetes.io/azure-load-balancer-ipv6", "", addresses, "cloud-provider-azure.sigs.k8s.io: LoadBalancer annotations"},
	{"service.beta.kubernetes.io/aws-load-balancer-eip-allocations", "", addresses, albDoc},
	{"service.beta.kubernetes.io/aws-load-balancer-private-ipv4-addresses", "", addresses, albDoc},
	{"service.cilium.io/global", "", global, "docs.cilium.io: Load-balancing & Service Discovery"},
	{"io.cilium/global-service", "", global, "docs.cilium.io: Load-balancing & Service Discovery"},
}

// annotationOf finds what is known of an annotation.
func annotationOf(key string) (annotation, bool) {
	i := slices.IndexFunc(known, func(a annotation) bool {
		prefix, open := strings.CutSuffix(a.key, "*")
		return key == a.key || open && strings.HasPrefix(key, prefix)
	})
	if i < 0 {
		return annotation{}, false
	}
	return known[i], true
}
