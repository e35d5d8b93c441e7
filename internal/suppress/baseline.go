package suppress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// BaselineSchema names the version of the baseline's form.
const BaselineSchema = "kopano-doctor/baseline/v1"

// maxBaseline bounds the size of the file.
const maxBaseline = 16 << 20

// Baseline is a list of findings that were there when a team began to use the
// doctor. Only the fingerprints count; ID and subject are for its readers.
type Baseline struct {
	Schema   string  `json:"schema"`
	Findings []Known `json:"findings"`

	file  string
	known map[string]bool // fingerprints
}

// Known is a finding of a baseline.
type Known struct {
	Fingerprint string `json:"fingerprint"`
	ID          string `json:"id"`
	Subject     string `json:"subject"`
}

// NewBaseline gives a baseline of some findings. Subjects must be printable,
// without secrets.
func NewBaseline(known []Known) *Baseline {
	b := &Baseline{Schema: BaselineSchema, Findings: slices.Clone(known)}
	slices.SortFunc(b.Findings, func(x, y Known) int {
		for _, c := range []int{strings.Compare(x.ID, y.ID), strings.Compare(x.Subject, y.Subject)} {
			if c != 0 {
				return c
			}
		}
		return strings.Compare(x.Fingerprint, y.Fingerprint)
	})
	if b.Findings == nil {
		b.Findings = []Known{}
	}
	return b
}

// JSON gives the file: the same for the same findings, so that it can be kept
// with the deployment's files and compared.
func (b *Baseline) JSON() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(b)
	return out.Bytes(), err
}

// ReadBaseline reads the file. The error says what is wrong with it, and where.
func ReadBaseline(file string) (*Baseline, error) {
	data, err := readRegular(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	b := &Baseline{file: file, known: map[string]bool{}}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("%s: this is no baseline: %w", jsonPlace(file, data, err), err)
	}
	if b.Schema != BaselineSchema {
		return nil, fmt.Errorf("%s: this is no baseline: its schema is %q, and must be %q", file, b.Schema, BaselineSchema)
	}
	for i, k := range b.Findings {
		if k.Fingerprint == "" {
			return nil, fmt.Errorf("%s: entry %d has no fingerprint; write the file anew with --write-baseline", file, i+1)
		}
		b.known[k.Fingerprint] = true
	}
	return b, nil
}

// readRegular reads a regular file of bounded size; a pipe could keep the
// program waiting for ever.
func readRegular(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, bare(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, bare(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxBaseline+1))
	if err == nil && len(data) > maxBaseline {
		err = fmt.Errorf("it is larger than %d MB", maxBaseline>>20)
	}
	return data, err
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// jsonPlace gives file, line and column of an error in JSON.
func jsonPlace(file string, data []byte, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset := int64(0)
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	default:
		return file
	}
	before := data[:min(max(int(offset)-1, 0), len(data))]
	return fmt.Sprintf("%s:%d:%d", file, bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'))
}

// knows reports whether a finding is in the baseline.
func (b *Baseline) knows(f *finding.Finding) bool { return b != nil && b.known[f.Fingerprint] }

// unmet counts the findings of the baseline that were not met, and that the
// run would have found.
func (b *Baseline) unmet(met map[string]bool, judged func(id string) bool) int {
	n := 0
	for _, k := range b.Findings {
		if !met[k.Fingerprint] && judged(k.ID) {
			n++
		}
	}
	return n
}
