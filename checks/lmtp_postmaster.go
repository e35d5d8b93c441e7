package checks

import (
	"net"
	"net/mail"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// postmasterSettings are the settings that name the postmaster.
const (
	postmasterSetting  = "POSTMASTER_ADDRESS"
	systemMailSetting  = "KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS"
	unknownMailAddress = "postmaster@localhost"
)

// postmasterOf gives the address that RCPT asks for: that of the configuration,
// else postmaster at the mail domain.
func postmasterOf(t Target) string {
	for _, v := range postmasterValues(t) {
		if a, err := mail.ParseAddress(v.Reveal()); err == nil && plainAddress(a.Address) {
			return a.Address
		}
	}
	if s := t.Edge.From; s != nil && plainAddress("postmaster@"+s.DomainName) {
		return "postmaster@" + s.DomainName
	}
	for _, s := range t.Topology.Services(kopano.Web) {
		if v, ok := s.Get("FQDN"); ok {
			host := v.Reveal()
			if h, _, err := net.SplitHostPort(host); err == nil {
				host = h
			}
			if plainAddress("postmaster@" + host) {
				return "postmaster@" + host
			}
		}
	}
	return unknownMailAddress
}

// plainAddress keeps what would not survive between < and >, or would be more
// than an address, out of a command.
func plainAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && len(s) < 255 && !strings.ContainsAny(s, " \t\r\n<>\"\\,;") && !strings.Contains(domain, "@")
}

func postmasterValues(t Target) []deployment.Value {
	var out []deployment.Value
	if t.Edge.From != nil {
		if v, ok := t.Edge.From.Get(postmasterSetting); ok && v.Reveal() != "" {
			out = append(out, v)
		}
	}
	for _, s := range t.Topology.Services(kopano.Server) {
		if v, ok := s.Get(systemMailSetting); ok && v.Reveal() != "" {
			out = append(out, v)
		}
	}
	return out
}

func postmasterPlaces(t Target) []finding.Location {
	if values := postmasterValues(t); len(values) > 0 {
		return values[0].Locations()
	}
	return t.Edge.Locations()
}
