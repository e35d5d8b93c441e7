package kopano

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// parseEndpoint reads one address in the given form. It never fails: what is
// wrong is said in Problem, and the parts that could be read are filled in.
// text is shown in messages, so it must not be secret.
func parseEndpoint(text string, form Form) Endpoint {
	text = strings.TrimSpace(text)
	var e Endpoint
	switch {
	case text == "":
		e.Problem = "it is empty"
	case form == FormURI, form == FormAny && strings.Contains(text, "://"):
		e = parseURI(text)
	case form == FormLMTP:
		e = parseTransport(text)
	case form == FormPath:
		e = parsePath(text)
	default:
		e = parseHost(text)
	}
	e.Text = withoutPassword(text)
	e.Loopback = e.Host != "" && isLoopback(e.Host)
	return e
}

// noScheme is replaced by the schemes that a link takes where it is known.
const noScheme = "it does not start with a scheme such as https://"

func parseURI(text string) Endpoint {
	u, err := url.Parse(text)
	if err != nil {
		return Endpoint{Problem: uriProblem(err)}
	}
	e := Endpoint{Scheme: strings.ToLower(u.Scheme), Host: u.Hostname(), Path: u.Path}
	if u.Opaque != "" { // turn:host:3478?transport=udp, or "ldap:389" without slashes
		if !opaqueSchemes[e.Scheme] {
			e.Scheme = ""
			e.Problem = noScheme
			return e
		}
		rest := parseHost(u.Opaque)
		e.Host, e.Port, e.Problem = rest.Host, rest.Port, rest.Problem
		return e
	}
	switch {
	case e.Scheme == "":
		e.Host, e.Path = "", ""
		e.Problem = noScheme
	case e.Scheme == "file" || e.Scheme == "unix":
		e.Host, e.Problem = "", socketProblem(u)
	case e.Scheme == "ldapi", e.Scheme == "default":
		// a socket of the program's own
	case e.Host == "":
		e.Problem = "it names no host"
	default:
		e.Problem = hostProblem(e.Host)
	}
	if port := u.Port(); port != "" {
		e.Port, e.Problem = withPort(port, e.Problem)
	}
	return e
}

// opaqueSchemes are written without slashes (RFC 7065).
var opaqueSchemes = map[string]bool{"turn": true, "turns": true, "stun": true, "stuns": true, "default": true}

func socketProblem(u *url.URL) string {
	if u.Host != "" {
		return fmt.Sprintf("%s:// takes three slashes before a path: %s:///run/kopano/server.sock", u.Scheme, u.Scheme)
	}
	if !strings.HasPrefix(u.Path, "/") || u.Path == "/" {
		return "it names no file"
	}
	return ""
}

// uriProblem says what url.Parse found, without repeating the address: it may
// hold a password.
func uriProblem(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "invalid port"):
		return "the port is no number"
	case strings.Contains(text, "missing protocol scheme"), strings.Contains(text, "first path segment"):
		return noScheme
	case strings.Contains(text, "invalid character"), strings.Contains(text, "control character"):
		return "it holds a blank or another character that no address has"
	case strings.Contains(text, "missing ']'"):
		return "the bracket of an IPv6 address is not closed"
	default:
		return "it is no address"
	}
}

// parseHost reads host, host:port, [v6]:port, and saslauthd's host/port.
func parseHost(text string) Endpoint {
	var e Endpoint
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return Endpoint{Problem: fmt.Sprintf("it must be a host name without %s://", short(scheme))}
	}
	host, port := text, ""
	switch {
	case strings.Contains(text, "@"): // nothing of it may be quoted
		return Endpoint{Problem: "it must be a host name without user and password"}
	case strings.HasPrefix(text, "["):
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return Endpoint{Problem: "the bracket of an IPv6 address is not closed"}
		}
		host, port = text[1:end], strings.TrimLeft(text[end+1:], ":/")
	case strings.Count(text, ":") == 1:
		host, port, _ = strings.Cut(text, ":")
		if port == "" {
			e.Problem = "there is no port behind the colon"
		}
	case strings.Count(text, ":") > 1: // an IPv6 address without brackets
		if _, err := netip.ParseAddr(text); err != nil {
			return Endpoint{Host: text, Problem: "it has more than one colon"}
		}
	default:
		host, port, _ = strings.Cut(text, "/")
	}
	e.Host = host
	if e.Problem == "" {
		e.Problem = hostProblem(host)
	}
	if port != "" {
		e.Port, e.Problem = withPort(port, e.Problem)
	}
	return e
}

// parseTransport reads Postfix' transport:nexthop as POSTFIX_DAGENT holds it
// (transport(5), lmtp(8)): lmtp:host:port, lmtp:[host]:port, lmtp:inet:host:port,
// lmtp:unix:path.
func parseTransport(text string) Endpoint {
	transport, next, ok := strings.Cut(text, ":")
	if !ok || strings.HasPrefix(next, "//") {
		return Endpoint{Problem: "it is not written as lmtp:host:port"}
	}
	e := Endpoint{Scheme: strings.ToLower(transport)}
	if e.Scheme != "lmtp" {
		e.Problem = fmt.Sprintf("it starts with %q instead of lmtp", short(transport))
	}
	if file, ok := strings.CutPrefix(next, "unix:"); ok {
		e.Path = file
		return e
	}
	rest := parseHost(strings.TrimPrefix(next, "inet:"))
	e.Host, e.Port = rest.Host, rest.Port
	if e.Problem == "" {
		e.Problem = rest.Problem
	}
	return e
}

// parsePath reads a path, with file://, unix:// or unix: before it or without.
func parsePath(text string) Endpoint {
	e := Endpoint{Scheme: "file", Path: text}
	for _, prefix := range []string{"file://", "unix://", "unix:"} {
		if p, ok := strings.CutPrefix(text, prefix); ok {
			e.Path = p
			break
		}
	}
	switch {
	case strings.Contains(e.Path, "://"):
		e.Path, e.Problem = "", "it must be a path inside the container"
	case !strings.HasPrefix(e.Path, "/"):
		e.Problem = "it must be a path that starts with a slash"
	}
	return e
}

// hostName is what resolvers take: letters, digits, dots and hyphens, and the
// underscores that Compose's service names are full of.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?$`)

func hostProblem(host string) string {
	switch {
	case host == "":
		return "it names no host"
	case hostName.MatchString(host) && !strings.Contains(host, ".."):
		return ""
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return fmt.Sprintf("%q is no host name", short(host))
}

// short keeps a message readable when a value is endless or no text.
func short(s string) string {
	const longest = 60
	if len(s) > longest {
		s = s[:longest] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

func withPort(text, problem string) (port int, newProblem string) {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil && problem == "":
		problem = fmt.Sprintf("the port %q is no number", short(text))
	case (n < 1 || n > 65535) && problem == "":
		problem = fmt.Sprintf("the port %s is not between 1 and 65535", short(text))
	}
	if err != nil || n < 1 || n > 65535 {
		n = 0
	}
	return n, problem
}

// userInfo is the part of an address before the @.
var userInfo = regexp.MustCompile(`(://|^)[^/@\s]*@`)

// withoutPassword removes user and password from addresses.
func withoutPassword(text string) string {
	return userInfo.ReplaceAllString(text, "$1")
}
