package apply

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

func quota(version, pods string, edit ...func(*corev1.ResourceQuota)) *corev1.ResourceQuota {
	q := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "q", ResourceVersion: version, Labels: map[string]string{v1alpha1.LabelTenant: "a"}},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse(pods)}},
	}
	for _, e := range edit {
		e(q)
	}
	return q
}

func TestSame(t *testing.T) {
	desired := quota("", "5k")
	for _, c := range []struct {
		name string
		live client.Object
		want bool
	}{
		{"equal but for the way a quantity is written", quota("7", "5000"), true},
		{"status is the cluster's", quota("7", "5k", func(q *corev1.ResourceQuota) { q.Status.Hard = q.Spec.Hard }), true},
		{"others' labels are theirs", quota("7", "5k", func(q *corev1.ResourceQuota) { q.Labels["team"] = "x" }), true},
		{"a label of ours that we do not say", quota("7", "5k", func(q *corev1.ResourceQuota) { q.Labels["watertight.dev/x"] = "y" }), false},
		{"our label changed", quota("7", "5k", func(q *corev1.ResourceQuota) { q.Labels[v1alpha1.LabelTenant] = "b" }), false},
		{"more than we say", quota("7", "5k", func(q *corev1.ResourceQuota) { q.Spec.Hard["services"] = resource.MustParse("9") }), false},
		{"another value", quota("7", "6k"), false},
	} {
		if got := Same(desired, c.live); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestSameSeesMergedLists: an entry that somebody adds to a list of a guard disarms it.
func TestSameSeesMergedLists(t *testing.T) {
	guard := func(conditions ...admissionv1.MatchCondition) *admissionv1.ValidatingAdmissionPolicy {
		return &admissionv1.ValidatingAdmissionPolicy{Spec: admissionv1.ValidatingAdmissionPolicySpec{MatchConditions: conditions}}
	}
	ours := admissionv1.MatchCondition{Name: "not-the-operator", Expression: "true"}
	if Same(guard(ours), guard(ours, admissionv1.MatchCondition{Name: "never", Expression: "false"})) {
		t.Error("a foreign match condition goes unseen")
	}
}

// TestReplacedKeepsOthers: replacing an object keeps what others put into its metadata.
func TestReplacedKeepsOthers(t *testing.T) {
	stored := quota("7", "6", func(q *corev1.ResourceQuota) {
		q.UID, q.Labels["team"], q.Labels["watertight.dev/forged"], q.Finalizers = "u", "x", "y", []string{"theirs"}
	})
	got := replaced(quota("", "5"), stored)
	if got.GetUID() != "u" || got.GetResourceVersion() != "7" || got.GetLabels()["team"] != "x" || len(got.GetFinalizers()) != 1 {
		t.Errorf("identity or others' metadata is lost: %+v", got)
	}
	if _, forged := got.GetLabels()["watertight.dev/forged"]; forged {
		t.Error("a forged label of ours survives")
	}
}

func TestLedger(t *testing.T) {
	key := Key{GroupKind: schema.GroupKind{Kind: "ResourceQuota"}, Namespace: "a", Name: "q"}
	desired, other := quota("", "5"), quota("", "6")
	l := NewLedger()
	expect := func(when string, want Outcome, desired, live client.Object) {
		t.Helper()
		if got := l.judge(key, desired, live); got != want {
			t.Errorf("%s: got %d, want %d", when, got, want)
		}
	}
	expect("nothing known, nothing there", Written, desired, nil)
	expect("nothing known, as it should be", Unchanged, desired, quota("3", "5"))
	l.wrote(key, desired, "10")
	expect("the cache does not show our creation yet", Stale, desired, nil)
	expect("the cache shows an older version", Stale, desired, quota("9", "4"))
	expect("the cache shows our write", Unchanged, desired, quota("10", "5"))
	expect("somebody changed it", Repaired, desired, quota("11", "4"))
	expect("somebody removed it", Repaired, desired, nil)
	expect("we want something else now", Written, other, quota("11", "5"))
	l.Forget(key)
	expect("forgotten", Written, desired, nil)
	expect("without a ledger", Written, desired, nil)
	if got := (*Ledger)(nil).judge(key, desired, quota("1", "5")); got != Unchanged {
		t.Errorf("no ledger, as it should be: got %d", got)
	}
}

// TestOurs: a label that an administrator put on an object does not make it ours.
func TestOurs(t *testing.T) {
	o := quota("1", "5")
	if Ours(o) {
		t.Error("an object without our field manager is taken for ours")
	}
	o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: v1alpha1.ManagedBy}}
	if !Ours(o) {
		t.Error("our own object is not taken for ours")
	}
}
