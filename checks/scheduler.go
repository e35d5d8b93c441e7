package checks

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// jobExec finds the container in which a job runs (kopano-docker
// scheduler/start.sh: jobs are `docker exec NAME …`).
var jobExec = regexp.MustCompile(`docker\s+(?:container\s+)?exec(?:\s+-\S+)*\s+([A-Za-z0-9][\w.-]*)`)

// What supercronic writes of a job (aptible/supercronic, cron/cron.go).
var (
	jobPlace   = regexp.MustCompile(`iteration=(\d+) .*job\.position=(\d+)`)
	jobCommand = regexp.MustCompile(`job\.command=(?:"((?:[^"\\]|\\.)*)"|(\S+))`)
	jobFailed  = regexp.MustCompile(`level=error msg="error running command: ([^"]*)"`)
	jobSaid    = regexp.MustCompile(`msg="?(.*?)"? channel=stderr `)
)

const jobGood = `msg="job succeeded"`

// Jobs looks at the jobs of a scheduler that runs: whether their containers
// exist under the names that they use, and whether the last run of each went
// well, as far as its log tells. It is a pure function of what was read.
func Jobs(t *kopano.Topology, s *engine.Snapshot, logs Logs) []finding.Finding {
	if s == nil {
		return nil
	}
	c := &comparison{topology: t, snapshot: s}
	for _, service := range t.Deployment.Services {
		one, ok := s.RunningOf(service.Name)
		if !ok || t.Role(service) != kopano.Scheduler {
			continue
		}
		a := about{c, service, one}
		a.jobTargets()
		a.jobRuns(logs[one.ID])
	}
	return c.found
}

// jobKeys gives the settings that are jobs.
func jobKeys(s *deployment.Service) []string {
	return slices.DeleteFunc(slices.Clone(s.Keys()), func(k string) bool {
		return !strings.HasPrefix(k, "CRON_") && !strings.HasPrefix(k, "CRONDELAYED_")
	})
}

// jobTargets reports jobs whose container has another name on the engine than
// Compose of either release may give it, such as kopano_zpush_1 for
// kopano-zpush-1. A name that no service has is a matter of the files. The
// jobs are those that the container was started with: the project may run
// under another name than the files give it here.
func (a about) jobTargets() {
	for _, key := range jobKeys(a.service) {
		for _, m := range jobExec.FindAllStringSubmatch(a.container.Environment[key].Reveal(), -1) {
			real := a.otherName(m[1])
			if real == "" {
				continue
			}
			consequence := "The job never does its work."
			if strings.HasPrefix(key, "CRON_") {
				consequence = "The job fails, and one that fails at the start ends the scheduler: no job runs any more."
			}
			a.comparison.add(a.service, ReasonJobContainer, finding.Error, finding.Finding{
				Title:       fmt.Sprintf("%s runs in a container that does not exist", key),
				Message:     fmt.Sprintf("%s runs in %s, and the container of that service is called %s.", key, m[1], real),
				Consequence: consequence,
				Remedy:      fmt.Sprintf("Write %s into %s, or give the service container_name: %s.", real, key, m[1]),
				Locations:   valuesLocations(a.service, key), Key: key, Links: []string{},
			})
			break
		}
	}
}

// otherName gives the name of the container that is meant by a name which
// Compose 1 or 2 gives a service, when it has another; else "".
func (a about) otherName(name string) string {
	if slices.ContainsFunc(a.snapshot.Containers, func(c engine.Container) bool { return c.Name == name }) {
		return ""
	}
	for _, s := range a.topology.Deployment.Services {
		meant := []string{s.ContainerName}
		if s.ContainerName == "" {
			p := a.snapshot.Project
			meant = []string{p + "-" + s.Name + "-1", p + "_" + s.Name + "_1"}
		}
		if !slices.Contains(meant, name) {
			continue
		}
		real := ""
		for _, one := range a.snapshot.Of(s.Name) {
			real = one.Name
		}
		return real
	}
	return ""
}

// run is the last run of a job that the log tells of.
type run struct {
	line, said engine.LogLine // the end of it, and the last that it wrote as an error
	why        string         // "": it went well
}

func (a about) jobRuns(lines []engine.LogLine) {
	failed, words, evidence := map[string]bool{}, []string{}, []finding.Evidence{}
	r := &logReader{topology: a.topology, snapshot: a.snapshot, redactor: secret.NewRedactor(containerSecrets(a.snapshot), a.topology.Deployment.PublicWords())}
	last := lastRuns(lines)
	for _, position := range slices.Sorted(maps.Keys(last)) {
		one := last[position]
		if one.why == "" {
			continue
		}
		name := a.jobName(one.line.Text)
		if failed[name] {
			continue
		}
		failed[name] = true
		words = append(words, name+" ("+one.why+")")
		if len(evidence) < maxEvidence {
			shown := one.line
			if one.said.Text != "" {
				shown = one.said
			}
			evidence = append(evidence, r.evidence(a.service.Name, shown, colours.ReplaceAllString(shown.Text, ""), "The last run of "+name+" failed."))
		}
	}
	if len(words) == 0 {
		return
	}
	a.comparison.add(a.service, ReasonJobFailed, finding.Warning, finding.Finding{
		Title:       "Jobs of " + a.service.Name + " fail",
		Message:     "The last run failed of " + names(words) + ".",
		Consequence: "What these jobs should do is not done.",
		Remedy:      fmt.Sprintf("docker compose logs --tail 200 %s shows what they said; run the command of the job by hand to see it again.", a.service.Name),
		Locations:   valuesLocations(a.service, a.keysOf(failed)...), Key: ordinal(a.container), Links: []string{}, Evidence: evidence,
	})
}

// lastRuns gives the last finished run of each job, by its position.
func lastRuns(lines []engine.LogLine) map[string]run {
	said, out := map[string]engine.LogLine{}, map[string]run{}
	for _, l := range lines {
		m := jobPlace.FindStringSubmatch(l.Text)
		if m == nil {
			continue
		}
		at := m[1] + "/" + m[2]
		switch why := jobFailed.FindStringSubmatch(l.Text); {
		case why != nil:
			out[m[2]] = run{line: l, said: said[at], why: why[1]}
		case strings.Contains(l.Text, jobGood):
			out[m[2]] = run{line: l}
		default:
			if text := jobSaid.FindStringSubmatch(l.Text); text != nil {
				said[at] = engine.LogLine{At: l.At, Text: text[1]}
			}
		}
	}
	return out
}

// jobName gives the setting that has a job's command, else "a job".
func (a about) jobName(line string) string {
	m := jobCommand.FindStringSubmatch(line)
	if m == nil {
		return "a job"
	}
	command := strings.TrimSpace(strings.ReplaceAll(m[1]+m[2], `\"`, `"`))
	for _, key := range jobKeys(a.service) {
		if command != "" && strings.HasSuffix(strings.Join(strings.Fields(a.service.Env[key].Reveal()), " "), strings.Join(strings.Fields(command), " ")) {
			return key
		}
	}
	return "a job"
}

func (a about) keysOf(names map[string]bool) []string {
	return slices.DeleteFunc(jobKeys(a.service), func(k string) bool { return !names[k] })
}
