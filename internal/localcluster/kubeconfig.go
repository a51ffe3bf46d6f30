package localcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// lockPatience is how long another program may hold a kubeconfig's lock.
const lockPatience = 5 * time.Second

// kubeconfig issues a client certificate and writes the kubeconfig of that client
// into the state folder, under who.
func (c *cluster) kubeconfig(who string, l leaf) (keyPair, error) {
	files, err := c.pki.issue(c.pki.cluster, who, l)
	if err != nil {
		return keyPair{}, err
	}
	config, err := c.clientConfig(files)
	if err != nil {
		return keyPair{}, err
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return keyPair{}, fmt.Errorf("encode kubeconfig: %w", err)
	}
	return files, writeFile(c.dir.kubeconfig(who), data, 0o600)
}

// clientConfig is a kubeconfig of one context that refers to no other file.
func (c *cluster) clientConfig(files keyPair) (*api.Config, error) {
	ca, err := os.ReadFile(c.pki.paths("ca").cert)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	cert, err := os.ReadFile(files.cert)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	key, err := os.ReadFile(files.key)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	name := ContextName(c.opts.Name)
	config := api.NewConfig()
	config.Clusters[name] = &api.Cluster{Server: c.url("kube-apiserver"), CertificateAuthorityData: ca}
	config.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return config, nil
}

// KubeconfigPath is the file kubectl would write to: the first of $KUBECONFIG, or
// the one in the home folder.
func KubeconfigPath() string {
	for _, path := range filepath.SplitList(os.Getenv("KUBECONFIG")) {
		if path != "" {
			return path
		}
	}
	return clientcmd.RecommendedHomeFile
}

// checkKubeconfig fails when the file at path could not be merged into.
func checkKubeconfig(path string) error {
	_, err := loadKubeconfig(path)
	return err
}

// mergeKubeconfig copies the cluster's context from one kubeconfig into another and
// touches nothing else there. It becomes the current context only if there is none.
func mergeKubeconfig(path, from, context string) error {
	ours, err := clientcmd.LoadFromFile(from)
	if err != nil {
		return fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	return editKubeconfig(path, func(config *api.Config) {
		config.Clusters[context] = ours.Clusters[context]
		config.AuthInfos[context] = ours.AuthInfos[context]
		config.Contexts[context] = mergeContext(config.Contexts[context], ours.Contexts[context])
		if config.CurrentContext == "" {
			config.CurrentContext = context
		}
	})
}

// mergeContext keeps the default namespace that somebody set for our context.
func mergeContext(there, ours *api.Context) *api.Context {
	if there != nil {
		ours.Namespace = there.Namespace
	}
	return ours
}

// unmergeKubeconfig removes what mergeKubeconfig added.
func unmergeKubeconfig(path, context string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return editKubeconfig(path, func(config *api.Config) {
		delete(config.Clusters, context)
		delete(config.AuthInfos, context)
		delete(config.Contexts, context)
		if config.CurrentContext == context {
			config.CurrentContext = ""
		}
	})
}

// editKubeconfig changes a kubeconfig in one step, under the lock kubectl takes. It
// writes nothing when edit changes nothing.
func editKubeconfig(path string, edit func(*api.Config)) error {
	// A link is followed: the file it names is replaced, not the link.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create the kubeconfig's folder: %w", err)
	}
	unlock, err := lockKubeconfig(path)
	if err != nil {
		return err
	}
	defer unlock()
	config, err := loadKubeconfig(path)
	if err != nil {
		return err
	}
	before := config.DeepCopy()
	edit(config)
	if reflect.DeepEqual(stripOrigins(before), stripOrigins(config)) {
		return nil
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode kubeconfig: %w", err)
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return writeFile(path, data, mode)
}

// loadKubeconfig reads the kubeconfig at path; one that is not there is empty.
func loadKubeconfig(path string) (*api.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return api.NewConfig(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w (it was left as it is; repair it, or name another file with --kubeconfig)", path, err)
	}
	return config, nil
}

// stripOrigins returns the config without the notes on where its parts were read.
func stripOrigins(config *api.Config) *api.Config {
	config = config.DeepCopy()
	for _, c := range config.Clusters {
		c.LocationOfOrigin = ""
	}
	for _, a := range config.AuthInfos {
		a.LocationOfOrigin = ""
	}
	for _, c := range config.Contexts {
		c.LocationOfOrigin = ""
	}
	return config
}

// lockKubeconfig takes the lock file that client-go's own writers use.
func lockKubeconfig(path string) (unlock func(), err error) {
	lock := path + ".lock"
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(pollInterval) {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			f.Close()
			return func() { os.Remove(lock) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock kubeconfig: %w", err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("lock kubeconfig: %s exists; remove it if no other program is writing the kubeconfig", lock)
		}
	}
}
