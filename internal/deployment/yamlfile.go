package deployment

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// YAMLFile is a file of YAML that is no part of the deployment, such as the
// doctor's own configuration, read with the same care.
type YAMLFile struct {
	Docs []*yaml.Node
	src  *source
}

// SyntaxError says where a file is no YAML, and why in plain words.
type SyntaxError struct {
	At      finding.Location
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s: %s", e.At, e.Message) }

// ReadYAML reads a file, which places call by name. The error is a
// *SyntaxError, or says why the file cannot be read: it must be a regular file
// of bounded size.
func ReadYAML(path, name string) (*YAMLFile, error) {
	src, u := readSource(path, name)
	if u != nil {
		return nil, u
	}
	docs, err := parseYAML(src.text)
	if err == nil {
		return &YAMLFile{docs, src}, nil
	}
	at := yamlErrorPlace(src, err)
	if start, ok := yamlErrorStart(src, err); ok {
		at = start
	}
	message, remedy := plainSyntax(err.Error())
	return nil, &SyntaxError{src.at(min(at, len(src.text))), message + ". " + remedy}
}

// At gives the place of a node.
func (f *YAMLFile) At(y *yaml.Node) finding.Location {
	return f.src.at(f.src.offset(y.Line, y.Column))
}

// Line gives a line, counted from 1, without its end; "" when there is none.
func (f *YAMLFile) Line(n int) string {
	l, ok := f.src.lineSpan(n)
	if !ok {
		return ""
	}
	return f.src.text[l.from:l.to]
}
