package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// connection is how a command finds its API server: kubectl's flags and habits.
type connection struct {
	kubeconfig, context string
}

func (c *connection) addFlags(f *pflag.FlagSet) {
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig file to use (default: $KUBECONFIG, then ~/.kube/config)")
	f.StringVar(&c.context, "context", "", "kubeconfig context to use (default: the current one)")
}

// asked tells whether the command line named a cluster.
func (c *connection) asked() bool { return c.kubeconfig != "" || c.context != "" }

// config reads the kubeconfig. It does not reach for the server.
func (c *connection) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.context})
	cfg, err := loader.ClientConfig()
	switch {
	case err == nil:
		cfg.UserAgent = "watertight"
		cfg.WarningHandler = rest.NoWarnings{} // of deprecated kinds that we must read
		return cfg, nil
	case clientcmd.IsEmptyConfig(err) || errors.Is(err, clientcmd.ErrNoContext):
		return nil, cannotTell(fmt.Errorf("no kubeconfig was found (looked at %s): name one with --kubeconfig, or start a local cluster with watertight up", strings.Join(rules.GetLoadingPrecedence(), ", ")))
	default:
		return nil, cannotTell(fmt.Errorf("read the kubeconfig: %w%s", err, contextsOf(loader)))
	}
}

// contextsOf lists the contexts there are, for an error message.
func contextsOf(loader clientcmd.ClientConfig) string {
	raw, err := loader.RawConfig()
	if err != nil || len(raw.Contexts) == 0 {
		return ""
	}
	return "; its contexts are: " + strings.Join(sortedKeys(raw.Contexts), ", ")
}
