package load

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"watertight.dev/watertight/internal/snapshot"
)

const (
	pageSize = 500 // objects per answer, as kubectl asks for
	workers  = 4   // lists under way at a time
)

// Live reads the kinds that verdicts rest on from an API server, in pages. A kind that
// may not be listed or is not served becomes a Problem. Secrets and ConfigMaps are not
// read.
func Live(ctx context.Context, config *rest.Config) (*snapshot.Snapshot, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 100, 200
	if err := reach(ctx, config); err != nil {
		return nil, err
	}
	lists, err := newListers(config)
	if err != nil {
		return nil, fmt.Errorf("read cluster %s: %w", config.Host, err)
	}
	answers := make([]answer, len(lists))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, l := range lists {
		group.Go(func() error {
			answers[i] = l.all(ctx)
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read cluster %s: %w", config.Host, err)
	}
	var objects []runtime.Object
	var problems []snapshot.Problem
	for _, a := range answers {
		objects = append(objects, a.objects...)
		problems = append(problems, a.problems...)
	}
	return snapshot.New(snapshot.Parts{Objects: objects, Problems: problems, Origin: snapshot.OriginLive}), nil
}

// answer is what listing a kind gave.
type answer struct {
	objects  []runtime.Object
	problems []snapshot.Problem
}

// lister lists one kind page by page.
type lister struct {
	resource schema.GroupVersionResource
	kind     string
	page     func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error)
	// broken is why the kind cannot be listed, where that is known before asking.
	broken error
}

func newListers(config *rest.Config) ([]lister, error) {
	var lists []lister
	for _, k := range kinds {
		client, err := typedClient(config, k.GroupVersion())
		if err != nil {
			return nil, fmt.Errorf("make client for %s: %w", k.Kind, err)
		}
		lists = append(lists, typedLister(client, k))
	}
	foreign, err := foreignListers(config)
	return append(lists, foreign...), err
}

// typedClient speaks protobuf with Kubernetes' own groups and JSON with ours.
func typedClient(config *rest.Config, gv schema.GroupVersion) (*rest.RESTClient, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.APIPath = &gv, "/apis"
	if gv.Group == "" {
		c.APIPath = "/api"
	}
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if gv.Group == "watertight.dev" {
		c.ContentType, c.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	}
	return rest.RESTClientFor(c)
}

func typedLister(client *rest.RESTClient, k snapshot.Kind) lister {
	l := lister{resource: k.GroupVersion().WithResource(k.Resource), kind: k.Kind}
	l.page = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		list, err := scheme.New(k.GroupVersion().WithKind(k.Kind + "List"))
		if err != nil {
			return nil, err
		}
		err = client.Get().Resource(k.Resource).
			VersionedParams(&options, metav1.ParameterCodec).Do(ctx).Into(list)
		return list, err
	}
	return l
}

// all lists every page. A list that grew too old on the way is taken up where the
// server says it can be.
func (l lister) all(ctx context.Context) answer {
	if l.broken != nil {
		return l.failed(l.broken)
	}
	var out answer
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := l.page(ctx, options)
		if (apierrors.IsResourceExpired(err) || apierrors.IsGone(err)) && options.Continue != "" {
			options, out = metav1.ListOptions{}, answer{} // once more, in one piece
			continue
		}
		if err != nil {
			return l.failed(err)
		}
		items, err := meta.ExtractList(page)
		if err != nil {
			return l.failed(err)
		}
		for _, o := range items {
			out.objects = append(out.objects, lean(o))
		}
		list, err := meta.ListAccessor(page)
		if err != nil || list.GetContinue() == "" {
			return out
		}
		options.Continue = list.GetContinue()
	}
}

// lean drops what no verdict rests on and takes much memory.
func lean(o runtime.Object) runtime.Object {
	if u, ok := o.(*unstructured.Unstructured); ok {
		reduce(u)
	}
	if object, ok := o.(snapshot.Object); ok {
		forget(object)
	}
	return o
}

// failed says why a kind is missing.
func (l lister) failed(err error) answer {
	message := fmt.Sprintf("%s cannot be listed: %s", l.resource.Resource, oneLine(err))
	switch {
	case l.kind == "":
		message = "what the API server serves beside its own kinds cannot be looked for: " + oneLine(err)
	case apierrors.IsForbidden(err) && l.resource.Resource == "":
		message = fmt.Sprintf("%s cannot be looked for (403): allow the verb get on /apis/%s to whoever runs watertight", l.kind, l.resource.GroupVersion())
	case l.resource.Resource == "":
		message = fmt.Sprintf("%s cannot be looked for: %s", l.kind, oneLine(err))
	case apierrors.IsForbidden(err):
		message = fmt.Sprintf("%s may not be listed (403): allow the verb list on %s to whoever runs watertight", l.kind, l.resource.GroupResource())
	case apierrors.IsNotFound(err):
		message = fmt.Sprintf("%s is not served in version %s by this API server", l.kind, l.resource.GroupVersion())
	}
	source := l.resource.Resource
	if source == "" {
		source = "discovery"
	}
	return answer{problems: []snapshot.Problem{{Source: source, Kind: l.kind, Message: message}}}
}
