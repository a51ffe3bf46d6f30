package compile

import (
	"strings"

	"watertight.dev/watertight/api/v1alpha1"
)

// RuntimeClassName is the RuntimeClass that every pod of the class must have; empty
// where the class has no sandbox.
func RuntimeClassName(k v1alpha1.KernelClass) string {
	switch {
	case k.Sandbox == "" || k.Sandbox == v1alpha1.SandboxNone:
		return ""
	case k.RuntimeClassName != "":
		return k.RuntimeClassName
	default:
		return strings.ToLower(string(k.Sandbox))
	}
}
