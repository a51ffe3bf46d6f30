package compile

import (
	"embed"
	"fmt"
	"io/fs"
	"path"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"watertight.dev/watertight/api/v1alpha1"
)

// The guards are admission policies in YAML, a file each, because CEL reads best where
// nothing has to be escaped. What they have in common is added here.
//
//go:embed guards/*.yaml guards/mutate/*.yaml
var guardFiles embed.FS

// guardFile is a guard as it is written down.
type guardFile struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	// Exempt is "" for the operator, or Nobody.
	Exempt string `json:"exempt,omitempty"`
	// Params is true where the guard compares requests with the namespace's Guard.
	Params bool                                      `json:"params,omitempty"`
	Spec   admissionv1.ValidatingAdmissionPolicySpec `json:"spec"`
}

// mutationFile is a mutation as it is written down.
type mutationFile struct {
	Metadata metav1.ObjectMeta                       `json:"metadata"`
	Spec     admissionv1.MutatingAdmissionPolicySpec `json:"spec"`
}

// Guards are the admission policies and bindings that guard every tenant's namespaces.
// Their number does not grow with tenants: what differs is in each namespace's Guard. The
// operator's username is exempt, by its exact name.
func Guards(c Capabilities, operator string) ([]Object, error) {
	var out []Object
	err := eachGuard("guards", func(text []byte) error {
		var f guardFile
		if err := yaml.UnmarshalStrict(text, &f); err != nil {
			return err
		}
		out = append(out, f.policy(operator), f.binding())
		return nil
	})
	if err != nil || !c.MutatingAdmissionPolicy {
		return out, err
	}
	err = eachGuard("guards/mutate", func(text []byte) error {
		var f mutationFile
		if err := yaml.UnmarshalStrict(text, &f); err != nil {
			return err
		}
		out = append(out, f.policy(), f.binding())
		return nil
	})
	return out, err
}

func eachGuard(dir string, use func([]byte) error) error {
	files, err := fs.Glob(guardFiles, path.Join(dir, "*.yaml"))
	if err != nil {
		return fmt.Errorf("list guards: %w", err)
	}
	for _, name := range files {
		text, err := guardFiles.ReadFile(name)
		if err == nil {
			err = use(text)
		}
		if err != nil {
			return fmt.Errorf("read guard %s: %w", name, err)
		}
	}
	return nil
}

// policy completes the guard with what all have in common, every default written out so
// that it can be compared whole with what is stored.
func (f guardFile) policy(operator string) *admissionv1.ValidatingAdmissionPolicy {
	spec := *f.Spec.DeepCopy()
	fail := admissionv1.Fail
	spec.FailurePolicy = &fail
	if f.Params {
		spec.ParamKind = guardParamKind()
	}
	if f.Exempt != "Nobody" {
		spec.MatchConditions = append([]admissionv1.MatchCondition{{
			Name: "not-the-operator", Expression: fmt.Sprintf("request.userInfo.username != %q", operator),
		}}, spec.MatchConditions...)
	}
	completeMatch(spec.MatchConstraints)
	return &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   admissionType("ValidatingAdmissionPolicy"),
		ObjectMeta: f.meta(),
		Spec:       spec,
	}
}

func (f guardFile) binding() *admissionv1.ValidatingAdmissionPolicyBinding {
	spec := admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName:        f.Metadata.Name,
		ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit},
	}
	if f.Params {
		spec.ParamRef = guardParamRef()
	}
	return &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta: admissionType("ValidatingAdmissionPolicyBinding"), ObjectMeta: f.meta(), Spec: spec,
	}
}

func (f guardFile) meta() metav1.ObjectMeta {
	m := objectMeta("", "", f.Metadata.Name)
	m.Annotations = f.Metadata.Annotations
	return m
}

func (f mutationFile) policy() *admissionv1.MutatingAdmissionPolicy {
	spec := *f.Spec.DeepCopy()
	fail := admissionv1.Fail
	spec.FailurePolicy = &fail
	completeMatch(spec.MatchConstraints)
	return &admissionv1.MutatingAdmissionPolicy{
		TypeMeta: admissionType("MutatingAdmissionPolicy"), ObjectMeta: guardFile{Metadata: f.Metadata}.meta(), Spec: spec,
	}
}

func (f mutationFile) binding() *admissionv1.MutatingAdmissionPolicyBinding {
	return &admissionv1.MutatingAdmissionPolicyBinding{
		TypeMeta: admissionType("MutatingAdmissionPolicyBinding"), ObjectMeta: guardFile{Metadata: f.Metadata}.meta(),
		Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: f.Metadata.Name, ParamRef: guardParamRef()},
	}
}

func admissionType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: kind}
}

func guardParamKind() *admissionv1.ParamKind {
	return &admissionv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Guard"}
}

// guardParamRef finds the Guard of the request's own namespace; without one, every
// guarded request is refused.
func guardParamRef() *admissionv1.ParamRef {
	deny := admissionv1.DenyAction
	return &admissionv1.ParamRef{Name: v1alpha1.GuardName, ParameterNotFoundAction: &deny}
}

func completeMatch(m *admissionv1.MatchResources) {
	equivalent, scope := admissionv1.Equivalent, admissionv1.AllScopes
	m.MatchPolicy = &equivalent
	if m.NamespaceSelector == nil {
		m.NamespaceSelector = &metav1.LabelSelector{}
	}
	if m.ObjectSelector == nil {
		m.ObjectSelector = &metav1.LabelSelector{}
	}
	for i := range m.ResourceRules {
		m.ResourceRules[i].Scope = &scope
	}
}
