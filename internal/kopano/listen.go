package kopano

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// ListenerOf tells where a service waits on one of its role's listeners: its
// setting, or what holds without it. nil when the role has no such listener.
func (t *Topology) ListenerOf(s *deployment.Service, name string) *Listening {
	l := SystemOf(t.Role(s)).Listener(name)
	if l == nil {
		return nil
	}
	return listening(s, l)
}

// ParseListen reads a listen setting of kopano-core: addresses separated by
// blanks, each addr:port, addr%interface:port or unix:path. problem says in
// plain words what is wrong with the first that cannot be read.
func ParseListen(text string) (addrs []ListenAddr, problem string) {
	for _, word := range strings.Fields(text) {
		a, p := parseListenAddr(word, false)
		if p != "" && problem == "" {
			problem = p
		}
		if p == "" {
			addrs = append(addrs, a)
		}
	}
	return addrs, problem
}

func listening(s *deployment.Service, l *Listener) *Listening {
	out := &Listening{Listener: l}
	setting, text, form := l.Setting, l.Default, l.Form
	image := ParseImage(s.Image)
	for _, other := range l.ByImage {
		if image.Is(other.Image) {
			setting, text, form = other.Setting, other.Default, FormListen
			if v, ok := s.Get(setting); ok { // the port alone
				out.Value = &v
				text = "0.0.0.0:" + v.Reveal()
			}
			setting = ""
		}
	}
	if setting != "" {
		if v, ok := s.Get(setting); ok {
			out.Value = &v
			text = v.Reveal()
		}
	}
	if port, ok := flagPort(s, l.Flag); ok {
		text = "0.0.0.0:" + port
	}
	out.Addrs, out.Problem = parseListenForm(text, form)
	return out
}

func parseListenForm(text string, form Form) ([]ListenAddr, string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, ""
	}
	switch form {
	case FormPath:
		e := parsePath(text)
		return []ListenAddr{{Path: e.Path}}, e.Problem
	case FormGo:
		a, problem := parseListenAddr(text, true)
		if problem != "" {
			return nil, problem
		}
		return []ListenAddr{a}, ""
	case FormRange:
		return parseRange(text)
	default:
		return ParseListen(text)
	}
}

// parseListenAddr reads one listen address. kopano-core takes no host names and
// needs a port (common/ECChannel.cpp); Go's programs take names.
func parseListenAddr(word string, names bool) (ListenAddr, string) {
	if p, ok := strings.CutPrefix(word, "unix:"); ok {
		return ListenAddr{Path: p}, ""
	}
	colon := strings.LastIndexByte(word, ':')
	if colon < 0 || strings.HasSuffix(word, "]") {
		return ListenAddr{}, fmt.Sprintf("%q has no port", short(word))
	}
	port, problem := withPort(word[colon+1:], "")
	if problem != "" {
		return ListenAddr{}, problem
	}
	host, device, closed := splitDevice(word[:colon])
	if !closed {
		return ListenAddr{}, "the bracket of an IPv6 address is not closed"
	}
	a := ListenAddr{Host: host, Port: port, Loopback: device == "lo" || host != "" && isLoopback(host)}
	if host == "" || host == "*" {
		return a, ""
	}
	if _, err := netip.ParseAddr(host); err != nil && !names {
		return ListenAddr{}, fmt.Sprintf("%q is a name: only *, an IP address or [an IPv6 address] can be listened on", short(host))
	}
	return a, ""
}

// splitDevice cuts the interface off an address: "*%lo", "[::]%lo", "[fe80::1%lo]".
func splitDevice(text string) (host, device string, closed bool) {
	if !strings.HasPrefix(text, "[") {
		host, device, _ = strings.Cut(text, "%")
		return host, device, true
	}
	host, rest, closed := strings.Cut(text[1:], "]")
	host, device, _ = strings.Cut(host, "%")
	if d, ok := strings.CutPrefix(rest, "%"); ok {
		device, rest = d, ""
	}
	return host, device, closed && rest == ""
}

func parseRange(text string) ([]ListenAddr, string) {
	from, to, ok := strings.Cut(text, ":")
	first, problem := withPort(strings.TrimSpace(from), "")
	last := first
	if ok {
		last, problem = withPort(strings.TrimSpace(to), problem)
	}
	if problem == "" && last < first {
		problem = "the range ends before it starts"
	}
	if problem != "" {
		return nil, problem
	}
	return []ListenAddr{{Port: first, PortTo: last}}, ""
}

// flagPort finds --port=N or --port N in the command.
func flagPort(s *deployment.Service, flag string) (string, bool) {
	if flag == "" {
		return "", false
	}
	for i, w := range s.Command {
		value, ok := strings.CutPrefix(w, flag+"=")
		if !ok && w == flag && i+1 < len(s.Command) {
			value, ok = s.Command[i+1], true
		}
		if _, err := strconv.Atoi(value); ok && err == nil {
			return value, true
		}
	}
	return "", false
}
