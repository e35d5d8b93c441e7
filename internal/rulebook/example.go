package rulebook

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Files beside an example that are not part of the deployment.
const (
	Wanted  = "want.txt"              // beside a bad example: the findings of its rule
	Excused = "other-errors-expected" // beside a good example: why other rules find errors in it
	Process = "environ"               // KEY=VALUE lines of the process that runs Compose
)

// Example is a small deployment.
type Example struct {
	Files       map[string]string `json:"files"`       // text by name
	Environment []string          `json:"environment"` // KEY=VALUE of the shell that runs Compose
	Says        []Finding         `json:"says"`        // what the rule says about it; nothing about a good one
}

// readExample reads the first bad or good example of a rule: the one without a
// suffix, where there is one.
func readExample(examples fs.FS, id, kind string) (Example, error) {
	dir, err := first(examples, id, kind)
	if err != nil {
		return Example{}, err
	}
	e := Example{Files: map[string]string{}, Environment: []string{}, Says: []Finding{}}
	err = fs.WalkDir(examples, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(examples, name)
		if err != nil {
			return err
		}
		return e.add(strings.TrimPrefix(name, dir+"/"), string(text))
	})
	if err == nil && kind == "bad" && len(e.Says) == 0 {
		err = fmt.Errorf("%s says nothing about its bad example", Wanted)
	}
	return e, err
}

func (e *Example) add(name, text string) (err error) {
	switch name {
	case Excused:
	case Wanted:
		e.Says, err = ParseFindings(text)
	case Process:
		e.Environment = strings.Fields(text)
	default:
		e.Files[name] = text
	}
	return err
}

func first(examples fs.FS, id, kind string) (string, error) {
	entries, err := fs.ReadDir(examples, id)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), kind) {
			return path.Join(id, e.Name()), nil
		}
	}
	return "", errors.New("no " + kind + " example")
}

// unseen are characters that matter and that nobody sees.
var unseen = strings.NewReplacer("\ufeff", "<BOM>", "\r", "<CR>")

// Lines gives the lines of a file for a reader: what is not seen is made visible.
func Lines(text string) []string {
	text = strings.ToValidUTF8(strings.TrimRight(text, "\n"), "\uFFFD")
	return strings.Split(unseen.Replace(text), "\n")
}
