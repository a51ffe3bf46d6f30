package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"watertight.dev/watertight/internal/verify"
)

// reportFormats are the output formats of verify, in the order in which help names them.
var reportFormats = []string{"table", "json", "junit", "sarif", "html"}

// writerFor chooses the output format; folders are those that the manifests came from.
func writerFor(output string, folders []string) (func(verify.Report, io.Writer) error, error) {
	switch output {
	case "table":
		return func(r verify.Report, out io.Writer) error { return r.WriteTable(out, colourful(out)) }, nil
	case "json":
		return verify.Report.WriteJSON, nil
	case "junit":
		return verify.Report.WriteJUnit, nil
	case "sarif":
		return func(r verify.Report, out io.Writer) error { return r.WriteSARIF(out, filesIn(folders)) }, nil
	case "html":
		return verify.Report.WriteHTML, nil
	default:
		return nil, fmt.Errorf("-o %s is unknown; it is one of %s", output, strings.Join(reportFormats, ", "))
	}
}

// filesIn names the files of folders as seen from the working directory, which in a CI
// system is the root of the repository. Evidence names a file from its folder.
func filesIn(folders []string) verify.SARIFFiles {
	if len(folders) == 0 {
		return verify.SARIFFiles{}
	}
	seen := map[string]string{}
	last := folders[len(folders)-1]
	return verify.SARIFFiles{
		Root: fromHere(last, filepath.Base(last)),
		Path: func(file string) string {
			if _, ok := seen[file]; !ok {
				seen[file] = fileIn(folders, file)
			}
			return seen[file]
		},
	}
}

// fileIn is the path of a file in the last of the folders that has it: later ones win.
func fileIn(folders []string, file string) string {
	for _, folder := range slices.Backward(folders) {
		if info, err := os.Stat(folder); err == nil && !info.IsDir() {
			folder = filepath.Dir(folder)
		}
		at := filepath.Join(folder, filepath.FromSlash(file))
		if _, err := os.Lstat(at); err == nil {
			return fromHere(at, file)
		}
	}
	return file
}

// fromHere is a path relative to the working directory if it is below it, and otherwise
// what stands in for it: a report says nothing of the rest of a machine.
func fromHere(name, otherwise string) string {
	here, err := os.Getwd()
	if err != nil {
		return otherwise
	}
	full, err := filepath.Abs(name)
	if err != nil {
		return otherwise
	}
	rel, err := filepath.Rel(here, full)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return otherwise
	}
	return filepath.ToSlash(rel)
}
