package report

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
)

type checkstyleReport struct {
	XMLName xml.Name         `xml:"checkstyle"`
	Version string           `xml:"version,attr"`
	Totals  string           `xml:",comment"`
	Files   []checkstyleFile `xml:"file"`
}

type checkstyleFile struct {
	Name   string            `xml:"name,attr"`
	Errors []checkstyleError `xml:"error"`
}

type checkstyleError struct {
	Line     int    `xml:"line,attr,omitempty"`
	Column   int    `xml:"column,attr,omitempty"`
	Severity string `xml:"severity,attr"` // error, warning, info
	Message  string `xml:"message,attr"`
	Source   string `xml:"source,attr"`
}

// Checkstyle writes the findings in the XML of the Java program Checkstyle,
// which many readers of other programs' findings take. What the form has no
// place for is counted in a comment.
func Checkstyle(w io.Writer, r *Report) error {
	out := checkstyleReport{Version: "4.3", Totals: " " + r.Totals() + " "} // counts only: a comment must not hold "--"
	at := map[string]int{}
	for _, f := range r.problems() {
		file, l := r.somePlace(&f)
		i, ok := at[file]
		if !ok {
			i = len(out.Files)
			at[file] = i
			out.Files = append(out.Files, checkstyleFile{Name: file})
		}
		text := append([]string{f.Title}, details(&f)...)
		out.Files[i].Errors = append(out.Files[i].Errors, checkstyleError{
			Line: l.Line, Column: column(l), Severity: f.Severity, Source: "kopano-doctor." + f.ID,
			Message: printable(strings.Join(text, "\n"), true),
		})
	}
	slices.SortFunc(out.Files, func(a, b checkstyleFile) int { return strings.Compare(a.Name, b.Name) })
	return writeXML(w, out)
}

// writeXML writes a document. The encoder escapes what is not XML and replaces
// what XML has no way to write.
func writeXML(w io.Writer, document any) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(document); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
