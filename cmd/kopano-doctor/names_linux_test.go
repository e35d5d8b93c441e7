package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
)

// misnamed has links that fail for what their container knows about names.
// SUBNET.99 is nobody's; 10.255.255.9 is no name server that anybody reaches
// from a network without a way out.
const misnamed = `
services:
  kopano_server:
    image: STANDIN
    command: ["tcp=236"]
    environment:
      SERVICE_TO_START: server
      KCCONF_SERVER_MYSQL_HOST: db
      KCCONF_SERVER_MYSQL_PORT: 3306
      KCCONF_SERVER_MYSQL_USER: kopano
      KCCONF_SERVER_MYSQL_DATABASE: kopano
      KCCONF_SERVER_MYSQL_PASSWORD: 0ld-s3cr3t
      KCCONF_SERVER_SERVER_LISTEN: 0.0.0.0:236
      KCCONF_LDAP_LDAP_URI: ldap://ldap.example.org:389
      KCCONF_LDAP_LDAP_BIND_USER: cn=reader,dc=example,dc=org
      KCCONF_LDAP_LDAP_BIND_PASSWD: another-s3cr3t
      KCCONF_LDAP_LDAP_SEARCH_BASE: dc=example,dc=org
    networks: [inner]
    dns: ["10.255.255.9"]
    extra_hosts: EXTRA
  db: {image: STANDIN, command: ["tcp=3306"], networks: [inner]}
networks:
  inner: {internal: true, ipam: {config: [{subnet: SUBNET.0/24}]}}
`

func TestNamesThatTheContainerKnows(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("entering containers needs root")
	}
	p := enginetest.Start(t, map[string]string{"compose.yaml": strings.Replace(misnamed, "EXTRA", `["db:SUBNET.99"]`, 1)})
	r, _ := asUser(t, 0, 0, nil, "--timeout", "1s", p.Dir)
	link := theLink(t, r, "server-database@kopano_server")
	f := theFinding(t, r, "live-mariadb-"+link.Reason, "kopano_server → db")
	if !strings.Contains(f.Message, p.Subnet+".99 stands in /etc/hosts of kopano_server") || !strings.Contains(f.Message, "extra_hosts puts it there") ||
		!strings.Contains(f.Remedy, "Take db out of extra_hosts") || len(f.Locations) == 0 || f.Locations[0].Line != lineOf(t, p, "extra_hosts") {
		t.Errorf("an entry of the files: %+v", f)
	}
	link = theLink(t, r, "server-ldap@kopano_server")
	f = theFinding(t, r, "live-ldap-resolver-failed", "kopano_server → ldap.example.org")
	if !strings.Contains(f.Message, "Docker's own name server (127.0.0.11)") || !strings.Contains(f.Remedy, "dns: of kopano_server") {
		t.Errorf("a dead name server behind Docker's: %+v, %+v", link, f)
	}
	// The same entry, written by somebody into the file.
	p.Write("compose.yaml", strings.Replace(misnamed, "EXTRA", "[]", 1))
	p.Compose("up", "-d")
	r, _ = asUser(t, 0, 0, nil, "--timeout", "1s", p.Dir)
	if l := theLink(t, r, "server-database@kopano_server"); l.Reason == "no-such-host" || strings.Contains(l.Message, "/etc/hosts") {
		t.Errorf("db is not found: %+v", l)
	}
	p.AddHost("kopano_server", p.Subnet+".99 db")
	r, _ = asUser(t, 0, 0, nil, "--timeout", "1s", p.Dir)
	link = theLink(t, r, "server-database@kopano_server")
	f = theFinding(t, r, "live-mariadb-"+link.Reason, "kopano_server → db")
	if !strings.Contains(f.Message, "the files do not put it there") || !strings.Contains(f.Remedy, "--force-recreate kopano_server") {
		t.Errorf("an entry by hand: %+v", f)
	}
}

// lineOf gives the line of the compose file that has a word.
func lineOf(t *testing.T, p *enginetest.Project, word string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.Dir, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if strings.Contains(line, word) {
			return i + 1
		}
	}
	t.Fatalf("no line has %q", word)
	return 0
}

// Podman without a name server of its own on the network gives services no
// names. Whether this machine's has one, its packages decide.
func TestNamesOnPodman(t *testing.T) {
	host := enginetest.Podman(t)
	// Docker Compose cannot read how Podman 4.3 describes an internal network.
	files := strings.NewReplacer("EXTRA", "[]", "internal: true, ", "").Replace(misnamed)
	p := enginetest.StartOn(t, host, map[string]string{"compose.yaml": files})
	r, _ := asUser(t, 0, 0, nil, "--timeout", "1s", "--engine", host, p.Dir)
	if !strings.HasPrefix(r.Engine.Name, "Podman ") || r.Engine.Containers != 2 {
		t.Fatalf("engine: %+v", r.Engine)
	}
	link := theLink(t, r, "server-database@kopano_server")
	if link.Vantage != "container" {
		t.Errorf("from %s", link.Vantage)
	}
	t.Logf("db: %s", link.Reason)
	if link.Reason != "no-such-host" && link.Reason != "resolver-failed" {
		if strings.Contains(link.Message, "Podman") {
			t.Errorf("db is found: %+v", link)
		}
		return
	}
	f := theFinding(t, r, "live-mariadb-"+link.Reason, "kopano_server → db")
	if !strings.Contains(f.Message, "Podman answers for the names of services only with a name server of its own") || !strings.Contains(f.Remedy, "aardvark-dns") {
		t.Errorf("%+v", f)
	}
}
