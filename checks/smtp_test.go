package checks_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// spooler asks the mail server from the spooler's own container.
func spooler(s *scene) checks.Result {
	t := s.target("spooler-mail", "kopano_spooler")
	t.Inside = true
	r := checks.CheckSMTP(context.Background(), t)
	s.sane(r)
	return r
}

func postfixAt(s *scene, port string, o lab.PostfixOptions) {
	if o.Users == nil {
		o.Users = []string{postmaster}
	}
	s.pin("mail:"+port, labtest.MustStart(s.t, s.lab.Postfix, o))
}

func TestSMTPForTheSpooler(t *testing.T) {
	s := newScene(t)
	postfixAt(s, "25", lab.PostfixOptions{Trusts: true})
	s.want(spooler(s), expect{status: checks.OK, rung: checks.Ask, message: "sends mail on for kopano_spooler"})
	s.want(s.run(checks.CheckSMTP, "spooler-mail", "kopano_spooler"), expect{status: checks.OK, rung: checks.Ask, message: "was not asked"})
	s.want(s.run(checks.CheckSMTP, "client-smtp", "mail"), expect{status: checks.OK, rung: checks.Ask, id: "live-smtp-no-starttls", at: "SSL_TYPE"})
}

func TestSMTPSpoolerIsAStranger(t *testing.T) {
	s := newScene(t)
	postfixAt(s, "25", lab.PostfixOptions{})
	s.want(spooler(s), expect{rung: checks.Ask, reason: checks.ReasonRelayDenied, id: "live-smtp-relay-denied", at: "PERMIT_DOCKER", says: "Relay access denied"})
}

func TestSMTPFromOutside(t *testing.T) {
	s := newScene(t)
	leaf := s.leaf(lab.LeafOptions{Names: []string{"mail.example.org"}})
	postfixAt(s, "25", lab.PostfixOptions{Certificate: leaf})
	s.want(s.run(checks.CheckSMTP, "client-smtp", "mail"), expect{status: checks.OK, rung: checks.Ask, message: "takes mail for " + postmaster})

	nobody := newScene(t)
	postfixAt(nobody, "25", lab.PostfixOptions{Certificate: leaf, Users: []string{"somebody@example.org"}})
	nobody.want(nobody.run(checks.CheckSMTP, "client-smtp", "mail"), expect{status: checks.OK, rung: checks.Ask, id: "live-smtp-recipient-unknown", at: "POSTMASTER_ADDRESS", says: "550 5.1.1"})

	elsewhere := newScene(t)
	postfixAt(elsewhere, "25", lab.PostfixOptions{Certificate: leaf, Users: []string{"somebody@example.com"}})
	elsewhere.want(elsewhere.run(checks.CheckSMTP, "client-smtp", "mail"), expect{rung: checks.Ask, reason: checks.ReasonRelayDenied, id: "live-smtp-relay-denied", at: "LDAP_QUERY_FILTER_DOMAIN"})

	lost := newScene(t)
	postfixAt(lost, "25", lab.PostfixOptions{Certificate: leaf, NoDirectory: true})
	lost.want(lost.run(checks.CheckSMTP, "client-smtp", "mail"), expect{rung: checks.Ask, reason: checks.ReasonLookup, id: "live-smtp-lookup-failed", at: "LDAP_SERVER", says: "451"})
}

// A stranger is made to wait in the middle of the greeting, and must not speak.
func TestSMTPWaitsForPostscreen(t *testing.T) {
	s := newScene(t)
	s.timeout = time.Second
	postfixAt(s, "25", lab.PostfixOptions{Postscreen: true, Certificate: s.leaf(lab.LeafOptions{Names: []string{"mail.example.org"}})})
	r := s.run(checks.CheckSMTP, "client-smtp", "mail")
	if r.Status != checks.OK {
		t.Errorf("%s at %s, %s: %s", r.Status, r.Rung, r.Reason, r.Message)
	}
}

func TestSMTPSubmission(t *testing.T) {
	soon := time.Now().Add(5 * 24 * time.Hour)
	names := []string{"mail.example.org"}
	tests := map[string]struct {
		link   string
		port   string
		make   func(*scene) lab.PostfixOptions
		expect expect
	}{
		"well": {"client-submission", "587", func(s *scene) lab.PostfixOptions {
			return lab.PostfixOptions{Submission: true, Certificate: s.leaf(lab.LeafOptions{Names: names})}
		}, expect{status: checks.OK, rung: checks.Ask, message: "takes logins by"}},
		"wrapped": {"client-smtps", "465", func(s *scene) lab.PostfixOptions {
			return lab.PostfixOptions{Wrapped: true, Certificate: s.leaf(lab.LeafOptions{Names: names})}
		}, expect{status: checks.OK, rung: checks.Ask, message: "takes logins by"}},
		"no TLS": {"client-submission", "587", func(*scene) lab.PostfixOptions { return lab.PostfixOptions{Submission: true} },
			expect{rung: checks.TLS, reason: checks.ReasonNoSTARTTLS, id: "live-smtp-no-starttls", at: "SSL_TYPE"}},
		"no login": {"client-submission", "587", func(s *scene) lab.PostfixOptions {
			return lab.PostfixOptions{Submission: true, NoLogin: true, Certificate: s.leaf(lab.LeafOptions{Names: names})}
		}, expect{rung: checks.Authenticate, reason: checks.ReasonNoAuth, id: "live-smtp-no-auth", at: "ENABLE_SASLAUTHD"}},
		"login in clear": {"client-submission", "587", func(s *scene) lab.PostfixOptions {
			return lab.PostfixOptions{Submission: true, ClearAuth: true, Certificate: s.leaf(lab.LeafOptions{Names: names})}
		}, expect{status: checks.OK, rung: checks.Ask, id: "live-smtp-auth-in-clear", at: "SSL_TYPE"}},
		"expires soon": {"client-submission", "587", func(s *scene) lab.PostfixOptions {
			return lab.PostfixOptions{Submission: true, Certificate: s.leaf(lab.LeafOptions{Names: names, NotAfter: soon})}
		}, expect{status: checks.OK, rung: checks.Ask, id: "live-smtp-tls-soon", at: "SSL_CERT_PATH"}},
		"plain on 465": {"client-smtps", "465", func(*scene) lab.PostfixOptions { return lab.PostfixOptions{Submission: true} },
			expect{rung: checks.TLS, reason: checks.ReasonPlainOnTLS, id: "live-smtp-plain-on-tls"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			postfixAt(s, test.port, test.make(s))
			s.want(s.run(checks.CheckSMTP, test.link, "mail"), test.expect)
		})
	}
}

func TestSMTPOtherServers(t *testing.T) {
	s := newScene(t)
	s.pin("mail:25", labtest.MustStart(t, s.lab.Gateway, lab.GatewayOptions{}))
	s.want(s.run(checks.CheckSMTP, "client-smtp", "mail"), expect{rung: checks.Greet, reason: checks.ReasonNotSMTP, id: "live-smtp-not-smtp", says: "IMAP"})

	lmtp := newScene(t)
	lmtp.pin("mail:25", labtest.MustStart(t, lmtp.lab.Dagent, lab.DagentOptions{}))
	lmtp.want(spooler(lmtp), expect{rung: checks.Greet, reason: checks.ReasonNotSMTP, id: "live-smtp-not-smtp", at: "KCCONF_SPOOLER_SMTP_SERVER", says: "555"})

	refusing := newScene(t)
	address, err := refusing.lab.Serve(func(c net.Conn) { _, _ = io.WriteString(c, "554 5.7.1 go away\r\n") })
	labtest.Check(t, err)
	refusing.pin("mail:25", address)
	refusing.want(refusing.run(checks.CheckSMTP, "client-smtp", "mail"), expect{rung: checks.Greet, reason: checks.ReasonSMTPGreeting, id: "live-smtp-greeting", says: "go away"})
}

func TestSMTPSurvivesHostileServers(t *testing.T) {
	hostile(t, "mail:25", func(s *scene) checks.Result { return s.run(checks.CheckSMTP, "client-smtp", "mail") })
}
