package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	policyv1alpha2 "sigs.k8s.io/network-policy-api/apis/v1alpha2"

	"watertight.dev/watertight/api/v1alpha1"
)

const (
	// fieldOwner is who applies the examples: a person, not Watertight.
	fieldOwner = client.FieldOwner("watertight-demo")
	pollEvery  = 100 * time.Millisecond
	// patience is how long the demo waits for the cluster to come round.
	patience = 2 * time.Minute
)

func connect(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(policyv1alpha2.Install(scheme))
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return c, nil
}

// manifest is one document of a file.
type manifest struct {
	file   string
	object *unstructured.Unstructured
}

func (m manifest) isTenant() bool { return m.object.GetKind() == "Tenant" }

func tenantsOf(list []manifest) []manifest {
	return slices.DeleteFunc(slices.Clone(list), func(m manifest) bool { return !m.isTenant() })
}

// String prints "Kind namespace/name".
func (m manifest) String() string {
	return m.object.GetKind() + " " + strings.TrimPrefix(m.object.GetNamespace()+"/"+m.object.GetName(), "/")
}

// manifests reads every document of the YAML files below a folder, in their order.
func manifests(files fs.FS, dir string) ([]manifest, error) {
	var out []manifest
	err := fs.WalkDir(files, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		f, err := files.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // read only
		decoder := utilyaml.NewYAMLOrJSONDecoder(f, 4096)
		for {
			object := &unstructured.Unstructured{}
			switch err := decoder.Decode(&object.Object); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return fmt.Errorf("decode %s: %w", name, err)
			case len(object.Object) > 0:
				out = append(out, manifest{file: strings.TrimPrefix(name, dir+"/"), object: object})
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	return out, nil
}

// put applies one manifest, with its status where the kind keeps one apart. A kind whose
// definition was just made is waited for.
func put(ctx context.Context, c client.Client, m manifest) error {
	object := m.object.DeepCopy()
	status, hasStatus := object.Object["status"]
	delete(object.Object, "status")
	err := wait.PollUntilContextTimeout(ctx, pollEvery, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return true, err
	})
	if err == nil && hasStatus && m.isTenant() {
		object.Object["status"] = status
		err = c.Status().Update(ctx, object)
	}
	if err != nil {
		return fmt.Errorf("apply %s: %w", m, err)
	}
	return nil
}
