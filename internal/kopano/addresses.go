package kopano

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// addressesOf reads the address that a service is told, at least one. Several
// come from a list.
func addressesOf(s *deployment.Service, a Address) []Endpoint {
	v, ok := addressValue(s, a)
	if !ok {
		e := Endpoint{Default: true}
		if a.Default != "" {
			e = parseEndpoint(a.Default+a.Suffix, a.Form)
			e.Default = true
		}
		if a.HostSetting != "" && e.Host != "" {
			e.readPort(s, a) // the port may be set where the host is not
		}
		return []Endpoint{e}
	}
	words := []string{v.Reveal()}
	if fields := strings.Fields(v.Reveal()); a.List && len(fields) > 0 {
		words = fields
	}
	var out []Endpoint
	for _, w := range words {
		e := parseEndpoint(address(w, a), a.Form)
		e.Values = []deployment.Value{v}
		if a.HostSetting != "" {
			e.readPort(s, a)
		}
		if v.IsSecret() {
			// Nothing of a secret may be quoted, not even where it is wrong.
			e.Text = secret.Hidden
			if e.Problem != "" {
				e.Problem = "it cannot be read"
			}
		}
		out = append(out, e)
	}
	return out
}

func addressValue(s *deployment.Service, a Address) (deployment.Value, bool) {
	for _, key := range append([]string{a.Setting, a.HostSetting}, a.Also...) {
		if key == "" {
			continue
		}
		if v, ok := s.Get(key); ok && !slices.Contains(a.None, strings.TrimSpace(v.Reveal())) {
			return v, true
		}
	}
	return deployment.Value{}, false
}

func address(word string, a Address) string {
	word = strings.TrimSpace(word)
	if word == "" {
		return ""
	}
	// osixia/phpldapadmin takes a Python literal behind this mark; its first
	// quoted word is the host.
	if literal, ok := strings.CutPrefix(word, "#PYTHON2BASH:"); ok {
		if parts := strings.SplitN(literal, "'", 3); len(parts) == 3 {
			word = parts[1]
		}
	}
	return a.Prefix + word + a.Suffix
}

// readPort takes the port from its own setting.
func (e *Endpoint) readPort(s *deployment.Service, a Address) {
	v, ok := s.Get(a.PortSetting)
	text := strings.TrimSpace(v.Reveal())
	if !ok || text == "" && slices.Contains(a.None, "") {
		return
	}
	e.Values = append(e.Values, v)
	if text == "" {
		if e.Problem == "" {
			e.Problem = "the port is empty"
		}
		return
	}
	e.Port, e.Problem = withPort(text, e.Problem)
}
