package rules

import (
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// addressRules are about the name under which people reach the deployment.
func addressRules() []Rule {
	return []Rule{
		{
			ID: "fqdn-format", Fixable: true, Subject: "identity", Severity: finding.Error,
			Title: "FQDN is not a plain host name",
			Why: "FQDN becomes the issuer https://FQDN of every login and the name of the site that web serves. web cuts off everything after the first colon (web/wrapper.sh), so a scheme leaves only the word https; " +
				"with an underscore or a final dot the TLS handshake fails; in upper case only web answers, and the issuer is compared letter by letter.",
			Source: "kopano-docker web/wrapper.sh, web/kweb.cfg; RFC 1123 section 2.1",
			Check:  fqdnFormat,
		},
		{
			ID: "fqdn-port", Subject: "identity", Severity: finding.Error,
			Title:  "FQDN names a port on which web does not listen",
			Why:    "web listens on 443 and 2015 only (web/kweb.cfg). Any other port in FQDN makes an issuer that no container can reach, and no login works.",
			Source: "kopano-docker setup.sh, web/kweb.cfg",
			Check:  fqdnPort,
		},
		{
			ID: "fqdncleaned-mismatch", Fixable: true, Subject: "identity", Severity: finding.Error,
			Title: "FQDNCLEANED is not the host name of FQDN",
			Why: "docker-compose.yml gives web the network alias FQDNCLEANED, so that https://FQDN leads to web from within the containers too. With another name kopano_server, kapi and kwmserver ask the public DNS, " +
				"and wait for the login service until they give up. Leaving FQDNCLEANED out is right where a proxy outside serves FQDN.",
			Source: "kopano-docker docker-compose.yml, setup.sh",
			Check:  fqdnCleaned,
		},
		{
			ID: "fqdn-demo", Subject: "identity", Severity: finding.Info,
			Title:  "FQDN is still the demo name",
			Why:    "setup.sh proposes kopano.demo. Nobody outside can reach that name and no public authority issues a certificate for it.",
			Source: "kopano-docker setup.sh",
			Check:  fqdnDemo,
		},
		{
			ID: "https-host-port", Subject: "identity", Severity: finding.Error,
			Title: "web is published on another port than FQDN names",
			Why: "A browser that has to open https://FQDN:8443 has another origin than the issuer https://FQDN, and Konnect refuses the login with \"unknown client_id\" " +
				"(konnect, identity/clients/registry.go).",
			Source: "konnect identity/clients/registry.go; kopano-docker setup.sh",
			Check:  httpsHostPort,
		},
		{
			ID: "default-redirect-format", Fixable: true, Subject: "identity", Severity: finding.Warning,
			Title:  "DEFAULTREDIRECT is not a path",
			Why:    "web sends visitors of / to this path (web/kweb.cfg). It must begin with a slash and not end with one, else they land on a page that does not exist.",
			Source: "kopano-docker web/kweb.cfg, setup.sh",
			Check:  defaultRedirect,
		},
		{
			ID: "default-redirect-nowhere", Subject: "identity", Severity: finding.Warning,
			Title:  "The bare address leads to an app that is not here",
			Why:    "web sends visitors of / to DEFAULTREDIRECT, which is /webapp unless it is set (web/Dockerfile), and passes that path on to one service. Without the service it answers 502.",
			Source: "kopano-docker web/kweb.cfg, web/Dockerfile",
			Check:  redirectNowhere,
		},
		{
			ID: "konnect-path-differs", Subject: "identity", Severity: finding.Warning,
			Title:  "web does not pass on the path under which sign-in is to be found",
			Why:    "web passes /KONNECTPATH/signin and /KONNECTPATH/konnect on to konnect; KONNECTPATH is kopanoid unless it is set. konnect calls itself by the path that stands behind the host in its own address.",
			Source: "kopano-docker web/kweb.cfg, web/Dockerfile, konnect/wrapper.sh",
			Check:  konnectPath,
		},
		{
			ID: "postmaster-format", Subject: "mail", Severity: finding.Warning,
			Title:  "A mail address of the system is not a mail address",
			Why:    "kopano_server sends its notes from system_email_address, and docker-mailserver sends reports to POSTMASTER_ADDRESS; other servers refuse a sender that is no address.",
			Source: "RFC 5322 section 3.4.1; kopano-docker docker-compose.yml, docker-compose.mail.yml",
			Check:  postmaster,
		},
	}
}

// fqdnKeys: the settings that hold the bare FQDN, by the roles that read them
// (web/wrapper.sh, ssl/start.sh, konnect/wrapper.sh).
func fqdnValues(in *Input) func(*deployment.Service, string) bool {
	return func(s *deployment.Service, key string) bool {
		switch in.Topology.Role(s) {
		case kopano.Web, kopano.SSL, kopano.Konnect:
			return key == "FQDN"
		}
		return false
	}
}

func fqdnFormat(in *Input) []finding.Finding {
	return judge(in, fqdnValues(in), func(x sighting) *verdict {
		why := fqdnFault(x.text(), in.Topology.Role(x.service))
		if why == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ": " + why + ".",
			consequence: "The login address becomes https://" + shortened(x.text()) + "; nobody can log in to WebApp, Meet or the API, and web has no certificate for the right name.",
			remedy:      "Write the host name alone, in lower case, as people type it: " + x.name() + "=" + suggestHost(x.text()),
			write:       sameHost(x.text()),
		}
	})
}

// hostLabel is one label of a host name (RFC 1123, section 2.1).
var hostLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func fqdnFault(fqdn string, role kopano.Role) string {
	host, _, _ := strings.Cut(fqdn, ":")
	// konnect knows a path behind the name (konnect/wrapper.sh).
	if role == kopano.Konnect {
		host, _, _ = strings.Cut(host, "/")
	}
	switch {
	case fqdn == "":
		return "there is no name"
	case strings.Contains(fqdn, "://"):
		return "it begins with a scheme"
	case strings.ContainsAny(fqdn, " \t\r\n"):
		return "it contains a blank or a line break"
	case strings.Contains(host, "/"):
		return "it contains a path"
	case strings.ToLower(host) != host:
		return "it contains capital letters, and the issuer is compared letter by letter"
	case strings.HasSuffix(host, "."):
		return "it ends with a dot"
	case strings.Contains(host, "_"):
		return "an underscore is not allowed in a host name"
	case len(host) > 253:
		return "it is longer than a host name may be"
	}
	for label := range strings.SplitSeq(host, ".") {
		if !hostLabel.MatchString(label) {
			return "the part " + quote(label) + " is not allowed in a host name"
		}
	}
	return ""
}

func suggestHost(fqdn string) string {
	s := strings.ToLower(strings.TrimSpace(fqdn))
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	s, _, _ = strings.Cut(s, ":")
	s = strings.ReplaceAll(strings.TrimRight(s, "."), "_", "-")
	if fqdnFault(s, kopano.Web) != "" {
		return "kopano.example.com"
	}
	return s
}

// sameHost gives the host name that is meant without doubt: what stands there
// without its scheme, in lower case, without a slash or dot at the end.
func sameHost(fqdn string) string {
	s := strings.ToLower(strings.TrimSpace(fqdn))
	s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
	s = strings.TrimRight(s, "/.")
	if fqdnFault(s, kopano.Web) != "" {
		return ""
	}
	return s
}

func shortened(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

func fqdnPort(in *Input) []finding.Finding {
	return judge(in, fqdnValues(in), func(x sighting) *verdict {
		fqdn, _, _ := strings.Cut(x.text(), "/")
		host, port, ok := strings.Cut(fqdn, ":")
		if !ok || port == "443" || port == "2015" || strings.Contains(x.text(), "://") {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", but web listens on 443 and 2015 only.",
			consequence: "No container reaches https://" + shortened(fqdn) + ": kopano_server, kapi and kwmserver wait for it and stop, and nobody can log in.",
			remedy:      "Write " + x.name() + "=" + shortened(host) + " (port 443), or " + shortened(host) + ":2015.",
		}
	})
}

func fqdnCleaned(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		fqdn, ok := web.Get("FQDN")
		host := strings.ToLower(hostOf(fqdn.Reveal()))
		if !ok || host == "" || strings.Contains(host, "${") {
			continue
		}
		aliases := aliasesOf(web)
		if len(aliases) == 0 || contains(aliases, host) {
			continue
		}
		alias := nearAlias(aliases)
		if alias == "" {
			continue // domain.invalid and friends: on purpose, a proxy outside serves the name
		}
		ls := aliasLocations(in, web, alias)
		var edits []finding.Edit
		if fqdnFault(fqdn.Reveal(), kopano.Web) == "" && len(ls) > 0 {
			edits = in.Deployment.SetValue(ls[0], alias, host)
		}
		out = append(out, finding.Finding{
			Subject: web.Name, Key: "alias", Links: linksToIssuer(in),
			Message:     "web answers to " + quote(alias) + " on the container network, but FQDN is " + quote(host) + ".",
			Consequence: "From within the containers https://" + shortened(host) + " does not lead to web: kopano_server, kapi and kwmserver wait for the login service and stop.",
			Remedy:      "Write FQDNCLEANED=" + shortened(host) + ". Where a proxy outside serves this name, delete FQDNCLEANED.",
			Locations:   append(ls, placed(fqdn, finding.Related)...),
			Edits:       edits,
		})
	}
	return out
}

func hostOf(fqdn string) string {
	host, _, _ := strings.Cut(fqdn, "/")
	host, _, _ = strings.Cut(host, ":")
	return host
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if strings.EqualFold(l, s) {
			return true
		}
	}
	return false
}

func aliasesOf(s *deployment.Service) []string {
	var out []string
	for _, name := range s.NetworkNames() {
		if n := s.Networks[name]; n != nil {
			out = append(out, n.Aliases...)
		}
	}
	return out
}

// nearAlias gives the alias that was meant to be the FQDN: one with a dot or a
// dash, which no service is called. RFC 2606 reserves .invalid for names that
// are wrong on purpose.
func nearAlias(aliases []string) string {
	for _, a := range aliases {
		if strings.ContainsAny(a, ".-") && !strings.HasSuffix(a, ".invalid") {
			return a
		}
	}
	return ""
}

// aliasLocations gives the place of the variable that holds the alias, else of the alias itself.
func aliasLocations(in *Input, web *deployment.Service, alias string) []finding.Location {
	var out []finding.Location
	if l := definition(in, "FQDNCLEANED"); l != nil && l.Reveal() == alias {
		out = append(out, l.ValueAt.As(finding.Fix))
	}
	for _, name := range web.NetworkNames() {
		if n := web.Networks[name]; n != nil && contains(n.Aliases, alias) {
			role := finding.Fix
			if len(out) > 0 {
				role = finding.Origin
			}
			out = append(out, web.Locate("networks", name, "aliases", "0").As(role))
		}
	}
	return out
}

// definition gives the line that defines a ${VARIABLE}, or nil.
func definition(in *Input, name string) *deployment.EnvLine {
	var found *deployment.EnvLine
	for _, f := range in.Deployment.EnvFiles {
		if !f.Project {
			continue
		}
		for i := range f.Lines {
			if l := &f.Lines[i]; l.Bad == "" && l.Key == name {
				found = l
			}
		}
	}
	return found
}

func fqdnDemo(in *Input) []finding.Finding {
	return judge(in, fqdnValues(in), func(x sighting) *verdict {
		if hostOf(x.text()) != "kopano.demo" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is kopano.demo, the name that setup.sh proposes.",
			consequence: "Nobody reaches the deployment from outside, and browsers warn of its certificate.",
			remedy:      "For anything but a trial, run setup.sh again with the name that people will type, or change FQDN and everything derived from it.",
		}
	})
}

func httpsHostPort(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		v, ok := web.Get("FQDN")
		if !ok || v.Reveal() == "" || v.Reveal() == "localhost" {
			continue
		}
		target := uint32(443)
		if strings.HasSuffix(v.Reveal(), ":2015") {
			target = 2015
		}
		want := strconv.Itoa(int(target))
		var published []string
		place := finding.Location{}
		for i, p := range web.Ports {
			if p.Target != target || p.Protocol == "udp" || p.Published == "" {
				continue
			}
			published = append(published, p.Published)
			place = web.Locate("ports", strconv.Itoa(i))
		}
		// Behind a proxy outside, web need not be published under its own number.
		if len(published) == 0 || contains(published, want) || behindProxy(web, v.Reveal()) {
			continue
		}
		f := finding.Finding{
			Subject: web.Name, Key: want,
			Message:     "web's port " + want + " is published as " + list(published, 4) + ", but FQDN " + quote(v.Reveal()) + " leads to port " + want + ".",
			Consequence: "Browsers that open web on the published port are refused with \"unknown client_id\", since the address differs from the issuer https://" + shortened(v.Reveal()) + ".",
			Remedy:      "Publish " + want + ":" + want + ". If a proxy outside stands in front, set EMAIL=off and delete FQDNCLEANED.",
			Locations:   append([]finding.Location{place.As(finding.Fix)}, placed(v, finding.Related)...),
		}
		if l := writtenBy(in, place, published[len(published)-1]); l != nil {
			f.Remedy = "Write " + l.Key + "=" + want + ". If a proxy outside stands in front, set EMAIL=off and delete FQDNCLEANED."
			f.Locations = append([]finding.Location{l.ValueAt.As(finding.Fix), place.As(finding.Origin)}, placed(v, finding.Related)...)
		}
		out = append(out, f)
	}
	return out
}

// behindProxy reports whether something outside serves the FQDN: TLS is off in
// web, or web does not carry the FQDN as an alias (web/README.md).
func behindProxy(web *deployment.Service, fqdn string) bool {
	return value(web, "EMAIL") == "off" || value(web, "TLS_MODE") == "tls_off" || !contains(aliasesOf(web), hostOf(fqdn))
}

func defaultRedirect(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Web, "DEFAULTREDIRECT"), func(x sighting) *verdict {
		path := x.text()
		if path == "" || path == "/" || strings.HasPrefix(path, "/") && !strings.HasSuffix(path, "/") || strings.Contains(path, "://") {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + "; it must begin with a slash and not end with one.",
			consequence: "Whoever opens the bare address lands on a page that does not exist.",
			remedy:      "Write " + x.name() + "=/" + strings.Trim(shortened(path), "/"),
			write:       "/" + strings.Trim(path, "/"),
		}
	})
}

// webPaths are the apps that web serves by path, in the order in which they
// make a good first page, and the setting that may name another host for them.
var webPaths = []struct {
	path, setting string
	role          kopano.Role
}{
	{"webapp", "KWEBD_DNS_WEBAPP", kopano.Webapp},
	{"meet", "KWEBD_DNS_MEET", kopano.Meet},
	{"calendar", "KWEBD_DNS_KAPPS", kopano.Kapps},
}

func redirectNowhere(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		if isIncomplete(in) || ownConfig(in, web) {
			continue
		}
		v, set := web.Get("DEFAULTREDIRECT")
		if set && (sighting{web, v}).unresolved() {
			continue
		}
		path := strings.Trim(v.Reveal(), "/")
		if !set {
			path = "webapp"
		}
		first, _, _ := strings.Cut(path, "/")
		missing, instead := false, ""
		for _, p := range webPaths {
			here := len(in.Topology.Services(p.role)) > 0 || has(web, p.setting)
			missing = missing || p.path == first && !here
			if here && instead == "" {
				instead = p.path
			}
		}
		if !missing || instead == "" && !set {
			continue // nobody opens a page here at all
		}
		f := finding.Finding{
			Subject: web.Name, Key: "DEFAULTREDIRECT",
			Message:     "web sends visitors of the bare address to /" + path + ", but no service here serves it.",
			Consequence: "People who type the host name alone get an error page.",
			Remedy:      "Write DEFAULTREDIRECT=/" + instead + " on " + web.Name + ".",
			Locations:   []finding.Location{web.Locate("environment").As(finding.Fix)},
		}
		if instead == "" {
			f.Remedy = "Load the file that defines the app, or write the path of another one into DEFAULTREDIRECT."
		}
		if set {
			f.Locations = v.Locations()
			if x := (sighting{web, v}); instead != "" {
				f.Remedy = "Write " + x.name() + "=/" + instead
			}
		}
		out = append(out, f)
	}
	return out
}

func konnectPath(in *Input) []finding.Finding {
	var out []finding.Finding
	web := firstService(in, kopano.Web)
	for _, s := range in.Topology.Services(kopano.Konnect) {
		u, err := url.Parse(ownIssuer(s))
		if web == nil || ownConfig(in, web) || err != nil || strings.Trim(u.Path, "/") == "" {
			continue
		}
		path := strings.Trim(u.Path, "/")
		want, set := web.Get("KONNECTPATH")
		name := want.Reveal()
		if !set {
			name = "kopanoid"
		}
		if path == strings.Trim(name, "/") || set && (sighting{web, want}).unresolved() {
			continue
		}
		own := s.Env["FQDN"]
		if has(s, "oidc_issuer_identifier") {
			own = s.Env["oidc_issuer_identifier"]
		}
		f := finding.Finding{
			Subject: web.Name, Key: "KONNECTPATH", Links: linksToIssuer(in),
			Message:     "konnect is to be found under the path /" + path + ", but web passes on /" + strings.Trim(name, "/") + " (KONNECTPATH).",
			Consequence: "The page to sign in answers 404: nobody can log in to WebApp or Meet.",
			Remedy:      "Set KONNECTPATH=" + path + " on " + web.Name + ".",
			Locations:   append([]finding.Location{web.Locate("environment").As(finding.Fix)}, placed(own, finding.Related)...),
		}
		if set {
			f.Locations = append(want.Locations(), placed(own, finding.Related)...)
		}
		f.Locations = distinct(f.Locations)
		out = append(out, f)
	}
	return out
}

func postmaster(in *Input) []finding.Finding {
	return judge(in, keyed("POSTMASTER_ADDRESS", "KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS"), func(x sighting) *verdict {
		if x.text() == "" || isMailAddress(x.text()) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which is not a mail address.",
			consequence: "Notes about full mailboxes and undeliverable mail carry a sender that other servers refuse.",
			remedy:      "Write a full address, for example " + x.name() + "=postmaster@example.com",
		}
	})
}

// isMailAddress accepts a bare address with a domain (RFC 5322, without display name).
func isMailAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return domain != ""
}

// isIP reports whether a host is an address rather than a name.
func isIP(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}
