// Package guard keeps the admission policies that guard every tenant: it writes them,
// repairs them, and tries with dry-runs whether they refuse, because the API server
// compiles policies on a tick and reports no "in force". Tenants wait for its word.
package guard

import (
	"context"
	"fmt"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"watertight.dev/watertight/api/v1alpha1"
	"watertight.dev/watertight/internal/apply"
	"watertight.dev/watertight/internal/compile"
)

// Keeper keeps the guards.
type Keeper struct {
	Writer apply.Writer
	// Config reaches the API server; its credentials are not used for the tries.
	Config *rest.Config
	// Operator is the username that the guards exempt.
	Operator string
	// Capabilities says what the cluster offers now.
	Capabilities func(context.Context) (compile.Capabilities, error)
	// Changed is called when InForce gives a new answer.
	Changed func()

	mu    sync.Mutex
	tried bool
	told  bool // somebody was told since they were tried
	ok    bool
	why   string
	token string
	until time.Time
}

// retry is when to try guards again that the API server has not compiled yet; recheck is
// when to try those that held.
const (
	retry   = 250 * time.Millisecond
	recheck = 5 * time.Minute
)

// Managed are the kinds of the guards.
func Managed() []client.ObjectList {
	return []client.ObjectList{
		&admissionv1.ValidatingAdmissionPolicyList{}, &admissionv1.ValidatingAdmissionPolicyBindingList{},
		&admissionv1.MutatingAdmissionPolicyList{}, &admissionv1.MutatingAdmissionPolicyBindingList{},
	}
}

// Tried says whether the guards were tried at all since this process began: until then
// there is nothing to tell anybody.
func (k *Keeper) Tried() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tried
}

// InForce says whether every guard was seen to refuse since it was last written, and if
// not, why.
func (k *Keeper) InForce() (bool, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ok && k.why == "" {
		return false, "the guards have not been tried yet"
	}
	return k.ok, k.why
}

// Reconcile writes the guards and the canary, tries them, and removes guards of an older
// version once the new ones hold.
func (k *Keeper) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	capabilities, err := k.Capabilities(ctx)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read capabilities: %w", err)
	}
	guards, err := compile.Guards(capabilities, k.Operator)
	if err != nil {
		return reconcile.Result{}, err
	}
	for _, o := range append(guards, compile.Canary()...) {
		if err := k.apply(ctx, o); err != nil {
			k.markTried()
			k.tell(ctx, false, err.Error())
			return reconcile.Result{}, err
		}
	}
	err = k.try(ctx)
	k.markTried()
	if err != nil {
		k.tell(ctx, false, err.Error())
		return reconcile.Result{RequeueAfter: retry}, nil
	}
	k.tell(ctx, true, "every guard was seen to refuse")
	return reconcile.Result{RequeueAfter: recheck}, k.removeObsolete(ctx, guards, capabilities)
}

func (k *Keeper) markTried() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried = true
}

func (k *Keeper) apply(ctx context.Context, desired compile.Object) error {
	live, err := blank(k.Writer.Scheme(), desired)
	if err != nil {
		return err
	}
	err = k.Writer.Get(ctx, client.ObjectKeyFromObject(desired), live)
	if apierrors.IsNotFound(err) {
		live = nil
	} else if err != nil {
		return fmt.Errorf("get %T %s: %w", desired, desired.GetName(), err)
	}
	outcome, err := k.Writer.Apply(ctx, desired, live)
	if err != nil {
		return err
	}
	if outcome == apply.Repaired {
		log.FromContext(ctx).Info("repaired a guard", "kind", fmt.Sprintf("%T", desired), "name", desired.GetName())
	}
	if outcome.Wrote() {
		k.tell(ctx, false, "the guards were written and not tried since")
	}
	return nil
}

func blank(scheme *runtime.Scheme, like compile.Object) (client.Object, error) {
	o, err := scheme.New(like.GetObjectKind().GroupVersionKind())
	if err != nil {
		return nil, err
	}
	object, ok := o.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object", o)
	}
	return object, nil
}

// tell gives InForce a new answer, and the log a new reason.
func (k *Keeper) tell(ctx context.Context, ok bool, why string) {
	k.mu.Lock()
	changed, news := k.ok != ok || k.tried != k.told, k.why != why
	k.told = k.tried
	k.ok, k.why = ok, why
	k.mu.Unlock()
	if news {
		log.FromContext(ctx).Info("guards", "inForce", ok, "reason", why)
	}
	if changed && k.Changed != nil {
		k.Changed()
	}
}

// try makes the tries with the canary's own credential.
func (k *Keeper) try(ctx context.Context) error {
	token, err := k.credential(ctx)
	if err != nil {
		return fmt.Errorf("get the canary's token: %w", err)
	}
	config := rest.AnonymousClientConfig(k.Config)
	config.BearerToken = token
	config.QPS = -1
	c, err := client.New(config, client.Options{Scheme: k.Writer.Scheme(), Mapper: k.Writer.RESTMapper()})
	if err != nil {
		return fmt.Errorf("connect as the canary: %w", err)
	}
	if err := check(ctx, c); err != nil || k.held() {
		return err
	}
	// The API server takes up policies one by one: one that came into force after its turn
	// may stand in the way of another's try.
	return check(ctx, c)
}

func (k *Keeper) held() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ok
}

// credential is a token of the canary that is good for a while.
func (k *Keeper) credential(ctx context.Context) (string, error) {
	if k.token != "" && time.Now().Before(k.until) {
		return k.token, nil
	}
	lifetime := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &lifetime}}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: compile.CanaryName}}
	if err := k.Writer.SubResource("token").Create(ctx, sa, request); err != nil {
		return "", err
	}
	k.token = request.Status.Token
	k.until = time.Now().Add(time.Until(request.Status.ExpirationTimestamp.Time) / 2)
	return k.token, nil
}

// removeObsolete removes guards that this version no longer has.
func (k *Keeper) removeObsolete(ctx context.Context, guards []compile.Object, c compile.Capabilities) error {
	wanted := map[apply.Key]bool{}
	for _, o := range guards {
		key, err := k.Writer.KeyOf(o)
		if err != nil {
			return err
		}
		wanted[key] = true
	}
	lists := Managed()
	if !c.MutatingAdmissionPolicy {
		lists = lists[:2]
	}
	for _, list := range lists {
		if err := k.Writer.List(ctx, list, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}); err != nil {
			return fmt.Errorf("list %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			object, ok := o.(client.Object)
			if !ok {
				return fmt.Errorf("%T is no object", o)
			}
			key, err := k.Writer.KeyOf(object)
			if err != nil || wanted[key] {
				return err
			}
			return k.Writer.Delete(ctx, object)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
