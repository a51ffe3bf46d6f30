package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
)

const (
	rbacGroup   = "rbac.authorization.k8s.io"
	rbacV1      = rbacGroup + "/v1"
	admissionV1 = "admissionregistration.k8s.io/v1"
	kubeSystem  = "kube-system"
)

// escalations tries each known way from a namespace's rights to wider ones.
func escalations(t probe.Target) ([]probe.Try, string) {
	ns, ok := own(t)
	if !ok {
		return nil, noNamespace
	}
	var tries []probe.Try
	for _, e := range append(grants(t, ns), clusterRights(t, ns)...) {
		e.Control, e.Mend = probe.CreateConfigMap(ns), mend(t, guarantee.API3)
		e.By = []probe.Refusal{probe.RBAC, probe.Guard}
		tries = append(tries, e)
	}
	return tries, ""
}

// grants are ways through RBAC and other identities.
func grants(t probe.Target, ns string) []probe.Try {
	subject := []any{probe.Manifest{
		"kind": "ServiceAccount", "name": v1alpha1.OwnerServiceAccount(t.Tenant), "namespace": v1alpha1.SystemNamespace,
	}}
	bind := func(kind, role string) probe.Manifest {
		return probe.Object(rbacV1, kind, probe.Manifest{
			"subjects": subject,
			"roleRef":  probe.Manifest{"apiGroup": rbacGroup, "kind": "ClusterRole", "name": role},
		})
	}
	everything := []any{probe.Manifest{"apiGroups": []any{"*"}, "resources": []any{"*"}, "verbs": []any{"*"}}}
	tries := []probe.Try{
		{What: "bind itself to cluster-admin in the whole cluster", Attack: probe.Request{Verb: "create", Resource: rbacV1 + "/clusterrolebindings", Body: bind("ClusterRoleBinding", "cluster-admin")}},
		{What: "bind itself to edit in the whole cluster", Attack: probe.Request{Verb: "create", Resource: rbacV1 + "/clusterrolebindings", Body: bind("ClusterRoleBinding", "edit")}},
		{What: "bind itself to cluster-admin in its namespace", Attack: probe.Request{Verb: "create", Resource: rbacV1 + "/rolebindings", Namespace: ns, Body: bind("RoleBinding", "cluster-admin")}},
		{What: "create a Role with every right", Attack: probe.Request{Verb: "create", Resource: rbacV1 + "/roles", Namespace: ns, Body: probe.Object(rbacV1, "Role", probe.Manifest{"rules": everything})}},
		{What: "create a ClusterRole with every right", Attack: probe.Request{Verb: "create", Resource: rbacV1 + "/clusterroles", Body: probe.Object(rbacV1, "ClusterRole", probe.Manifest{"rules": everything})}},
		{What: "take the operator's identity by a token", Attack: tokenOf(v1alpha1.SystemNamespace, "watertight-operator")},
		{What: "take a system controller's identity by a token", Attack: tokenOf(kubeSystem, "namespace-controller")},
	}
	for _, user := range []string{"system:kube-controller-manager", v1alpha1.OperatorUser, "system:serviceaccount:" + kubeSystem + ":namespace-controller"} {
		tries = append(tries, probe.Try{What: "act as " + user, Attack: probe.Request{Verb: "list", Resource: "v1/configmaps", Namespace: ns, As: user}})
	}
	for _, foreign := range t.Foreign {
		tries = append(tries, probe.Try{What: "take an identity of " + foreign + " by a token", Attack: tokenOf(foreign, "default")})
	}
	return tries
}

// clusterRights are ways through the cluster's own machinery.
func clusterRights(t probe.Target, ns string) []probe.Try {
	node := t.Node
	if node == "" {
		node = probe.Name
	}
	metadata := func(labels probe.Manifest) probe.Manifest {
		return probe.Manifest{"metadata": probe.Manifest{"labels": labels}}
	}
	namespace := func(subresource string, labels probe.Manifest) probe.Request {
		return probe.Request{Verb: "patch", Resource: "v1/namespaces", Name: ns, Subresource: subresource, Body: metadata(labels)}
	}
	privileged := probe.Manifest{"pod-security.kubernetes.io/enforce": "privileged"}
	finalize := probe.Object("v1", "Namespace", probe.Manifest{
		"metadata": probe.Manifest{"name": ns, "labels": privileged}, "spec": probe.Manifest{"finalizers": []any{}},
	})
	return []probe.Try{
		{What: "run commands in pods through the kubelet (nodes/proxy)", Attack: probe.Request{Verb: "get", Resource: "v1/nodes", Name: node, Subresource: "proxy"}},
		{What: "change a node", Attack: probe.Request{Verb: "patch", Resource: "v1/nodes", Name: node, Body: metadata(probe.Manifest{probe.Name: "1"})}},
		{What: "ask for a client certificate", Attack: probe.Request{Verb: "create", Resource: "certificates.k8s.io/v1/certificatesigningrequests", Body: signingRequest()}},
		{What: "put a webhook into every write", Attack: probe.Request{Verb: "create", Resource: admissionV1 + "/mutatingwebhookconfigurations", Body: webhook("MutatingWebhookConfiguration")}},
		{What: "watch every write with a webhook", Attack: probe.Request{Verb: "create", Resource: admissionV1 + "/validatingwebhookconfigurations", Body: webhook("ValidatingWebhookConfiguration")}},
		{What: "create an admission policy", Attack: probe.Request{Verb: "create", Resource: admissionV1 + "/validatingadmissionpolicies", Body: policy()}},
		{What: "lower the Pod Security of its namespace", Attack: namespace("", privileged)},
		{What: "lower the Pod Security of its namespace through namespaces/status", Attack: namespace("status", privileged)},
		{What: "lower the Pod Security of its namespace through namespaces/finalize", Attack: probe.Request{Verb: "update", Resource: "v1/namespaces", Name: ns, Subresource: "finalize", Body: finalize}},
		{What: "lift the seal of its namespace", Attack: namespace("", probe.Manifest{v1alpha1.LabelUnsealed: "true", probe.Name: "1"})},
		{What: "move its namespace to another tenant", Attack: namespace("", probe.Manifest{v1alpha1.LabelTenant: "watertight-probe"})},
	}
}

func tokenOf(namespace, account string) probe.Request {
	return probe.Request{
		Verb: "create", Resource: "v1/serviceaccounts", Subresource: "token", Namespace: namespace, Name: account,
		Body: probe.Manifest{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": probe.Manifest{"expirationSeconds": 600}},
	}
}

func webhook(kind string) probe.Manifest {
	return probe.Object(admissionV1, kind, probe.Manifest{"webhooks": []any{probe.Manifest{
		"name": "probe.watertight.dev", "sideEffects": "None", "admissionReviewVersions": []any{"v1"}, "failurePolicy": "Ignore",
		"clientConfig": probe.Manifest{"url": "https://probe.watertight.invalid/"},
		"rules": []any{probe.Manifest{
			"apiGroups": []any{"probe.watertight.dev"}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"probes"},
		}},
	}}})
}

func policy() probe.Manifest {
	return probe.Object(admissionV1, "ValidatingAdmissionPolicy", probe.Manifest{"spec": probe.Manifest{
		"matchConstraints": probe.Manifest{"resourceRules": []any{probe.Manifest{
			"apiGroups": []any{"probe.watertight.dev"}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"probes"},
		}}},
		"validations": []any{probe.Manifest{"expression": "true"}},
	}})
}

// signingRequest asks for the identity of a node. Its key is thrown away.
func signingRequest() probe.Manifest {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("no randomness: %v", err))
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "system:node:" + probe.Name, Organization: []string{"system:nodes"}},
	}, key)
	if err != nil {
		panic(fmt.Sprintf("a fixed certificate request is refused: %v", err))
	}
	return probe.Object("certificates.k8s.io/v1", "CertificateSigningRequest", probe.Manifest{"spec": probe.Manifest{
		"request":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		"signerName": "kubernetes.io/kube-apiserver-client-kubelet",
		"usages":     []any{"digital signature", "client auth"},
	}})
}
