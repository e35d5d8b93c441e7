package report

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
)

// Facts are what a report is made of.
type Facts struct {
	Version  string // of the tool
	Topology *kopano.Topology
	Case     diagnosis.Case // diagnosed
	Duration time.Duration  // of the whole run

	Secrets    []string         // that the run used or was given, besides those in the files
	Config     string           // the settings file that was obeyed, relative to the deployment; "" for none
	Suppressed []suppress.Taken // findings that are not in the case
	Root       string           // top of the git working tree that holds the deployment, absolute; "" for none
	Rules      []Rule           // as in Report
	Engine     Engine           // what was asked about what runs
	Eased      map[string]bool  // links (kopano.Edge.ID) with every error seen on them suppressed or lowered
}

// Build makes the report. It is the one place where findings become something
// printable: every string passes the redactor here, once, and loses whatever
// could confuse a terminal.
func Build(f Facts) *Report {
	d := f.Topology.Deployment
	b := &builder{
		deployment: d,
		redactor:   secret.NewRedactor(slices.Concat(d.Secrets(), f.Secrets), d.PublicWords()),
	}
	r := &Report{
		Schema:     Schema,
		Tool:       Tool{Name: "kopano-doctor", Version: f.Version},
		Deployment: b.deploymentPart(),
		Engine:     Engine{b.line(f.Engine.Name), b.line(f.Engine.Project), f.Engine.Containers, b.line(f.Engine.Note)},
		DurationMS: f.Duration.Milliseconds(),
		Findings:   make([]Finding, 0, len(f.Case.Findings)),
		Links:      make([]Link, 0, len(f.Case.Links)),
		Services:   make([]Service, 0, len(d.Services)),
		Suppressed: make([]Suppressed, 0, len(f.Suppressed)),
		Rules:      f.Rules,
	}
	for i := range f.Case.Findings {
		r.Findings = append(r.Findings, b.finding(&f.Case.Findings[i]))
	}
	for i := range f.Case.Links {
		l := b.link(&f.Case.Links[i])
		l.Suppressed = l.Status == "broken" && f.Eased[l.ID]
		r.Links = append(r.Links, l)
	}
	for _, s := range d.Services {
		r.Services = append(r.Services, Service{Name: b.line(s.Name), Role: string(f.Topology.Role(s)), Image: b.line(s.Image)})
	}
	r.Deployment.Config = b.line(f.Config)
	r.Summary = Summarise(r.Findings, r.Links)
	for i := range f.Suppressed {
		r.Suppressed = append(r.Suppressed, b.suppressed(&f.Suppressed[i]))
	}
	r.Summary.Suppressed = len(f.Suppressed)
	r.Deployment.InRepository = b.line(inRepository(f.Root, d.Dir))
	return r
}

// Summarise counts what is in the lists; Suppressed is left to the caller.
func Summarise(findings []Finding, links []Link) Summary {
	var s Summary
	for _, f := range findings {
		switch f.Severity {
		case "error":
			s.Errors++
		case "warning":
			s.Warnings++
		default:
			s.Infos++
		}
	}
	for _, l := range links {
		switch l.Status {
		case "ok":
			s.LinksOK++
		case "broken":
			s.LinksBroken++
			if l.Suppressed {
				s.LinksSuppressed++
			}
		default:
			s.LinksUnchecked++
		}
	}
	return s
}

type builder struct {
	deployment *deployment.Deployment
	redactor   *secret.Redactor
}

func (b *builder) deploymentPart() Deployment {
	d := b.deployment
	out := Deployment{Directory: b.line(d.Dir), Project: b.line(d.Project), Files: []string{}, EnvFiles: []string{}}
	for _, f := range d.Files {
		out.Files = append(out.Files, b.line(f))
	}
	for _, f := range d.EnvFiles {
		out.EnvFiles = append(out.EnvFiles, b.line(f.File))
	}
	return out
}

func (b *builder) finding(f *finding.Finding) Finding {
	out := Finding{
		ID:          f.ID,
		Severity:    f.Severity.String(),
		Kind:        string(f.Kind),
		Title:       b.line(f.Title),
		Message:     b.text(f.Message),
		Subject:     b.line(f.Subject),
		Locations:   make([]Location, 0, len(f.Locations)),
		Consequence: b.text(f.Consequence),
		Remedy:      b.text(f.Remedy),
		Evidence:    make([]Evidence, 0, len(f.Evidence)),
		Fingerprint: f.Fingerprint,
		Edits:       b.edits(f),
	}
	for _, e := range f.Evidence {
		out.Evidence = append(out.Evidence, b.evidence(e))
	}
	if f.Cause != "" {
		cause := f.Cause
		out.Cause = &cause
	}
	for _, l := range f.Locations {
		if !l.IsZero() {
			out.Locations = append(out.Locations, b.location(l))
		}
	}
	return out
}

func (b *builder) suppressed(t *suppress.Taken) Suppressed {
	return Suppressed{Finding: b.finding(&t.Finding), By: string(t.By), Reason: b.text(t.Reason), Until: t.Until}
}

// inRepository gives the folder of a deployment as seen from the top of its
// working tree, with forward slashes.
func inRepository(root, dir string) string {
	rel, err := filepath.Rel(root, dir)
	if root == "" || err != nil || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel)
}

func (b *builder) evidence(e finding.Evidence) Evidence {
	out := Evidence{Service: b.line(e.Service), Line: b.line(e.Line), Means: b.line(e.Means)}
	if !e.At.IsZero() {
		out.Time, out.AgeSeconds = e.At.UTC().Format(time.RFC3339), int64(max(0, e.Age).Seconds())
	}
	return out
}

func (b *builder) location(l finding.Location) Location {
	if l.Excerpt == "" && l.Line > 0 {
		l.Excerpt = b.deployment.Excerpt(l)
	}
	if l.Role == "" {
		l.Role = finding.Related
	}
	return Location{File: b.line(l.File), Line: l.Line, Column: l.Column, Role: string(l.Role), Excerpt: b.line(l.Excerpt)}
}

func (b *builder) link(l *diagnosis.Link) Link {
	e, r := l.Edge, l.Result
	address := r.Address
	if address == "" {
		address = Address(e)
	}
	out := Link{
		ID:         e.ID,
		From:       b.line(diagnosis.From(e)),
		To:         b.line(diagnosis.To(e)),
		Protocol:   string(e.Protocol),
		Address:    b.line(address),
		Vantage:    b.line(l.Vantage),
		Status:     string(r.Status),
		Rung:       string(r.Rung),
		DurationMS: r.Duration.Milliseconds(),
		Reason:     string(r.Reason),
		Findings:   append([]string{}, l.Findings...),
		Message:    b.line(r.Message),
		Incomplete: l.Incomplete(),
	}
	if !r.CertificateEnd.IsZero() {
		out.CertificateEnd = r.CertificateEnd.UTC().Format(time.RFC3339)
	}
	return out
}

// Address gives the address of a link as the configuration has it:
// "ldap:389", or the path of a socket or file. Of a client outside, which is
// not told an address, it is where the called service listens.
func Address(e *kopano.Edge) string {
	a := e.Addr
	switch {
	case a.Host != "" && a.Port > 0:
		return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	case a.Host != "":
		return a.Host
	case a.Path != "":
		return a.Path
	case a.Text != "":
		return a.Text
	}
	if e.To != nil && e.Listen != nil {
		for _, l := range e.Listen.Addrs {
			if l.Port > 0 {
				return net.JoinHostPort(e.To.Name, strconv.Itoa(l.Port))
			}
		}
	}
	return ""
}

// line makes s printable on one line.
func (b *builder) line(s string) string { return printable(b.redactor.Redact(s), false) }

// text makes s printable; it may have line breaks.
func (b *builder) text(s string) string { return printable(b.redactor.Redact(s), true) }
