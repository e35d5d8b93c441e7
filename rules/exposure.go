package rules

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// exposureRules are about the ports that the host opens to the world.
func exposureRules() []Rule {
	return []Rule{
		{
			ID: "port-published-twice", Subject: "ports", Severity: finding.Error,
			Title:  "Two services want one port of the host",
			Why:    "A port of an address can be opened once; Docker starts the first container and refuses the second (\"port is already allocated\").",
			Source: "moby libnetwork/portallocator",
			Check:  portTwice,
		},
		{
			ID: "port-published-again", Subject: "ports", Severity: finding.Warning,
			Title:  "An override adds a port instead of replacing it",
			Why:    "Compose appends the ports of an override to those it overrides; the first port stays open. Only !override and !reset replace.",
			Source: "Compose specification, merge rules",
			Check:  portAgain,
		},
		{
			ID: "port-open-to-all", Subject: "ports", Severity: finding.Warning,
			Title:  "An internal port is open on every address of the host",
			Why:    "Published without an address, a port is open to everyone who reaches the host; Docker's own rules let it through before those of ufw or firewalld are asked.",
			Source: "Docker documentation, packet filtering and firewalls; kopano-docker docker-compose.ports.yml",
			Check:  portOpen,
		},
		{
			ID: "pop3-published-dead", Subject: "ports", Severity: finding.Info,
			Title:  "POP3 is published, but nothing listens there",
			Why:    "kopano_gateway listens for POP3 on its own loopback only, unless KCCONF_GATEWAY_POP3_LISTEN says otherwise.",
			Source: "kopano-core gateway/Gateway.cpp, pop3_listen", Since: "kopano-core 8.7",
			Check: popDead,
		},
		{
			ID: "web-not-published", Subject: "ports", Severity: finding.Warning,
			Title:  "Nobody outside can reach web",
			Why:    "kopano-docker keeps the published ports in docker-compose.ports.yml, which COMPOSE_FILE must name; the other files publish none of web.",
			Source: "kopano-docker README.md and docker-compose.ports.yml, commit 6115b8a",
			Check:  webNotPublished,
		},
	}
}

// hostPort is a published port with its place.
type hostPort struct {
	service *deployment.Service
	index   int
	port    types.ServicePortConfig
}

func (p hostPort) place() finding.Location {
	return p.service.Locate("ports", strconv.Itoa(p.index))
}

func hostPorts(in *Input) []hostPort {
	var out []hostPort
	for _, s := range in.Deployment.Services {
		for i, p := range s.Ports {
			if p.Published != "" {
				out = append(out, hostPort{s, i, p})
			}
		}
	}
	return out
}

// collide reports whether two ports cannot be open at once.
func collide(a, b types.ServicePortConfig) bool {
	return a.Published == b.Published && a.Protocol == b.Protocol && overlap(a.HostIP, b.HostIP)
}

// overlap reports whether two host addresses have one in common: no address
// and 0.0.0.0 are all of IPv4.
func overlap(a, b string) bool {
	x, y := hostAddr(a), hostAddr(b)
	if x == y {
		return true
	}
	return x.IsValid() && y.IsValid() && x.Is4() == y.Is4() && (x.IsUnspecified() || y.IsUnspecified())
}

func hostAddr(s string) netip.Addr {
	if s == "" {
		return netip.IPv4Unspecified()
	}
	a, _ := netip.ParseAddr(s)
	return a
}

func portTwice(in *Input) []finding.Finding {
	ports := hostPorts(in)
	var out []finding.Finding
	for j, b := range ports {
		for _, a := range ports[:j] {
			if !collide(a.port, b.port) || a.service == b.service && a.port.Target == b.port.Target {
				continue
			}
			f := finding.Finding{
				Subject: b.service.Name, Key: b.port.Published + "/" + b.port.Protocol + " " + a.service.Name,
				Message:     "Port " + b.port.Published + "/" + b.port.Protocol + " of the host is published by " + a.service.Name + " (for its port " + target(a.port) + ") and by " + b.service.Name + " (for its port " + target(b.port) + ").",
				Consequence: "The container that comes second does not start.",
				Remedy:      "Give one of the two another port of the host.",
				Locations:   []finding.Location{b.place().As(finding.Fix), a.place().As(finding.Related)},
			}
			if l := writtenBy(in, b.place(), b.port.Published); l != nil {
				f.Remedy = "Write another port of the host into " + l.Key + " in line " + itoa(l.At.Line) + " of " + l.At.File + ", or give " + a.service.Name + " one."
				f.Locations = []finding.Location{l.ValueAt.As(finding.Fix), b.place().As(finding.Origin), a.place().As(finding.Related)}
			} else if l := writtenBy(in, a.place(), a.port.Published); l != nil {
				f.Locations = append(f.Locations, l.ValueAt.As(finding.Related))
			}
			out = append(out, f)
		}
	}
	return out
}

func target(p types.ServicePortConfig) string { return strconv.Itoa(int(p.Target)) }

func portAgain(in *Input) []finding.Finding {
	ports := hostPorts(in)
	var out []finding.Finding
	for j, b := range ports {
		for _, a := range ports[:j] {
			if a.service != b.service || a.port.Target != b.port.Target || a.port.Protocol != b.port.Protocol || !overlap(a.port.HostIP, b.port.HostIP) {
				continue
			}
			if a.port.Published == b.port.Published || a.place().File == b.place().File {
				continue // two ports side by side in one file are meant
			}
			out = append(out, finding.Finding{
				Subject: b.service.Name, Key: target(b.port) + "/" + b.port.Protocol,
				Message:     "Port " + target(b.port) + " is published as " + a.port.Published + " and, by another file, as " + b.port.Published + " too: Compose adds up the lists.",
				Consequence: "The port that was to be replaced stays open.",
				Remedy:      "Change the first entry (in kopano-docker by its variable in .env), or write ports: !override in the second file.",
				Locations:   []finding.Location{b.place().As(finding.Fix), a.place().As(finding.Related)},
			})
		}
	}
	return out
}

// internalPorts: what nobody outside needs, or only through TLS, by role.
var internalPorts = map[kopano.Role]map[uint32]string{
	kopano.LDAP:               {389: "the directory in clear text, passwords included"},
	kopano.Database:           {3306: "the database; only kopano_server needs it, over the container network"},
	kopano.Server:             {236: "kopano_server in clear text, passwords included; 237 is the same with TLS"},
	kopano.Gateway:            {143: "IMAP without TLS, passwords included", 110: "POP3 without TLS, passwords included"},
	kopano.Ical:               {8080: "calendars in clear text, passwords included; they are also at https://FQDN/caldav/"},
	kopano.Web:                {8443: "the interface between signalling server and conference bridge, which asks for no password"},
	kopano.Kapi:               {8039: "the API without TLS; it is also at https://FQDN/api/"},
	kopano.Dagent:             {2003: "mail delivery, which takes any mail for any user, past the filters of the mail server"},
	kopano.Mail:               {11334: "the page of the spam filter, without TLS"},
	kopano.LDAPAdmin:          {80: "administration of the directory without TLS, passwords included"},
	kopano.LDAPAccountManager: {80: "administration of the directory without TLS, passwords included"},
	kopano.PasswordSelf:       {80: "the page on which users change their passwords, without TLS"},
	kopano.Konnect:            {8777: "the login service without TLS; it is also at https://FQDN", 6777: "the figures of the login service"},
	kopano.Kwmserver:          {8778: "the meeting signalling without TLS; it is also at https://FQDN/api/kwm/"},
	kopano.Kwmbridge:          {8779: "the control of the meeting bridge; only its UDP ports are for others"},
}

// internalOf are ports of programs that play no role in Kopano, by image.
var internalOf = map[string]map[uint32]string{
	"redis":               {6379: "a Redis that asks for no password unless told to"},
	"memcached":           {11211: "a memcached, which asks for no password"},
	"postgres":            {5432: "a database"},
	"adminer":             {8080: "administration of the database without TLS, passwords included"},
	"phpmyadmin":          {80: "administration of the database without TLS, passwords included"},
	"docker-socket-proxy": {2375: "Docker itself; whoever reaches it is root on this host"},
}

// internal gives what a port of a service is, when nobody outside should reach it.
func internal(in *Input, s *deployment.Service, port uint32) (string, bool) {
	role := in.Topology.Role(s)
	image := kopano.ParseImage(s.Image)
	if role == kopano.LDAP && port == 389 && image.Is("kopano_ldap_demo") {
		return "the directory in clear text, and each demo user's password is the user's name", true
	}
	if role == kopano.Unknown {
		what, ok := internalOf[image.Name][port]
		return what, ok
	}
	what, ok := internalPorts[role][port]
	return what, ok
}

func portOpen(in *Input) []finding.Finding {
	dead := map[string]bool{} // nothing answers there
	for _, f := range append(popDead(in), publishedDead(in)...) {
		for _, l := range f.Locations {
			dead[l.String()] = true
		}
	}
	var out []finding.Finding
	for _, p := range hostPorts(in) {
		role := in.Topology.Role(p.service)
		what, ok := internal(in, p.service, p.port.Target)
		if !ok || p.port.Protocol == "udp" || !hostAddr(p.port.HostIP).IsUnspecified() {
			continue
		}
		if dead[p.place().String()] {
			continue
		}
		published := p.port.Published
		remedy := "Write 127.0.0.1:" + published + ":" + target(p.port) + ", delete the entry, or let a firewall in front of Docker decide."
		if role == kopano.Gateway {
			remedy = "Offer mail programs the port with TLS: KCCONF_GATEWAY_IMAPS_LISTEN=0.0.0.0:993 or KCCONF_GATEWAY_POP3S_LISTEN=0.0.0.0:995, with a certificate. Until then let a firewall decide who reaches this one."
		}
		out = append(out, finding.Finding{
			Subject: p.service.Name, Key: target(p.port),
			Message:     "Port " + published + " is open on every address of this host: " + what + ".",
			Consequence: "Everyone who reaches this host can talk to it, or read along on the way.",
			Remedy:      remedy,
			Locations:   []finding.Location{p.place().As(finding.Fix)},
		})
	}
	return out
}

// webNotPublished speaks only where nothing at hand can stand in front of web: no
// network that others make, and no other service that publishes a port and
// could pass requests on.
func webNotPublished(in *Input) []finding.Finding {
	if len(filesNotLoaded(in)) > 0 {
		return nil // says it, with the files' names
	}
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		if isFragment(web) || len(web.Ports) > 0 || web.NetworkMode != "" || firstService(in, kopano.Server) == nil && firstService(in, kopano.Webapp) == nil || proxied(in, web) {
			continue
		}
		file := "docker-compose.ports.yml"
		for _, left := range in.Deployment.FilesLeft {
			if strings.Contains(left, "port") {
				file = left
			}
		}
		out = append(out, finding.Finding{
			Subject: web.Name, Key: "ports",
			Message:     web.Name + " publishes no port, and nothing in this deployment passes requests on to it.",
			Consequence: "Users reach neither WebApp nor Meet, and phones do not synchronise.",
			Remedy:      "Add " + file + " to COMPOSE_FILE in .env, or publish the ports of " + web.Name + ": 80:80 and 443:443.",
			Locations:   []finding.Location{web.At.As(finding.Fix)},
		})
	}
	return out
}

// proxied reports whether something else may pass requests on to a service.
func proxied(in *Input, web *deployment.Service) bool {
	for name := range web.Networks {
		if n, ok := in.Deployment.Model.Networks[name]; ok && bool(n.External) {
			return true
		}
	}
	if len(web.Labels) > 0 {
		return true // traefik and nginx-proxy find their services by labels
	}
	return slices.ContainsFunc(in.Deployment.Services, func(s *deployment.Service) bool {
		if s == web || in.Topology.Role(s) != kopano.Unknown {
			return false
		}
		return len(s.Ports) > 0 || s.NetworkMode != ""
	})
}

func popDead(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, p := range hostPorts(in) {
		if in.Topology.Role(p.service) != kopano.Gateway || p.port.Target != 110 || has(p.service, "KCCONF_GATEWAY_POP3_LISTEN") {
			continue
		}
		out = append(out, finding.Finding{
			Subject: p.service.Name, Key: "110",
			Message:     "Port 110 is published, but KCCONF_GATEWAY_POP3_LISTEN is not set, so POP3 listens inside the container only.",
			Consequence: "Mail programs that use POP3 cannot connect.",
			Remedy:      "Set KCCONF_GATEWAY_POP3_LISTEN=0.0.0.0:110, or delete the port.",
			Locations:   []finding.Location{p.place().As(finding.Fix)},
		})
	}
	return out
}
