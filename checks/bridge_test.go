package checks_test

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
)

func TestBridgePorts(t *testing.T) {
	s := newScene(t)
	s.edit("docker-compose.yml", "  kopano_meet:\n", "  kopano_kwmbridge:\n    image: kopano/kwmbridged:0.1.3\n    networks: [web-net, kopano-net]\n    ports: [\"65000-65002:65000-65002/udp\"]\n"+
		"    environment:\n      kwm_server_urls: http://kopano_kwmserver:8778\n      oidc_issuer_identifier: https://${FQDN}\n      ice_udp_port_range: 65000:65002\n  kopano_meet:\n")
	bridge := engine.Container{Service: "kopano_kwmbridge", State: engine.Running, PID: 1}
	led := func(ports ...int) engine.Container {
		c := bridge
		for _, p := range ports {
			c.Ports = append(c.Ports, engine.Port{Protocol: "udp", Target: p, Published: p})
		}
		return c
	}
	host, stopped, tcp := bridge, bridge, led(65000, 65001)
	host.NetworkMode, stopped.State = "host", engine.Exited
	tcp.Ports = append(tcp.Ports, engine.Port{Protocol: "tcp", Target: 65002, Published: 65002})
	for name, c := range map[string]struct {
		runs   []engine.Container
		expect expect
	}{
		"all":      {[]engine.Container{led(65000, 65001, 65002)}, expect{status: checks.OK, rung: checks.Dial, message: "3 UDP ports"}},
		"host":     {[]engine.Container{host}, expect{status: checks.OK, rung: checks.Dial}},
		"one less": {[]engine.Container{led(65000, 65002)}, expect{rung: checks.Dial, reason: checks.ReasonNotPublished, id: "live-bridge-not-published", at: "ports", says: "65001"}},
		"only TCP": {[]engine.Container{tcp}, expect{rung: checks.Dial, reason: checks.ReasonNotPublished, id: "live-bridge-not-published", at: "ports", says: "65002"}},
		"stopped":  {[]engine.Container{stopped}, expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute}},
		"nobody":   {nil, expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute}},
	} {
		t.Run(name, func(t *testing.T) {
			target := s.target("client-kwmbridge", "kopano_kwmbridge")
			target.Engine = &engine.Snapshot{Containers: c.runs}
			r := checks.CheckBridgePorts(t.Context(), target)
			s.sane(r)
			s.want(r, c.expect)
		})
	}
}
