// Package suppress takes out of a run's findings what its owners know and
// accept: by comments in the files, by .kopano-doctor.yaml, and by a baseline.
// It also says which of these have no effect any more, so that none of them
// hides something unnoticed.
package suppress

import (
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
	Suppressed int               // how many findings are not among them
	Eased      map[string]bool   // links (kopano.Edge.ID) that were seen to fail, with every error about that suppressed or lowered
}

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
	out.Findings, out.Suppressed = append(out.Findings, own...), out.Suppressed+suppressed
	last := append(a.aboutEntries(), a.aboutBaseline(d)...)
	own, suppressed = a.filter(finding.Seal(last), nil)
	out.Findings, out.Suppressed = finding.Sort(append(out.Findings, own...)), out.Suppressed+suppressed
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
func (a *applier) filter(in []finding.Finding, comments []*comment) (left []finding.Finding, suppressed int) {
	for _, f := range in {
		a.count(&f, func(n *links) { n.before++ })
		for _, l := range f.Locations {
			if counts(l) && l.Line > 0 {
				a.places = append(a.places, sighting{f.ID, l})
			}
		}
		off := false
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
		if off || byComment || byEntry || byBaseline {
			suppressed++
			continue
		}
		a.count(&f, func(n *links) { n.after++ })
		left = append(left, f)
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

func (a *applier) matchEntries(f *finding.Finding) bool {
	matched := false
	for i := range a.entries {
		if e := &a.entries[i]; !expired(e.Until, a.setup.Now) && e.fits(f) {
			e.used, matched = true, true
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
