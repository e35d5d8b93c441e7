package rules

import (
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// webProxyRules are about what the reverse proxy passes on.
func webProxyRules() []Rule {
	return []Rule{
		{
			ID: "web-upstream-renamed", Subject: "links", Severity: finding.Error,
			Title: "web does not find a service that was renamed",
			Why: "web passes requests on to the names of kopano-docker (web/Dockerfile, web/kweb.cfg). A service of another name needs the KWEBD_DNS_… setting on web, " +
				"or the usual name as a network alias. Without it web answers 502.",
			Source: "kopano-docker web/Dockerfile, web/kweb.cfg",
			Check:  upstreamRenamed,
		},
	}
}

func upstreamRenamed(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.From != kopano.Web || e.From == nil || e.To != nil || !e.Addr.Default || e.Addr.Host == "" || ownConfig(in, e.From) {
			return nil
		}
		there := in.Topology.Services(e.Link.To)
		if len(there) == 0 {
			return nil // not part of this deployment
		}
		s := there[0]
		f := &fault{
			key:     "upstream " + string(e.Link.To),
			message: e.From.Name + " passes requests for " + titleOf(e.Link.To) + " on to " + quote(e.Addr.Host) + ", but here it is called " + s.Name + ".",
			remedy:  "Give " + s.Name + " the network alias " + e.Addr.Host + ".",
			places:  []finding.Location{s.At.As(finding.Fix), e.From.Locate("environment").As(finding.Related)},
		}
		if setting := e.Link.Address.Setting; setting != "" {
			name := strings.TrimSuffix(s.Name, e.Link.Address.Suffix)
			f.remedy = "Set " + setting + "=" + name + " on " + e.From.Name + "."
			f.places = []finding.Location{e.From.Locate("environment").As(finding.Fix), s.At.As(finding.Related)}
		}
		return f
	})
}

// ownConfig reports whether web has a configuration of somebody's own, so that
// nobody knows what it passes on.
func ownConfig(in *Input, web *deployment.Service) bool {
	for _, file := range []string{"/etc/kweb.cfg", "/etc/kweb-extras/x"} {
		if _, ok := in.Topology.MountAt(web, file); ok {
			return true
		}
	}
	own := func(words []string) bool {
		return len(words) > 0 && !strings.Contains(strings.Join(words, " "), "wrapper.sh")
	}
	return own(web.Command) || own(web.Entrypoint)
}
