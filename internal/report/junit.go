package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The elements are those of junit-10.xsd of Jenkins' xUnit plugin, the schema
// that most readers go by.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Skipped *junitDetail `xml:"skipped"`
	Error   *junitDetail `xml:"error"`
	Failure *junitDetail `xml:"failure"`
	Output  string       `xml:"system-out,omitempty"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit writes the report as tests: one for the run itself, one for each
// finding, and one for each link. A test fails where the run does (--fail-on);
// what was to be checked and could not be is an error; what nobody asked for,
// cannot work yet, or is suppressed, is skipped.
func JUnit(w io.Writer, r *Report) error {
	files := junitSuite{Name: "files and services", Time: "0.000", Cases: []junitCase{r.junitRun()}}
	for _, f := range r.problems() {
		if f.ID != BrokenLink { // its link tells
			files.Cases = append(files.Cases, r.junitFinding(&f))
		}
	}
	for i := range r.Suppressed {
		files.Cases = append(files.Cases, junitSuppressed(&r.Suppressed[i]))
	}
	links, milliseconds := junitSuite{Name: "links"}, int64(0)
	for i := range r.Links {
		milliseconds += r.Links[i].DurationMS
		links.Cases = append(links.Cases, r.junitLink(&r.Links[i]))
	}
	links.Time = seconds(milliseconds)
	out := junitSuites{Name: "kopano-doctor", Suites: []junitSuite{files, links}}
	for i := range out.Suites {
		s := &out.Suites[i]
		s.count()
		out.Tests, out.Failures, out.Errors = out.Tests+s.Tests, out.Failures+s.Failures, out.Errors+s.Errors
	}
	return writeXML(w, out)
}

func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
}

// junitRun is there in every report: readers take a report without a test for a
// mistake, and what could not be looked at need not be about one link.
func (r *Report) junitRun() junitCase {
	c := junitCase{Class: "kopano-doctor.run", Name: "the run over project " + r.Deployment.Project + " is complete", Time: "0.000"}
	if r.ExitCode == 2 || r.ExitCode == 3 {
		text := strings.TrimPrefix(r.Engine.Note+"\n"+r.Totals(), "\n")
		c.Error = &junitDetail{Message: "something could not be checked", Type: "incomplete", Text: text}
		return c
	}
	c.Output = r.Totals()
	return c
}

func (r *Report) junitFinding(f *Finding) junitCase {
	c := junitCase{Class: "kopano-doctor." + f.ID, Name: cmp.Or(f.Subject, f.Title) + " (" + f.Fingerprint + ")", Time: "0.000"}
	text := []string{}
	for _, l := range f.Locations {
		text = append(text, place(l))
	}
	all := printable(strings.Join(append(text, details(f)...), "\n"), true)
	if r.fails(f.Severity) {
		c.Failure = &junitDetail{Message: f.Title, Type: f.Severity, Text: all}
	} else {
		c.Output = f.Severity + ": " + f.Title + "\n" + all
	}
	return c
}

func junitSuppressed(s *Suppressed) junitCase {
	return junitCase{
		Class: "kopano-doctor." + s.ID, Name: cmp.Or(s.Subject, s.Title) + " (" + s.Fingerprint + ")", Time: "0.000",
		Skipped: &junitDetail{Message: suppressedBecause(s)},
	}
}

// suppressedBecause says by what a finding was taken out, and why.
func suppressedBecause(s *Suppressed) string {
	by := map[string]string{
		"comment": "suppressed by a comment", "settings": "suppressed by the settings", "severity": "its severity is off", "baseline": "known: it is in the baseline",
	}
	text := cmp.Or(by[s.By], "suppressed")
	if s.Until != "" {
		text += " until " + s.Until
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

func (r *Report) junitLink(l *Link) junitCase {
	c := junitCase{Class: "kopano-doctor.link." + l.Protocol, Name: fmt.Sprintf("%s → %s (%s)", l.From, l.To, l.ID), Time: seconds(l.DurationMS)}
	detail := &junitDetail{Message: cmp.Or(l.Message, l.Reason), Type: l.Reason}
	switch {
	case l.Status == "ok":
		c.Output = l.Message
	case l.Status == "broken" && l.Suppressed:
		detail.Message = "known and accepted: " + detail.Message
		c.Skipped = detail
	case l.Status == "broken" && r.fails("error"):
		c.Failure = detail
	case l.Status == "broken":
		c.Output = "broken: " + detail.Message
	case l.Incomplete && l.Reason != "blocked":
		c.Error = detail
	default:
		c.Skipped = detail
	}
	if c.Skipped != nil {
		c.Skipped.Message, c.Skipped.Type = strings.TrimPrefix(l.Reason+": "+c.Skipped.Message, ": "), ""
	}
	return c
}

func seconds(milliseconds int64) string {
	return fmt.Sprintf("%d.%03d", milliseconds/1000, milliseconds%1000)
}
