package rules

import (
	"net/url"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// issuerRules are about the one address under which everybody finds sign-in.
func issuerRules() []Rule {
	return []Rule{
		{
			ID: "issuer-mismatch", Subject: "identity", Severity: finding.Error,
			Title: "The services do not agree on the address of sign-in",
			Why: "konnect writes its address, the issuer, into every token, and each service compares it letter by letter with its own setting (kopano-core ECServer.cpp, kapi, kwmserver). " +
				"A token from another issuer is refused.",
			Source: "OpenID Connect Discovery 1.0 section 4.3; kopano-core provider/server/ECServer.cpp",
			Check:  issuerMismatch,
		},
		{
			ID: "issuer-format", Fixable: true, Subject: "identity", Severity: finding.Error,
			Title:  "The address of sign-in is not written as konnect writes it",
			Why:    "konnect calls itself https://FQDN: with https, and without a slash at the end (konnect/wrapper.sh). The comparison is letter by letter.",
			Source: "kopano-docker konnect/wrapper.sh; OpenID Connect Core 1.0 section 2 (iss)",
			Check:  issuerFormat,
		},
		{
			ID: "issuer-missing", Subject: "identity", Severity: finding.Error,
			Title:  "The storage server does not know the address of sign-in",
			Why:    "WebApp hands the token that it got from konnect to the storage server, which accepts it only with KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER set (kopano-core ECServer.cpp).",
			Source: "kopano-core provider/server/ECServer.cpp",
			Check:  issuerMissing,
		},
		{
			ID: "sso-disabled", Fixable: true, Subject: "identity", Severity: finding.Error,
			Title:  "The storage server refuses sign-in by token",
			Why:    "Without KCCONF_SERVER_ENABLE_SSO=yes the storage server knows passwords only (enable_sso is no by default; kopano-core cmd.cpp), whereas WebApp with OpenID has a token.",
			Source: "kopano-core provider/libserver/cmd.cpp",
			Check:  ssoDisabled,
		},
		{
			ID: "fqdn-alias-missing", Subject: "identity", Severity: finding.Warning,
			Title: "Inside the deployment the public name does not lead to web",
			Why: "kopano_server, kapi and kwmserver open https://FQDN themselves. kopano-docker gives web that name as a network alias (FQDNCLEANED). " +
				"Without the alias they ask the public DNS and come back from outside, which many routers do not allow (hairpin NAT). It is right where a proxy outside serves the name.",
			Source: "kopano-docker docker-compose.yml (FQDNCLEANED), web/README.md; kopano-docker issues 88, 101, 249",
			Check:  aliasMissing,
		},
	}
}

// holding is one place that says where sign-in is.
type holding struct {
	sighting
	issuer string       // as its service understands it
	edge   *kopano.Edge // nil for konnect itself and for web
	given  bool         // konnect: the value is what tokens will say
}

// holdings gives every setting that says where sign-in is: konnect's own, and
// those of all that use it. What is empty or unset is left to others.
func holdings(in *Input) []holding {
	var out []holding
	add := func(s *deployment.Service, key, format string, e *kopano.Edge, given bool) bool {
		v, ok := s.Get(key)
		x := sighting{s, v}
		if !ok || strings.TrimSpace(v.Reveal()) == "" || x.unset() {
			return false
		}
		out = append(out, holding{x, strings.ReplaceAll(format, "%s", v.Reveal()), e, given})
		return true
	}
	for _, s := range in.Topology.Services(kopano.Konnect) {
		if !add(s, "oidc_issuer_identifier", "%s", nil, true) {
			add(s, "FQDN", "https://%s", nil, true)
		}
	}
	for _, e := range in.Topology.Edges {
		// Another provider has an issuer of its own: external-oidc-address.
		if isIssuer(e) && e.From != nil && e.Link.Address.Setting != "" && e.Link.To != kopano.External {
			add(e.From, e.Link.Address.Setting, "%s", e, false)
		}
	}
	return out
}

// majority gives the issuer that most holders name, web with its FQDN among
// them; of two with equal votes the one that konnect names.
func majority(in *Input, hs []holding) string {
	votes := map[string]int{}
	given := map[string]bool{}
	for _, s := range in.Topology.Services(kopano.Web) {
		if issuer := "https://" + value(s, "FQDN"); slices.ContainsFunc(hs, func(h holding) bool { return h.issuer == issuer }) {
			votes[issuer]++
		}
	}
	for _, h := range hs {
		votes[h.issuer]++
		given[h.issuer] = given[h.issuer] || h.given
	}
	best := ""
	for _, issuer := range sorted(votes) {
		n, most := votes[issuer], votes[best]
		if best == "" || n > most || n == most && given[issuer] && !given[best] {
			best = issuer
		}
	}
	return best
}

func issuerMismatch(in *Input) []finding.Finding {
	hs := holdings(in)
	var right []string
	for _, h := range hs {
		if h.given {
			right = append(right, h.issuer)
		}
	}
	want := majority(in, hs)
	if len(right) < 2 { // several konnects serve several parts: each may be meant
		right = []string{want}
	}
	var out []finding.Finding
	for _, h := range hs {
		if slices.Contains(right, h.issuer) || issuerFault(h) != "" && !h.given {
			continue
		}
		out = append(out, h.mismatch(in, hs, want))
	}
	return append(out, webMismatch(in, want, len(right))...)
}

func (h holding) mismatch(in *Input, hs []holding, want string) finding.Finding {
	f := finding.Finding{
		Subject: h.service.Name, Key: h.value.Key,
		Message:     h.name() + " is " + h.shown() + ", but everywhere else the issuer is " + quote(want) + ".",
		Consequence: "Sign-in does not work for it: its tokens come from another issuer.",
		Remedy:      "Write " + h.value.Key + "=" + shortened(want) + " on " + h.service.Name + ".",
		Locations:   h.value.Locations(),
	}
	if h.edge != nil {
		f.Links, f.Consequence = []string{h.edge.ID}, h.edge.Link.Loses
	} else {
		f.Links, f.Consequence = dependents(hs), "Nobody can sign in: every token comes from an issuer that the others do not know."
		if h.value.Key == "FQDN" {
			f.Message = "konnect calls itself " + quote(h.issuer) + " (FQDN is " + h.shown() + "), but everywhere else the issuer is " + quote(want) + "."
			f.Remedy = "Write FQDN=" + strings.TrimPrefix(shortened(want), "https://") + " on " + h.service.Name + "."
		}
	}
	for _, o := range hs {
		if o.issuer == want {
			f.Locations = append(f.Locations, placed(o.value, finding.Related)...)
		}
	}
	f.Locations = distinct(f.Locations)
	return f
}

func dependents(hs []holding) []string {
	var out []string
	for _, h := range hs {
		if h.edge != nil {
			out = append(out, h.edge.ID)
		}
	}
	return out
}

// webMismatch compares the issuer's host with the name that web serves.
func webMismatch(in *Input, want string, konnects int) []finding.Finding {
	webs := in.Topology.Services(kopano.Web)
	u, err := url.Parse(want)
	if len(webs) != 1 || konnects > 1 || err != nil || u.Hostname() == "" {
		return nil
	}
	if len(in.Topology.Services(kopano.Konnect)) == 0 {
		return nil // sign-in is somewhere else, and web is not its way in
	}
	v, ok := webs[0].Get("FQDN")
	x := sighting{webs[0], v}
	if !ok || v.Reveal() == "" || x.unset() || strings.EqualFold(hostOf(v.Reveal()), u.Hostname()) || fqdnFault(v.Reveal(), kopano.Web) != "" {
		return nil
	}
	f := finding.Finding{
		Subject: webs[0].Name, Key: "FQDN",
		Message:     x.name() + " is " + x.shown() + ", but the issuer of all others is " + quote(want) + ".",
		Consequence: "web does not serve the address of sign-in: nobody can sign in to WebApp or Meet.",
		Remedy:      "Write FQDN=" + shortened(u.Host) + " on " + webs[0].Name + ".",
		Locations:   v.Locations(),
	}
	hs := holdings(in)
	f.Links = dependents(hs)
	for _, h := range hs {
		f.Locations = append(f.Locations, placed(h.value, finding.Related)...)
	}
	f.Locations = distinct(f.Locations)
	return []finding.Finding{f}
}

// issuerFault says what is wrong with an issuer as such. konnect's FQDN is
// fqdn-format's.
func issuerFault(h holding) string {
	if h.given && h.value.Key == "FQDN" {
		return ""
	}
	text := h.issuer
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsAny(text, " \t\r\n"):
		return "it is no address"
	case u.Scheme == "":
		return "https:// is missing in front"
	case u.Scheme == "http":
		return "it starts with http://, and the issuer must be https"
	case u.Scheme != "https":
		return "it must start with https://"
	case u.Hostname() == "":
		return "it names no host"
	case u.RawQuery != "" || u.Fragment != "":
		return "nothing may stand behind the path"
	case strings.HasSuffix(text, "/"):
		return "it ends with a slash, and the issuer does not"
	case strings.HasSuffix(u.Path, "/.well-known/openid-configuration"):
		return "it is the address of the discovery document, not the issuer"
	}
	return ""
}

func issuerFormat(in *Input) []finding.Finding {
	byEdge := map[*kopano.Edge]holding{}
	var out []finding.Finding
	for _, h := range holdings(in) {
		if h.edge != nil {
			byEdge[h.edge] = h
			continue
		}
		if why := issuerFault(h); why != "" {
			f := h.badFormat(in, why)
			f.Consequence = "Nobody can sign in."
			out = append(out, f)
		}
	}
	return append(out, judgeLinks(in, func(e *kopano.Edge) *fault {
		h, ok := byEdge[e]
		if !ok {
			return nil
		}
		why := issuerFault(h)
		if why == "" {
			return nil
		}
		f := h.badFormat(in, why)
		return &fault{key: h.value.Key, message: f.Message, remedy: f.Remedy, places: f.Locations, edits: f.Edits}
	})...)
}

func (h holding) badFormat(in *Input, why string) finding.Finding {
	return finding.Finding{
		Subject: h.service.Name, Key: h.value.Key,
		Message:   h.value.Key + " is " + h.shown() + ": " + why + ".",
		Remedy:    "Write " + h.value.Key + "=" + shortened(properIssuer(h.issuer)),
		Locations: h.value.Locations(),
		Edits:     h.proper(in),
	}
}

// proper gives the edit that writes the same address as konnect would.
func (h holding) proper(in *Input) []finding.Edit {
	better := properIssuer(h.issuer)
	if !strings.Contains(h.issuer, strings.TrimPrefix(better, "https://")) || issuerFault(holding{sighting: h.sighting, issuer: better, given: h.given}) != "" {
		return nil
	}
	if es := written(in, h.sighting, better); es != nil {
		return es
	}
	if ls := h.value.Locations(); h.issuer == better+"/" && len(ls) > 0 {
		return in.Deployment.ReplaceEnd(ls[0], "/", "") // https://${FQDN}/
	}
	return nil
}

// properIssuer writes an issuer as konnect would.
func properIssuer(text string) string {
	text = strings.TrimSpace(text)
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
	}
	text = strings.TrimSuffix(text, "/.well-known/openid-configuration")
	text, _, _ = strings.Cut(text, "?")
	text = strings.TrimRight(text, "/")
	if text == "" {
		text = "kopano.example.com"
	}
	return "https://" + text
}

// tokenUsers gives the links of WebApps that sign in by token, one for each.
func tokenUsers(in *Input) []*kopano.Edge {
	return in.Topology.EdgesOf("webapp-issuer")
}

func issuerMissing(in *Input) []finding.Finding {
	return onServers(in, func(s *deployment.Service, webapp *kopano.Edge) *finding.Finding {
		v, ok := s.Get("KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER")
		if ok && (v.Reveal() != "" || (sighting{s, v}).unset()) {
			return nil
		}
		f := &finding.Finding{
			Key:       "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER",
			Message:   webapp.From.Name + " signs people in by token, but KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER is not set on " + s.Name + ".",
			Remedy:    "Set KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER=" + shortened(value(webapp.From, "KCCONF_WEBAPP_OIDC_ISS")) + " on " + s.Name + ".",
			Locations: []finding.Location{s.Locate("environment").As(finding.Fix)},
		}
		if ok {
			f.Locations = v.Locations()
		}
		return f
	})
}

func ssoDisabled(in *Input) []finding.Finding {
	return onServers(in, func(s *deployment.Service, webapp *kopano.Edge) *finding.Finding {
		v, ok := s.Get("KCCONF_SERVER_ENABLE_SSO")
		if isYes(v.Reveal()) {
			return nil
		}
		f := &finding.Finding{
			Key:       "KCCONF_SERVER_ENABLE_SSO",
			Message:   webapp.From.Name + " signs people in by token, but KCCONF_SERVER_ENABLE_SSO is not yes on " + s.Name + ".",
			Remedy:    "Set KCCONF_SERVER_ENABLE_SSO=yes on " + s.Name + ".",
			Edits:     settle(in, s, "KCCONF_SERVER_ENABLE_SSO", "yes"),
			Locations: []finding.Location{s.Locate("environment").As(finding.Fix)},
		}
		if ok {
			f.Locations = v.Locations()
		}
		return f
	})
}

// onServers looks at every storage server that a WebApp with sign-in by token uses.
func onServers(in *Input, rule func(s *deployment.Service, webapp *kopano.Edge) *finding.Finding) []finding.Finding {
	var out []finding.Finding
	seen := map[*deployment.Service]bool{}
	for _, w := range tokenUsers(in) {
		e := in.Topology.Edge("webapp-server@" + w.From.Name)
		if e == nil || e.To == nil || in.Topology.Role(e.To) != kopano.Server || seen[e.To] || !configured(e.To) {
			continue
		}
		f := rule(e.To, w)
		if f == nil {
			continue
		}
		seen[e.To] = true
		f.Subject, f.Links, f.Consequence = e.To.Name, []string{w.ID}, w.Link.Loses
		f.Locations = append(f.Locations, related(addressPlaces(w)...)...)
		out = append(out, *f)
	}
	return out
}

func aliasMissing(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		web := firstService(in, kopano.Web)
		if !isIssuer(e) || e.From == nil || e.To != nil || e.Link.Through != kopano.Unknown || web == nil || e.Addr.Host == "" || e.Addr.Loopback {
			return nil
		}
		fqdn := hostOf(value(web, "FQDN"))
		if !strings.EqualFold(e.Addr.Host, fqdn) || certificate(web) == "off" || web.NetworkMode != "" || nearAlias(aliasesOf(web)) != "" {
			return nil // another address, a proxy outside, or fqdncleaned-mismatch's
		}
		if _, ok := e.From.ExtraHosts[fqdn]; ok || e.From.NetworkMode != "" {
			return nil
		}
		f := &fault{
			subject: web.Name, key: "alias",
			message: "web serves " + quote(fqdn) + ", but inside the deployment that name leads elsewhere: web has no such network alias.",
			remedy:  "Write FQDNCLEANED=" + shortened(fqdn) + " in .env. If a proxy outside serves the name, check that the containers reach it under this name.",
			places:  []finding.Location{web.Locate("networks").As(finding.Fix)},
		}
		if !referenced(in, "FQDNCLEANED") {
			f.remedy = "Add the alias " + shortened(fqdn) + " to web on the network that it shares with the others (networks, aliases). If a proxy outside serves the name, check that the containers reach it under this name."
		}
		if l := definition(in, "FQDNCLEANED"); l != nil {
			f.places = []finding.Location{l.ValueAt.As(finding.Fix), web.Locate("networks").As(finding.Origin)}
		}
		if !strings.Contains(fqdn, ".") {
			f.severity = finding.Error // no DNS outside knows a name without a dot
		}
		f.places = append(f.places, related(addressPlaces(e)...)...)
		return f
	})
}
