package report

import (
	"fmt"
	"io"
)

// Format is the name of a form in which a report is written.
type Format string

// The formats.
const (
	FormatText Format = "text" // for a person
	FormatJSON Format = "json" // for programs: docs/json.md
)

// Formats lists them, the default first.
func Formats() []Format { return []Format{FormatText, FormatJSON} }

// Write writes the report in a format; the options matter to text only.
func Write(w io.Writer, r *Report, f Format, o TextOptions) error {
	switch f {
	case FormatText:
		return Text(w, r, o)
	case FormatJSON:
		return JSON(w, r)
	}
	return fmt.Errorf("unknown format %q", f)
}
