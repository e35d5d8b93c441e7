package checks_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// The passwords of the bundled deployment.
const (
	adminPassword    = "Qm7vT2pXw9LrKd4sNf8hBz3c"
	readonlyPassword = "Ht5gYk2nWq8vRj3xPb6mCd9s"
)

func checkLDAP(s *scene) checks.Result {
	return s.run(checks.CheckLDAP, "server-ldap", "kopano_server")
}

// directory starts an OpenLDAP that fits the bundled deployment.
func directory(t *testing.T, l *lab.Lab, o lab.SlapdOptions) *lab.Slapd {
	t.Helper()
	o.AdminPassword = adminPassword
	if o.ReadonlyPassword == "" {
		o.ReadonlyPassword = readonlyPassword
	}
	return labtest.MustStart(t, l.StartSlapd, o)
}

// ldapFault is one thing wrong in the deployment, the server being right.
type ldapFault struct {
	name   string
	edit   func(*scene)
	expect expect
}

func set(file, old, new string) func(*scene) {
	return func(s *scene) { s.edit(file, old, new) }
}

// serverSetting adds a setting of kopano_server.
func serverSetting(line string) func(*scene) {
	const first = "# Settings for kopano_server that the compose files do not make."
	return set("kopano_server.env", first, first+"\n"+line)
}

// bounded runs a check within its time: the timeout of one rung and a second.
// Loading the deployment does not count.
func bounded(s *scene, check checks.Check, link, from string) checks.Result {
	s.t.Helper()
	target := s.target(link, from)
	start := time.Now()
	r := check(context.Background(), target)
	if took := time.Since(start); took > s.timeout+time.Second {
		s.t.Errorf("took %s with a timeout of %s", took, s.timeout)
	}
	s.sane(r)
	return r
}

func writeFile(s *scene, name, text string) {
	s.t.Helper()
	labtest.Check(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644))
}

func both(edits ...func(*scene)) func(*scene) {
	return func(s *scene) {
		for _, edit := range edits {
			edit(s)
		}
	}
}

var (
	bindDN   = "LDAP_BIND_DN=cn=readonly,dc=example,dc=org"
	bindPW   = "LDAP_BIND_PW=" + readonlyPassword
	base     = "LDAP_SEARCH_BASE=dc=example,dc=org"
	readonly = "LDAP_READONLY_USER_PASSWORD=" + readonlyPassword
	include  = "KCUNCOMMENT_LDAP_1=!include /usr/share/kopano/ldap.openldap.cfg"
)

func ldapFaults() []ldapFault {
	broken := func(rung checks.Rung, reason checks.Reason, at, says string) expect {
		return expect{rung: rung, reason: reason, id: "live-ldap-" + string(reason), at: at, says: says}
	}
	return []ldapFault{
		{"nothing wrong", func(*scene) {}, expect{status: checks.OK, rung: checks.Ask, message: "10 users below dc=example,dc=org"}},
		{"password", set(".env", bindPW, "LDAP_BIND_PW=something-else"),
			broken(checks.Authenticate, checks.ReasonCredentials, "LDAP_BIND_PW=", "code 49")},
		{"bind DN that nobody has", set(".env", bindDN, "LDAP_BIND_DN=cn=reader,dc=example,dc=org"),
			broken(checks.Authenticate, checks.ReasonCredentials, "LDAP_BIND_PW=", "cn=reader,dc=example,dc=org")},
		{"bind DN that is none", set(".env", bindDN, "LDAP_BIND_DN=readonly"),
			broken(checks.Authenticate, checks.ReasonMalformedDN, "LDAP_BIND_DN=", "code 34")},
		{"no password", set(".env", bindPW, "LDAP_BIND_PW="),
			broken(checks.Authenticate, checks.ReasonEmptyPassword, "LDAP_BIND_PW=", "KCCONF_LDAP_LDAP_BIND_PASSWD is empty")},
		{"search base", set(".env", base, "LDAP_SEARCH_BASE=ou=people,dc=example,dc=org"),
			broken(checks.Ask, checks.ReasonNoBase, "LDAP_SEARCH_BASE=", "code 32")},
		{"search base that is none", set(".env", base, "LDAP_SEARCH_BASE=example.org"),
			broken(checks.Ask, checks.ReasonMalformedDN, "LDAP_SEARCH_BASE=", "code 34")},
		{"base without users", set(".env", base, "LDAP_SEARCH_BASE=ou=servers,dc=example,dc=org"),
			broken(checks.Ask, checks.ReasonNoUsers, "LDAP_SEARCH_BASE=", "(|(objectClass=posixAccount))")},
		{"filter that fits nobody", serverSetting("KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=(kopanoAccount=7)"),
			broken(checks.Ask, checks.ReasonNoUsers, "KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=", "(kopanoAccount=7)")},
		{"filter that is none", serverSetting("KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=(kopanoAccount=1"),
			broken(checks.Ask, checks.ReasonBadFilter, "KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=", "is not an LDAP filter")},
		{"filter that fits some", serverSetting("KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=(kopanoAccount=1)"),
			expect{status: checks.OK, rung: checks.Ask, message: "9 users"}},
		{"include of the other kind", set(".env", include, "KCUNCOMMENT_LDAP_1=!include /usr/share/kopano/ldap.active-directory.cfg"),
			broken(checks.Ask, checks.ReasonNoUsers, "KCUNCOMMENT_LDAP_1=", "no Active Directory")},
		{"StartTLS that the server does not have", serverSetting("KCCONF_LDAP_LDAP_STARTTLS=yes"),
			broken(checks.TLS, checks.ReasonStartTLS, "KCCONF_LDAP_LDAP_STARTTLS=", "code 2")},
		{"ldaps on the plain port", set(".env", "ldap://ldap:389", "ldaps://ldap:389"),
			broken(checks.TLS, checks.ReasonPlainOnTLS, "LDAP_SERVER=", "without TLS")},
		{"name that nobody has", set(".env", "ldap://ldap:389", "ldap://ldap.nowhere.invalid:389"),
			broken(checks.Resolve, checks.ReasonNoSuchHost, "LDAP_SERVER=", "ldap.nowhere.invalid")},
		{"a dead server before the good one", set(".env", "LDAP_SERVER=ldap://ldap:389", `LDAP_SERVER="ldap://dead.example.org ldap://ldap:389"`),
			expect{status: checks.OK, rung: checks.Ask, id: "live-ldap-refused", at: "LDAP_SERVER=", says: "refused", message: "10 users"}},
	}
}

func TestLDAPOneFaultInTheDeployment(t *testing.T) {
	l := labtest.New(t)
	server := directory(t, l, lab.SlapdOptions{})
	for _, c := range ldapFaults() {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.pin("ldap:389", server.Address)
			s.pin("dead.example.org:389", closedPort(t))
			c.edit(s)
			r := checkLDAP(s)
			s.want(r, c.expect)
			noSecrets(t, r)
		})
	}
}

// noSecrets: nothing of a result names a password of the deployment or the lab.
func noSecrets(t *testing.T, r checks.Result) {
	t.Helper()
	texts := []string{r.Message, r.Address}
	for _, f := range r.Findings {
		texts = append(texts, f.Title, f.Message, f.Remedy, f.Consequence, f.Key)
	}
	for _, text := range texts {
		for _, secret := range []string{adminPassword, readonlyPassword, "something-else", "database-secret"} {
			if strings.Contains(text, secret) {
				t.Errorf("a password is in %q", text)
			}
		}
	}
}

// Faults in the server, the deployment being right.
func TestLDAPOneFaultInTheServer(t *testing.T) {
	elsewhere := set(".env", base, "LDAP_SEARCH_BASE=dc=elsewhere,dc=org")
	bindAs := func(cn string) func(*scene) {
		return set(".env", bindDN, "LDAP_BIND_DN=cn="+cn+",ou=codes,dc=example,dc=org")
	}
	for _, c := range []struct {
		name    string
		options lab.SlapdOptions
		edit    func(*scene)
		expect  expect
	}{
		{"an older password in the volume", lab.SlapdOptions{ReadonlyPassword: "an-older-one"}, nil,
			expect{rung: checks.Authenticate, reason: checks.ReasonCredentials, id: "live-ldap-bad-credentials", at: "LDAP_BIND_PW="}},
		{"an empty directory", lab.SlapdOptions{Empty: true}, nil,
			expect{rung: checks.Authenticate, reason: checks.ReasonCredentials, id: "live-ldap-bad-credentials", at: "LDAP_BIND_PW="}},
		{"an empty directory, as its administrator", lab.SlapdOptions{Empty: true},
			both(set(".env", bindDN, "LDAP_BIND_DN=cn=admin,dc=example,dc=org"), set(".env", bindPW, "LDAP_BIND_PW="+adminPassword)),
			expect{rung: checks.Ask, reason: checks.ReasonNoBase, id: "live-ldap-no-such-base", at: "LDAP_SEARCH_BASE="}},
		{"a tree without users", lab.SlapdOptions{NoUsers: true}, nil,
			expect{rung: checks.Ask, reason: checks.ReasonNoUsers, id: "live-ldap-no-users", at: "LDAP_SEARCH_BASE="}},
		{"access rules that hide everything", lab.SlapdOptions{HideTree: true}, nil,
			expect{rung: checks.Ask, reason: checks.ReasonNoBase, id: "live-ldap-no-such-base", at: "LDAP_SEARCH_BASE="}},
		{"a referral", lab.SlapdOptions{Referral: "ldap://other.example.org"}, elsewhere,
			expect{rung: checks.Ask, reason: checks.ReasonReferral, id: "live-ldap-referral", at: "LDAP_SEARCH_BASE=", says: "other.example.org"}},
		{"a size limit", lab.SlapdOptions{SizeLimit: 4}, nil,
			expect{status: checks.OK, rung: checks.Ask, id: "live-ldap-size-limit", at: "LDAP_BIND_DN=", says: "after 4", message: "at least 4 users"}},
		{"no plain passwords", lab.SlapdOptions{Extra: []string{"disallow bind_simple"}}, nil,
			expect{rung: checks.Authenticate, reason: checks.ReasonBindRefused, id: "live-ldap-bind-refused", at: "LDAP_BIND_DN=", says: "code 53"}},
		{"searches only for others", lab.SlapdOptions{Extra: []string{"require SASL"}}, nil,
			expect{rung: checks.Ask, reason: checks.ReasonTLSRequired, id: "live-ldap-tls-required", at: "LDAP_SERVER=", says: "code 8"}},
		{"busy", lab.SlapdOptions{Codes: true}, bindAs("busy"),
			expect{rung: checks.Authenticate, reason: checks.ReasonBusy, id: "live-ldap-busy", at: "LDAP_SERVER=", says: "code 51"}},
		{"an account that Active Directory has locked", lab.SlapdOptions{Codes: true}, bindAs("locked"),
			expect{rung: checks.Authenticate, reason: checks.ReasonAccount, id: "live-ldap-account-blocked", at: "LDAP_BIND_DN=", says: "locked"}},
		{"an account that Active Directory does not know", lab.SlapdOptions{Codes: true}, bindAs("nobody"),
			expect{rung: checks.Authenticate, reason: checks.ReasonUnknownDN, id: "live-ldap-unknown-bind-dn", at: "LDAP_BIND_DN="}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.pin("ldap:389", directory(t, s.lab, c.options).Address)
			if c.edit != nil {
				c.edit(s)
			}
			r := checkLDAP(s)
			s.want(r, c.expect)
			noSecrets(t, r)
		})
	}
}

// The remedy depends on whether both ends of the configuration agree.
func TestLDAPPasswordRemedy(t *testing.T) {
	l := labtest.New(t)
	server := directory(t, l, lab.SlapdOptions{})
	for name, c := range map[string]struct {
		edit func(*scene)
		want string
	}{
		"only one end changed": {set(".env", bindPW, "LDAP_BIND_PW=something-else"),
			"Give LDAP_BIND_PW in .env and LDAP_READONLY_USER_PASSWORD in .env the same value"},
		"both ends changed": {both(set(".env", bindPW, "LDAP_BIND_PW=something-else"), set(".env", readonly, "LDAP_READONLY_USER_PASSWORD=something-else")),
			"only at its first start"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.pin("ldap:389", server.Address)
			c.edit(s)
			f := findingOf(checkLDAP(s), "live-ldap-bad-credentials")
			if f == nil || !strings.Contains(f.Remedy, c.want) {
				t.Fatalf("got %+v, want a remedy with %q", f, c.want)
			}
			related := false
			for _, place := range f.Locations {
				related = related || place.Role == finding.Related && strings.HasPrefix(s.line(place), "LDAP_READONLY_USER_PASSWORD=")
			}
			if !related {
				t.Errorf("the other end is not named: %v", f.Locations)
			}
		})
	}
}

func TestLDAPWithTLS(t *testing.T) {
	startTLS := serverSetting("KCCONF_LDAP_LDAP_STARTTLS=yes")
	ldaps := set(".env", "ldap://ldap:389", "ldaps://ldap:636")
	good := lab.LeafOptions{Names: []string{"ldap"}}
	day := 24 * time.Hour
	for _, c := range []struct {
		name   string
		leaf   lab.LeafOptions
		server lab.SlapdOptions
		edit   func(*scene)
		expect expect
	}{
		{"StartTLS", good, lab.SlapdOptions{RequireTLS: true}, startTLS, expect{status: checks.OK, rung: checks.Ask, message: "10 users"}},
		{"LDAPS", good, lab.SlapdOptions{}, ldaps, expect{status: checks.OK, rung: checks.Ask, message: "10 users"}},
		{"no StartTLS where it is required", good, lab.SlapdOptions{RequireTLS: true}, nil,
			expect{rung: checks.Authenticate, reason: checks.ReasonTLSRequired, id: "live-ldap-tls-required", at: "LDAP_SERVER=", says: "code 13"}},
		{"plain to the port of LDAPS", good, lab.SlapdOptions{}, set(".env", "ldap://ldap:389", "ldap://ldap:636"),
			expect{rung: checks.Greet, reason: checks.ReasonTLSOnPlain, id: "live-ldap-tls-on-plain", at: "LDAP_SERVER=", says: "speaks TLS"}},
		{"another name, StartTLS", lab.LeafOptions{Names: []string{"other.example.org"}}, lab.SlapdOptions{}, startTLS,
			expect{rung: checks.TLS, reason: checks.ReasonTLSName, id: "live-ldap-tls-name", at: "LDAP_SERVER=", says: "other.example.org"}},
		{"another name, LDAPS", lab.LeafOptions{Names: []string{"other.example.org"}}, lab.SlapdOptions{}, ldaps,
			expect{rung: checks.TLS, reason: checks.ReasonTLSName, id: "live-ldap-tls-name", at: "LDAP_SERVER=", says: "other.example.org"}},
		{"expired", lab.LeafOptions{Names: good.Names, NotBefore: time.Now().Add(-9 * day), NotAfter: time.Now().Add(-2 * day)}, lab.SlapdOptions{}, ldaps,
			expect{rung: checks.TLS, reason: checks.ReasonTLSExpired, id: "live-ldap-tls-expired", at: "LDAP_SERVER=", says: "expired on"}},
		{"not yet valid", lab.LeafOptions{Names: good.Names, NotBefore: time.Now().Add(2 * day)}, lab.SlapdOptions{}, ldaps,
			expect{rung: checks.TLS, reason: checks.ReasonTLSNotYet, id: "live-ldap-tls-not-yet-valid", at: "LDAP_SERVER=", says: "valid only from"}},
		{"signed by itself", lab.LeafOptions{Names: good.Names, SelfSigned: true}, lab.SlapdOptions{}, ldaps,
			expect{rung: checks.TLS, reason: checks.ReasonTLSUnknown, id: "live-ldap-tls-unknown-authority", at: "LDAP_SERVER=", says: "not trusted"}},
		{"for clients only", lab.LeafOptions{Names: good.Names, ClientOnly: true}, lab.SlapdOptions{}, ldaps,
			expect{rung: checks.TLS, reason: checks.ReasonTLSBad, id: "live-ldap-tls-bad-certificate", at: "LDAP_SERVER="}},
		{"client certificates demanded", good, lab.SlapdOptions{ClientCert: true}, ldaps,
			expect{rung: checks.TLS, reason: checks.ReasonTLSClient, id: "live-ldap-tls-client-certificate", at: "LDAP_SERVER=", says: "client certificate"}},
		{"client certificates demanded, StartTLS", good, lab.SlapdOptions{ClientCert: true}, startTLS,
			expect{rung: checks.TLS, reason: checks.ReasonTLSClient, id: "live-ldap-tls-client-certificate", at: "LDAP_SERVER=", says: "client certificate"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			c.server.Certificate = s.leaf(c.leaf)
			server := directory(t, s.lab, c.server)
			s.pin("ldap:389", server.Address)
			s.pin("ldap:636", server.SecureAddress)
			if c.edit != nil {
				c.edit(s)
			}
			s.want(checkLDAP(s), c.expect)
		})
	}
}

// An authority of the house counts where the container is given it.
func TestLDAPAuthorityOfTheContainer(t *testing.T) {
	s := newScene(t)
	own, err := lab.NewCA("House")
	labtest.Check(t, err)
	leaf, err := own.Issue(lab.LeafOptions{Names: []string{"ldap"}})
	labtest.Check(t, err)
	s.pin("ldap:636", directory(t, s.lab, lab.SlapdOptions{Certificate: leaf}).SecureAddress)
	s.edit(".env", "ldap://ldap:389", "ldaps://ldap:636")
	s.want(checkLDAP(s), expect{rung: checks.TLS, reason: checks.ReasonTLSUnknown, id: "live-ldap-tls-unknown-authority", at: "LDAP_SERVER="})

	writeFile(s, "ldap.conf", "# of the house\nTLS_CACERT /etc/ldap/house.pem\n")
	writeFile(s, "house.pem", string(own.PEM()))
	s.edit("docker-compose.yml", "      - kopanodata:/kopano/data", "      - ./ldap.conf:/etc/ldap/ldap.conf:ro\n      - ./house.pem:/etc/ldap/house.pem:ro\n      - kopanodata:/kopano/data")
	s.want(checkLDAP(s), expect{status: checks.OK, rung: checks.Ask, message: "10 users"})
}

func TestLDAPOfMail(t *testing.T) {
	l := labtest.New(t)
	server := directory(t, l, lab.SlapdOptions{})
	check := func(s *scene) checks.Result { return s.run(checks.CheckLDAP, "mail-ldap", "mail") }
	for _, c := range []ldapFault{
		{"nothing wrong", func(*scene) {}, expect{status: checks.OK, rung: checks.Ask, message: "users are found"}},
		{"filter that fits nobody", set(".env", "LDAP_QUERY_FILTER_USER=(&(kopanoAccount=1)(mail=%s))", "LDAP_QUERY_FILTER_USER=(&(kopanoAccount=1)(email=%s))"),
			expect{rung: checks.Ask, reason: checks.ReasonNoUsers, id: "live-ldap-no-users", at: "LDAP_QUERY_FILTER_USER=", says: "(email=*)"}},
		{"filter that is none", set(".env", "LDAP_QUERY_FILTER_USER=(&(kopanoAccount=1)(mail=%s))", "LDAP_QUERY_FILTER_USER=(&(kopanoAccount=1)(mail=%s)"),
			expect{rung: checks.Ask, reason: checks.ReasonBadFilter, id: "live-ldap-bad-filter", at: "LDAP_QUERY_FILTER_USER="}},
		{"password", set(".env", bindPW, "LDAP_BIND_PW=something-else"),
			expect{rung: checks.Authenticate, reason: checks.ReasonCredentials, id: "live-ldap-bad-credentials", at: "LDAP_BIND_PW="}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.pin("ldap:389", server.Address)
			c.edit(s)
			s.want(check(s), c.expect)
		})
	}
}

// Other servers on the port, and none.
func TestLDAPIsSomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		greeting string
		says     string
	}{
		"ssh":   {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "an SSH server answers there"},
		"mail":  {"220 mail.example.org ESMTP Postfix\r\n", "a mail server (SMTP) answers there"},
		"imap":  {"* OK IMAP4rev1 ready\r\n", "an IMAP server answers there"},
		"mysql": {"\x4a\x00\x00\x00\x0a5.5.5-10.11.19-MariaDB\x00", "a MySQL or MariaDB server answers there"},
		"zero":  {"0 is what I say\r\n", "does not speak LDAP"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			address, err := s.lab.Say([]byte(c.greeting))
			labtest.Check(t, err)
			s.pin("ldap:389", address)
			s.timeout = time.Second
			s.want(checkLDAP(s), expect{rung: checks.Greet, reason: checks.ReasonWrongServer, id: "live-ldap-wrong-protocol", at: "LDAP_SERVER=", says: c.says})
		})
	}
}

func TestLDAPRefusedAndNoRoute(t *testing.T) {
	s := newScene(t)
	s.pin("ldap:389", closedPort(t))
	s.want(checkLDAP(s), expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-ldap-refused", at: "LDAP_SERVER=", says: "ldap:389"})

	s = newScene(t)
	s.edit("docker-compose.ldap.yml", "    ports:\n      - \"127.0.0.1:${LDAPPORT:-389}:389\"\n", "")
	s.want(checkLDAP(s), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute, message: "--resolve ldap:389=ADDR:PORT"})
}

func TestLDAPBlackHole(t *testing.T) {
	s := newScene(t)
	address, err := s.lab.BlackHole()
	labtest.Check(t, err)
	s.pin("ldap:389", address)
	s.pin("ldap2.example.org:389", address)
	s.edit(".env", "LDAP_SERVER=ldap://ldap:389", `LDAP_SERVER="ldap://ldap:389 ldap://ldap2.example.org"`)
	s.timeout = 500 * time.Millisecond
	s.want(bounded(s, checks.CheckLDAP, "server-ldap", "kopano_server"), expect{rung: checks.Greet, reason: checks.ReasonSilent, id: "live-ldap-silent", at: "LDAP_SERVER=", says: "500ms"})
}

func TestLDAPHostile(t *testing.T) { hostile(t, "ldap:389", checkLDAP) }

// Messages that are LDAP at first sight, and then not what the library expects.
func TestLDAPMalformedAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"no body":          "\x30\x03\x02\x01\x01",
		"empty bind":       "\x30\x05\x02\x01\x01\x61\x00",
		"wrong tag":        "\x30\x07\x02\x01\x01\x7f\x02\x0a\x00",
		"huge length":      "\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x61",
		"endless nesting":  strings.Repeat("\x30\x80", 4000),
		"another message":  "\x30\x0c\x02\x01\x63\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
		"code that is not": "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x7f\x04\x00\x04\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			address, err := s.lab.Serve(func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte(answer))
				_, _ = c.Read(make([]byte, 4096))
			})
			labtest.Check(t, err)
			s.pin("ldap:389", address)
			s.timeout = 400 * time.Millisecond
			if r := bounded(s, checks.CheckLDAP, "server-ldap", "kopano_server"); r.Status != checks.Broken {
				t.Errorf("got %s: %s", r.Status, r.Message)
			}
		})
	}
}
