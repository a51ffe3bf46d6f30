package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"watertight.dev/watertight/internal/guarantee"
	"watertight.dev/watertight/internal/verify"
)

// verifyForeign verifies the folder of a cluster that has no Tenants.
func verifyForeign(t *testing.T, args ...string) verify.Report {
	t.Helper()
	out, err, _ := runCommand(t, newVerifyCommand, append([]string{"-f", "testdata/foreign", "-o", "json"}, args...)...)
	var report verify.Report
	if jsonErr := json.Unmarshal([]byte(out), &report); jsonErr != nil {
		t.Fatalf("%v, %v in %s", err, jsonErr, out)
	}
	return report
}

// TestVerifyMapped judges teams by a label, and promises them nothing that needs a
// declaration.
func TestVerifyMapped(t *testing.T) {
	report := verifyForeign(t, "--tenancy", "label=team")
	if len(report.Tenants) != 3 || report.Verdict != guarantee.Broken {
		t.Fatalf("got %d tenants, %s", len(report.Tenants), report.Verdict)
	}
	if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "whoever may set it decides who is a tenant") || strings.Contains(notes, "both applied") {
		t.Errorf("notes: %s", notes)
	}
	want := map[string]map[guarantee.ID]guarantee.Verdict{
		"red":   {guarantee.NET1: guarantee.Holds, guarantee.KRN1: guarantee.Holds, guarantee.API1: guarantee.Holds, guarantee.KRN4: guarantee.Holds},
		"blue":  {guarantee.NET1: guarantee.Broken, guarantee.KRN1: guarantee.Broken, guarantee.KRN4: guarantee.Broken},
		"green": {guarantee.NET1: guarantee.Broken, guarantee.KRN4: guarantee.Holds},
	}
	for _, tenant := range report.Tenants {
		for id, verdict := range want[tenant.Tenant] {
			if row, _ := tenant.Row(id); row.Verdict != verdict {
				t.Errorf("%s %s: %s, want %s", tenant.Tenant, id, row.Verdict, verdict)
			}
		}
		for _, id := range []guarantee.ID{guarantee.NET3, guarantee.NET4, guarantee.NET5, guarantee.CAP1, guarantee.CAP5} {
			if row, _ := tenant.Row(id); row.Verdict != guarantee.NotPromised {
				t.Errorf("%s %s: %s, and nothing was declared", tenant.Tenant, id, row.Verdict)
			}
		}
		row, _ := tenant.Row(guarantee.NET1)
		if row.Compiled.Verdict != guarantee.NotPromised || row.Compiled.Reason != "no Tenant: nothing is compiled" {
			t.Errorf("%s compiled: %+v", tenant.Tenant, row.Compiled)
		}
	}
}

// TestVerifyUnmapped takes nobody for a tenant whom no flag names.
func TestVerifyUnmapped(t *testing.T) {
	if report := verifyForeign(t); len(report.Tenants) != 0 || report.Verdict != guarantee.Unknown {
		t.Errorf("got %+v", report)
	}
}

// TestVerifyMappingConflict: what two mappings dispute makes verdicts uncertain.
func TestVerifyMappingConflict(t *testing.T) {
	report := verifyForeign(t, "--tenancy", "label=team", "--tenancy", "namespace")
	for _, tenant := range report.Tenants {
		if row, _ := tenant.Row(guarantee.API1); row.Verdict != guarantee.Unknown {
			t.Errorf("%s API-1: %s", tenant.Tenant, row.Verdict)
		}
	}
}

// TestMappedBesideTenants compiles the Tenant, and the mapped one not.
func TestMappedBesideTenants(t *testing.T) {
	out, err, _ := runCommand(t, newVerifyCommand, "-f", "testdata/foreign", "-f", "../../examples/shop", "--tenancy", "label=team", "-o", "json")
	var report verify.Report
	if jsonErr := json.Unmarshal([]byte(out), &report); jsonErr != nil {
		t.Fatalf("%v, %v", err, jsonErr)
	}
	compiled := map[string]guarantee.Verdict{}
	for _, tenant := range report.Tenants {
		if tenant.Rejected != "" {
			t.Errorf("%s rejected: %s", tenant.Tenant, tenant.Rejected)
		}
		row, _ := tenant.Row(guarantee.NET1)
		compiled[tenant.Tenant] = row.Compiled.Verdict
	}
	if compiled["acme"] != guarantee.Holds || compiled["red"] != guarantee.NotPromised {
		t.Errorf("got %v", compiled)
	}
}

// TestTenancyFlag refuses what it cannot read before anything is loaded.
func TestTenancyFlag(t *testing.T) {
	for name, c := range map[string]struct {
		make func(*env) *cobra.Command
		args []string
		code int
		says string
	}{
		"a form that is not there": {newVerifyCommand, []string{"-f", "nowhere", "--tenancy", "team"}, exitUsage, "--tenancy \"team\" is unknown: it is one of label=KEY"},
		"a wrong prefix":           {newVerifyCommand, []string{"-f", "nowhere", "--tenancy", "prefix={tenant}*"}, exitUsage, "put a separator between"},
		"a tenant by name":         {newVerifyCommand, []string{"-f", "testdata/foreign", "--tenancy", "label=team", "--tenant", "rde"}, exitUsage, "there are: blue, green, red"},
		"explain":                  {newExplainCommand, []string{"verdict", "blue", "KRN-4", "-f", "testdata/foreign", "--tenancy", "label=team"}, exitBroken, "hostPath"},
		"explain a declaration":    {newExplainCommand, []string{"verdict", "blue", "NET-3", "-f", "testdata/foreign", "--tenancy", "label=team"}, exitHolds, "blue"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err, code := runCommand(t, c.make, c.args...)
			if err != nil {
				out += err.Error()
			}
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit %d, want %d, and %q in %s", code, c.code, c.says, out)
			}
		})
	}
}
