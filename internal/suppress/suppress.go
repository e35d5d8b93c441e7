// Package suppress takes out of a run's findings what its owners know and
// accept: by comments in the files, by .kopano-doctor.yaml, and by a baseline.
// It also says which of these have no effect any more, so that none of them
// hides something unnoticed.
package suppress

import (
	"cmp"
	"path"
	"slices"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Setup says what suppresses.
type Setup struct {
	Config   *config.Config // nil: none
	Baseline *Baseline      // nil: none
	NoInline bool           // comments are not looked at
	IDs      config.IDs     // the IDs that findings may have
	Now      time.Time

	// Whether the run looked at all that its rules, and its checks, are about.
	// Where it did not, nothing is said to match nothing.
	AllStatic, AllLive bool
}

// Result is what is left.
type Result struct {
	Findings   []finding.Finding // sorted and sealed; those about suppressions included
	Suppressed []Taken           // the findings that are not among them, in the order of Seal, those about suppressions last
	Eased      map[string]bool   // links (kopano.Edge.ID) that were seen to fail, with every error about that suppressed or lowered
}

// Taken is a finding that was taken out, and by what.
type Taken struct {
	Finding finding.Finding
	By      Means
	Reason  string // why, in the words of whoever did it; "" where no reason is asked for
	Until   string // the last day on which it counts, as 2027-03-31; "" for ever
}

// Means is what takes a finding out.
type Means string

// The means. Where several fit a finding, the first of these is told.
const (
	ByComment  Means = "comment"  // in the file, beside the place
	BySettings Means = "settings" // an entry under ignore in .kopano-doctor.yaml
	BySeverity Means = "severity" // severity off in .kopano-doctor.yaml
	ByBaseline Means = "baseline"
)

// Apply gives the findings that are left when severities are changed and what
// is suppressed is taken out. The findings must be sealed: their fingerprints
// stay, whatever is suppressed.
func Apply(d *deployment.Deployment, sealed []finding.Finding, s Setup) Result {
	if !d.Accepted { // what Compose refuses keeps rules from seeing everything
		s.AllStatic = false
	}
	a := &applier{setup: s, links: map[string]links{}, met: map[string]bool{}}
	if !s.NoInline {
		a.comments = readComments(d)
	}
	if s.Config != nil {
		a.entries = make([]entry, len(s.Config.Ignores))
		for i, x := range s.Config.Ignores {
			a.entries[i].Ignore = x
		}
	}
	var out Result
	out.Findings, out.Suppressed = a.filter(sealed, a.comments)
	// What is said about comments may be ignored by the file, and that by nobody.
	own, suppressed := a.filter(finding.Seal(a.aboutComments()), nil)
	out.Findings, out.Suppressed = append(out.Findings, own...), append(out.Suppressed, suppressed...)
	last := append(a.aboutEntries(), a.aboutBaseline(d)...)
	own, suppressed = a.filter(finding.Seal(last), nil)
	out.Findings, out.Suppressed = finding.Sort(append(out.Findings, own...)), append(out.Suppressed, suppressed...)
	out.Eased = a.eased()
	return out
}

// applier is one call of Apply.
type applier struct {
	setup    Setup
	comments []*comment
	entries  []entry
	met      map[string]bool  // fingerprints of the baseline
	places   []sighting       // of all findings
	links    map[string]links // by kopano.Edge.ID
}

// sighting is a place where something was found.
type sighting struct {
	id string
	at finding.Location
}

// entry is an entry of the configuration file, and whether it matched.
type entry struct {
	config.Ignore
	used bool
}

// links counts the errors that were seen on a link.
type links struct{ before, after int }

// filter changes the severities and takes out what is suppressed. All that
// matches a finding is noted as used.
func (a *applier) filter(in []finding.Finding, comments []*comment) (left []finding.Finding, suppressed []Taken) {
	for _, f := range in {
		a.count(&f, func(n *links) { n.before++ })
		for _, l := range f.Locations {
			if counts(l) && l.Line > 0 {
				a.places = append(a.places, sighting{f.ID, l})
			}
		}
		off, found := false, f.Severity
		if a.setup.Config != nil {
			if severity, ok := a.setup.Config.Severity[f.ID]; ok {
				f.Severity, off = severity, severity == config.Off
			}
		}
		byComment := matchComments(comments, &f, a.setup.Now)
		byEntry := a.matchEntries(&f)
		byBaseline := a.setup.Baseline.knows(&f)
		if byBaseline {
			a.met[f.Fingerprint] = true
		}
		t := Taken{Finding: f}
		if off {
			t.Finding.Severity = found // off is none that a report has
		}
		switch {
		case byComment != nil:
			t.By, t.Reason, t.Until = ByComment, byComment.reason, byComment.until
		case byEntry != nil:
			t.By, t.Reason, t.Until = BySettings, byEntry.Reason, byEntry.Until
		case off:
			t.By = BySeverity
		case byBaseline:
			t.By = ByBaseline
		default:
			a.count(&f, func(n *links) { n.after++ })
			left = append(left, f)
			continue
		}
		suppressed = append(suppressed, t)
	}
	return left, suppressed
}

// count counts an error that was seen on links at each of them.
func (a *applier) count(f *finding.Finding, add func(*links)) {
	if f.Severity != finding.Error || f.Kind != finding.Live {
		return
	}
	for _, id := range f.Links {
		n := a.links[id]
		add(&n)
		a.links[id] = n
	}
}

func (a *applier) eased() map[string]bool {
	out := map[string]bool{}
	for id, n := range a.links {
		if n.before > 0 && n.after == 0 {
			out[id] = true
		}
	}
	return out
}

// matchEntries gives the first entry that fits a finding, nil for none.
func (a *applier) matchEntries(f *finding.Finding) *entry {
	var matched *entry
	for i := range a.entries {
		if e := &a.entries[i]; !expired(e.Until, a.setup.Now) && e.fits(f) {
			e.used, matched = true, cmp.Or(matched, e)
		}
	}
	return matched
}

// fits reports whether an entry is about a finding. Its patterns were looked at
// when the file was read.
func (e *entry) fits(f *finding.Finding) bool {
	if e.Rule != f.ID {
		return false
	}
	if e.Subject != "" {
		if ok, _ := path.Match(e.Subject, f.Subject); !ok && e.Subject != f.Subject {
			return false
		}
	}
	return e.File == "" || slices.ContainsFunc(f.Locations, func(l finding.Location) bool {
		ok, _ := path.Match(e.File, l.File)
		return counts(l) && (ok || e.File == l.File)
	})
}

// counts reports whether a place of a finding is one where it can be
// suppressed: one that made the value, not one that only has to do with it.
func counts(l finding.Location) bool {
	return l.Role == finding.Fix || l.Role == finding.Origin
}

// judged reports whether the run looked at all that may give findings of this ID.
func (s Setup) judged(id string) bool {
	if live(id) {
		return s.AllLive && s.AllStatic
	}
	return s.AllStatic
}
