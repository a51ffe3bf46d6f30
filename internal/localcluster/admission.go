package localcluster

import (
	"fmt"
	"os"
	"strings"
)

// Admission policies are exempt from all policies that are created through the API. One
// that is read from a file is not (KEP-5793, beta in 1.37): it keeps everybody but
// administrators and the guard keeper from admission policies whose names begin with
// watertight. Nobody can remove it without access to the API server's files.
const staticPolicy = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: watertight-policies.static.k8s.io
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups: [admissionregistration.k8s.io]
      apiVersions: ["*"]
      operations: [CREATE, UPDATE, DELETE]
      resources: [validatingadmissionpolicies, validatingadmissionpolicybindings, mutatingadmissionpolicies, mutatingadmissionpolicybindings]
  validations:
  - expression: >-
      request.userInfo.username == 'KEEPER' || 'ADMINS' in request.userInfo.groups ||
      !((object != null ? object : oldObject).metadata.name.startsWith('watertight'))
    message: "this admission policy guards the tenants and is written by the Watertight operator and by administrators only"
    reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: watertight-policies.static.k8s.io
spec:
  policyName: watertight-policies.static.k8s.io
  validationActions: [Deny, Audit]
`

const admissionConfig = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionPolicy
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ValidatingAdmissionPolicyConfiguration
    staticManifestsDir: %q
`

// admissionArgs writes the static policy and returns the API server's flag for it; none
// when the cluster has no guard keeper.
func (a *apiServer) admissionArgs() ([]string, error) {
	c := a.cluster
	if c.opts.GuardKeeper == "" {
		return nil, nil
	}
	folder := c.dir.config("admission")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("create folder of static policies: %w", err)
	}
	policy := strings.NewReplacer("KEEPER", c.opts.GuardKeeper, "ADMINS", adminGroup).Replace(staticPolicy)
	if err := writeFile(c.dir.config("admission/guards.yaml"), []byte(policy), 0o600); err != nil {
		return nil, err
	}
	file := c.dir.config("admission.yaml")
	if err := writeFile(file, fmt.Appendf(nil, admissionConfig, folder), 0o600); err != nil {
		return nil, err
	}
	return []string{"--admission-control-config-file=" + file}, nil
}
