package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// destination is a report that is to be written: its format, and where to.
type destination struct {
	format report.Format
	out    *output
}

// destinations gives what --format and --output ask for, then what each
// --report does. FORMAT=- takes the place of the first on standard output.
func (p *program) destinations(c *cli.Context, command string, format *choice) ([]destination, error) {
	main, err := p.openOutput(command, c.IsSet("output"), c.String("output"))
	if err != nil {
		return nil, err
	}
	all := []destination{{report.Format(format.value), main}}
	for _, text := range c.StringSlice("report") {
		d, err := p.destination(command, text)
		if err != nil {
			return nil, err
		}
		if d.out.file == "" && main.file == "" && !c.IsSet("format") && all[0].out == main {
			all = all[1:]
		}
		if slices.ContainsFunc(all, func(other destination) bool { return sameFile(other.out.file, d.out.file) }) {
			return nil, badUsage(command, "--report %s: another report goes there already", text)
		}
		all = append(all, d)
	}
	return all, nil
}

// destination reads "FORMAT=FILE"; the file "-" is standard output.
func (p *program) destination(command, text string) (destination, error) {
	word, file, ok := strings.Cut(text, "=")
	format := newChoice(report.Formats())
	if err := format.Set(word); err != nil || !ok {
		return destination{}, badUsage(command, "--report %s: write FORMAT=FILE, with - for standard output; the formats are %s", text, strings.Join(format.words, ", "))
	}
	out := &output{stdout: p.stdout}
	if file != "-" {
		var err error
		if out, err = p.openFile(command, "report", file); err != nil {
			return destination{}, err
		}
	}
	return destination{report.Format(word), out}, nil
}

func sameFile(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return errX == nil && errY == nil && x == y
}

// writeReports writes a report everywhere. One that cannot be written keeps
// none of the others from it.
func (p *program) writeReports(all []destination, r *report.Report, colour string, verbose bool) error {
	var failed []error
	for _, d := range all {
		var text bytes.Buffer
		o := p.textOptions(colour, d.out)
		o.Verbose = verbose
		err := report.Write(&text, r, d.format, o)
		if err == nil {
			err = d.out.write(text.Bytes())
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("the report could not be written: %w", err))
		}
	}
	return errors.Join(failed...)
}
