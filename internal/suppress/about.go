package suppress

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
)

// say makes a finding about a suppression; what is the same for all of one ID
// comes from its rule.
func say(id string, f finding.Finding) finding.Finding {
	for _, r := range about() {
		if r.ID == id {
			f.ID, f.Severity, f.Kind, f.Title = id, r.Severity, finding.Static, r.Title
		}
	}
	return f
}

// aboutComments says what is wrong with the comments, after they were matched.
func (a *applier) aboutComments() []finding.Finding {
	var out []finding.Finding
	for _, c := range a.comments {
		out = append(out, a.aboutComment(c)...)
	}
	return out
}

func (a *applier) aboutComment(c *comment) []finding.Finding {
	ids := list(c.ids)
	base := finding.Finding{Subject: c.at.File, Locations: []finding.Location{c.at}, Key: ids}
	switch {
	case c.bad != "":
		base.Message = "This comment is meant for kopano-doctor and cannot be read. " + c.bad
		base.Consequence = "It suppresses nothing."
		base.Remedy = "Write it as # kopano-doctor: ignore=RULE-ID because REASON"
		return []finding.Finding{say(unreadable, base)}
	case c.reason == "":
		base.Message = fmt.Sprintf("The comment asks to ignore %s and gives no reason.", ids)
		base.Consequence = "It suppresses nothing; what it is about is reported and counts."
		base.Remedy = fmt.Sprintf("Write why: # kopano-doctor: %s because REASON", c)
		return []finding.Finding{say(withoutReason, base)}
	}
	var out []finding.Finding
	for _, id := range c.ids {
		if !a.exists(id) {
			out = append(out, a.aboutUnknown(base, id))
		}
	}
	if expired(c.until, a.setup.Now) {
		base.Message = fmt.Sprintf("The comment suppressed %s until %s, because %s.", ids, c.until, strings.TrimRight(c.reason, "."))
		base.Consequence = "It suppresses nothing any more; what it is about is reported and counts."
		base.Remedy = "Repair what it is about and delete the comment, or give it a new day."
		return append(out, say(expiredID, base))
	}
	if idle := a.idle(c); len(idle) > 0 {
		out = append(out, a.aboutIdle(base, c, idle))
	}
	return out
}

// aboutIdle says that some rules of a comment match nothing.
func (a *applier) aboutIdle(f finding.Finding, c *comment, idle []string) finding.Finding {
	f.Key = list(idle)
	f.Message = fmt.Sprintf("Nothing in this line or the one below is reported as %s.", f.Key)
	if !c.alone() {
		f.Message = fmt.Sprintf("Nothing in this line is reported as %s.", f.Key)
	}
	f.Consequence = "When the fault comes back in this line, nobody will notice."
	f.Remedy = "Delete the comment."
	if len(idle) < len(c.ids) {
		f.Remedy = fmt.Sprintf("Delete %s from the comment.", f.Key)
	}
	if near, ok := a.nearest(c, idle); ok {
		f.Consequence = "What it may be about is reported and counts."
		f.Remedy = fmt.Sprintf("If %s:%d is meant, move the comment to that line or above it; otherwise delete it.", near.File, near.Line)
		f.Locations = append(f.Locations, near.As(finding.Related))
	}
	return say(unused, f)
}

// nearest gives the place in the file of a comment that is nearest to it and
// has something that it was perhaps meant for.
func (a *applier) nearest(c *comment, idle []string) (best finding.Location, ok bool) {
	distance := func(l finding.Location) int { return max(l.Line-c.at.Line, c.at.Line-l.Line) }
	for _, p := range a.places {
		if p.at.File != c.at.File || !slices.Contains(idle, p.id) {
			continue
		}
		if !ok || distance(p.at) < distance(best) {
			best, ok = p.at, true
		}
	}
	return best, ok
}

func (a *applier) exists(id string) bool {
	return slices.Contains(a.setup.IDs.Known, id) || slices.Contains(a.setup.IDs.Retired, id)
}

// idle gives the rules of a comment that matched nothing.
func (a *applier) idle(c *comment) []string {
	var out []string
	for _, id := range c.ids {
		if !c.used[id] && a.exists(id) && a.setup.judged(id) {
			out = append(out, id)
		}
	}
	return out
}

func (a *applier) aboutUnknown(f finding.Finding, id string) finding.Finding {
	f.Message = fmt.Sprintf("There is no rule %s.", quoted(id))
	f.Consequence = "The comment suppresses nothing by that name."
	f.Remedy = "Write the ID that the report prints in brackets; `kopano-doctor rules` lists them."
	if near, ok := nearest.Of(id, a.setup.IDs.Known); ok {
		f.Remedy = fmt.Sprintf("Write %s, which was probably meant.", near)
	}
	f.Key = id
	return say(unknownRule, f)
}

// aboutEntries says which entries of the configuration file have no effect.
func (a *applier) aboutEntries() []finding.Finding {
	var out []finding.Finding
	for i := range a.entries {
		e := &a.entries[i]
		f := finding.Finding{
			Subject: e.At.File, Locations: []finding.Location{e.At},
			Key: strings.Join([]string{e.Rule, e.Subject, e.File}, "\x00"),
		}
		switch {
		case expired(e.Until, a.setup.Now):
			f.Message = fmt.Sprintf("The entry suppressed %s until %s, because %s.", e.about(), e.Until, strings.TrimRight(e.Reason, "."))
			f.Consequence = "It suppresses nothing any more; what it is about is reported and counts."
			f.Remedy = "Repair what it is about and delete the entry, or give it a new day."
			out = append(out, say(expiredID, f))
		case !e.used && a.setup.judged(e.Rule):
			f.Message = fmt.Sprintf("Nothing is reported as %s.", e.about())
			f.Consequence = "When the fault comes back, nobody will notice."
			f.Remedy = "Delete the entry; if it is still meant, correct its subject or file."
			if e.Subject == "" && e.File == "" {
				f.Remedy = "Delete the entry."
			}
			out = append(out, say(unused, f))
		}
	}
	return out
}

// about describes what an entry is about.
func (e *entry) about() string {
	s := e.Rule
	if e.Subject != "" {
		s += " about " + e.Subject
	}
	if e.File != "" {
		s += " in " + e.File
	}
	return s
}

// aboutBaseline says how many findings of the baseline are gone.
func (a *applier) aboutBaseline(d *deployment.Deployment) []finding.Finding {
	b := a.setup.Baseline
	if b == nil {
		return nil
	}
	n := b.unmet(a.met, a.setup.judged)
	if n == 0 {
		return nil
	}
	name := config.RelativeName(b.file, d.Dir)
	what := fmt.Sprintf("%d findings of the baseline are gone", n)
	if n == 1 {
		what = "One finding of the baseline is gone"
	}
	return []finding.Finding{say(baselineUnused, finding.Finding{
		Subject: name, Locations: []finding.Location{{File: name, Role: finding.Fix}},
		Message:     what + ": it was repaired, or its service or file has another name now.",
		Consequence: "When the same fault comes back, nobody will notice.",
		Remedy:      "Write the baseline anew: kopano-doctor check --write-baseline " + name,
	})}
}

// list joins words for a sentence.
func list(words []string) string { return strings.Join(words, ", ") }
