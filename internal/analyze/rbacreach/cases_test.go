package rbacreach

import (
	"testing"

	"watertight.dev/watertight/internal/analyze/analyzetest"
)

func TestCases(t *testing.T) { analyzetest.Cases(t, Analyzer()) }
