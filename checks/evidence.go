package checks

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// The lines that count: of a container that runs, those of the last half hour
// and those of its start. In between, what failed may long work again.
const (
	recently = 30 * time.Minute
	starting = 10 * time.Minute
)

// maxEvidence is how many log lines one finding carries.
const maxEvidence = 2

// Logs are the last lines of the logs of some containers, by container ID,
// the oldest first.
type Logs map[string][]engine.LogLine

// LogsWanted gives the containers whose logs may tell more: both ends of the
// broken links, what does not run as it should, and the scheduler.
func LogsWanted(t *kopano.Topology, s *engine.Snapshot, broken []*kopano.Edge) []engine.Container {
	if s == nil {
		return nil
	}
	services := map[string]bool{}
	for _, e := range broken {
		if e.From != nil {
			services[e.From.Name] = true
		}
		if e.To != nil {
			services[e.To.Name] = true
		}
	}
	for _, one := range t.Deployment.Services {
		services[one.Name] = services[one.Name] || t.Role(one) == kopano.Scheduler
	}
	var out []engine.Container
	for _, c := range s.Containers {
		ill := c.State == engine.Exited && c.Exit != 0 || c.State == engine.Restarting || c.State == engine.Dead || c.Health == engine.Unhealthy
		if !c.OneOff && !c.Started.IsZero() && (ill || services[c.Service]) {
			out = append(out, c)
		}
	}
	return out
}

// LogsSince gives from when on the lines of a container's log count. One that
// starts again and again has said why before its last start.
func LogsSince(c engine.Container) time.Time {
	if c.Restarts > 0 && (c.State == engine.Restarting || c.State == engine.Running) {
		return c.Started.Add(-starting)
	}
	return c.Started
}

// AddEvidence gives the live errors the lines of the logs that bear them out.
// It is a pure function of what was read.
func AddEvidence(t *kopano.Topology, s *engine.Snapshot, logs Logs, found []finding.Finding) []finding.Finding {
	if s == nil || len(logs) == 0 {
		return found
	}
	r := &logReader{topology: t, snapshot: s, logs: logs, redactor: secret.NewRedactor(containerSecrets(s), t.Deployment.PublicWords())}
	for i := range found {
		if f := &found[i]; f.Kind == finding.Live && (f.Severity == finding.Error || aboutState(f.ID)) {
			f.Evidence = append(f.Evidence, r.about(f)...)
		}
	}
	return found
}

// aboutState reports whether a finding says that a container does not run well.
func aboutState(id string) bool {
	why, ok := strings.CutPrefix(id, ContainerPrefix)
	return ok && slices.Contains([]Reason{ReasonExited, ReasonRestarting, ReasonUnhealthy, ReasonOOM}, Reason(why))
}

type logReader struct {
	topology *kopano.Topology
	snapshot *engine.Snapshot
	logs     Logs
	redactor *secret.Redactor
}

func (r *logReader) about(f *finding.Finding) []finding.Evidence {
	var out []finding.Evidence
	add := func(service string, explains func(*Signature, string) bool) {
		for _, e := range r.read(service, explains) {
			same := func(x finding.Evidence) bool { return x.Service == e.Service && x.Means == e.Means }
			if len(out) < maxEvidence && !slices.ContainsFunc(out, same) {
				out = append(out, e)
			}
		}
	}
	if strings.HasPrefix(f.ID, ContainerPrefix) {
		if aboutState(f.ID) {
			add(f.Subject, func(*Signature, string) bool { return true })
		}
		return out
	}
	for _, id := range f.Links {
		e := r.topology.Edge(id)
		if e == nil {
			continue
		}
		why, _, _ := strings.Cut(f.Key, " ")
		// The end that is called knows more of a fault than the one that calls.
		if e.To != nil {
			add(e.To.Name, func(s *Signature, line string) bool { return s.explains(e, true, Reason(why), line) })
		}
		if e.From != nil {
			add(e.From.Name, func(s *Signature, line string) bool { return s.explains(e, false, Reason(why), line) })
		}
	}
	return out
}

// read gives, for each signature that matches the log of a service and
// explains what is asked for, the newest line, the newest of all first.
func (r *logReader) read(service string, explains func(*Signature, string) bool) []finding.Evidence {
	s, ok := r.topology.Deployment.Service(service)
	if !ok {
		return nil
	}
	role := r.topology.Role(s)
	var out []finding.Evidence
	for _, c := range r.snapshot.Of(service) {
		told := map[*Signature]bool{}
		for _, l := range slices.Backward(r.logs[c.ID]) {
			text := strings.TrimSpace(colours.ReplaceAllString(l.Text, ""))
			if !r.counts(c, l) {
				continue
			}
			markOver(role, text, told)
			sig := match(role, text)
			if sig == nil || told[sig] || !explains(sig, text) {
				continue
			}
			told[sig] = true
			out = append(out, r.evidence(service, l, text, sig.Means))
		}
	}
	return out
}

// counts: what is too old to explain anything does not.
func (r *logReader) counts(c engine.Container, l engine.LogLine) bool {
	if c.State != engine.Running || l.At.IsZero() {
		return true
	}
	return r.snapshot.At.Sub(l.At) < recently || l.At.Sub(c.Started) < starting
}

func (r *logReader) evidence(service string, l engine.LogLine, text, means string) finding.Evidence {
	e := finding.Evidence{Service: service, At: l.At, Line: shorten(secret.Mask(r.redactor.Redact(text)), shownOfLine), Means: means}
	if !l.At.IsZero() {
		e.Age = max(0, r.snapshot.At.Sub(l.At))
	}
	return e
}

// shownOfLine bounds the shown part of a log line, in characters.
const shownOfLine = 300

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// colours are the escape codes (ECMA-48, "CSI") by which programs paint their logs.
var colours = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")

// containerSecrets gives the secrets that the containers were started with,
// which may be older than those of the files.
func containerSecrets(s *engine.Snapshot) []string {
	var out []string
	for _, c := range s.Containers {
		for key, value := range c.Environment {
			if secret.IsName(key) {
				out = append(out, value.Reveal())
			}
		}
	}
	return out
}

// markOver notes the signatures of which a line says that they are over; the
// log is read backwards, so they count no more.
func markOver(role kopano.Role, line string, told map[*Signature]bool) {
	for i := range signatures {
		s := &signatures[i]
		if s.over != nil && (s.Role == role || s.Role == kopano.Unknown) && s.over.MatchString(line) {
			told[s] = true
		}
	}
}

// match gives the first signature of a role that a line has.
func match(role kopano.Role, line string) *Signature {
	for i := range signatures {
		s := &signatures[i]
		if (s.Role == role || s.Role == kopano.Unknown) && s.pattern.MatchString(line) {
			return s
		}
	}
	return nil
}

// Meaning says what a line of the log of a role means, "" when nothing is known.
func Meaning(role kopano.Role, line string) string {
	if s := match(role, line); s != nil {
		return s.Means
	}
	return ""
}
