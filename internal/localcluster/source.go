package localcluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// prebuilt returns the engines that o.Prebuilt names.
func prebuilt(o BuildOptions) (Engines, error) {
	path, err := filepath.Abs(o.Prebuilt)
	if err != nil {
		return Engines{}, fmt.Errorf("find the prebuilt engine: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Engines{}, fmt.Errorf("find the prebuilt engine: %w", err)
	}
	if info.IsDir() {
		path = filepath.Join(path, kubernetesEngine.name)
	}
	engines := Engines{Kubernetes: path, KWOK: filepath.Join(filepath.Dir(path), kwokEngine.name)}
	if err := executable(engines.Kubernetes); err != nil {
		return Engines{}, fmt.Errorf("find the prebuilt engine: %w", err)
	}
	if err := executable(engines.KWOK); err != nil {
		engines.KWOK = ""
		if o.KWOK {
			return Engines{}, fmt.Errorf("find the prebuilt engine of the simulated nodes: %w (without it, ask for no nodes)", err)
		}
	}
	return engines, nil
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir() || info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is no program", path)
	}
	return nil
}

// findSource returns the folder that holds the engines' modules.
func findSource(named string) (string, error) {
	if named == "" {
		named = os.Getenv(SourceVariable)
	}
	if named != "" {
		if folder := enginesAt(named); folder != "" {
			return folder, nil
		}
		return "", fmt.Errorf("find the engines' sources: %s holds no checkout of Watertight (no engine/kubernetes/go.mod)", named)
	}
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if self, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(self))
	}
	for _, start := range starts {
		for at := start; ; at = filepath.Dir(at) {
			if folder := enginesAt(at); folder != "" {
				return folder, nil
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return "", fmt.Errorf("find the engines' sources: there is no checkout of Watertight above the working directory; name one with --engine-src or %s, or give built engines with --engine", SourceVariable)
}

func enginesAt(checkout string) string {
	folder := filepath.Join(checkout, "engine")
	if _, err := os.Stat(filepath.Join(folder, kubernetesEngine.name, "go.mod")); err != nil {
		return ""
	}
	return folder
}
