package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// WaitOptions say what is waited for.
type WaitOptions struct {
	For  []string      // links, kinds of links, services, roles; none: every link that can be checked
	Time time.Duration // how long; 0: DefaultWait

	Told func(Round) // told after each round; nil: nobody is
}

// DefaultWait is how long is waited.
const DefaultWait = 5 * time.Minute

// The pauses between two rounds: each is half as long again as the one before.
const (
	firstPause = time.Second
	mostPause  = 10 * time.Second
)

// lastRound is the most time that is kept for the last round.
const lastRound = 2 * time.Second

// Round is what is told after each look at the links.
type Round struct {
	Elapsed   time.Duration
	OK, Total int           // of what is waited for
	Changed   []report.Link // what is not as in the round before; in the first round what does not work yet
	Open      []report.Link // what does not work yet
}

// Waited is how a wait ended.
type Waited struct {
	*Outcome
	Why     string // one sentence, for a person; "" when everything works
	Skipped int    // how many links were not waited for, since they cannot be looked at from here, or since who calls does not run
}

// ErrNoLook says that the time was over before anything could be looked at.
var ErrNoLook = errors.New("the time was over before anything could be looked at")

// Wait looks at links again and again until all of them work, the time is over,
// or what keeps them from working is nothing that waiting cures: a mistake in
// the files, a password that was refused. What runs is asked anew in each
// round. The report is about the links that are waited for, and those that they
// need. An error is an UnknownName, ErrNoLook, or as of Check.
func Wait(ctx context.Context, o Options, w WaitOptions) (*Waited, error) {
	o = withDefaults(o)
	if w.Time <= 0 {
		w.Time = DefaultWait
	}
	if w.Told == nil {
		w.Told = func(Round) {}
	}
	p := &patience{options: o, wait: w, start: time.Now()}
	for pause := firstPause; ; pause = min(pause*3/2, mostPause) {
		done, err := p.round(ctx)
		if err != nil || done {
			return p.end(), err
		}
		left := p.left() - min(lastRound, 2*p.took+grace)
		if left <= 0 {
			return p.end(), nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(pause, left)):
		}
		o.Logins.Again()
	}
}

// patience is one wait.
type patience struct {
	options Options
	wait    WaitOptions
	start   time.Time

	goals goals
	last  *Outcome          // the last round that says something
	took  time.Duration     // of the last round
	why   string            // why it ended before its time
	code  int               // if it ended now
	seen  map[string]string // what was told of each link
}

func (p *patience) elapsed() time.Duration { return time.Since(p.start) }
func (p *patience) left() time.Duration    { return p.wait.Time - p.elapsed() }

// round looks once, and reports whether that is the end.
func (p *patience) round(ctx context.Context) (done bool, err error) {
	o := p.options
	o.pick, o.limit = p.pick, "--timeout"
	o.Deadline = min(o.Deadline, max(p.left(), time.Millisecond))
	// The engine has bounds of its own, which may be longer.
	inTime, cancel := context.WithTimeout(ctx, o.Deadline+lastRound+2*grace)
	defer cancel()
	began := time.Now()
	outcome, err := Check(inTime, o)
	p.took = time.Since(began)
	switch {
	case err != nil && inTime.Err() != nil && ctx.Err() == nil:
		if p.last == nil {
			return true, ErrNoLook
		}
		return true, nil
	case err != nil:
		return true, err
	}
	links := p.awaited(outcome)
	if p.last != nil && p.left() <= 0 && slices.ContainsFunc(links, outOfItsTime) {
		return true, nil // the round before says more
	}
	p.last = outcome
	done = p.judge(links)
	p.tell(links)
	return done, nil
}

func outOfItsTime(l *diagnosis.Link) bool { return l.Result.Reason == checks.ReasonDeadline }

// pick gives the links of a round. What the names mean is found anew each time,
// since the files may change meanwhile.
func (p *patience) pick(t *kopano.Topology) ([]*kopano.Edge, error) {
	var err error
	if p.goals, err = findGoals(t, p.wait.For); err != nil {
		return nil, err
	}
	return diagnosis.WithNeeds(t.Edges, func(e *kopano.Edge) bool { return p.goals[e.ID] != none }), nil
}

// awaited gives the links that are waited for in this round.
func (p *patience) awaited(o *Outcome) []*diagnosis.Link {
	var out []*diagnosis.Link
	for i := range o.story.Links {
		l := &o.story.Links[i]
		if p.goals.judge(l, o.snapshot, o.eased) != waived {
			out = append(out, l)
		}
	}
	return out
}

// judge reports whether waiting is over, why, and with which exit code.
func (p *patience) judge(links []*diagnosis.Link) bool {
	var open, hidden []*diagnosis.Link
	for _, l := range links {
		switch p.goals.judge(l, p.last.snapshot, p.last.eased) {
		case unmet:
			open = append(open, l)
		case unseen:
			hidden = append(hidden, l)
		}
	}
	p.why, p.code = "", ExitOK
	switch {
	case len(open) > 0:
		p.code = ExitFound
		if !slices.ContainsFunc(open, func(l *diagnosis.Link) bool {
			return l.Result.Status == checks.Broken || l.Result.Reason == checks.ReasonBlocked
		}) {
			p.code = ExitIncomplete
		}
		if why := p.hopeless(open); why != "" {
			p.why, p.code = why, ExitFound
			return true
		}
		p.why = fmt.Sprintf("after %s, %s does not work yet", p.wait.Time, name(open[0]))
		if len(open) > 1 {
			p.why = fmt.Sprintf("after %s, %d of %d links do not work yet", p.wait.Time, len(open), len(links))
		}
		return false
	case len(hidden) > 0:
		p.why, p.code = fmt.Sprintf("%s cannot be looked at from here, and waiting does not change that: %s", name(hidden[0]), hidden[0].Result.Message), ExitIncomplete
		return true
	case len(links) == 0:
		p.why, p.code = "there is nothing here that could be looked at", ExitIncomplete
		// With an engine, what does not run yet may come.
		return p.last.snapshot == nil || len(p.goals) == 0
	}
	return true
}

func name(l *diagnosis.Link) string { return diagnosis.Name(l.Edge) }

// hopeless says why waiting cures nothing; "" while it may.
func (p *patience) hopeless(open []*diagnosis.Link) string {
	if len(p.last.story.StopsAll) > 0 {
		return "Docker Compose refuses these files, and waiting does not change that"
	}
	final := p.refusals()
	for _, l := range open {
		if l.Result.Reason == checks.ReasonConfig {
			return fmt.Sprintf("%s: the address is not usable as written, and waiting does not change that", name(l))
		}
		for _, fp := range l.Findings {
			f := p.finding(fp)
			switch {
			case f == nil || f.Severity != finding.Error:
			case f.Kind == finding.Static:
				return fmt.Sprintf("%s: a mistake in the files keeps it from working, and waiting does not change that", name(l))
			case final[fp]:
				return fmt.Sprintf("%s: a password is refused; it is not tried again, so as not to lock the account", name(l))
			}
		}
	}
	return ""
}

// refusals gives the fingerprints of what was found about logins that are not
// tried again.
func (p *patience) refusals() map[string]bool {
	links := map[string]bool{}
	for _, l := range p.last.story.Links {
		if l.Result.Final {
			links[l.Edge.ID] = true
		}
	}
	out := map[string]bool{}
	for _, f := range p.last.story.Findings {
		if f.Kind == finding.Live && slices.ContainsFunc(f.Links, func(id string) bool { return links[id] }) {
			out[f.Fingerprint] = true
		}
	}
	return out
}

func (p *patience) finding(fingerprint string) *finding.Finding {
	for i := range p.last.story.Findings {
		if f := &p.last.story.Findings[i]; f.Fingerprint == fingerprint {
			return f
		}
	}
	return nil
}

// tell tells what became of the links.
func (p *patience) tell(links []*diagnosis.Link) {
	round := Round{Elapsed: p.elapsed(), Total: len(links)}
	now := map[string]string{}
	for _, l := range links {
		shown := theLink(p.last.Report, l.Edge.ID)
		works := l.Result.Status == checks.OK
		if works {
			round.OK++
		} else {
			round.Open = append(round.Open, shown)
		}
		now[shown.ID] = shown.Status + " " + shown.Reason
		before, known := p.seen[shown.ID]
		if known && before != now[shown.ID] || !known && !works {
			round.Changed = append(round.Changed, shown)
		}
	}
	p.seen = now
	p.wait.Told(round)
}

func theLink(r *report.Report, id string) report.Link {
	for _, l := range r.Links {
		if l.ID == id {
			return l
		}
	}
	return report.Link{ID: id}
}

// end makes the report of the wait.
func (p *patience) end() *Waited {
	if p.last == nil {
		return nil
	}
	r, skipped := p.narrowed()
	r.DurationMS, r.ExitCode = p.elapsed().Milliseconds(), p.code
	return &Waited{&Outcome{Report: r, ExitCode: p.code, story: p.last.story, snapshot: p.last.snapshot, eased: p.last.eased}, p.why, skipped}
}

// narrowed is the last report without what does not explain why a link that is
// waited for does not work. Links that are not waited for are left out, but for
// the broken ones that others need; skipped counts those of them that were meant.
func (p *patience) narrowed() (narrow *report.Report, skipped int) {
	r := *p.last.Report
	wanted, ends := map[string]bool{}, map[string]bool{}
	r.Links = nil
	for i, l := range p.last.Report.Links {
		why, its := p.goals[l.ID], &p.last.story.Links[i]
		if p.goals.judge(its, p.last.snapshot, p.last.eased) == waived && (why != none || l.Status != string(checks.Broken)) {
			if why != none && its.Incomplete() {
				skipped++
			}
			continue
		}
		r.Links = append(r.Links, l)
		ends[l.From], ends[l.To] = true, true
		if l.Status == string(checks.OK) {
			continue
		}
		for _, fp := range l.Findings {
			wanted[fp] = true
		}
	}
	r.Findings = withCauses(r.Findings, wanted)
	r.Services = slices.DeleteFunc(slices.Clone(r.Services), func(s report.Service) bool { return !ends[s.Name] })
	r.Suppressed = []report.Suppressed{}
	r.Links = nonNil(r.Links)
	r.Summary = report.Summarise(r.Findings, r.Links)
	return &r, skipped
}

// withCauses gives the errors that are wanted, and their causes.
func withCauses(all []report.Finding, wanted map[string]bool) []report.Finding {
	byPrint := map[string]report.Finding{}
	for _, f := range all {
		byPrint[f.Fingerprint] = f
	}
	keep := map[string]bool{}
	for fp := range wanted {
		for f, ok := byPrint[fp], true; ok && f.Severity == "error" && !keep[f.Fingerprint]; {
			keep[f.Fingerprint] = true
			if f.Cause == nil {
				break
			}
			f, ok = byPrint[*f.Cause]
		}
	}
	return nonNil(slices.DeleteFunc(slices.Clone(all), func(f report.Finding) bool { return !keep[f.Fingerprint] }))
}

// nonNil keeps an empty list a list in JSON.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
