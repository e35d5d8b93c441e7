package checks_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// Every link that is said to have a check is in the catalogue, and speaks what
// the check speaks; and every link of the catalogue that makes an edge has one.
func TestAllFitsTheCatalogue(t *testing.T) {
	speaks := map[uintptr][]kopano.Protocol{
		pointer(checks.CheckMariaDB): {kopano.ProtoMySQL}, pointer(checks.CheckLDAP): {kopano.ProtoLDAP}, pointer(checks.CheckLMTP): {kopano.ProtoLMTP},
	}
	for id, check := range checks.All() {
		link := kopano.LinkByID(id)
		if link == nil {
			t.Errorf("%s is not in the catalogue", id)
			continue
		}
		if link.Loses == "" {
			t.Errorf("%s does not say what is lost with it", id)
		}
		if want, ok := speaks[pointer(check)]; ok && link.Protocol != want[0] {
			t.Errorf("%s speaks %s, its check %s", id, link.Protocol, want[0])
		}
	}
	for _, link := range kopano.Links {
		if _, ok := checks.All()[link.ID]; !ok && !link.Background {
			t.Errorf("%s has no check", link.ID)
		}
	}
}

func pointer(c checks.Check) uintptr { return reflect.ValueOf(c).Pointer() }

// Whoever calls the directory is checked, also those without settings of
// their own, and clients outside.
func TestEveryClientOfTheDirectory(t *testing.T) {
	s := newScene(t)
	server := directory(t, s.lab, lab.SlapdOptions{})
	s.pin("ldap:389", server.Address)
	host, port, _ := strings.Cut(server.Address, ":")
	s.edit(".env", "LDAP_VERSION=1.4.10", "LDAP_VERSION=1.4.10\nLDAPPORT="+port)
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: s.dir})
	labtest.Check(t, err)
	checked := 0
	for _, e := range kopano.Recognise(d).Edges {
		if pointer(checks.All()[e.Link.ID]) != pointer(checks.CheckLDAP) {
			continue
		}
		checked++
		link, from, _ := strings.Cut(e.ID, "@")
		t.Run(e.ID, func(t *testing.T) {
			r := s.run(checks.CheckLDAP, link, from)
			if r.Status != checks.OK {
				t.Errorf("%s at %s, %s: %s (%s)", r.Status, r.Rung, r.Reason, r.Message, host)
			}
		})
	}
	if checked < 5 {
		t.Errorf("only %d clients", checked)
	}
}

// A machine that drops packets: the attempt to connect itself gets no answer.
func TestDialTimeout(t *testing.T) {
	s := newScene(t)
	address := labtest.Deaf(t, s.lab)
	s.pin("ldap:389", address)
	s.pin("db:3306", address)
	s.timeout = 400 * time.Millisecond
	s.want(bounded(s, checks.CheckLDAP, "server-ldap", "kopano_server"),
		expect{rung: checks.Dial, reason: checks.ReasonTimeout, id: "live-ldap-timeout", at: "LDAP_SERVER=", says: "within 400ms"})
	s.want(bounded(s, checks.CheckMariaDB, "server-database", "kopano_server"),
		expect{rung: checks.Dial, reason: checks.ReasonTimeout, id: "live-mariadb-timeout", at: "MYSQL_HOST=", says: "within 400ms"})
}

// When the run's time is over, nothing is known about the link.
func TestOutOfTime(t *testing.T) {
	s := newScene(t)
	address, err := s.lab.BlackHole()
	labtest.Check(t, err)
	s.pin("ldap:389", address)
	s.pin("db:3306", address)
	s.timeout = 30 * time.Second
	for link, check := range map[string]checks.Check{"server-ldap": checks.CheckLDAP, "server-database": checks.CheckMariaDB} {
		target := s.target(link, "kopano_server")
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		start := time.Now()
		r := check(ctx, target)
		cancel()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s went on for %s", link, took)
		}
		if r.Status != checks.Unchecked || r.Reason != checks.ReasonDeadline || len(r.Findings) != 0 {
			t.Errorf("%s: %+v", link, r)
		}
	}
}
