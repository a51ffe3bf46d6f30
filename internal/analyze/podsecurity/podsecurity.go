// Package podsecurity asks whether a tenant's pods stay behind the kernel boundary of
// their class: the Pod Security level (by the upstream checks), the sandbox's runtime
// class, and no road to a node's files. What a pod looks like from inside is for probes.
package podsecurity

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/snapshot"
)

// answered are the guarantees that this package judges.
var answered = []guarantee.ID{guarantee.KRN1, guarantee.KRN2, guarantee.KRN4}

// podKinds are the kinds without which the tenant's pods are not all known.
var podKinds = []string{
	"Tenant", "TenantClass", "Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job",
	"CronJob", "ReplicationController",
}

// Analyzer judges KRN-1, KRN-2 and KRN-4.
func Analyzer() analyze.Analyzer {
	return analyze.Analyzer{Name: "podsecurity", Guarantees: slices.Clone(answered), Run: Run}
}

// judge is what the judgements of one tenant share.
type judge struct {
	snapshot   *snapshot.Snapshot
	tenant     *v1alpha1.Tenant
	class      *v1alpha1.TenantClass
	namespaces []string
	ledger     *analyze.Ledger
	evaluator  policy.Evaluator
	storage    *storage
	pods       int
}

// Run judges every tenant of the snapshot.
func Run(s *snapshot.Snapshot) []guarantee.Finding {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	storage := storageOf(s)
	var findings []guarantee.Finding
	for _, t := range s.Tenants {
		j := &judge{
			snapshot: s, tenant: t, class: s.ClassOf(t), namespaces: s.NamespacesOf(t.Name),
			ledger: analyze.NewLedger(s, t.Name), evaluator: evaluator, storage: storage,
		}
		for _, ns := range j.namespaces {
			j.pods += len(s.PodsIn(ns))
		}
		switch {
		case err != nil:
			j.ledger.Doubt(guarantee.KRN1, "ChecksInvalid", "the Pod Security checks cannot be used: "+err.Error())
		case j.class == nil:
			j.noClass()
		default:
			j.levels()
			j.runtimes()
		}
		j.hostPaths()
		j.ledger.NeedsNamespaces(answered)
		findings = append(findings, j.ledger.Close(answered)...)
	}
	return findings
}

func (j *judge) noClass() {
	for _, id := range []guarantee.ID{guarantee.KRN1, guarantee.KRN2} {
		j.ledger.Doubt(id, "ClassNotFound", fmt.Sprintf("TenantClass %s of tenant %s does not exist: create it or correct spec.className", j.tenant.Spec.ClassName, j.tenant.Name),
			analyze.AboutTenant(j.snapshot, j.tenant.Name, "spec.className", j.tenant.Spec.ClassName))
	}
}

// eachPod calls visit for every pod of the tenant.
func (j *judge) eachPod(visit func(*corev1.Pod)) {
	for _, ns := range j.namespaces {
		for _, p := range j.snapshot.PodsIn(ns) {
			visit(p)
		}
	}
}

// levels judges KRN-1: the label on every namespace, and every pod by the same checks
// that the API server makes.
func (j *judge) levels() {
	level := psapi.Level(j.class.Spec.Kernel.PodSecurity)
	if level == psapi.LevelPrivileged {
		j.ledger.NotPromised(guarantee.KRN1, "class "+j.class.Name+" enforces no Pod Security Standard (kernel.podSecurity: privileged)")
		return
	}
	for _, ns := range j.namespaces {
		j.label(ns, level)
	}
	latest := psapi.LevelVersion{Level: level, Version: psapi.LatestVersion()}
	j.eachPod(func(p *corev1.Pod) {
		r := policy.AggregateCheckResults(j.evaluator.EvaluatePod(latest, &p.ObjectMeta, &p.Spec))
		if !r.Allowed {
			field, detail := firstFault(p)
			j.ledger.Break(guarantee.KRN1, "PodSecurityViolated",
				fmt.Sprintf("%s violates Pod Security level %s: %s; change its spec", name(p), level, r.ForbiddenDetail()),
				analyze.About(j.snapshot, p, field, strings.TrimSpace(detail+" "+r.ForbiddenDetail())))
		}
	})
	j.ledger.Needs([]guarantee.ID{guarantee.KRN1}, append(slices.Clone(podKinds), "Namespace")...)
	j.ledger.Hold(guarantee.KRN1, "LevelEnforced", fmt.Sprintf("its %d namespaces enforce Pod Security level %s (latest), and its %d pods pass it", len(j.namespaces), level, j.pods),
		j.namespaceEvidence("metadata.labels[pod-security.kubernetes.io/enforce]", "enforces "+string(level))...)
}

// label judges a namespace's enforce label and its version.
func (j *judge) label(name string, level psapi.Level) {
	ns := j.snapshot.Namespace(name)
	const at = "metadata.labels[" + psapi.EnforceLevelLabel + "]"
	if ns == nil {
		if j.snapshot.Exists(name) { // used, and not declared in the folder
			j.ledger.Doubt(guarantee.KRN1, "NamespaceNotSeen", fmt.Sprintf("namespace %s is not declared here: whether it enforces Pod Security level %s is unknown", name, level),
				analyze.AboutNamespace(j.snapshot, name, "is not in the snapshot"))
		}
		return
	}
	have := ns.Labels[psapi.EnforceLevelLabel]
	version := ns.Labels[psapi.EnforceVersionLabel]
	switch {
	case have == "":
		j.ledger.Break(guarantee.KRN1, "EnforceLabelMissing", fmt.Sprintf("namespace %s enforces no Pod Security level: label it %s=%s", name, psapi.EnforceLevelLabel, level),
			analyze.About(j.snapshot, ns, at, "is missing"))
	case psapi.CompareLevels(psapi.Level(have), level) < 0 || !known(have):
		j.ledger.Break(guarantee.KRN1, "EnforceLabelWeak", fmt.Sprintf("namespace %s enforces Pod Security level %s, and its class promises %s: label it %s=%s", name, have, level, psapi.EnforceLevelLabel, level),
			analyze.About(j.snapshot, ns, at, "is "+have))
	case version != "" && version != psapi.VersionLatest:
		j.ledger.Break(guarantee.KRN1, "EnforceVersionOld", fmt.Sprintf("namespace %s enforces Pod Security level %s of version %s only: label it %s=latest", name, have, version, psapi.EnforceVersionLabel),
			analyze.About(j.snapshot, ns, "metadata.labels["+psapi.EnforceVersionLabel+"]", "is "+version))
	}
}

func known(level string) bool {
	_, err := psapi.ParseLevel(level)
	return err == nil
}

// runtimes judges KRN-2: every pod names the RuntimeClass of the class's sandbox.
func (j *judge) runtimes() {
	want := runtimeClass(j.class.Spec.Kernel)
	if want == "" {
		j.ledger.NotPromised(guarantee.KRN2, "class "+j.class.Name+" has no sandbox (kernel.sandbox: None)")
		return
	}
	j.eachPod(func(p *corev1.Pod) {
		have := ""
		if p.Spec.RuntimeClassName != nil {
			have = *p.Spec.RuntimeClassName
		}
		switch {
		case have == want:
		case have == "" && snapshot.Synthetic(p) && j.mutated(p.Namespace):
		case have == "":
			j.ledger.Break(guarantee.KRN2, "NotSandboxed", fmt.Sprintf("%s names no runtime class and runs outside the sandbox: set spec.runtimeClassName to %s", name(p), want),
				analyze.About(j.snapshot, p, "spec.runtimeClassName", "is not set"))
		default:
			j.ledger.Break(guarantee.KRN2, "WrongRuntimeClass", fmt.Sprintf("%s runs behind runtime class %s, and its class demands %s: set spec.runtimeClassName to %s", name(p), have, want, want),
				analyze.About(j.snapshot, p, "spec.runtimeClassName", "is "+have))
		}
	})
	exists := slices.ContainsFunc(j.snapshot.RuntimeClasses, func(r *nodev1.RuntimeClass) bool { return r.Name == want })
	if !exists && j.snapshot.Origin == snapshot.OriginLive {
		j.ledger.Doubt(guarantee.KRN2, "RuntimeClassMissing", fmt.Sprintf("RuntimeClass %s does not exist in the cluster: create it", want),
			analyze.AboutKey(j.snapshot, snapshot.ObjectKey{Group: "node.k8s.io", Kind: "RuntimeClass", Name: want}, "", "is missing"))
	}
	j.ledger.Needs([]guarantee.ID{guarantee.KRN2}, append(slices.Clone(podKinds), "RuntimeClass")...)
	j.ledger.Hold(guarantee.KRN2, "Sandboxed", fmt.Sprintf("all of its %d pods run behind runtime class %s", j.pods, want),
		j.namespaceEvidence("", fmt.Sprintf("every pod names runtime class %s", want))...)
}

// mutated reports whether an admission policy would give a folder's pods the sandbox.
func (j *judge) mutated(namespace string) bool {
	guarded := slices.ContainsFunc(j.snapshot.Guards, func(g *v1alpha1.Guard) bool {
		return g.Namespace == namespace && g.Spec.RuntimeClassName != ""
	})
	return guarded && len(j.snapshot.MutationBindings) > 0
}

// runtimeClass is the RuntimeClass of a class's sandbox, "" where it has none.
func runtimeClass(k v1alpha1.KernelClass) string {
	switch {
	case k.Sandbox == v1alpha1.SandboxNone || k.Sandbox == "":
		return ""
	case k.RuntimeClassName != "":
		return k.RuntimeClassName
	}
	return strings.ToLower(string(k.Sandbox))
}

// namespaceEvidence states a fact about each namespace, the first few of them.
func (j *judge) namespaceEvidence(field, detail string) []guarantee.Evidence {
	const most = 8
	var out []guarantee.Evidence
	for _, ns := range j.namespaces[:min(most, len(j.namespaces))] {
		e := analyze.AboutNamespace(j.snapshot, ns, detail)
		e.Field = field
		out = append(out, e)
	}
	return out
}

// name is how people know a pod: by the workload that makes it, if there is one.
func name(p *corev1.Pod) string { return snapshot.KeyOf(p).String() }
