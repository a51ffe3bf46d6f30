// Package kernel probes the kernel boundary by dry-run: pods that leave the class's Pod
// Security level (KRN-1) or its sandbox (KRN-2), and other roads to the node's file
// system (KRN-4), must be refused. What kernel a
// running pod stands on it does not see.
package kernel

import (
	"encoding/json"
	"fmt"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/probe"
)

const (
	control     = "creating a pod that keeps the class's rules"
	noNamespace = "the tenant has no namespace yet, so there is nothing to try from"
)

// Probes lists the probes of the kernel boundary.
func Probes() []probe.Probe {
	return []probe.Probe{
		probe.Table{Description: probe.Description{
			ID: "kernel/pod-security", Guarantee: guarantee.KRN1, Technique: "ATT&CK T1611",
			SideEffects: probe.DryRun, Needs: "an unsealed namespace", Control: control,
		}, Tries: podSecurity},
		probe.Table{Description: probe.Description{
			ID: "kernel/sandbox", Guarantee: guarantee.KRN2, Technique: "ATT&CK T1611",
			SideEffects: probe.DryRun, Needs: "an unsealed namespace and the class's RuntimeClass", Control: control,
		}, Tries: sandbox},
		probe.Table{Description: probe.Description{
			ID: "kernel/host-paths", Guarantee: guarantee.KRN4, Technique: "ATT&CK T1611",
			SideEffects: probe.DryRun, Needs: "an unsealed namespace", Control: control,
		}, Tries: hostPaths},
	}
}

// edit makes one change to a compliant pod.
type edit = func(spec, container probe.Manifest)

// escapes are the pods that a Pod Security level forbids. Those of "baseline" are
// forbidden by "restricted" too.
var escapes = []struct {
	what     string
	baseline bool
	edit     edit
}{
	{"run a privileged container", true, func(_, c probe.Manifest) {
		security(c)["privileged"] = true
		delete(security(c), "allowPrivilegeEscalation")
	}},
	{"mount the node's root file system", true, func(s, _ probe.Manifest) {
		s["volumes"] = []any{probe.Manifest{"name": "root", "hostPath": probe.Manifest{"path": "/"}}}
	}},
	{"use the node's network", true, func(s, _ probe.Manifest) { s["hostNetwork"] = true }},
	{"see the node's processes", true, func(s, _ probe.Manifest) { s["hostPID"] = true }},
	{"use the node's IPC", true, func(s, _ probe.Manifest) { s["hostIPC"] = true }},
	{"bind a port of the node", true, func(_, c probe.Manifest) {
		c["ports"] = []any{probe.Manifest{"containerPort": 8080, "hostPort": 8080}}
	}},
	{"unmask /proc", true, func(s, c probe.Manifest) {
		security(c)["procMount"] = "Unmasked"
		s["hostUsers"] = false
	}},
	{"gain CAP_SYS_ADMIN", true, func(_, c probe.Manifest) {
		security(c)["capabilities"] = probe.Manifest{"drop": []any{"ALL"}, "add": []any{"SYS_ADMIN"}}
	}},
	{"leave seccomp", true, func(s, _ probe.Manifest) {
		security(s)["seccompProfile"] = probe.Manifest{"type": "Unconfined"}
	}},
	{"run as root", false, func(s, _ probe.Manifest) {
		s["securityContext"] = probe.Manifest{"runAsUser": 0, "seccompProfile": probe.Manifest{"type": "RuntimeDefault"}}
	}},
	{"allow privilege escalation", false, func(_, c probe.Manifest) { security(c)["allowPrivilegeEscalation"] = true }},
	{"keep the default capabilities", false, func(_, c probe.Manifest) { delete(security(c), "capabilities") }},
}

func security(m probe.Manifest) probe.Manifest { return m["securityContext"].(probe.Manifest) }

// podSecurity tries each escape in each namespace, and the labels that would allow it.
func podSecurity(t probe.Target) ([]probe.Try, string) {
	level := t.Class.Kernel.PodSecurity
	if level == v1alpha1.PodSecurityPrivileged {
		return nil, "the class's Pod Security level is privileged, which forbids nothing"
	}
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		for _, e := range escapes {
			if level == v1alpha1.PodSecurityBaseline && !e.baseline {
				continue
			}
			tries = append(tries, probe.Try{
				What:    e.what + " in " + ns,
				Attack:  probe.CreatePod(ns, probe.Pod(t, e.edit)),
				Control: probe.CreatePod(ns, probe.Pod(t)),
				By:      []probe.Refusal{probe.PodSecurity, probe.Guard, probe.Server},
				Mend:    fmt.Sprintf("label the namespace pod-security.kubernetes.io/enforce=%s and look for Pod Security exemptions in the API server's admission configuration", level),
			})
		}
		tries = append(tries, probe.Try{
			What: "take the Pod Security label off " + ns,
			Attack: probe.Request{Verb: "patch", Resource: "v1/namespaces", Name: ns, Body: probe.Manifest{
				"metadata": probe.Manifest{"labels": probe.Manifest{"pod-security.kubernetes.io/enforce": nil}},
			}},
			Control: probe.CreateConfigMap(ns),
			By:      []probe.Refusal{probe.RBAC, probe.Guard},
			Mend:    "take the right to patch namespaces from the tenant's roles",
		})
	}
	return tries, noNamespace
}

// sandbox tries to run outside the class's RuntimeClass.
func sandbox(t probe.Target) ([]probe.Try, string) {
	want := t.RuntimeClass()
	if want == "" {
		return nil, "the class demands no sandbox"
	}
	leave := map[string]edit{
		"run a pod without a RuntimeClass": func(s, _ probe.Manifest) { delete(s, "runtimeClassName") },
	}
	for _, other := range t.RuntimeClasses {
		if other != want { // one that does not exist would be refused for that alone
			leave["run a pod with RuntimeClass "+other] = func(s, _ probe.Manifest) { s["runtimeClassName"] = other }
		}
	}
	var tries []probe.Try
	for _, ns := range t.Namespaces {
		for what, e := range leave {
			tries = append(tries, probe.Try{
				What:     what + " in " + ns,
				Attack:   probe.CreatePod(ns, probe.Pod(t, e)),
				Control:  probe.CreatePod(ns, probe.Pod(t)),
				By:       []probe.Refusal{probe.Guard},
				Harmless: hasRuntimeClass(want),
				Mend:     "check that the guard policy on runtimeClassName is installed and in force (watertight install)",
			})
		}
	}
	return tries, noNamespace
}

// hasRuntimeClass tells whether admission gave the pod the class's sandbox.
func hasRuntimeClass(want string) func([]byte) (bool, string) {
	return func(object []byte) (bool, string) {
		var pod struct {
			Spec struct {
				RuntimeClassName string `json:"runtimeClassName"`
			} `json:"spec"`
		}
		if err := json.Unmarshal(object, &pod); err != nil {
			return false, fmt.Sprintf("accepted, and the answer could not be read: %v", err)
		}
		got := pod.Spec.RuntimeClassName
		return got == want, fmt.Sprintf("accepted with runtimeClassName %q", got)
	}
}
