package doctor

import (
	"context"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// WatchOptions say how a deployment is watched.
type WatchOptions struct {
	Options  func() (Options, error)                                          // of each look: the settings may have changed
	Interval time.Duration                                                    // how long nothing may happen before the next look; 0: DefaultInterval
	Events   func(ctx context.Context, project string, happened func()) error // listens to the engine, as EngineEvents; nil: nobody does
	Told     func(Look) error                                                 // told of the first look, and of each after which something is different; an error ends the watch
	Quiet    func(at time.Time)                                               // told of each look after which nothing is; nil: nobody is
	Note     func(format string, args ...any)                                 // told what cannot be watched; nil: nobody is
}

// DefaultInterval is how long nothing happens before the next look.
const DefaultInterval = 30 * time.Second

// Events and changes of files come in swarms: a save is three of them, `docker
// compose up` dozens. The next look waits until there is calm, but not for ever,
// and leaves some time after the one before: a container that restarts all the
// time would else keep it busy.
const (
	calm     = 400 * time.Millisecond
	mostCalm = 5 * time.Second
	apart    = 2 * time.Second
)

// Look is what is told.
type Look struct {
	At      time.Time
	First   bool
	Outcome *Outcome       // nil when Err is set
	Changes report.Changes // since the last look at which the files could be read; not of the first
	Err     error          // the files, or the settings, cannot be read
}

// Watch looks at a deployment again and again: when its files change, when
// something happens to its containers, and after the interval. It ends with ctx,
// or when the first look cannot be made. Refused logins are not repeated until
// the credentials change.
func Watch(ctx context.Context, w WatchOptions) error {
	if w.Interval <= 0 {
		w.Interval = DefaultInterval
	}
	if w.Quiet == nil {
		w.Quiet = func(time.Time) {}
	}
	if w.Note == nil {
		w.Note = func(string, ...any) {}
	}
	g := &guard{watch: w, logins: &checks.Attempts{}, happened: make(chan struct{}, 1)}
	g.files = watchFiles(g.ring, w.Note)
	defer g.files.close()
	defer func() { g.hangUp() }()
	for {
		if err := g.look(ctx); err != nil {
			return err
		}
		if err := g.rest(ctx); err != nil {
			return err
		}
		g.logins.Again()
	}
}

// guard is one watch.
type guard struct {
	watch    WatchOptions
	logins   *checks.Attempts
	files    *fileWatch
	happened chan struct{} // something did since the last look began

	last    *Outcome // nil before the first look
	trouble string   // why the last look could not be made; "" when it could

	project string // of the engine that is listened to; "" for none
	ear     func() // ends the listening
}

// ring asks for a look.
func (g *guard) ring() {
	select {
	case g.happened <- struct{}{}:
	default: // it is asked for already
	}
}

// look looks once and tells what is different.
func (g *guard) look(ctx context.Context) error {
	outcome, err := g.check(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	at := time.Now()
	if err != nil {
		if g.last == nil {
			return err
		}
		if err.Error() == g.trouble {
			g.watch.Quiet(at)
			return nil
		}
		g.trouble = err.Error()
		return g.watch.Told(Look{At: at, Err: err})
	}
	g.files.add(outcome.files)
	g.listen(ctx, outcome)
	told := Look{At: at, First: g.last == nil, Outcome: outcome}
	if !told.First {
		told.Changes = report.Compare(g.last.Report, outcome.Report)
	}
	again := g.trouble != ""
	g.last, g.trouble = outcome, ""
	if !told.First && !again && told.Changes.None() {
		g.watch.Quiet(at)
		return nil
	}
	return g.watch.Told(told)
}

func (g *guard) check(ctx context.Context) (*Outcome, error) {
	o, err := g.watch.Options()
	if err != nil {
		return nil, err
	}
	o.Logins = g.logins
	return Check(ctx, o)
}

// rest waits for the next look.
func (g *guard) rest(ctx context.Context) error {
	ended := time.Now()
	timer := time.NewTimer(g.watch.Interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	case <-g.happened:
	}
	latest := time.Now().Add(mostCalm)
	for {
		pause := max(min(calm, time.Until(latest)), time.Until(ended.Add(apart)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-g.happened:
			if time.Now().Before(latest) {
				continue
			}
		case <-time.After(pause):
		}
		return nil
	}
}

// listen listens to what happens to the containers of the project, once an
// engine has said what runs.
func (g *guard) listen(ctx context.Context, o *Outcome) {
	if g.watch.Events == nil || o.snapshot == nil || o.snapshot.Project == g.project {
		return
	}
	g.hangUp()
	ctx, g.ear = context.WithCancel(ctx)
	g.project = o.snapshot.Project
	go g.hear(ctx, g.project)
}

// hear listens until ctx ends. An engine that hangs up, or is started anew, is
// called again after a while; meanwhile there is the interval.
func (g *guard) hear(ctx context.Context, project string) {
	for ctx.Err() == nil {
		_ = g.watch.Events(ctx, project, g.ring)
		select {
		case <-ctx.Done():
		case <-time.After(mostCalm):
		}
	}
}

func (g *guard) hangUp() {
	if g.ear != nil {
		g.ear()
	}
}
