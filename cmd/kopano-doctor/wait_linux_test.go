package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
)

// slow is a deployment whose server answers once its container is made anew.
const slow = `
services:
  kopano_dagent:
    image: STANDIN
    command: ["tcp=2003"]
    environment: {SERVICE_TO_START: dagent, KCCONF_DAGENT_SERVER_SOCKET: "http://kopano_server:236/"}
  kopano_server:
    image: STANDIN
    command: ["COMMAND"]
    environment:
      SERVICE_TO_START: server
      KCCONF_SERVER_SERVER_LISTEN: 0.0.0.0:236
      KCCONF_SERVER_MYSQL_HOST: db
      KCCONF_SERVER_MYSQL_PORT: 3306
      KCCONF_SERVER_MYSQL_USER: kopano
      KCCONF_SERVER_MYSQL_DATABASE: kopano
      KCCONF_SERVER_MYSQL_PASSWORD: s3cr3t
  db: {image: STANDIN, command: ["tcp=3306"]}
`

// The container is replaced while it is waited for, and what runs is asked anew.
func TestWaitOnTheEngine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to enter containers")
	}
	p := enginetest.Start(t, map[string]string{"compose.yaml": strings.ReplaceAll(slow, "COMMAND", "tcp=237")})
	before := p.Container("kopano_server")
	p.Write("compose.yaml", strings.ReplaceAll(slow, "COMMAND", "gsoap=236"))
	changed := make(chan error)
	go func() {
		time.Sleep(2 * time.Second)
		changed <- p.Try("up", "-d", "kopano_server")
	}()
	got := run(t, nil, "wait", "--no-config", "--for", "dagent-server", "--timeout", "30s", p.Dir)
	if err := <-changed; err != nil {
		t.Fatal(err)
	}
	if got.code != 0 || !strings.Contains(got.stderr, "refused") || !strings.Contains(got.stderr, "works") {
		t.Errorf("exit %d\n%s\n%s", got.code, got.stdout, got.stderr)
	}
	if p.Container("kopano_server") == before {
		t.Error("the container was not replaced")
	}
}

// What happens to a container is seen long before the interval is over.
func TestWatchOnTheEngine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to enter containers")
	}
	p := enginetest.Start(t, map[string]string{"compose.yaml": strings.ReplaceAll(slow, "COMMAND", "gsoap=236")})
	w := startWatch(t, "--no-config", "--interval", "10m", p.Dir)
	first := w.next()
	if l := theLink(t, first.Report, "dagent-server@kopano_dagent"); l.Status != "ok" || l.Vantage != "container" {
		t.Errorf("%+v", l)
	}
	time.Sleep(500 * time.Millisecond) // it listens by now
	p.Compose("stop", "-t", "0", "kopano_server")
	change := w.next()
	if l := w.link(change, "dagent-server@kopano_dagent"); l.Link.Status != "broken" || l.Before != "ok" {
		t.Errorf("%+v", l)
	}
	stopped := false
	for _, f := range change.New {
		stopped = stopped || f.Subject == "kopano_server" && strings.HasPrefix(f.ID, "live-container-")
	}
	if !stopped {
		t.Errorf("that the container has stopped is not told: %+v", change.New)
	}
	p.Compose("start", "kopano_server")
	if l := w.link(w.next(), "dagent-server@kopano_dagent"); l.Link.Status != "ok" {
		t.Errorf("%+v", l)
	}
	if code, _ := w.end(); code != 130 {
		t.Errorf("exit %d", code)
	}
}
