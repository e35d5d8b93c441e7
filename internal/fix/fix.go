// Package fix makes the changes that findings offer: it tries them on a copy of
// the configuration, keeps those that cure their finding and break nothing, and
// writes them into the files with a backup beside each.
package fix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// maxRounds bounds how often the rules are asked again after changes: one cure
// may bring another fault to light, and two must not undo each other for ever.
const maxRounds = 25

// Options say what to repair.
type Options struct {
	Deployment deployment.Options
	Rules      []rules.Rule // all of them: a change must not break what another rule looks after
	Only       []string     // IDs of the rules whose findings are to be repaired; empty: all
	External   []string     // names of servers outside, for kopano.Recognise

	// Left gives those of the sealed findings that are to be repaired: what is
	// suppressed is left as it is. nil: all.
	Left func(*deployment.Deployment, []finding.Finding) []finding.Finding
}

// Plan is what can be repaired. Nothing of it has been written.
type Plan struct {
	Files   []File // sorted by name
	Done    []Step // the findings that the files cure, in the order in which they were cured
	Skipped []Step // the findings whose change was tried and left out
	Dir     string // the deployment's folder, absolute
}

// File is a file before and after.
type File struct {
	Name   string // as findings write it
	Path   string // absolute; symbolic links are followed when it is written
	Create bool
	Before string
	After  string

	lines [2]func(line int) string // the lines of both with secrets hidden
}

// Step is a finding that was cured, or why it was not.
type Step struct {
	Finding finding.Finding
	Reason  string // "" when it was cured
}

// ErrNoCopy says that there is no place for the copy that changes are tried on.
var ErrNoCopy = errors.New("the copy to try the changes on cannot be made")

// Make tries all edits of the findings until no more are offered. An error is
// that of deployment.Load, ErrNoCopy, or that of ctx.
func Make(ctx context.Context, o Options) (*Plan, error) {
	start, err := examine(ctx, o, o.Deployment)
	if err != nil {
		return nil, err
	}
	p := &planner{o: o, ctx: ctx, base: start, rejected: map[string]bool{}}
	p.names = func(name string) string { return name }
	if len(p.candidates(start)) == 0 {
		return p.plan(start), nil
	}
	if p.copy, err = newShadow(start.d.Dir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCopy, err)
	}
	defer p.copy.remove()
	p.names = p.copy.realName
	now := start
	for range maxRounds {
		batch := p.batch(p.candidates(now))
		if len(batch) == 0 {
			break
		}
		if now, err = p.attempt(now, batch); err != nil {
			return nil, err
		}
	}
	for _, f := range p.candidates(now) {
		p.skip(f, "it came back again and again")
	}
	return p.plan(now), nil
}

// state is a deployment with what the rules say about it.
type state struct {
	d      *deployment.Deployment
	found  []finding.Finding // all of them
	left   []finding.Finding // those that are not suppressed
	texts  map[string]string // files that differ from the disk, by name
	counts map[string]int    // findings by identity
}

func examine(ctx context.Context, o Options, load deployment.Options) (*state, error) {
	d, err := deployment.Load(ctx, load)
	if err != nil {
		return nil, err
	}
	s := &state{d: d, texts: map[string]string{}, counts: map[string]int{}}
	in := &rules.Input{Deployment: d, Topology: kopano.Recognise(d, o.External...)}
	for _, r := range o.Rules {
		s.found = append(s.found, run(r, in)...)
	}
	s.found = finding.Seal(s.found)
	for i := range s.found {
		s.counts[identity(&s.found[i])]++
	}
	if s.left = s.found; o.Left != nil {
		s.left = o.Left(d, slices.Clone(s.found))
	}
	return s, nil
}

// run applies a rule; one that panics has found nothing. `check` says that it did.
func run(r rules.Rule, in *rules.Input) (found []finding.Finding) {
	defer func() {
		if recover() != nil {
			found = nil
		}
	}()
	return rules.Run([]rules.Rule{r}, in)
}

// identity is what stays the same of a finding when lines move.
func identity(f *finding.Finding) string { return f.ID + "\x00" + f.Subject + "\x00" + f.Key }

type planner struct {
	o        Options
	ctx      context.Context
	base     *state
	copy     *shadow
	names    func(string) string // the name on disk of a file of the copy
	done     []Step
	skipped  []Step
	rejected map[string]bool // by identity
}

// candidates gives the findings with edits that were not tried in vain yet.
func (p *planner) candidates(s *state) []finding.Finding {
	var out []finding.Finding
	for _, f := range s.left {
		if len(f.Edits) > 0 && !p.rejected[identity(&f)] && (len(p.o.Only) == 0 || slices.Contains(p.o.Only, f.ID)) {
			out = append(out, f)
		}
	}
	return out
}

// batch gives the findings of the highest severity whose edits do not meet.
// The others wait: what an error needs must not be tidied away meanwhile.
func (p *planner) batch(fs []finding.Finding) []finding.Finding {
	var out []finding.Finding
	var taken []finding.Edit
	for _, f := range fs { // sorted by severity, then by place
		if f.Severity < fs[0].Severity {
			break
		}
		if meets(taken, f.Edits) {
			continue
		}
		out = append(out, f)
		taken = append(taken, f.Edits...)
	}
	return out
}

// attempt makes the changes of a batch on the copy. What goes wrong together is
// tried one by one.
func (p *planner) attempt(now *state, batch []finding.Finding) (*state, error) {
	next, why, err := p.try(now, batch)
	if err != nil {
		return nil, err
	}
	if why == "" {
		for _, f := range batch {
			p.done = append(p.done, Step{Finding: p.tidy(f)})
		}
		return next, nil
	}
	if len(batch) == 1 {
		p.skip(batch[0], why)
		return now, nil
	}
	for _, f := range batch {
		// Places have moved: the finding as it is now.
		i := slices.IndexFunc(now.left, func(g finding.Finding) bool {
			return identity(&g) == identity(&f) && len(g.Edits) > 0
		})
		if i < 0 {
			continue
		}
		if now, err = p.attempt(now, now.left[i:i+1]); err != nil {
			return nil, err
		}
	}
	return now, nil
}

func (p *planner) skip(f finding.Finding, why string) {
	if !p.rejected[identity(&f)] {
		p.rejected[identity(&f)] = true
		p.skipped = append(p.skipped, Step{Finding: p.tidy(f), Reason: why})
	}
}

// tidy keeps the folder of the copy out of what people read.
func (p *planner) tidy(f finding.Finding) finding.Finding {
	f.Message = strings.ReplaceAll(f.Message, p.copy.root, "")
	return f
}

// try gives the deployment after the changes, or why they must not be made.
func (p *planner) try(now *state, batch []finding.Finding) (*state, string, error) {
	texts := maps.Clone(now.texts)
	edited := map[string][]finding.Edit{}
	for _, f := range batch {
		for _, e := range f.Edits {
			name := p.names(e.File)
			e.File = name
			edited[name] = append(edited[name], e)
		}
	}
	for name, edits := range edited {
		text, why := p.apply(now, name, edits)
		if why != "" {
			return nil, why, nil
		}
		texts[name] = text
	}
	if err := p.copy.write(p.base.d.Dir, texts, now.texts); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNoCopy, err)
	}
	next, err := examine(p.ctx, p.o, p.copy.options(p.o.Deployment, p.base.d.Dir))
	if p.ctx.Err() != nil {
		return nil, "", p.ctx.Err()
	}
	why := ""
	if err != nil {
		why = "afterwards there would be no deployment to read"
	} else {
		next.texts = texts
		if why = p.unseen(next, edited); why == "" {
			why = p.judge(now, next, batch, edited)
		}
	}
	if why != "" { // back to what was before
		if err := p.copy.write(p.base.d.Dir, now.texts, texts); err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrNoCopy, err)
		}
		return nil, why, nil
	}
	return next, "", nil
}

// apply gives the text of a file with edits made.
func (p *planner) apply(now *state, name string, edits []finding.Edit) (text, why string) {
	if edits[0].Create {
		if _, made := now.texts[name]; made {
			return "", name + " was created already"
		}
		return p.creation(now.d, name, edits)
	}
	read, ok := p.textOf(now.d, name)
	if !ok {
		return "", name + " is not one of the files that were read"
	}
	out, err := Apply(read, edits)
	if err != nil {
		return "", err.Error()
	}
	return out, ""
}

// unseen says that the deployment did not read the changed files, since their
// names lead past the copy.
func (p *planner) unseen(next *state, edited map[string][]finding.Edit) string {
	for name, edits := range edited {
		if read, ok := p.textOf(next.d, name); !edits[0].Create && (!ok || read != next.texts[name]) {
			return name + " is named by an absolute path, so that a change of it cannot be tried out"
		}
	}
	return ""
}

func (p *planner) textOf(d *deployment.Deployment, name string) (string, bool) {
	for _, n := range fileNames(d) {
		if n == name || d != p.base.d && p.names(n) == name {
			t, ok := d.FileText(n)
			return t.Reveal(), ok
		}
	}
	return "", false
}

// fileNames gives the names of all files of a deployment that may be edited:
// those that its configuration names.
func fileNames(d *deployment.Deployment) []string {
	out := slices.Clone(d.Files)
	for _, f := range d.EnvFiles {
		out = append(out, f.File)
	}
	return out
}

// plan gathers what was reached.
func (p *planner) plan(end *state) *Plan {
	out := &Plan{Dir: p.base.d.Dir, Done: p.done, Skipped: p.skipped}
	for _, name := range slices.Sorted(maps.Keys(end.texts)) {
		before, existed := p.textOf(p.base.d, name)
		f := File{Name: name, Path: filepath.Join(p.base.d.Dir, filepath.FromSlash(name)), Create: !existed, Before: before, After: end.texts[name]}
		if existed && f.Before == f.After {
			continue
		}
		f.lines = [2]func(int) string{p.hidden(p.base.d, name, end.d), p.hidden(end.d, name, p.base.d)}
		out.Files = append(out.Files, f)
	}
	slices.SortStableFunc(out.Skipped, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Finding.ID, b.Finding.ID), strings.Compare(a.Finding.Subject, b.Finding.Subject))
	})
	return out
}
