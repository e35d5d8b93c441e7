package checks_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

const publicName = "kopano.example.org"

// labTimeout is enough for servers that answer at once, and short for those that never do.
const labTimeout = 700 * time.Millisecond

// scene is a copy of the bundled full deployment with real servers behind it.
type scene struct {
	t       *testing.T
	lab     *lab.Lab
	ca      *lab.CA
	dir     string
	pins    []string
	now     func() time.Time
	timeout time.Duration
	edited  bool // the deployment is not the bundled one any more
}

func newScene(t *testing.T) *scene {
	t.Helper()
	l := labtest.New(t)
	ca, err := lab.NewCA("Lab")
	labtest.Check(t, err)
	s := &scene{t: t, lab: l, ca: ca, dir: filepath.Join(l.Dir, "deployment"), now: time.Now, timeout: 3 * time.Second}
	labtest.Check(t, os.CopyFS(s.dir, os.DirFS("../testdata/deployments/full")))
	return s
}

// edit replaces text in a file of the deployment.
func (s *scene) edit(file, old, new string) {
	s.t.Helper()
	s.edited = true
	name := filepath.Join(s.dir, file)
	text, err := os.ReadFile(name)
	labtest.Check(s.t, err)
	if !strings.Contains(string(text), old) {
		s.t.Fatalf("%s has no %q", file, old)
	}
	labtest.Check(s.t, os.WriteFile(name, []byte(strings.Replace(string(text), old, new, 1)), 0o600))
}

// pin has an address of the configuration lead to a server of the lab.
func (s *scene) pin(name, address string) { s.pins = append(s.pins, name+"="+address) }

// leaf makes a certificate by the lab's authority.
func (s *scene) leaf(o lab.LeafOptions) *lab.Leaf {
	s.t.Helper()
	leaf, err := s.ca.Issue(o)
	labtest.Check(s.t, err)
	return leaf
}

// bundled is the bundled deployment. Nothing changes a loaded deployment, so
// one will do for all scenes that do not edit theirs.
var bundled = sync.OnceValues(func() (*kopano.Topology, error) { return load("../testdata/deployments/full") })

func load(dir string) (*kopano.Topology, error) {
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	return kopano.Recognise(d), nil
}

// target loads the deployment and aims at one link.
func (s *scene) target(link, from string) checks.Target {
	s.t.Helper()
	topology, err := bundled()
	if s.edited {
		topology, err = load(s.dir)
	}
	labtest.Check(s.t, err)
	edge := topology.Edge(link + "@" + from)
	if edge == nil {
		var ids []string
		for _, e := range topology.Edges {
			ids = append(ids, e.ID)
		}
		s.t.Fatalf("no link %s@%s; there are %s", link, from, strings.Join(ids, " "))
	}
	pins, err := vantage.ParsePins(s.pins)
	labtest.Check(s.t, err)
	host := vantage.NewHost(topology.Deployment, topology, pins).WithVolumes(filepath.Join(s.lab.Dir, "volumes"))
	return checks.Target{Edge: edge, Topology: topology, Dialer: host.From(edge.From), Files: host.Files(),
		Now: s.now, Timeout: s.timeout, Roots: s.ca.Pool()}
}

// run checks a link and what holds for every result.
func (s *scene) run(check checks.Check, link, from string) checks.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	r := check(ctx, s.target(link, from))
	s.sane(r)
	return r
}

func (s *scene) sane(r checks.Result) {
	s.t.Helper()
	if r.Message == "" || strings.ContainsAny(r.Message, "\r\n") || len(r.Message) > 200 {
		s.t.Errorf("message is not one short line: %q", r.Message)
	}
	if r.Status == checks.Broken && len(r.Findings) == 0 {
		s.t.Errorf("broken without a finding: %+v", r)
	}
	for _, f := range r.Findings {
		if !strings.HasPrefix(f.ID, "live-") || f.Title == "" || f.Message == "" || f.Remedy == "" || f.Consequence == "" || len(f.Locations) == 0 {
			s.t.Errorf("incomplete finding: %+v", f)
		}
		if !slices.Contains(checks.FindingIDs(), f.ID) {
			s.t.Errorf("%s is not documented", f.ID)
		}
	}
}

// expect is what a fault must be recognised by.
type expect struct {
	status  checks.Status // "": broken
	rung    checks.Rung
	reason  checks.Reason
	id      string // of the finding; "" when there is none
	at      string // text of the line that the finding names first
	says    string // text that the finding's message has
	message string // text that the result's message has
}

func (s *scene) want(r checks.Result, e expect) {
	s.t.Helper()
	if e.status == "" {
		e.status = checks.Broken
	}
	if r.Status != e.status || r.Rung != e.rung || r.Reason != e.reason {
		s.t.Errorf("got %s at %s, reason %q, want %s at %s, reason %q\n%s", r.Status, r.Rung, r.Reason, e.status, e.rung, e.reason, r.Message)
	}
	if !strings.Contains(r.Message, e.message) {
		s.t.Errorf("message %q does not say %q", r.Message, e.message)
	}
	if e.id == "" {
		for _, f := range r.Findings {
			s.t.Errorf("unexpected finding %s: %s", f.ID, f.Message)
		}
		return
	}
	f := findingOf(r, e.id)
	if f == nil {
		s.t.Fatalf("no finding %s in %+v", e.id, r.Findings)
	}
	if !strings.Contains(f.Message, e.says) {
		s.t.Errorf("finding says %q, want %q", f.Message, e.says)
	}
	if line := s.line(f.First()); !strings.Contains(line, e.at) {
		s.t.Errorf("finding %s is at %s, %q, want the line with %q", e.id, f.First(), line, e.at)
	}
}

func findingOf(r checks.Result, id string) *finding.Finding {
	for i := range r.Findings {
		if r.Findings[i].ID == id {
			return &r.Findings[i]
		}
	}
	return nil
}

// line gives the text at a location.
func (s *scene) line(l finding.Location) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, l.File))
	labtest.Check(s.t, err)
	lines := strings.Split(string(text), "\n")
	if l.Line < 1 || l.Line > len(lines) {
		s.t.Fatalf("no line %s", l)
	}
	return lines[l.Line-1]
}

// sslVolume makes the folder of kopano_ssl's volume as the engine keeps it,
// empty, and gives its path.
func (s *scene) sslVolume() string {
	s.t.Helper()
	dir := filepath.Join(s.lab.Dir, "volumes", "kopano_kopanossl", "_data")
	labtest.Check(s.t, os.MkdirAll(dir, 0o755))
	return dir
}
