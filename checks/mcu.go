package checks

import (
	"context"
	"fmt"
	"net/http"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// MCUReasons lists what the check of the bridge's way in tells apart.
func MCUReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonTLSOnPlain, TLS, "TLS answers where plain HTTP is expected."},
		ReasonDoc{ReasonBadGateway, Ask, "The proxy answers, and does not reach kwmserver."},
		ReasonDoc{ReasonMCUOff, Ask, "The signalling server does not let bridges in, or web does not pass them on at this address."},
		ReasonDoc{ReasonNotKwmserver, Ask, "Something else answers."},
	)
}

// CheckMCU asks for the page by which a meeting bridge registers. kwmserver
// answers 400 to a plain GET when it lets bridges in (signaling/mcu/http.go), and
// 404 when it does not. Asking for the upgrade itself would register a bridge.
func CheckMCU(ctx context.Context, t Target) Result {
	c := &appClimb{climb: newClimb(t, "mcu"), host: t.Edge.Addr.Host, port: t.Edge.Addr.Port, web: &web{target: t, insecure: true}}
	scheme := "https"
	if t.Edge.Addr.Scheme == "http" || t.Edge.Addr.Scheme == "ws" {
		scheme = "http"
	}
	a, f := c.web.get(ctx, fmt.Sprintf("%s://%s%s/mcu/websocket", scheme, hostPort(c.host, c.port), kwmAPI))
	if f != nil {
		return c.lost(f)
	}
	c.address = a.Address
	saw := fmt.Sprintf("%s answers %s/mcu/websocket with %s", a.Address, kwmAPI, a.saw())
	switch {
	case a.Status == http.StatusBadRequest, a.Status == http.StatusUpgradeRequired:
		return c.ok(Ask, "the signalling server lets bridges in")
	case gatewayStatus(a.Status):
		f := &failure{Ask, ReasonBadGateway, saw, nil}
		return c.fail(c.broke(f, "The proxy does not reach the signalling server", c.target.Edge.Locations(), "Look whether kopano_kwmserver runs: docker compose ps kopano_kwmserver."))
	case a.Status == http.StatusNotFound:
		f := &failure{Ask, ReasonMCUOff, saw, nil}
		return c.fail(c.broke(f, "The signalling server lets no bridge in", valuesLocations(kwmserverOf(t), "enable_mcu_api"),
			"Set enable_mcu_api=yes on kopano_kwmserver; through web only port 8443 leads there."))
	}
	f = &failure{Ask, ReasonNotKwmserver, saw + "; kwmserver answers 400", nil}
	return c.fail(c.otherProgram(f))
}

// kwmserverOf gives the signalling server of the deployment, nil when it is elsewhere.
func kwmserverOf(t Target) *deployment.Service {
	for _, s := range t.Topology.Services(kopano.Kwmserver) {
		return s
	}
	return nil
}
