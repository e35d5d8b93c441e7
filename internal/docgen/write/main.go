// Command write writes the generated pages of the documentation: write DOCS.
// `make docs` runs it.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
	"github.com/kopano-doctor/kopano-doctor/internal/docgen/formats"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
	"github.com/kopano-doctor/kopano-doctor/testdata"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write DOCS")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}

func write(docs string) error {
	all := slices.Concat(rules.All(), suppress.Rules(suppress.Setup{}))
	entries, err := rulebook.Read(all, testdata.Examples())
	if err != nil {
		return err
	}
	if err := writeFolder(filepath.Join(docs, "rules"), docgen.RulePages(entries)); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := docgen.Checks(&page, checks.Docs()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(docs, "checks.md"), page.Bytes(), 0o644); err != nil {
		return err
	}
	reports, err := formats.Page(context.Background())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(docs, "formats.md"), reports, 0o644)
}

// writeFolder makes a folder hold these pages and no others.
func writeFolder(dir string, pages map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if _, ok := pages[filepath.Base(name)]; !ok {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
