package checks

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// LogCauses gives what running services say in their logs about why they do
// not work, where nothing better explains that they are not reached: a link to
// the service is broken, and no check has looked at what the line is about.
func LogCauses(t *kopano.Topology, s *engine.Snapshot, logs Logs, status func(link string) Status) []finding.Finding {
	if s == nil || len(logs) == 0 {
		return nil
	}
	c := &comparison{topology: t, snapshot: s}
	r := &logReader{topology: t, snapshot: s, logs: logs, redactor: secret.NewRedactor(containerSecrets(s), t.Deployment.PublicWords())}
	for _, service := range t.Deployment.Services {
		one, ok := s.RunningOf(service.Name)
		links := c.brokenTo(service, status)
		if !ok || one.State != engine.Running || len(links) == 0 {
			continue
		}
		said := r.read(service.Name, func(sig *Signature, line string) bool {
			return sig.Stops && !c.looked(service, sig, line, status)
		})
		if len(said) == 0 {
			continue
		}
		a := about{c, service, one}
		c.add(service, ReasonLog, finding.Error, finding.Finding{
			Title:    service.Name + " says in its log that it cannot work",
			Message:  said[0].Means,
			Remedy:   "Put right what the log says, then: docker compose up -d " + service.Name,
			Evidence: said[:1], Links: links, Key: ordinal(a.container),
			Locations: []finding.Location{service.At.As(finding.Fix)},
		})
	}
	return c.found
}

func (c *comparison) brokenTo(s *deployment.Service, status func(string) Status) []string {
	var ids []string
	for _, e := range c.topology.Edges {
		if e.To == s && calls(e, ReasonNone) && status(e.ID) == Broken {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// looked reports whether a check has looked at the link that a line is about.
// Where it works the line is old; where it does not, its own finding says more.
func (c *comparison) looked(s *deployment.Service, sig *Signature, line string, status func(string) Status) bool {
	for _, e := range c.topology.Edges {
		if e.From != s && e.To != s {
			continue
		}
		named := sig.NamesEnd && e.From == s && e.Addr.Host != "" && strings.Contains(line, e.Addr.Host)
		if (named || slices.Contains(sig.Links, e.Link.ID)) && status(e.ID) != Unchecked {
			return true
		}
	}
	return false
}
