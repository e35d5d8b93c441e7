package checks_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

const postmaster = "postmaster@example.org"

func checkLMTP(s *scene) checks.Result { return s.run(checks.CheckLMTP, "mail-dagent", "mail") }

func dagentAt(s *scene, o lab.DagentOptions) {
	s.pin("kopano_dagent:2003", labtest.MustStart(s.t, s.lab.Dagent, o))
}

func TestLMTPOfDovecot(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_dagent:2003", labtest.MustStart(t, s.lab.Dovecot, lab.DovecotOptions{Users: []string{postmaster}}))
	s.want(checkLMTP(s), expect{status: checks.OK, rung: checks.Ask, message: "PIPELINING"})
}

func TestLMTPOfDovecotWithoutPostmaster(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_dagent:2003", labtest.MustStart(t, s.lab.Dovecot, lab.DovecotOptions{Users: []string{"somebody@example.org"}}))
	s.want(checkLMTP(s), expect{status: checks.OK, rung: checks.Ask, id: "live-lmtp-recipient-unknown", at: "POSTMASTER_ADDRESS=", says: "550"})
}

func TestLMTPOfDovecotWithoutDirectory(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_dagent:2003", labtest.MustStart(t, s.lab.Dovecot, lab.DovecotOptions{NoDirectory: true}))
	s.want(checkLMTP(s), expect{rung: checks.Ask, reason: checks.ReasonRecipientDeferred, id: "live-lmtp-recipient-deferred", at: "volumes:", says: "451"})
}

func TestLMTPNeverDelivers(t *testing.T) {
	s := newScene(t)
	var mu sync.Mutex
	var commands []string
	dagentAt(s, lab.DagentOptions{Users: map[string]bool{postmaster: true}, Commands: func(c string) {
		mu.Lock()
		defer mu.Unlock()
		verb, _, _ := strings.Cut(c, " ")
		commands = append(commands, verb)
	}})
	s.want(checkLMTP(s), expect{status: checks.OK, rung: checks.Ask, message: postmaster})
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"LHLO", "MAIL", "RCPT", "RSET", "QUIT"}; !slices.Equal(commands, want) {
		t.Errorf("sent %v, want %v", commands, want)
	}
}

func TestLMTPFaults(t *testing.T) {
	tests := map[string]struct {
		options lab.DagentOptions
		expect  expect
	}{
		"server down":        {lab.DagentOptions{ServerDown: true}, expect{rung: checks.Greet, reason: checks.ReasonBackendDown, id: "live-lmtp-backend-down", at: "volumes:", says: "421 internal error: GetSession failed"}},
		"server lost":        {lab.DagentOptions{LosesServer: true}, expect{rung: checks.Ask, reason: checks.ReasonBackendDown, id: "live-lmtp-backend-down", at: "volumes:", says: "Connection error"}},
		"address book":       {lab.DagentOptions{Greeting: "421 internal error: OpenResolveAddrFolder failed"}, expect{rung: checks.Greet, reason: checks.ReasonDirectory, id: "live-lmtp-directory", at: "volumes:"}},
		"too many":           {lab.DagentOptions{Greeting: "421 4.3.2 Too many connections"}, expect{rung: checks.Greet, reason: checks.ReasonTooMany, id: "live-lmtp-too-many"}},
		"other refusal":      {lab.DagentOptions{Greeting: "554 go away"}, expect{rung: checks.Greet, reason: checks.ReasonGreeting, id: "live-lmtp-greeting", at: "POSTFIX_DAGENT", says: "554"}},
		"unknown postmaster": {lab.DagentOptions{}, expect{status: checks.OK, rung: checks.Ask, id: "live-lmtp-recipient-unknown", at: "POSTMASTER_ADDRESS=", says: "503 5.1.1"}},
		"ambiguous":          {reply("RCPT", "503 5.1.4 Destination mailbox address ambiguous"), expect{status: checks.OK, rung: checks.Ask, id: "live-lmtp-recipient-ambiguous", at: "POSTMASTER_ADDRESS="}},
		"deferred":           {reply("RCPT", "451 4.3.0 Temporary lookup failure"), expect{rung: checks.Ask, reason: checks.ReasonRecipientDeferred, id: "live-lmtp-recipient-deferred"}},
		"refused":            {reply("RCPT", "554 5.7.1 Not here"), expect{rung: checks.Ask, reason: checks.ReasonRecipientRefused, id: "live-lmtp-recipient-refused"}},
		"sender refused":     {reply("MAIL", "550 5.1.8 Bad sender"), expect{rung: checks.Ask, reason: checks.ReasonSender, id: "live-lmtp-sender-refused"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			dagentAt(s, test.options)
			s.want(checkLMTP(s), test.expect)
		})
	}
}

// reply has the agent answer one command in another way.
func reply(verb, text string) lab.DagentOptions {
	return lab.DagentOptions{Reply: func(command string) (string, bool) { return text, strings.HasPrefix(command, verb) }}
}

func TestLMTPWaitingForTheDatabase(t *testing.T) {
	s := newScene(t)
	s.timeout = 400 * time.Millisecond
	dagentAt(s, lab.DagentOptions{Waiting: true})
	s.want(checkLMTP(s), expect{rung: checks.Greet, reason: checks.ReasonSilent, id: "live-lmtp-silent", at: "volumes:"})
}

func TestLMTPPlainHTTPSocket(t *testing.T) {
	s := newScene(t)
	s.edit("docker-compose.yml", "KCCONF_DAGENT_LOG_LEVEL: \"3\"", "KCCONF_DAGENT_SERVER_SOCKET: http://kopano_server:236/")
	dagentAt(s, lab.DagentOptions{ServerDown: true})
	r := checkLMTP(s)
	s.want(r, expect{rung: checks.Greet, reason: checks.ReasonBackendDown, id: "live-lmtp-backend-down", at: "KCCONF_DAGENT_SERVER_SOCKET"})
	if f := findingOf(r, "live-lmtp-backend-down"); !strings.Contains(f.Remedy, "Remove KCCONF_DAGENT_SERVER_SOCKET") {
		t.Errorf("remedy is %q", f.Remedy)
	}
}

func TestLMTPRefused(t *testing.T) {
	s := newScene(t)
	s.pin("kopano_dagent:2003", closedPort(t))
	s.want(checkLMTP(s), expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-lmtp-refused", at: "POSTFIX_DAGENT"})
}

func TestLMTPOnLoopbackOnly(t *testing.T) {
	s := newScene(t)
	s.edit("docker-compose.yml", "      KCCONF_DAGENT_LMTP_LISTEN: 0.0.0.0:2003\n", "      KCCONF_DAGENT_LMTP_LISTEN: 127.0.0.1:2003\n")
	s.pin("kopano_dagent:2003", closedPort(t))
	s.want(checkLMTP(s), expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-lmtp-refused", at: "KCCONF_DAGENT_LMTP_LISTEN"})
}

func TestLMTPHangsUp(t *testing.T) {
	s := newScene(t)
	address, err := s.lab.Serve(func(net.Conn) {})
	labtest.Check(t, err)
	s.pin("kopano_dagent:2003", address)
	s.want(checkLMTP(s), expect{rung: checks.Greet, reason: checks.ReasonClosed, id: "live-lmtp-closed", at: "KCCONF_DAGENT_LMTP_LISTEN"})
}

// mailbox is the back end of a real SMTP server that takes nothing.
type mailbox struct{}

func (mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return nil, smtp.ErrAuthRequired }

func TestLMTPOfAnSMTPServer(t *testing.T) {
	s := newScene(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	labtest.Check(t, err)
	server := smtp.NewServer(mailbox{})
	server.Domain = "mail.example.org"
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	s.pin("kopano_dagent:2003", listener.Addr().String())
	s.want(checkLMTP(s), expect{rung: checks.Greet, reason: checks.ReasonNotLMTP, id: "live-lmtp-not-lmtp", at: "POSTFIX_DAGENT", says: "mail.example.org"})
}

func TestLMTPOfOtherServers(t *testing.T) {
	s := newScene(t)
	web, err := s.lab.ServeHTTP("", lab.Page(200, "text/html", "<html>"), nil)
	labtest.Check(t, err)
	tls, err := s.lab.ServeHTTP("", lab.Page(200, "text/html", "<html>"), lab.ServerTLS(s.leaf(lab.LeafOptions{})))
	labtest.Check(t, err)
	ssh, err := s.lab.Say([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
	labtest.Check(t, err)
	for name, test := range map[string]struct{ address, says string }{
		"web": {web, "a web server (HTTP)"}, "tls": {tls, "TLS"}, "ssh": {ssh, "an SSH server"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.timeout = 600 * time.Millisecond
			s.pin("kopano_dagent:2003", test.address)
			s.want(checkLMTP(s), expect{rung: checks.Greet, reason: checks.ReasonWrongServer, id: "live-lmtp-wrong-protocol", at: "POSTFIX_DAGENT", says: test.says})
		})
	}
}

func TestLMTPNotPublished(t *testing.T) {
	s := newScene(t)
	s.want(checkLMTP(s), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute, message: "--resolve kopano_dagent:2003="})
}

func TestLMTPHostile(t *testing.T) {
	hostile(t, "kopano_dagent:2003", checkLMTP)
}

// closedPort gives an address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	labtest.Check(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
