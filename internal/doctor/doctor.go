// Package doctor is the run: load the deployment, find roles and links in it,
// apply the rules, run the checks, take out what is suppressed, tell causes from
// consequences, and make the report. Everything it does follows that one line.
package doctor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// Options say what to look at and how.
type Options struct {
	Deployment deployment.Options
	Offline    bool          // run no live check and open no socket
	FailOn     FailOn        // from which severity on a finding makes the exit code 1
	Timeout    time.Duration // for each rung of a check; 0: DefaultTimeout
	Deadline   time.Duration // for all checks together; 0: DefaultDeadline
	Workers    int           // how many checks run at once; 0: DefaultWorkers
	Version    string        // of the tool, for the report

	Config   *config.Config     // severities, what is ignored, thresholds, names outside; nil: none. What flags can say too is taken from the flags
	Baseline *suppress.Baseline // findings that are known; nil: none
	NoInline bool               // comments in the files suppress nothing

	Login *checks.Trip // the test user who signs in everywhere; nil: nobody signs in

	Logins *checks.Attempts // what is known of logins from earlier runs; nil: nothing

	Rules    []rules.Rule                                             // nil: none
	Checks   map[string]checks.Check                                  // live checks by link ID
	Vantage  Standing                                                 // where the checks dial from; not called with Offline
	Engine   func(context.Context, *deployment.Deployment) EngineSays // asks what runs; nil: nobody is asked. Not called with Offline
	Now      func() time.Time                                         // nil: time.Now
	Progress func(done, total int, waits []string)                    // told after each check, one call at a time; nil: nobody is

	snapshot *engine.Snapshot // what runs, once it was asked for

	pick  func(*kopano.Topology) ([]*kopano.Edge, error) // the links that are looked at; nil: all
	limit string                                         // the flag that gives the run more time; "": --deadline
}

// The defaults.
const (
	DefaultTimeout  = 5 * time.Second
	DefaultDeadline = 60 * time.Second
	// DefaultWorkers is more than a deployment has links that can be checked,
	// so that a run against dead addresses takes one timeout and not two.
	DefaultWorkers = 128
)

// Outcome is a finished run.
type Outcome struct {
	Report   *report.Report
	ExitCode int

	story    diagnosis.Case
	snapshot *engine.Snapshot
	eased    map[string]bool
	files    []string // what was read of the deployment, absolute
}

// Check runs the doctor over one deployment. An error means that there is no
// readable configuration, or that ctx was cancelled.
func Check(ctx context.Context, o Options) (*Outcome, error) {
	o = withDefaults(o)
	start := o.Now()
	d, err := deployment.Load(ctx, o.Deployment)
	if err != nil {
		return nil, err
	}
	t := kopano.Recognise(d, o.Config.ExternalHosts...)
	edges, err := o.edges(t)
	if err != nil {
		return nil, err
	}
	found, failed := runRules(o.Rules, &rules.Input{Deployment: d, Topology: t})
	found = append(found, unexplainedProblems(d, found)...)

	says := o.ask(ctx, d)
	if says.Close != nil {
		defer says.Close()
	}
	links, why := o.look(ctx, t, edges, says)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found = append(found, liveFindings(links)...)
	found = append(found, containerFindings(t, says.Snapshot, links)...)
	logs := readLogs(ctx, t, says, links)
	found = append(found, checks.Jobs(t, says.Snapshot, logs)...)
	found = append(found, checks.LogCauses(t, says.Snapshot, logs, statusOf(links))...)
	found = checks.AddEvidence(t, says.Snapshot, logs, found)

	left := suppress.Apply(d, finding.Seal(found), o.suppression(failed, says, links))
	story := diagnosis.Diagnose(diagnosis.Case{Findings: left.Findings, Links: links, StopsAll: refusals(d)})
	r := report.Build(report.Facts{
		Version: o.Version, Topology: t, Case: story, Duration: o.Now().Sub(start),
		Config: o.configName(d), Suppressed: left.Suppressed, Eased: left.Eased,
		Engine: engineFacts(says, why), Root: workingTree(d.Dir), Rules: explain(o.Rules, story.Findings, left.Suppressed),
		Secrets: o.Login.Secrets(),
	})
	r.FailOn = string(cmp.Or(o.FailOn, FailOnError))
	r.ExitCode = ExitCode(r.Summary, failed || says.Failed || incomplete(story.Links) || o.Login != nil && len(t.LoginEdges()) == 0, o.FailOn)
	return &Outcome{Report: r, ExitCode: r.ExitCode, story: story, snapshot: says.Snapshot, eased: left.Eased, files: filesOf(d, o)}, nil
}

// edges gives the links that are looked at.
func (o Options) edges(t *kopano.Topology) ([]*kopano.Edge, error) {
	switch {
	case o.pick != nil:
		return o.pick(t)
	case o.Login != nil:
		return slices.Concat(t.Edges, t.LoginEdges()), nil
	}
	return t.Edges, nil
}

// ask asks the engine, when it may.
func (o Options) ask(ctx context.Context, d *deployment.Deployment) EngineSays {
	if o.Offline || o.Engine == nil {
		return EngineSays{}
	}
	return o.Engine(ctx, d)
}

// look runs the checks, and says why they did not stand in the containers when
// these run and they did not.
func (o Options) look(ctx context.Context, t *kopano.Topology, edges []*kopano.Edge, says EngineSays) ([]diagnosis.Link, string) {
	steps := Plan(edges, o.Checks, o.Offline)
	if o.Offline {
		return runPlan(ctx, o, t, nil, steps), ""
	}
	o.snapshot = says.Snapshot
	v := o.Vantage(t, says)
	defer v.Close()
	v.Prepare(ctx, callers(steps))
	links := runPlan(ctx, o, t, v, steps)
	return links, v.Why()
}

// callers gives the services whose links are checked, each once.
func callers(steps []Step) []*deployment.Service {
	var out []*deployment.Service
	for _, s := range steps {
		if s.Check != nil && s.Edge.From != nil && !slices.Contains(out, s.Edge.From) {
			out = append(out, s.Edge.From)
		}
	}
	return out
}

// suppression says what suppresses in this run, and how much of the deployment
// it looked at.
func (o Options) suppression(failed bool, says EngineSays, links []diagnosis.Link) suppress.Setup {
	return suppress.Setup{
		Config: o.Config, Baseline: o.Baseline, NoInline: o.NoInline, IDs: IDs(o.Rules), Now: o.Now(),
		AllStatic: !failed, // Without an engine, what is said about containers could not be found.
		AllLive:   !o.Offline && o.pick == nil && !incomplete(links) && (o.Engine == nil || says.Snapshot != nil),
	}
}

// IDs gives the IDs that the findings of a run with these rules may have.
func IDs(rs []rules.Rule) config.IDs { return suppress.IDs(rs, checks.FindingIDs()) }

// configName names the file with settings as findings do, "" when there is none.
func (o Options) configName(d *deployment.Deployment) string {
	if o.Config.File == "" {
		return ""
	}
	return config.RelativeName(o.Config.File, d.Dir)
}

func withDefaults(o Options) Options {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Deadline <= 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logins == nil {
		o.Logins = &checks.Attempts{}
	}
	if o.Config == nil {
		o.Config = &config.Config{}
	}
	if o.limit == "" {
		o.limit = "--deadline"
	}
	if o.Progress == nil {
		o.Progress = func(int, int, []string) {}
	}
	return o
}
