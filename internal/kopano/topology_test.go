package kopano

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

var update = flag.Bool("update", false, "write the expected pictures anew")

// corpus gives the folder of real deployments, or skips the test.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KOPANO_DOCTOR_CORPUS")
	if dir == "" {
		t.Skip("KOPANO_DOCTOR_CORPUS names no folder of real deployments")
	}
	return dir
}

func load(t *testing.T, o deployment.Options) *Topology {
	t.Helper()
	d, err := deployment.Load(context.Background(), o)
	if err != nil {
		t.Fatalf("load %s: %v", o.Dir, err)
	}
	return Recognise(d)
}

// picture writes a topology in lines that a person can check.
func picture(t *Topology) string {
	var b strings.Builder
	for _, s := range t.Deployment.Services {
		role := string(t.Role(s))
		if role == "" {
			role = "(unknown)"
		}
		fmt.Fprintf(&b, "service %s: %s\n", s.Name, role)
	}
	for _, e := range t.Edges {
		fmt.Fprintf(&b, "%s\n", line(e))
	}
	return b.String()
}

func line(e *Edge) string {
	name := func(s *deployment.Service) string {
		if s == nil {
			return "-"
		}
		return s.Name
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s -> %s %s", e.ID, name(e.From), name(e.To), e.Protocol)
	if e.Addr.Text != "" {
		fmt.Fprintf(&b, " %s", e.Addr.Text)
	}
	if e.Addr.Host != "" || e.Addr.Port != 0 {
		fmt.Fprintf(&b, " [%s]:%d", e.Addr.Host, e.Addr.Port)
	}
	if e.Addr.Path != "" {
		fmt.Fprintf(&b, " %s", e.Addr.Path)
	}
	if e.Addr.Default {
		b.WriteString(" (default)")
	}
	if e.Target != 0 {
		fmt.Fprintf(&b, " target %d", e.Target)
	}
	fmt.Fprintf(&b, " by %s", e.Route)
	if len(e.Shared) > 0 {
		fmt.Fprintf(&b, " on %s", strings.Join(e.Shared, "+"))
	}
	if e.FromMount != nil {
		fmt.Fprintf(&b, " from %s:%s", e.FromMount.Source, e.FromMount.Target)
	}
	if e.ToMount != nil {
		fmt.Fprintf(&b, " to %s:%s", e.ToMount.Source, e.ToMount.Target)
	}
	if e.Listen != nil {
		b.WriteString(" listens")
		for _, a := range e.Listen.Addrs {
			fmt.Fprintf(&b, " %s:%d%s", a.Host, a.Port, a.Path)
			if a.Loopback {
				b.WriteString("(loopback)")
			}
		}
		if e.Listen.Problem != "" {
			fmt.Fprintf(&b, " PROBLEM %s", e.Listen.Problem)
		}
	}
	if !e.Reaches() {
		b.WriteString(" NOT-REACHED")
	}
	if e.Addr.Problem != "" {
		fmt.Fprintf(&b, " PROBLEM %s", e.Addr.Problem)
	}
	return b.String()
}

// compare holds a picture against the one that was checked by hand.
func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		a, b := "", ""
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("%s, line %d:\n got %s\nwant %s", file, i+1, a, b)
		}
	}
}

func TestPictures(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/docker-compose.yml")
	if err != nil || len(folders) < 5 {
		t.Fatalf("%d deployments, %v", len(folders), err)
	}
	for _, f := range folders {
		dir := filepath.Dir(f)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := picture(load(t, deployment.Options{Dir: dir}))
			if strings.Contains(got, "-secret") {
				t.Error("a secret is shown")
			}
			compare(t, filepath.Join(dir, "want.txt"), got)
		})
	}
}

// The bundled deployment must have all its links, and every one must hold.
func TestFullDeployment(t *testing.T) {
	top := load(t, deployment.Options{Dir: "../../testdata/deployments/full"})
	soundDeployment(t, top)
	if n := len(top.Edges); n < 50 {
		t.Errorf("only %d links", n)
	}
}

func TestKopanoDocker(t *testing.T) {
	top := load(t, deployment.Options{Dir: filepath.Join(corpus(t), "kopano-docker")})
	compare(t, "testdata/kopano-docker.txt", picture(top))
	soundDeployment(t, top)
}

// soundDeployment checks a deployment that works.
func soundDeployment(t *testing.T, top *Topology) {
	t.Helper()
	for _, s := range top.Deployment.Services {
		if top.Role(s) == Unknown {
			t.Errorf("%s is not recognised", s.Name)
		}
	}
	for _, e := range top.Edges {
		pop3 := e.Link.ID == "client-pop3" // published, and not listened on, in kopano-docker
		if e.Addr.Problem != "" || e.Route == RouteNone || !top.Fits(e) || !e.Reaches() && !pop3 {
			t.Errorf("%s", line(e))
		}
		for _, a := range top.Agreements(e) {
			if !a.Agree {
				t.Errorf("%s: %s and %s disagree", e.ID, a.Pair.From, a.Pair.To)
			}
		}
	}
	for id, n := range map[string]int{"server-ldap@kopano_server": 3, "server-database@kopano_server": 3, "server-issuer@kopano_server": 2, "kwmserver-konnect-registration@kopano_kwmserver": 2} {
		e := top.Edge(id)
		if e == nil {
			t.Errorf("no link %s", id)
		} else if got := len(top.Agreements(e)); got != n {
			t.Errorf("%s: %d agreements, want %d", id, got, n)
		}
	}
}

// No deployment of the corpus, however broken, is too much.
func TestCorpus(t *testing.T) {
	root := corpus(t)
	loaded := 0
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".yml") && !strings.Contains(d.Name(), ".yaml") {
			return err
		}
		dep, err := deployment.Load(context.Background(), deployment.Options{Dir: filepath.Dir(p), Files: []string{p}})
		if err != nil {
			return nil
		}
		loaded++
		top := Recognise(dep)
		for _, s := range dep.Services {
			r := top.Role(s)
			if want, known := corpusRoles[s.Name]; known && r != want && r != Unknown {
				t.Errorf("%s: %s is taken for %s", p, s.Name, r)
			}
			if r == Unknown && !corpusUnknown[s.Name] && s.Image != "" {
				t.Errorf("%s: %s (%s) is not recognised", p, s.Name, s.Image)
			}
		}
		for _, e := range top.Edges {
			top.Agreements(e)
			if e.From == nil && e.To == nil || e.Route == "" || e.Protocol == "" {
				t.Errorf("%s: incomplete: %s", p, line(e))
			}
			if e.Outside != (e.Route == RouteOutside) || e.Outside && e.To != nil {
				t.Errorf("%s: contradicts itself: %s", p, line(e))
			}
		}
		return nil
	})
	if err != nil || loaded < 40 {
		t.Errorf("%d deployments, %v", loaded, err)
	}
}

// corpusRoles are names that mean one role wherever the corpus has them.
var corpusRoles = map[string]Role{
	"web": Web, "ldap": LDAP, "mail": Mail, "db": Database, "kopano_server": Server, "kopano_dagent": Dagent, "kdagent": Dagent,
	"kopano_spooler": Spooler, "kspooler": Spooler, "kopano_gateway": Gateway, "kgateway": Gateway, "kopano_ical": Ical, "kical": Ical,
	"kopano_monitor": Monitor, "kmonitor": Monitor, "kopano_search": Search, "ksearch": Search, "kopano_konnect": Konnect,
	"kopano_kapi": Kapi, "kopano_grapi": Grapi, "kopano_webapp": Webapp, "kopano_zpush": ZPush, "kopano_meet": Meet, "kopano_ssl": SSL, "kssl": SSL,
}

// corpusUnknown are services of the corpus that play no role.
var corpusUnknown = map[string]bool{
	"app": true, "kopano-app": true, "kopano-db-backup": true, "mail": true, "mta": true, "synapse": true, "watchtower": true,
	"mail-app": true, "mail-mta": true, "proxy": true, "caddy": true, "coturn": true, "minio": true, "ldap-admin": true,
	"kopano_kustomer": true, "kopano_gabsync": true, "scheduler": true, // a cron of somebody's own
}

// TestExternalHosts: a name without a dot that no service has is nobody's,
// unless it is known to exist outside.
func TestExternalHosts(t *testing.T) {
	dir := t.TempDir()
	text := "services:\n  kopano_server:\n    image: zokradonh/kopano_core\n    environment: {SERVICE_TO_START: server, KCCONF_LDAP_LDAP_URI: 'ldap://LdapMaster:389'}\n"
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	d := load(t, deployment.Options{Dir: dir}).Deployment
	for _, c := range []struct {
		external []string
		outside  bool
	}{{nil, false}, {[]string{"db"}, false}, {[]string{"db", "ldapmaster"}, true}} {
		e := Recognise(d, c.external...).Edge("server-ldap@kopano_server")
		if e == nil || e.Outside != c.outside || (e.Route == RouteOutside) != c.outside || e.To != nil {
			t.Errorf("external hosts %q: %+v", c.external, e)
		}
	}
}
