package rules_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// complete are the kinds of damage of which every single one must be found.
var complete = []string{"host", "port", "password", "network", "volume", "issuer"}

// undetected are damages that cannot be found as errors, with the reason. The
// key is the class and the setting.
var undetected = map[string]string{
	"guests KCCONF_MEET_guests_enabled":         "a page that offers nothing to guests is the owner's choice, and nobody misses anything: guests-half-enabled says who is still let in",
	"guests allow_client_guests":                "whether guests may join is the owner's choice, and all others can meet: guests-half-enabled warns that the page still offers it",
	"guests enable_guest_api":                   "whether guests may join is the owner's choice, and all others can meet: guests-half-enabled warns that the page still offers it",
	"required LDAP_QUERY_FILTER_USER removed":   "docker-mailserver has a filter of its own, which suits other schemas: a warning",
	"required LDAP_QUERY_FILTER_GROUP removed":  "docker-mailserver has a filter of its own, which suits other schemas: a warning",
	"required LDAP_QUERY_FILTER_ALIAS removed":  "docker-mailserver has a filter of its own, which suits other schemas: a warning",
	"required LDAP_QUERY_FILTER_DOMAIN removed": "docker-mailserver has a filter of its own, which suits other schemas: a warning",
	"required KCCONF_KAPID_INSECURE":            "empty means no to kapi, which is right with a trusted certificate: insecure-empty warns",
}

// TestMutations breaks one value of a working deployment at a time, at every
// end of every link that has such a value, and wants an error that names the
// broken line. With -short, and under the race detector, it tries every seventh
// only: each try loads a deployment of 25 services.
func TestMutations(t *testing.T) {
	t.Run("full", func(t *testing.T) { mutate(t, "../testdata/deployments/full") })
	t.Run("corpus", func(t *testing.T) { mutate(t, filepath.Join(corpus(t), "kopano-docker")) })
}

func mutate(t *testing.T, original string) {
	in := load(t, deployment.Options{Dir: original})
	if before := errorsIn(rules.Run(rules.All(), in), nil); len(before) > 0 {
		t.Fatalf("the deployment is not sound to begin with: %s", render(before))
	}
	ms := mutations(in)
	few := testing.Short() || raceDetector
	if few {
		ms = everySeventh(ms)
	}
	found := attempt(t, original, ms)
	all, good := map[string]int{}, map[string]int{}
	for i, m := range ms {
		all[m.class]++
		reason, known := undetected[m.class+" "+m.what]
		if found[i] {
			good[m.class]++
			if known {
				t.Errorf("detected, although a reason says that it is not: %s: %s", m, reason)
			}
			continue
		}
		switch {
		case slices.Contains(complete, m.class):
			t.Errorf("not detected: %s", m)
		case known:
			t.Logf("not an error: %s: %s", m, reason)
		default:
			t.Errorf("not detected, and no reason is given: %s", m)
		}
	}
	for _, class := range sortedKeys(all) {
		t.Logf("%-12s %3d of %3d found (%d %%)", class, good[class], all[class], 100*good[class]/all[class])
	}
	for _, class := range complete {
		if all[class] == 0 && !few {
			t.Errorf("no mutation of class %s was made", class)
		}
	}
}

func everySeventh(ms []mutation) []mutation {
	var out []mutation
	for i := 0; i < len(ms); i += 7 {
		out = append(out, ms[i])
	}
	return out
}

// attempt tries every mutation, several at a time, each worker in a copy of its own.
func attempt(t *testing.T, original string, ms []mutation) []bool {
	found := make([]bool, len(ms))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		dir := copyOf(t, original)
		workers.Go(func() {
			for i := range next {
				found[i] = ms[i].found(t, dir)
			}
		})
	}
	for i := range ms {
		next <- i
	}
	close(next)
	workers.Wait()
	return found
}

// mutation is one change of one line.
type mutation struct {
	class string
	what  string // the setting or the mount, for people
	edges string
	file  string
	line  int
	text  func(line string) string // the new line; "" empties it
	near  []finding.Location       // where a missing line may be reported instead
}

func (m mutation) String() string {
	return fmt.Sprintf("%s %s (%s:%d, %s)", m.class, m.what, m.file, m.line, m.edges)
}

// found makes the change, looks for an error that names the line, and takes
// the change back.
func (m mutation) found(t *testing.T, dir string) bool {
	path := filepath.Join(dir, m.file)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return false
	}
	lines := strings.Split(string(old), "\n")
	before := lines[m.line-1]
	lines[m.line-1] = m.text(before)
	if lines[m.line-1] == before {
		t.Errorf("%s changes nothing: %q", m, before)
	}
	err = os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644)
	defer func() {
		if err := os.WriteFile(path, old, 0o644); err != nil {
			t.Error(err)
		}
	}()
	if err != nil {
		t.Error(err)
		return false
	}
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: dir})
	if err != nil {
		t.Errorf("%s: %v", m, err)
		return false
	}
	if !d.Accepted {
		t.Errorf("%s: Compose refuses the changed file (line %q): %v", m, lines[m.line-1], d.Problems)
	}
	fs := rules.Run(rules.All(), &rules.Input{Deployment: d, Topology: kopano.Recognise(d)})
	return len(errorsIn(fs, append(slices.Clone(m.near), finding.Location{File: m.file, Line: m.line}))) > 0
}

// errorsIn gives the errors that name one of the places, by file and line; all
// errors when there are no places.
func errorsIn(fs []finding.Finding, at []finding.Location) []finding.Finding {
	var out []finding.Finding
	for _, f := range fs {
		if f.Severity != finding.Error {
			continue
		}
		names := len(at) == 0
		for _, l := range f.Locations {
			for _, a := range at {
				names = names || l.File == a.File && l.Line == a.Line
			}
		}
		if names {
			out = append(out, f)
		}
	}
	return out
}

// mutations gives every damage that can be done to the links of a deployment,
// each once.
func mutations(in *rules.Input) []mutation {
	var all []mutation
	for _, e := range in.Topology.Edges {
		for _, make := range []func(*rules.Input, *kopano.Edge) []mutation{hosts, ports, publishedPorts, pairs, networks, volumes, issuers, listens, required} {
			for _, m := range make(in, e) {
				m.edges = e.ID
				all = append(all, m)
			}
		}
	}
	all = append(all, aliases(in)...)
	seen := map[string]int{}
	var out []mutation
	for _, m := range all {
		before := "\x00"
		key := fmt.Sprintf("%s %s %s:%d %s", m.class, m.what, m.file, m.line, m.text(before))
		if i, ok := seen[key]; ok {
			out[i].edges += ", " + m.edges
			continue
		}
		seen[key] = len(out)
		out = append(out, m)
	}
	return out
}

// entry changes one environment value where it is written.
func entry(class string, v deployment.Value, value string) mutation {
	return mutation{class: class, what: v.Key, file: v.At.File, line: v.At.Line, text: func(line string) string {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "- "):
			return indent + "- '" + v.Key + "=" + value + "'"
		case strings.HasPrefix(strings.TrimSpace(line), v.Key+":"):
			return indent + v.Key + ": '" + value + "'"
		default: // an env file
			return v.Key + "='" + value + "'"
		}
	}}
}

// defined changes the variable that a value is made of, where it is defined.
func defined(class string, v deployment.Value, value string) []mutation {
	if len(v.Variables) != 1 || !v.Variables[0].Whole || v.Variables[0].Source != deployment.FromEnvFile {
		return nil
	}
	name, at := v.Variables[0].Name, v.Variables[0].At
	return []mutation{{class: class, what: name, file: at.File, line: at.Line, text: func(string) string { return name + "='" + value + "'" }}}
}

// without takes a line out.
func without(class, what string, at finding.Location, near ...finding.Location) mutation {
	return mutation{class: class, what: what + " removed", file: at.File, line: at.Line, near: near, text: func(string) string { return "" }}
}

func isIssuer(e *kopano.Edge) bool { return e.Link.Protocol == kopano.ProtoOIDC }

// hosts puts another name in the place of the host's.
func hosts(in *rules.Input, e *kopano.Edge) []mutation {
	if e.From == nil || len(e.Addr.Values) == 0 || e.Addr.Host == "" || e.To == nil || isIssuer(e) {
		return nil
	}
	v := e.Addr.Values[0]
	var out []mutation
	for _, host := range []string{"nosuchhost", "localhost", wrongService(in, e)} {
		wrong := strings.Replace(v.Reveal(), e.Addr.Host, host, 1)
		out = append(out, entry("host", v, wrong))
		if host == "nosuchhost" {
			out = append(out, defined("host", v, wrong)...)
		}
	}
	return out
}

// wrongService gives a service that From reaches and that is something else.
func wrongService(in *rules.Input, e *kopano.Edge) string {
	for _, s := range in.Deployment.Services {
		if r := in.Topology.Role(s); r == kopano.Unknown || r == e.Link.To || r == kopano.SSL || s == e.From || slices.Contains(e.Link.Also, r) {
			continue
		}
		if to, reached := in.Topology.LookupHost(e.From, s.Name); to == s && reached {
			return s.Name
		}
	}
	return "nosuchhost2"
}

// ports changes the port at both ends.
func ports(_ *rules.Input, e *kopano.Edge) []mutation {
	var out []mutation
	if e.From != nil && len(e.Addr.Values) > 0 && e.To != nil && e.Addr.Port != 0 && !isIssuer(e) {
		v := e.Addr.Values[len(e.Addr.Values)-1]
		if port := fmt.Sprint(e.Addr.Port); strings.Contains(v.Reveal(), port) {
			out = append(out, entry("port", v, strings.Replace(v.Reveal(), port, "10999", 1)))
		}
	}
	if e.Listen != nil && e.Listen.Value != nil && len(e.Listen.Addrs) > 0 && e.Listen.Addrs[0].Port != 0 {
		v := *e.Listen.Value
		out = append(out, entry("port", v, strings.Replace(v.Reveal(), fmt.Sprint(e.Listen.Addrs[0].Port), "10999", 1)))
	}
	return out
}

// publishedPorts publishes another port of the container.
func publishedPorts(_ *rules.Input, e *kopano.Edge) []mutation {
	var out []mutation
	if e.From != nil || e.To == nil || e.Target == 0 {
		return nil
	}
	for i, p := range e.To.Ports {
		if int(p.Target) != e.Target {
			continue
		}
		at := e.To.Locate("ports", fmt.Sprint(i))
		target := fmt.Sprint(e.Target)
		out = append(out, mutation{class: "port", what: e.To.Name + " published " + target, file: at.File, line: at.Line, text: func(line string) string {
			cut := strings.LastIndex(line, ":"+target)
			if cut < 0 {
				return line
			}
			return line[:cut] + ":10999" + line[cut+1+len(target):]
		}})
	}
	return out
}

// pairs changes each of two settings that must agree.
func pairs(in *rules.Input, e *kopano.Edge) []mutation {
	var out []mutation
	for _, a := range in.Topology.Agreements(e) {
		class, wrong := "credentials", "somethingElse1"
		switch {
		case strings.Contains(a.Pair.What, "password"):
			class = "password"
		case a.Pair.How == kopano.WithinDN:
			class, wrong = "dn", "cn=readonly,dc=other,dc=test"
		case a.Pair.How == kopano.OnOff:
			class, wrong = "guests", "no"
		case a.Pair.What == "the issuer" || a.Pair.How == kopano.SameHost:
			continue // issuers
		case a.Pair.From == "registration_conf":
			class, wrong = "registration", "/kopano/ssl/other.yaml"
		}
		for _, v := range []deployment.Value{a.From, a.To} {
			out = append(out, entry(class, v, wrong))
		}
		// A variable that both ends use changes both: no mutation of one end.
		if a.From.Locations()[0] != a.To.Locations()[0] {
			out = append(out, defined(class, a.From, wrong)...)
			out = append(out, defined(class, a.To, wrong)...)
		}
	}
	return out
}

// networks takes one end off every network on which it meets the other.
func networks(in *rules.Input, e *kopano.Edge) []mutation {
	if e.From == nil || e.To == nil || e.Route != kopano.RouteNetwork {
		return nil
	}
	var out []mutation
	for _, s := range []*deployment.Service{e.From, e.To} {
		if len(e.Shared) != 1 && !aliasOnly(e) {
			continue // one change does not part them
		}
		name := e.Shared[0]
		if aliasOnly(e) {
			name = "web-net"
		}
		at := s.Locate("networks", name)
		near := []finding.Location{s.Locate("networks"), s.At}
		out = append(out, mutation{class: "network", what: s.Name + " leaves " + name, file: at.File, line: at.Line, near: near, text: func(line string) string {
			return strings.Replace(line, name, "default", 1)
		}})
		if len(s.NetworkNames()) > 1 && strings.HasPrefix(name, "ldap") {
			continue // the only entry of its list in that file
		}
		if len(s.NetworkNames()) > 1 {
			out = append(out, without("network", s.Name+" "+name, at, near...))
		}
	}
	return out
}

// aliasOnly reports whether the name is one that is known on web-net only.
func aliasOnly(e *kopano.Edge) bool {
	n := e.To.Networks["web-net"]
	return n != nil && slices.Contains(n.Aliases, e.Addr.Host)
}

// volumes takes the mount through which two ends meet from each of them, or
// puts another volume in its place.
func volumes(_ *rules.Input, e *kopano.Edge) []mutation {
	if e.Route != kopano.RouteVolume || e.FromMount == nil || e.Link.To == kopano.Storage {
		return nil
	}
	out := mounts(e.From, e.FromMount.Target)
	if e.ToMount != nil && e.To != nil {
		out = append(out, mounts(e.To, e.ToMount.Target)...)
	}
	return out
}

func mounts(s *deployment.Service, target string) []mutation {
	var out []mutation
	for i, v := range s.Volumes {
		if v.Target != target || v.Source == "" {
			continue
		}
		at := s.Locate("volumes", fmt.Sprint(i))
		what := s.Name + " " + v.Source + ":" + target
		if len(s.Volumes) > 1 {
			out = append(out, without("volume", what, at, s.Locate("volumes"), s.At))
		} else { // the list must not become empty
			out = append(out, mutation{class: "volume", what: what + " removed", file: at.File, line: at.Line, near: []finding.Location{s.Locate("volumes")},
				text: func(string) string { return "      - /elsewhere" }})
		}
		instead := "kopanodata"
		if v.Source == instead {
			instead = "web"
		}
		out = append(out, mutation{class: "volume", what: what + " becomes " + instead, file: at.File, line: at.Line, text: func(line string) string {
			return strings.Replace(line, v.Source+":", instead+":", 1)
		}})
	}
	return out
}

// issuers changes each place that says where sign-in is.
func issuers(in *rules.Input, e *kopano.Edge) []mutation {
	if !isIssuer(e) || e.From == nil || len(e.Addr.Values) == 0 {
		return nil
	}
	v := e.Addr.Values[0]
	out := []mutation{
		entry("issuer", v, "https://other.example.net"),
		entry("issuer", v, v.Reveal()+"/"),
		entry("issuer", v, v.Reveal()+":8443"),
		entry("issuer", v, strings.Replace(v.Reveal(), "https:", "http:", 1)),
	}
	for _, r := range []kopano.Role{kopano.Konnect, kopano.Web} {
		for _, s := range in.Topology.Services(r) {
			if f, ok := s.Get("FQDN"); ok {
				out = append(out, entry("issuer", f, "other.example.net"))
			}
		}
	}
	return out
}

// listens binds the other end to its own container, explicitly and by taking
// the setting away.
func listens(_ *rules.Input, e *kopano.Edge) []mutation {
	if e.Listen == nil || e.Listen.Value == nil || len(e.Listen.Addrs) == 0 || e.Listen.Addrs[0].Port == 0 {
		return nil
	}
	v := *e.Listen.Value
	port := fmt.Sprint(e.Listen.Addrs[0].Port)
	return []mutation{
		entry("loopback", v, "127.0.0.1:"+port),
		without("loopback", v.Key, v.At, e.To.Locate("environment"), e.To.At),
	}
}

// required empties and removes what a link cannot do without.
func required(_ *rules.Input, e *kopano.Edge) []mutation {
	var out []mutation
	if e.From == nil {
		return nil
	}
	for _, key := range e.Link.Requires {
		if v, ok := e.From.Get(key); ok && v.Reveal() != "" {
			out = append(out, entry("required", v, ""), without("required", key, v.At, append(e.Locations(), e.From.Locate("environment"), e.From.At)...))
		}
	}
	return out
}

// aliases spoils the name under which the containers find web.
func aliases(in *rules.Input) []mutation {
	var out []mutation
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			if f.Project && l.Key == "FQDNCLEANED" {
				out = append(out, mutation{class: "alias", what: "FQDNCLEANED", edges: "all that use sign-in", file: l.At.File, line: l.At.Line, text: func(string) string {
					return "FQDNCLEANED=other-example-net"
				}})
			}
		}
	}
	return out
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
