package rbacreach

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"watertight.dev/watertight/internal/analyze"
	"watertight.dev/watertight/internal/snapshot"
)

// TestMountedTokens finds the accounts whose tokens a pod carries: a "+" is a token that
// counts, a "~" one made for another audience.
func TestMountedTokens(t *testing.T) {
	no, yes := false, true
	projected := func(audience string) corev1.Volume {
		return corev1.Volume{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience}}}}}}
	}
	secret := corev1.Volume{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "deployer-token"}}}
	inside := corev1.Volume{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "deployer-token"}}}}}}}
	env := corev1.Container{EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "deployer-token"}}}}}
	variable := corev1.Container{Env: []corev1.EnvVar{{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "deployer-token"}}}}}}
	for name, c := range map[string]struct {
		spec    corev1.PodSpec
		account *bool
		live    bool
		want    string
	}{
		"by default":                           {corev1.PodSpec{}, nil, false, "+lab/default"},
		"the old field":                        {corev1.PodSpec{DeprecatedServiceAccount: "runner"}, nil, false, "+lab/runner"},
		"the account says no":                  {corev1.PodSpec{ServiceAccountName: "runner"}, &no, false, ""},
		"the pod says no":                      {corev1.PodSpec{ServiceAccountName: "runner", AutomountServiceAccountToken: &no}, &yes, false, ""},
		"the pod says yes":                     {corev1.PodSpec{ServiceAccountName: "runner", AutomountServiceAccountToken: &yes}, &no, false, "+lab/runner"},
		"a volume, though the pod says no":     {corev1.PodSpec{ServiceAccountName: "runner", AutomountServiceAccountToken: &no, Volumes: []corev1.Volume{projected("")}}, nil, false, "+lab/runner"},
		"a token for others":                   {corev1.PodSpec{ServiceAccountName: "runner", AutomountServiceAccountToken: &no, Volumes: []corev1.Volume{projected("vault")}}, nil, false, "~lab/runner"},
		"a live pod shows what it has":         {corev1.PodSpec{ServiceAccountName: "runner"}, nil, true, ""},
		"a live pod with a token":              {corev1.PodSpec{ServiceAccountName: "runner", Volumes: []corev1.Volume{projected("")}}, nil, true, "+lab/runner"},
		"a Secret with another's token":        {corev1.PodSpec{AutomountServiceAccountToken: &no, Volumes: []corev1.Volume{secret}}, nil, false, "+lab/deployer"},
		"the same in a projected volume":       {corev1.PodSpec{AutomountServiceAccountToken: &no, Volumes: []corev1.Volume{inside}}, nil, false, "+lab/deployer"},
		"the same in the environment":          {corev1.PodSpec{AutomountServiceAccountToken: &no, Containers: []corev1.Container{env}}, nil, false, "+lab/deployer"},
		"the same in an init container's":      {corev1.PodSpec{AutomountServiceAccountToken: &no, InitContainers: []corev1.Container{variable}}, nil, false, "+lab/deployer"},
		"a Secret of that name without tokens": {corev1.PodSpec{AutomountServiceAccountToken: &no, Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "other"}}}}}, nil, false, ""},
	} {
		s := cluster(&corev1.Pod{ObjectMeta: named("lab", "pod"), Spec: c.spec}, tokenSecret("lab", "deployer-token", "deployer"), tokenSecret("elsewhere", "other", "deployer"),
			&corev1.ServiceAccount{ObjectMeta: named("lab", "runner"), AutomountServiceAccountToken: c.account})
		if c.live {
			s.Origin = snapshot.OriginLive
		}
		got := ""
		for _, e := range edgesOf(s) {
			if e.From.Kind == analyze.PlaceWorkload && e.Weak {
				got += "~" + e.To.Namespace + "/" + e.To.Name
			} else if e.From.Kind == analyze.PlaceWorkload {
				got += "+" + e.To.Namespace + "/" + e.To.Name
			}
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
