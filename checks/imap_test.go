package checks_test

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func TestIMAP(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_gateway:143", labtest.MustStart(t, s.lab.Gateway, lab.GatewayOptions{}))
	for link, from := range map[string]string{"client-imap": "kopano_gateway", "mail-gateway": "mail"} {
		s.want(s.run(checks.CheckIMAP, link, from), expect{status: checks.OK, rung: checks.Ask, message: "AUTH=PLAIN"})
	}
}

func TestIMAPOfDovecot(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_gateway:143", labtest.MustStart(t, s.lab.Dovecot, lab.DovecotOptions{Serves: "imap"}))
	s.want(s.run(checks.CheckIMAP, "client-imap", "kopano_gateway"), expect{status: checks.OK, rung: checks.Ask, message: "AUTH=PLAIN"})
}

func TestIMAPWithoutPlainLogins(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_gateway:143", labtest.MustStart(t, s.lab.Gateway, lab.GatewayOptions{LoginDisabled: true}))
	s.want(s.run(checks.CheckIMAP, "client-imap", "kopano_gateway"), expect{status: checks.OK, rung: checks.Ask, message: "LOGINDISABLED"})
	s.want(s.run(checks.CheckIMAP, "mail-gateway", "mail"), expect{rung: checks.Ask, reason: checks.ReasonLoginDisabled, id: "live-imap-login-disabled", at: "environment:"})
}

func TestIMAPFaults(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_gateway:143", labtest.MustStart(t, s.lab.Dagent, lab.DagentOptions{}))
	s.want(s.run(checks.CheckIMAP, "mail-gateway", "mail"), expect{rung: checks.Greet, reason: checks.ReasonNotIMAP, id: "live-imap-not-imap", at: "SASLAUTHD_MECH_OPTIONS", says: "LMTP server"})

	bye := newScene(t)
	bye.pin("kopano_gateway:143", labtest.MustStart(t, bye.lab.Gateway, lab.GatewayOptions{Greeting: "* BYE too many connections"}))
	bye.want(bye.run(checks.CheckIMAP, "client-imap", "kopano_gateway"), expect{rung: checks.Greet, reason: checks.ReasonBye, id: "live-imap-bye", says: "too many"})

	silent := newScene(t)
	silent.timeout = labTimeout
	address, err := silent.lab.BlackHole()
	labtest.Check(t, err)
	silent.pin("kopano_gateway:143", address)
	silent.want(silent.run(checks.CheckIMAP, "client-imap", "kopano_gateway"), expect{rung: checks.Greet, reason: checks.ReasonSilent, id: "live-imap-silent"})
}

func TestIMAPSurvivesHostileServers(t *testing.T) {
	hostile(t, "kopano_gateway:143", func(s *scene) checks.Result { return s.run(checks.CheckIMAP, "mail-gateway", "mail") })
}

// pop3Published publishes the ports of POP3 and of the TLS of both.
func pop3Published(s *scene) {
	s.edit("docker-compose.ports.yml", "${IMAPPORT:-143}:143\"", "${IMAPPORT:-143}:143\"\n      - \"110:110\"\n      - \"993:993\"\n      - \"995:995\"")
	s.edit("docker-compose.yml", "      KCCONF_GATEWAY_IMAP_LISTEN: 0.0.0.0:143", `      KCCONF_GATEWAY_IMAP_LISTEN: 0.0.0.0:143
      KCCONF_GATEWAY_POP3_LISTEN: 0.0.0.0:110
      KCCONF_GATEWAY_IMAPS_LISTEN: 0.0.0.0:993
      KCCONF_GATEWAY_POP3S_LISTEN: 0.0.0.0:995`)
}

func TestPOP3AndTLS(t *testing.T) {
	s := newScene(t)
	pop3Published(s)
	leaf := s.leaf(lab.LeafOptions{Names: []string{"imap.example.org"}})
	s.pin("kopano_gateway:110", labtest.MustStart(t, s.lab.Gateway, lab.GatewayOptions{POP3: true}))
	s.pin("kopano_gateway:993", labtest.MustStart(t, s.lab.Dovecot, lab.DovecotOptions{Serves: "imap", Certificate: leaf, TLS: true}))
	s.pin("kopano_gateway:995", labtest.MustStart(t, s.lab.Dovecot, lab.DovecotOptions{Serves: "pop3", Certificate: leaf, TLS: true}))
	s.want(s.run(checks.CheckPOP3, "client-pop3", "kopano_gateway"), expect{status: checks.OK, rung: checks.Ask})
	s.want(s.run(checks.CheckIMAP, "client-imaps", "kopano_gateway"), expect{status: checks.OK, rung: checks.Ask})
	s.want(s.run(checks.CheckPOP3, "client-pop3s", "kopano_gateway"), expect{status: checks.OK, rung: checks.Ask})
}

func TestPOP3OtherServer(t *testing.T) {
	s := newScene(t)
	pop3Published(s)
	s.pin("kopano_gateway:110", labtest.MustStart(t, s.lab.Gateway, lab.GatewayOptions{}))
	s.want(s.run(checks.CheckPOP3, "client-pop3", "kopano_gateway"), expect{rung: checks.Greet, reason: checks.ReasonNotPOP3, id: "live-pop3-not-pop3", says: "IMAP"})
}
