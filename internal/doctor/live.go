package doctor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// grace is what a check may take longer than its deadline before the run goes
// on without it.
const grace = 500 * time.Millisecond

// errDeadline tells the end of the run's time from every other end.
var errDeadline = errors.New("the time for this run is over")

// runPlan runs the checks of the plan, all at once within o.Workers, and gives
// every link in the order of the plan. It returns within o.Deadline and a
// grace, also when a check does not.
func runPlan(ctx context.Context, o Options, t *kopano.Topology, v Vantage, steps []Step) []diagnosis.Link {
	links := make([]diagnosis.Link, len(steps))
	todo := 0
	for i, s := range steps {
		links[i] = diagnosis.Link{Edge: s.Edge, Result: s.Result, Checked: s.Check != nil || s.Result.Reason == checks.ReasonConfig}
		if s.Check != nil {
			todo++
		}
	}
	if todo == 0 {
		return links
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Deadline, errDeadline)
	defer cancel()
	r := &runner{options: o, topology: t, vantage: v, board: newBoard(todo, o.Progress)}
	var g errgroup.Group
	g.SetLimit(o.Workers)
	var trip []int
	for i, s := range steps {
		switch {
		case s.Check == nil:
			continue
		case s.Edge.Link.Login:
			trip = append(trip, i)
			continue
		}
		g.Go(func() error {
			links[i].Result, links[i].Vantage = r.run(ctx, s)
			return nil
		})
	}
	// One after the other: the first that refuses the password ends the trip.
	g.Go(func() error {
		for _, i := range trip {
			links[i].Result, links[i].Vantage = r.run(ctx, steps[i])
		}
		if len(trip) > 0 && o.Login != nil {
			o.Login.End(ctx)
		}
		return nil
	})
	_ = g.Wait() // the functions give no error
	return links
}

type runner struct {
	options  Options
	topology *kopano.Topology
	vantage  Vantage
	board    *board
}

// run runs one check and bounds it.
func (r *runner) run(ctx context.Context, s Step) (checks.Result, string) {
	name := diagnosis.Name(s.Edge)
	r.board.start(name)
	defer r.board.finish(name)
	if ctx.Err() != nil {
		return outOfTime(r.options), ""
	}
	w := watch(r.vantage, s.Edge.From)
	target := checks.Target{
		Edge: s.Edge, Topology: r.topology, Dialer: w, Files: w, Inside: w.inside(s.Edge),
		Engine: r.options.snapshot,
		Now:    r.options.Now, Timeout: r.options.Timeout, Login: r.options.Login, Logins: r.options.Logins,
		ExpiresSoon: time.Duration(r.options.Config.CertificateDays) * 24 * time.Hour,
	}
	start := time.Now()
	answer := make(chan checks.Result, 1)
	go func() { answer <- protected(ctx, s.Check, target) }()
	var result checks.Result
	select {
	case result = <-answer:
	case <-afterDone(ctx, grace):
		result = outOfTime(r.options)
	}
	if timeIsOver(ctx) && cutShort(result) {
		result = outOfTime(r.options)
	}
	if result.Duration == 0 && result.Status != checks.Unchecked {
		result.Duration = time.Since(start)
	}
	return result, w.name()
}

// timeIsOver reports whether the run's time is over. A connection's deadline
// may end it some moments before the context does, so the last moments count.
func timeIsOver(ctx context.Context) bool {
	const moments = 50 * time.Millisecond
	if ctx.Err() != nil {
		return context.Cause(ctx) == errDeadline
	}
	end, ok := ctx.Deadline()
	return ok && time.Until(end) < moments
}

// cutShort reports whether a result is no more than the end of the run's time.
func cutShort(r checks.Result) bool {
	if r.Status != checks.Broken {
		return false
	}
	switch r.Reason {
	case checks.ReasonTimeout, checks.ReasonSilent, checks.ReasonClosed, checks.ReasonUnreachable, checks.ReasonNone:
		return true
	}
	return false
}

func outOfTime(o Options) checks.Result {
	return checks.Result{
		Status: checks.Unchecked, Reason: checks.ReasonDeadline,
		Message: fmt.Sprintf("the time for the whole run, %s, was over; raise %s", o.Deadline, o.limit),
	}
}

// protected keeps a panic of a check from ending the run.
func protected(ctx context.Context, check checks.Check, t checks.Target) (result checks.Result) {
	defer func() {
		if p := recover(); p != nil {
			result = checks.Result{
				Status: checks.Unchecked, Reason: checks.ReasonInternal,
				Message: fmt.Sprintf("the check itself failed: %v; please report this", p),
			}
		}
	}()
	return check(ctx, t)
}

// afterDone gives a channel that closes d after ctx is done.
func afterDone(ctx context.Context, d time.Duration) <-chan struct{} {
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { time.AfterFunc(d, func() { close(late) }) })
	return late
}

// liveFindings collects what the checks found, completed by what only the run
// knows. What several checks say word for word is one finding about all their
// links: the key set of one issuer is asked for by four services.
func liveFindings(links []diagnosis.Link) []finding.Finding {
	var out []finding.Finding
	seen := map[string]int{}
	for _, l := range links {
		name := diagnosis.Name(l.Edge)
		for _, f := range l.Result.Findings {
			f.Kind, f.Subject, f.Links = finding.Live, name, []string{l.Edge.ID}
			if f.Title == "" {
				f.Title = l.Result.Message
			}
			words := fmt.Sprint(f.ID, f.Severity, f.Title, f.Message, f.Locations, f.Consequence, f.Remedy, f.Key)
			if i, ok := seen[words]; ok {
				out[i].Links = append(out[i].Links, l.Edge.ID)
				continue
			}
			seen[words] = len(out)
			out = append(out, f)
		}
	}
	return out
}

// board counts the checks and tells the progress, one call at a time.
type board struct {
	mu      sync.Mutex
	done    int
	total   int
	waiting []string
	tell    func(done, total int, waits []string)
}

func newBoard(total int, tell func(int, int, []string)) *board {
	return &board{total: total, tell: tell}
}

func (b *board) start(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, name)
	b.tell(b.done, b.total, b.waiting)
}

func (b *board) finish(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	for i, w := range b.waiting {
		if w == name {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			break
		}
	}
	b.tell(b.done, b.total, b.waiting)
}
