package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"watertight.dev/watertight/api/v1alpha1"
)

// boundaries are the conditions of the boundaries that a class always promises.
var boundaries = []string{
	v1alpha1.ConditionAPI, v1alpha1.ConditionNetwork, v1alpha1.ConditionKernel, v1alpha1.ConditionCapacity,
}

// writeStatus tells what the reconcile did, once, and only if it differs.
func (r *Reconciler) writeStatus(ctx context.Context, st *state, outcome error) error {
	before := st.tenant.DeepCopy()
	status := &st.tenant.Status
	if st.accepted || !st.tenant.DeletionTimestamp.IsZero() {
		status.ObservedGeneration = st.tenant.Generation
	}
	st.setConditions(outcome)
	status.Sealed = st.sealed()
	status.Namespaces = st.record()
	st.setPhase(outcome)
	r.setVerdict(st, outcome)
	if equality.Semantic.DeepEqual(before.Status, *status) || passing(before, outcome) {
		return nil
	}
	// A merge patch leaves out what did not change, and a false that was never stored looks
	// like one that was: sealed is always said.
	before.Status.Sealed = !status.Sealed
	err := r.Writer.Status().Patch(ctx, st.tenant, client.MergeFrom(before), client.FieldOwner(v1alpha1.ManagedBy))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}

// passing says whether an outcome is not worth a write: a new tenant whose quotas are being
// counted is ready in a moment. If it is not, the next look tells.
func passing(before *v1alpha1.Tenant, outcome error) bool {
	s := (*stop)(nil)
	return errors.As(outcome, &s) && s.reason == reasonQuota && len(before.Status.Conditions) == 0 &&
		time.Since(before.CreationTimestamp.Time) < patience
}

// patience is how long a new tenant may take before its status says what it waits for.
const patience = 10 * time.Second

// setVerdict tells the last verification, and asks for one where something was written
// since or none has seen this generation.
func (r *Reconciler) setVerdict(st *state, outcome error) {
	verdict, ok := r.Verdict(st.tenant.Name, st.tenant.Generation)
	if outcome == nil && (st.wrote || !ok) {
		r.Verify()
	}
	if !ok {
		return
	}
	status := &st.tenant.Status
	if status.Guarantees == nil || *status.Guarantees != verdict.GuaranteeCount {
		counts, at := verdict.GuaranteeCount, metav1.NewTime(verdict.At).Rfc3339Copy()
		status.Guarantees, status.VerifiedAt = &counts, &at
	}
}

// reasonOf is the reason and message of an outcome that is not success.
func reasonOf(outcome error) (reason, message string) {
	if s := (*stop)(nil); errors.As(outcome, &s) {
		return s.reason, s.message
	}
	return "Error", outcome.Error()
}

func (st *state) setConditions(outcome error) {
	if !st.tenant.DeletionTimestamp.IsZero() {
		if outcome != nil {
			reason, message := reasonOf(outcome)
			st.set(v1alpha1.ConditionDeleting, metav1.ConditionTrue, reason, message)
		}
		return
	}
	switch {
	case st.accepted:
		st.set(v1alpha1.ConditionAccepted, metav1.ConditionTrue, "Accepted", "the class and the cluster can give what the tenant asks for")
	case outcome != nil:
		reason, message := reasonOf(outcome)
		st.set(v1alpha1.ConditionAccepted, metav1.ConditionFalse, reason, message)
		st.set(v1alpha1.ConditionReady, metav1.ConditionFalse, reason, message)
		return // the boundaries stay as they were
	}
	st.setBoundaries(outcome)
}

func (st *state) setBoundaries(outcome error) {
	status, reason, message := metav1.ConditionTrue, "Enforced", "every object that enforces it is in place and the guards are in force"
	if outcome != nil {
		status = metav1.ConditionFalse
		reason, message = reasonOf(outcome)
	}
	for _, c := range boundaries {
		if c == v1alpha1.ConditionCapacity && outcome == nil && len(st.over) > 0 {
			st.set(c, metav1.ConditionFalse, "OverBudget", fmt.Sprintf(
				"more is used than spec.capacity has of: %s; nothing new is admitted until something is deleted", joinNames(st.over)))
			continue
		}
		st.set(c, status, reason, message)
	}
	for _, c := range []string{v1alpha1.ConditionDevice, v1alpha1.ConditionIdentity} {
		st.set(c, metav1.ConditionUnknown, "NotPromised", "the tenant's class does not promise this boundary")
	}
	if outcome == nil {
		reason, message = "Ready", "the tenant is isolated and open for its owners"
	}
	st.set(v1alpha1.ConditionReady, status, reason, message)
}

func joinNames(names []corev1.ResourceName) string {
	text := ""
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += string(n)
	}
	return text
}

// maxMessage is the longest message that a condition may carry.
const maxMessage = 32768

func (st *state) set(condition string, status metav1.ConditionStatus, reason, message string) {
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	meta.SetStatusCondition(&st.tenant.Status.Conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: st.tenant.Generation,
	})
}

// sealed says whether no pod can be created in any namespace of the tenant.
func (st *state) sealed() bool {
	if st.unsealed {
		return false
	}
	for _, ns := range st.namespace {
		if _, ok := ns.Labels[v1alpha1.LabelUnsealed]; ok {
			return false
		}
	}
	return true
}

// record is the namespaces that belong to the tenant.
func (st *state) record() []string {
	var names []string
	for name := range st.namespace {
		names = append(names, name)
	}
	if st.complete {
		names = append(names, hostNames(st.tenant)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (st *state) setPhase(outcome error) {
	status := &st.tenant.Status
	status.Message = ""
	switch {
	case !st.tenant.DeletionTimestamp.IsZero():
		status.Phase = v1alpha1.PhaseDeleting
	case outcome == nil && len(st.over) == 0:
		status.Phase = v1alpha1.PhaseReady
		return
	case status.Phase == v1alpha1.PhaseReady || status.Phase == v1alpha1.PhaseDegraded:
		status.Phase = v1alpha1.PhaseDegraded
	default:
		status.Phase = v1alpha1.PhasePending
	}
	if outcome != nil {
		_, status.Message = reasonOf(outcome)
	}
}
