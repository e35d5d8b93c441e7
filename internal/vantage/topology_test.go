package vantage_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// Names of the bundled deployment: a service, an alias on a network, the
// public name, and a server that is nowhere in it.
func TestRouteInTheBundledDeployment(t *testing.T) {
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: "../../testdata/deployments/full"})
	if err != nil {
		t.Fatal(err)
	}
	host := vantage.NewHost(d, kopano.Recognise(d), nil)
	server, ok := d.Service("kopano_server")
	if !ok {
		t.Fatal("no kopano_server")
	}
	for _, c := range []struct {
		from *deployment.Service
		host string
		port int
		want string // "" when there is no way
	}{
		{server, "ldap", 389, "127.0.0.1:389"},
		{server, "kopano.example.org", 443, "127.0.0.1:443"},
		{nil, "kopano.example.org", 443, "127.0.0.1:443"},
		{nil, "KOPANO.example.org.", 443, "127.0.0.1:443"},
		{server, "db", 3306, ""},
		{server, "kopano_konnect", 8777, ""},
		{server, "dc1.corp.example", 636, "dc1.corp.example:636"},
		{server, "localhost", 3306, ""},
	} {
		r, err := host.Route(c.from, c.host, c.port)
		if c.want == "" {
			if !errors.Is(err, vantage.ErrNoRoute) {
				t.Errorf("%s:%d: %v, %v; want no route", c.host, c.port, r, err)
			}
			continue
		}
		if err != nil || r.Address != c.want || r.Vantage != vantage.FromHost {
			t.Errorf("%s:%d: %v, %v; want %s", c.host, c.port, r, err, c.want)
		}
	}
}
