package cli

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
)

// TestSARIFFiles: code scanning opens files by their path from where it starts.
func TestSARIFFiles(t *testing.T) {
	outside := copyOfShop(t, "reopened.yaml", reopening)
	t.Chdir("../..")
	for _, c := range []struct {
		folders []string
		want    string
	}{
		{[]string{"examples/leaky"}, "examples/leaky/01-network-allow-all.yaml"},
		{[]string{"./examples/shop", "examples/leaky/"}, "examples/leaky/01-network-allow-all.yaml"},
		{[]string{outside}, "reopened.yaml"}, // nothing is said of the rest of the machine
	} {
		var args []string
		for _, f := range c.folders {
			args = append(args, "-f", f)
		}
		out, err, _ := runCommand(t, newVerifyCommand, append(args, "-o", "sarif")...)
		var log struct {
			Runs []struct {
				Results []struct {
					Locations []struct {
						PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
					}
				}
			}
		}
		if json.Unmarshal([]byte(out), &log) != nil {
			t.Fatalf("no SARIF: %v", err)
		}
		var uris []string
		for _, r := range log.Runs[0].Results {
			for _, l := range r.Locations {
				uris = append(uris, l.PhysicalLocation.ArtifactLocation.URI)
			}
		}
		if !slices.Contains(uris, c.want) || slices.ContainsFunc(uris, filepath.IsAbs) {
			t.Errorf("%v: %s is not among %v", c.folders, c.want, uris)
		}
	}
}
