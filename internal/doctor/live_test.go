package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// edge makes a link of the kind id between two services.
func edge(id, from, to string) *kopano.Edge {
	return &kopano.Edge{
		ID: id + "@" + from, Link: &kopano.Link{ID: id, From: "client", To: "server"},
		From: &deployment.Service{Name: from}, To: &deployment.Service{Name: to},
	}
}

func edges(n int) []*kopano.Edge {
	var out []*kopano.Edge
	for i := range n {
		out = append(out, edge(fmt.Sprintf("link-%03d", i), fmt.Sprintf("service%03d", i), "db"))
	}
	return out
}

// plainVantage dials as it is told and has no files.
type plainVantage struct{}

func plain(*kopano.Topology, EngineSays) Vantage { return plainVantage{} }

func (plainVantage) Dialer(*deployment.Service) checks.Dialer       { return &net.Dialer{} }
func (plainVantage) Route(*deployment.Service, string, int) string  { return "host" }
func (plainVantage) Files() checks.Files                            { return noFiles{} }
func (plainVantage) Reads(*deployment.Service) string               { return "host" }
func (plainVantage) Why() string                                    { return "" }
func (plainVantage) Prepare(context.Context, []*deployment.Service) {}
func (plainVantage) Close() error                                   { return nil }

type noFiles struct{}

func (noFiles) Stat(*deployment.Service, string) (checks.FileInfo, error) {
	return checks.FileInfo{}, vantage.ErrNoRoute
}

func (noFiles) ReadFile(*deployment.Service, string, int64) ([]byte, error) {
	return nil, vantage.ErrNoRoute
}

func table(es []*kopano.Edge, c checks.Check) map[string]checks.Check {
	out := map[string]checks.Check{}
	for _, e := range es {
		out[e.Link.ID] = c
	}
	return out
}

func options(o Options) Options {
	if o.Vantage == nil {
		o.Vantage = plain
	}
	return withDefaults(o)
}

func TestPlan(t *testing.T) {
	es := edges(5)
	es[1].Addr.Problem = "the port is no number"
	es[2].Link.Optional, es[2].To, es[2].Addr.Default = true, nil, true
	checked := table(es[:4], func(context.Context, checks.Target) checks.Result { return checks.Result{} })

	want := []checks.Reason{"", checks.ReasonConfig, checks.ReasonNoCheck, "", checks.ReasonNoCheck}
	for i, s := range Plan(es, checked, false) {
		if s.Edge != es[i] || s.Result.Reason != want[i] || (s.Check != nil) != (want[i] == "") {
			t.Errorf("step %d: %s, reason %q, want %q", i, s.Edge.ID, s.Result.Reason, want[i])
		}
	}
	for _, s := range Plan(es, checked, true) {
		if s.Check != nil || s.Result.Reason != checks.ReasonOffline || s.Result.Status != checks.Unchecked {
			t.Errorf("%s is to be checked although nobody may", s.Edge.ID)
		}
	}
}

func TestOfflineTakesNoVantage(t *testing.T) {
	es := edges(3)
	c := func(context.Context, checks.Target) checks.Result {
		t.Error("a check ran offline")
		return checks.Result{}
	}
	o := options(Options{Vantage: func(*kopano.Topology, EngineSays) Vantage {
		t.Error("offline, and yet a dialer was made")
		return nil
	}})
	o.Offline, o.Checks = true, table(es, c)
	links, _ := o.look(t.Context(), &kopano.Topology{Edges: es}, es, EngineSays{})
	if len(links) != 3 || incomplete(links) {
		t.Errorf("%d links, incomplete %v", len(links), incomplete(links))
	}
}

func TestOrderDoesNotDependOnWorkers(t *testing.T) {
	es := edges(40)
	c := func(_ context.Context, target checks.Target) checks.Result {
		if target.Edge.From.Name < "service020" {
			time.Sleep(2 * time.Millisecond)
		}
		return checks.Result{Status: checks.OK, Message: target.Edge.ID}
	}
	for _, workers := range []int{1, 3, 64} {
		links := runPlan(t.Context(), options(Options{Workers: workers}), &kopano.Topology{}, plainVantage{}, Plan(es, table(es, c), false))
		for i, l := range links {
			if l.Edge != es[i] || l.Result.Message != es[i].ID {
				t.Fatalf("%d workers: link %d is %s with the result of %s", workers, i, l.Edge.ID, l.Result.Message)
			}
		}
	}
}

func TestNoMoreAtOnceThanAllowed(t *testing.T) {
	var now, most atomic.Int32
	es := edges(30)
	c := func(context.Context, checks.Target) checks.Result {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return checks.Result{Status: checks.OK}
	}
	runPlan(t.Context(), options(Options{Workers: 4}), &kopano.Topology{}, plainVantage{}, Plan(es, table(es, c), false))
	if got := most.Load(); got > 4 || got < 2 {
		t.Errorf("%d checks ran at once, want up to 4", got)
	}
}

func TestPanicOfACheckIsNotTheEnd(t *testing.T) {
	es := edges(2)
	c := func(_ context.Context, target checks.Target) checks.Result {
		if target.Edge == es[0] {
			var none *kopano.Edge
			_ = none.ID
		}
		return checks.Result{Status: checks.OK}
	}
	links := runPlan(t.Context(), options(Options{}), &kopano.Topology{}, plainVantage{}, Plan(es, table(es, c), false))
	if r := links[0].Result; r.Status != checks.Unchecked || r.Reason != checks.ReasonInternal {
		t.Errorf("the check that failed gives %s (%s)", r.Status, r.Reason)
	}
	if links[1].Result.Status != checks.OK {
		t.Error("the other check suffered")
	}
	if !incomplete(links) {
		t.Error("the run passes for complete")
	}
}

func TestACheckThatHangsIsLeftBehind(t *testing.T) {
	es := edges(2)
	release := make(chan struct{})
	defer close(release)
	c := func(_ context.Context, target checks.Target) checks.Result {
		if target.Edge == es[0] {
			<-release // deaf to its context
		}
		return checks.Result{Status: checks.OK}
	}
	start := time.Now()
	links := runPlan(t.Context(), options(Options{Deadline: 50 * time.Millisecond}), &kopano.Topology{}, plainVantage{}, Plan(es, table(es, c), false))
	if took := time.Since(start); took > 50*time.Millisecond+grace+time.Second {
		t.Errorf("the run took %s", took)
	}
	if r := links[0].Result; r.Status != checks.Unchecked || r.Reason != checks.ReasonDeadline {
		t.Errorf("the check that hangs gives %s (%s)", r.Status, r.Reason)
	}
	if links[1].Result.Status != checks.OK {
		t.Error("the other check suffered")
	}
}

func TestTheEndOfTheRunIsNoFaultOfTheLink(t *testing.T) {
	es := edges(6)
	c := func(ctx context.Context, target checks.Target) checks.Result {
		if target.Edge == es[1] {
			return checks.Result{Status: checks.Broken, Reason: checks.ReasonCredentials}
		}
		<-ctx.Done()
		return checks.Result{Status: checks.Broken, Reason: checks.ReasonTimeout, Findings: []finding.Finding{{ID: "live-timeout"}}}
	}
	links := runPlan(t.Context(), options(Options{Deadline: 50 * time.Millisecond, Workers: 3}), &kopano.Topology{}, plainVantage{}, Plan(es, table(es, c), false))
	for i, l := range links {
		want := checks.ReasonDeadline
		if i == 1 {
			want = checks.ReasonCredentials
		}
		if l.Result.Reason != want {
			t.Errorf("link %d: %s (%s), want %s", i, l.Result.Status, l.Result.Reason, want)
		}
	}
	if n := len(liveFindings(links)); n != 0 {
		t.Errorf("%d findings of links whose time was over", n)
	}
}

// blackHole gives an address that takes connections and never says a word.
func blackHole(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestDeadAddressesTakeOneTimeoutTogether(t *testing.T) {
	const timeout = 300 * time.Millisecond
	address := blackHole(t)
	es := edges(100)
	// The ladder's first two rungs as a real check climbs them: dial, then
	// wait for a greeting that never comes.
	c := func(ctx context.Context, target checks.Target) checks.Result {
		ctx, cancel := context.WithTimeout(ctx, target.Timeout)
		defer cancel()
		conn, err := target.Dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return checks.Result{Status: checks.Broken, Reason: checks.ReasonTimeout, Message: err.Error()}
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		_ = conn.SetReadDeadline(deadline)
		_, err = conn.Read(make([]byte, 1))
		return checks.Result{Status: checks.Broken, Reason: checks.ReasonSilent, Message: fmt.Sprint(err)}
	}
	start := time.Now()
	links := runPlan(t.Context(), options(Options{Timeout: timeout}), &kopano.Topology{}, plainVantage{}, Plan(es, table(es, c), false))
	if took := time.Since(start); took > timeout+time.Second {
		t.Errorf("100 dead links took %s, want at most one timeout (%s) and a second", took, timeout)
	}
	for _, l := range links {
		if l.Result.Status != checks.Broken || l.Vantage != "host" || l.Result.Duration < timeout/2 {
			t.Fatalf("%s: %s after %s from %q", l.Edge.ID, l.Result.Status, l.Result.Duration, l.Vantage)
		}
	}
}

func TestCancelledRunEndsSoon(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	es := edges(3)
	c := func(ctx context.Context, _ checks.Target) checks.Result {
		cancel()
		<-ctx.Done()
		return checks.Result{Status: checks.Broken, Reason: checks.ReasonTimeout}
	}
	start := time.Now()
	runPlan(ctx, options(Options{}), &kopano.Topology{}, plainVantage{}, Plan(es, table(es, c), false))
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the run went on for %s", took)
	}
}

func TestProgressCountsEveryCheckOnce(t *testing.T) {
	es := edges(10)
	var seen []int
	o := options(Options{Workers: 3, Progress: func(done, total int, waits []string) {
		if total != 10 || done < 10 && len(waits) > 3 || slices.Contains(waits, "") {
			t.Errorf("%d of %d, waiting for %v", done, total, waits)
		}
		seen = append(seen, done)
	}})
	runPlan(t.Context(), o, &kopano.Topology{}, plainVantage{}, Plan(es, table(es, func(context.Context, checks.Target) checks.Result {
		return checks.Result{Status: checks.OK}
	}), false))
	if !slices.IsSorted(seen) || len(seen) != 20 || seen[19] != 10 {
		t.Errorf("progress: %v", seen)
	}
}

func TestLiveFindingsAreCompleted(t *testing.T) {
	e := edge("server-ldap", "kopano_server", "ldap")
	got := liveFindings([]diagnosis.Link{{Edge: e, Result: checks.Result{
		Status: checks.Broken, Message: "no answer", Findings: []finding.Finding{{ID: "live-ldap-silent", Severity: finding.Error}},
	}}})
	want := finding.Finding{
		ID: "live-ldap-silent", Severity: finding.Error, Kind: finding.Live, Title: "no answer",
		Subject: "kopano_server → ldap", Links: []string{"server-ldap@kopano_server"},
	}
	if len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheSameWordsAreOneFinding(t *testing.T) {
	says := func(from, message string) diagnosis.Link {
		return diagnosis.Link{Edge: edge("issuer", from, "web"), Result: checks.Result{Findings: []finding.Finding{{ID: "live-oidc", Message: message}}}}
	}
	got := liveFindings([]diagnosis.Link{says("a", "old key"), says("b", "old key"), says("c", "no key")})
	if len(got) != 2 || !slices.Equal(got[0].Links, []string{"issuer@a", "issuer@b"}) || got[0].Subject != "a → web" || !slices.Equal(got[1].Links, []string{"issuer@c"}) {
		t.Errorf("got %+v", got)
	}
}

func TestFilesAreReadFromThisHost(t *testing.T) {
	w := watch(plainVantage{}, nil)
	if _, err := w.ReadFile(nil, "/x", 1); !errors.Is(err, vantage.ErrNoRoute) || w.name() != "" {
		t.Errorf("a file that was not read: %v, from %q", err, w.name())
	}
	w.read(nil, nil)
	if w.name() != "host" {
		t.Errorf("a file that was read comes from %q", w.name())
	}
}
