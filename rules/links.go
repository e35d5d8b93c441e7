package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// fault is what a rule says about one link. The message names the setting and
// not the service that holds it, so that one wrong line of .env which breaks
// several links is one finding.
type fault struct {
	severity    finding.Severity // 0: the rule's own
	subject     string           // "": the service that makes the link
	key         string           // "": the link's ID
	message     string
	consequence string // "": what the catalogue says is lost with the link
	remedy      string
	places      []finding.Location // first: where to change it
	edits       []finding.Edit     // the change, where there is one right answer
}

// judgeLinks looks at every link and reports its faults, one finding per place
// to change. rule gives nil for a link that is right.
func judgeLinks(in *Input, rule func(e *kopano.Edge) *fault) []finding.Finding {
	type group struct {
		fault fault
		edges []*kopano.Edge
	}
	var order []*group
	byID := map[string]*group{}
	for _, e := range in.Topology.Edges {
		if isFragment(e.From) || isFragment(e.To) {
			continue
		}
		f := rule(e)
		if f == nil {
			continue
		}
		place := ""
		if len(f.places) > 0 {
			place = f.places[0].String()
		}
		id := fmt.Sprintf("%d\x00%s\x00%s\x00%s", f.severity, f.message, f.subject, place)
		g := byID[id]
		if g == nil {
			g = &group{fault: *f}
			byID[id] = g
			order = append(order, g)
		} else {
			g.fault.places = append(g.fault.places, f.places...)
			if len(g.fault.edits) > 0 && len(f.edits) > 0 {
				g.fault.edits = together(g.fault.edits, f.edits)
			} else {
				g.fault.edits = nil // not all of them can be changed
			}
		}
		g.edges = append(g.edges, e)
	}
	out := make([]finding.Finding, 0, len(order))
	for _, g := range order {
		out = append(out, g.fault.about(g.edges))
	}
	return out
}

// about makes the finding of a fault that breaks some links.
func (f *fault) about(edges []*kopano.Edge) finding.Finding {
	out := finding.Finding{
		Severity: f.severity, Subject: f.subject, Key: f.key, Message: f.message,
		Consequence: f.consequence, Remedy: f.remedy, Locations: distinct(f.places), Edits: f.edits,
	}
	var users, losses []string
	for _, e := range edges {
		if name := holder(e).Name; !slices.Contains(users, name) && (e.From != nil || len(edges) == 1) {
			users = append(users, name)
		}
		if loss := e.Link.Loses; !slices.Contains(losses, loss) {
			losses = append(losses, loss)
		}
		out.Links = append(out.Links, e.ID)
	}
	if out.Subject == "" {
		out.Subject = holder(edges[0]).Name
	}
	if out.Key == "" {
		out.Key = edges[0].Link.ID
	}
	if len(users) > 1 {
		out.Message += " It concerns " + list(users, 6) + "."
	}
	if out.Consequence == "" {
		out.Consequence = strings.Join(losses[:min(3, len(losses))], " ")
	}
	return out
}

// holder gives the service whose configuration makes a link: From, or To when
// the link comes from outside.
func holder(e *kopano.Edge) *deployment.Service {
	if e.From != nil {
		return e.From
	}
	return e.To
}

// isPath reports whether a link meets at a path in a volume, not at a port.
func isPath(p kopano.Protocol) bool {
	return p == kopano.ProtoSocket || p == kopano.ProtoFile || p == kopano.ProtoDocker || p == kopano.ProtoLocal
}

// isIssuer reports whether a link leads to sign-in under its public address.
// The rules in issuer.go look at those.
func isIssuer(e *kopano.Edge) bool { return e.Link.Protocol == kopano.ProtoOIDC }

// isFragment reports whether only a part of a service is loaded: an override
// without the file that it changes. Compose refuses it, and nothing can be said
// about what it does not show.
func isFragment(s *deployment.Service) bool {
	return s != nil && s.Image == "" && s.Build == nil
}

// isIncomplete reports whether files are missing that may define further services.
func isIncomplete(in *Input) bool {
	missing := []deployment.ProblemKind{deployment.ComposeFileMissing, deployment.UndefinedService, deployment.NoImage}
	return slices.ContainsFunc(in.Deployment.Services, isFragment) ||
		slices.ContainsFunc(in.Deployment.Problems, func(p deployment.Problem) bool { return slices.Contains(missing, p.Kind) })
}

// configured reports whether the start script writes a service's settings into
// its program. With these switches off the settings are in a mounted file
// (core/start-service.sh, kopano-docker).
func configured(s *deployment.Service) bool {
	return value(s, "AUTOCONFIGURE") != "false" && value(s, "DISABLE_CONFIG_CHANGES") != "true"
}

// hostSetting gives the setting that names the other end, with its service.
func hostSetting(e *kopano.Edge) (sighting, bool) {
	if e.From == nil || len(e.Addr.Values) == 0 {
		return sighting{}, false
	}
	a := e.Link.Address
	if v := e.Addr.Values[0]; v.Key != a.PortSetting || a.PortSetting == "" {
		return sighting{e.From, v}, true
	}
	return sighting{}, false // only the port is set: the host is the program's default
}

// portSettingOf gives the setting that holds the port: its own, or the one
// that holds the host as well.
func portSettingOf(e *kopano.Edge) (sighting, bool) {
	if e.From == nil || len(e.Addr.Values) == 0 {
		return sighting{}, false
	}
	return sighting{e.From, e.Addr.Values[len(e.Addr.Values)-1]}, true
}

// addressPlaces gives the places of every setting of an address, the first
// with the role Fix.
func addressPlaces(e *kopano.Edge) []finding.Location {
	var out []finding.Location
	for i, v := range e.Addr.Values {
		if i == 0 {
			out = append(out, v.Locations()...)
		} else {
			out = append(out, placed(v, finding.Related)...)
		}
	}
	if len(out) == 0 && e.From != nil {
		out = append(out, e.From.Locate("environment").As(finding.Fix))
	}
	return out
}

// related turns every location into one that is worth a look.
func related(ls ...finding.Location) []finding.Location {
	out := make([]finding.Location, len(ls))
	for i, l := range ls {
		out[i] = l.As(finding.Related)
	}
	return out
}

// spoken are the titles of the catalogue that do not read well in a sentence.
var spoken = map[kopano.Role]string{
	kopano.Gateway: "the IMAP gateway", kopano.Ical: "the CalDAV gateway", kopano.Konnect: "sign-in", kopano.Meet: "Meet",
	kopano.ZPush: "ActiveSync", kopano.Kdav: "kDAV", kopano.Dagent: "mail delivery", kopano.Spooler: "mail sending",
	kopano.SSL: "the maker of the internal certificates", kopano.Webapp: "WebApp",
}

// titleOf names a role in a few words: "the storage server".
func titleOf(r kopano.Role) string {
	if name, ok := spoken[r]; ok {
		return name
	}
	if s := kopano.SystemOf(r); s != nil {
		return "the " + s.Title
	}
	return "the other end"
}

// titled names a service and what it is: "db (database)".
func titled(in *Input, s *deployment.Service) string {
	if sys := kopano.SystemOf(in.Topology.Role(s)); sys != nil {
		return s.Name + " (" + sys.Title + ")"
	}
	return s.Name
}

// wants gives the services that a link could mean: those of its role.
func wants(in *Input, l *kopano.Link) []*deployment.Service {
	out := in.Topology.Services(l.To)
	for _, r := range l.Also {
		out = append(out, in.Topology.Services(r)...)
	}
	return out
}

// likelyHost gives the service that a wrong host name was meant to be: the one
// that plays the role, or the nearest name.
func likelyHost(in *Input, e *kopano.Edge, host string) string {
	named := func(ss []*deployment.Service) (names []string) {
		for _, s := range ss {
			if s != e.From && s.NetworkMode == "" {
				names = append(names, s.Name)
			}
		}
		return names
	}
	names := named(in.Topology.Services(e.Link.To))
	if len(names) == 0 {
		names = named(wants(in, e.Link))
	}
	switch len(names) {
	case 0:
		name, _ := nearestOf(host, named(in.Deployment.Services))
		return name
	case 1:
		return names[0]
	}
	name, _ := nearestOf(host, names)
	return name
}

// inPlaceOf gives the text of an address with another host.
func inPlaceOf(e *kopano.Edge, host string) string {
	text := e.Addr.Text
	if e.Addr.Host == "" || len(e.More) > 0 || !strings.Contains(text, e.Addr.Host) {
		return host
	}
	return strings.Replace(text, e.Addr.Host, host, 1)
}

// addressSetting names the setting that holds an address' host.
func addressSetting(a kopano.Address) string {
	if a.Setting != "" {
		return a.Setting
	}
	return a.HostSetting
}
