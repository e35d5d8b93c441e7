package report

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Join makes one report of the reports of several deployments, for formats that
// hold one. base is the absolute path of a folder, and inRepository that folder
// as seen from the top of its working tree, as in Deployment. Files are named as
// seen from base. Whatever else two deployments may have in common (services,
// links, fingerprints) is told apart by the deployment's folder as seen from
// base; a deployment in base itself keeps its own. FailOn is the strictest, and
// exitCode that of the whole run.
func Join(tool Tool, base, inRepository string, exitCode int, reports []*Report) *Report {
	out := &Report{
		Schema: Schema, Tool: tool, FailOn: "never", ExitCode: exitCode,
		Deployment: Deployment{Directory: base, Files: []string{}, EnvFiles: []string{}, InRepository: inRepository},
		Findings:   []Finding{}, Links: []Link{}, Services: []Service{}, Suppressed: []Suppressed{},
	}
	var projects, configs []string
	for _, r := range reports {
		j := newJoiner(base, r)
		projects = append(projects, r.Deployment.Project)
		if r.Deployment.Config != "" {
			configs = append(configs, j.file(r.Deployment.Config))
		}
		out.Deployment.Files = append(out.Deployment.Files, j.files(r.Deployment.Files)...)
		out.Deployment.EnvFiles = append(out.Deployment.EnvFiles, j.files(r.Deployment.EnvFiles)...)
		out.DurationMS += r.DurationMS
		out.FailOn = stricter(out.FailOn, r.FailOn)
		for _, f := range r.Findings {
			out.Findings = append(out.Findings, j.finding(f))
		}
		for _, s := range r.Suppressed {
			s.Finding = j.finding(s.Finding)
			out.Suppressed = append(out.Suppressed, s)
		}
		for _, l := range r.Links {
			out.Links = append(out.Links, j.link(l))
		}
		for _, s := range r.Services {
			s.Name = j.name(s.Name)
			out.Services = append(out.Services, s)
		}
		out.Summary = sum(out.Summary, r.Summary)
		out.Rules = append(out.Rules, r.Rules...)
	}
	if len(reports) == 0 {
		out.FailOn = "error"
	}
	out.Deployment.Project = strings.Join(unique(projects), ", ")
	out.Deployment.Config = strings.Join(unique(configs), ", ")
	out.Deployment.Files, out.Deployment.EnvFiles = unique(out.Deployment.Files), unique(out.Deployment.EnvFiles)
	slices.SortFunc(out.Rules, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	out.Rules = slices.CompactFunc(out.Rules, func(a, b Rule) bool { return a.ID == b.ID })
	return out
}

// joiner renames what is in the report of one deployment.
type joiner struct {
	folder string // as seen from base, with forward slashes; "." is base itself
}

func newJoiner(base string, r *Report) joiner {
	rel, err := filepath.Rel(base, r.Deployment.Directory)
	if err != nil { // another drive of Windows
		rel = r.Deployment.Directory
	}
	return joiner{filepath.ToSlash(rel)}
}

// file names a file as seen from base. What is no file of the deployment, such
// as the environment of the process, keeps its name.
func (j joiner) file(name string) string {
	if name == "" || strings.HasPrefix(name, "(") || path.IsAbs(name) || filepath.IsAbs(name) {
		return name
	}
	return path.Join(j.folder, name)
}

func (j joiner) files(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, j.file(n))
	}
	return out
}

func (j joiner) name(of string) string {
	if j.folder == "." || of == "" {
		return of
	}
	return j.folder + ": " + of
}

func (j joiner) fingerprint(of string) string {
	if j.folder == "." || of == "" {
		return of
	}
	sum := sha256.Sum256([]byte(j.folder + "\x00" + of))
	return hex.EncodeToString(sum[:])[:16] // as long as those of finding.Seal
}

func (j joiner) finding(f Finding) Finding {
	f.Subject, f.Fingerprint = j.name(f.Subject), j.fingerprint(f.Fingerprint)
	if f.Cause != nil {
		cause := j.fingerprint(*f.Cause)
		f.Cause = &cause
	}
	f.Locations = slices.Clone(f.Locations)
	for i := range f.Locations {
		f.Locations[i].File = j.file(f.Locations[i].File)
	}
	f.Edits = slices.Clone(f.Edits)
	for i := range f.Edits {
		f.Edits[i].File = j.file(f.Edits[i].File)
	}
	return f
}

func (j joiner) link(l Link) Link {
	l.ID, l.From, l.To = j.name(l.ID), j.name(l.From), j.name(l.To)
	prints := make([]string, 0, len(l.Findings))
	for _, f := range l.Findings {
		prints = append(prints, j.fingerprint(f))
	}
	l.Findings = prints
	return l
}

func sum(a, b Summary) Summary {
	a.Errors += b.Errors
	a.Warnings += b.Warnings
	a.Infos += b.Infos
	a.Suppressed += b.Suppressed
	a.LinksOK += b.LinksOK
	a.LinksBroken += b.LinksBroken
	a.LinksUnchecked += b.LinksUnchecked
	a.LinksSuppressed += b.LinksSuppressed
	return a
}

// stricter gives the word of --fail-on that makes more runs fail.
func stricter(a, b string) string {
	words := []string{"never", "error", "warning", "info"}
	return words[max(slices.Index(words, a), slices.Index(words, b), 0)]
}

// unique drops what was there before, and keeps the order.
func unique(in []string) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
