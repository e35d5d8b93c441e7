package checks_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// entry is a user below ou=south, with lines of LDIF besides what every user has.
func entry(uid string, number int, lines ...string) string {
	return fmt.Sprintf("\ndn: uid=%s,ou=south,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: kopano-user\n"+
		"uid: %s\ncn: %s\nsn: %s\nuidNumber: %d\ngidNumber: 10000\nhomeDirectory: /home/%s\n%s\n", uid, uid, uid, uid, number, uid, strings.Join(lines, "\n"))
}

func checkMailLDAP(s *scene) checks.Result { return s.run(checks.CheckLDAP, "mail-ldap", "mail") }

// What is wrong with people in a directory that works.
func TestLDAPPeople(t *testing.T) {
	warned := func(reason checks.Reason, at, says string) expect {
		return expect{status: checks.OK, rung: checks.Ask, id: "live-ldap-" + string(reason), at: at, says: says}
	}
	good := expect{status: checks.OK, rung: checks.Ask}
	for _, c := range []struct {
		name    string
		options lab.SlapdOptions
		edit    func(*scene)
		check   func(*scene) checks.Result
		expect  expect
	}{
		{"the same number", lab.SlapdOptions{Entries: entry("olga", 10003, "mail: olga@example.org")}, nil, checkLDAP,
			warned(checks.ReasonSameUniqueID, "  ldap:", "carla, olga")},
		{"the same login in another company", lab.SlapdOptions{Entries: entry("anna", 10050, "mail: anna2@example.org")}, nil, checkLDAP,
			warned(checks.ReasonSameLogin, "  ldap:", "anna (anna, anna)")},
		{"the same login, where the company is a part of it", lab.SlapdOptions{Entries: entry("anna", 10050, "mail: anna2@example.org")},
			serverSetting("KCCONF_SERVER_ENABLE_HOSTED_KOPANO=yes"), checkLDAP, good},
		{"an alias that is another's address", lab.SlapdOptions{Entries: entry("olga", 10050, "mail: olga@example.org", "kopanoAliases: BERT@example.org")}, nil, checkLDAP,
			warned(checks.ReasonSameAddress, "  ldap:", "bert@example.org (bert, olga)")},
		{"an alias that is the user's own address", lab.SlapdOptions{Entries: entry("olga", 10050, "mail: olga@example.org", "kopanoAliases: Olga@Example.org")}, nil, checkLDAP, good},
		{"no address", lab.SlapdOptions{Entries: entry("backup", 10050, "kopanoAccount: 1")}, nil, checkLDAP,
			warned(checks.ReasonNoAddress, "  ldap:", "1 user is without mail: backup")},
		{"no address, and no mailbox", lab.SlapdOptions{Entries: entry("backup", 10050, "kopanoAccount: 0")}, nil, checkLDAP, good},
		{"no address, a shared mailbox", lab.SlapdOptions{Entries: entry("room", 10050, "kopanoSharedStoreOnly: 1")}, nil, checkLDAP, good},
		{"features in one value", lab.SlapdOptions{Entries: entry("olga", 10050, "mail: olga@example.org", "kopanoEnabledFeatures: imap, pop3")}, nil, checkLDAP,
			warned(checks.ReasonFeatureValue, "  ldap:", `olga ("imap, pop3")`)},
		{"IMAP for nobody", lab.SlapdOptions{NoIMAP: true}, nil, checkLDAP, warned(checks.ReasonNoIMAP, "  ldap:", "kopano_gateway runs")},
		{"IMAP for nobody, by the server's setting", lab.SlapdOptions{NoIMAP: true}, serverSetting("KCCONF_SERVER_DISABLED_FEATURES=imap"), checkLDAP,
			warned(checks.ReasonNoIMAP, "KCCONF_SERVER_DISABLED_FEATURES=", "imap")},
		{"IMAP for all", lab.SlapdOptions{NoIMAP: true}, serverSetting("KCCONF_SERVER_DISABLED_FEATURES=pop3"), checkLDAP, good},
		{"another unique attribute, which nobody has", lab.SlapdOptions{}, serverSetting("KCCONF_LDAP_LDAP_USER_UNIQUE_ATTRIBUTE=employeeNumber"), checkLDAP,
			expect{rung: checks.Ask, reason: checks.ReasonNoUniqueID, id: "live-ldap-unique-id-missing", at: "KCCONF_LDAP_LDAP_USER_UNIQUE_ATTRIBUTE=", says: "none of them shows employeeNumber"}},
		{"another unique attribute, which one has", lab.SlapdOptions{Entries: entry("olga", 10050, "mail: olga@example.org", "employeeNumber: 7")},
			serverSetting("KCCONF_LDAP_LDAP_USER_UNIQUE_ATTRIBUTE=employeeNumber"), checkLDAP,
			warned(checks.ReasonNoUniqueID, "KCCONF_LDAP_LDAP_USER_UNIQUE_ATTRIBUTE=", "10 users are without employeeNumber: anna, bert, carla and 7 more")},
		{"several storage servers", lab.SlapdOptions{}, serverSetting("KCCONF_SERVER_ENABLE_DISTRIBUTED_KOPANO=yes"), checkLDAP,
			warned(checks.ReasonNoHome, "  ldap:", "9 users are without kopanoUserServer")},
		{"many people", lab.SlapdOptions{UserCount: 5500, SizeLimit: 100000}, nil, checkLDAP, expect{status: checks.OK, rung: checks.Ask, message: "more than 5000 users"}},

		{"mail does not know one", lab.SlapdOptions{Entries: entry("olga", 10050, "mail: olga@example.org")}, nil, checkMailLDAP,
			warned(checks.ReasonUnknownToMail, "LDAP_QUERY_FILTER_USER=", "olga@example.org")},
		{"mail does not know one, and the server neither", lab.SlapdOptions{Entries: entry("olga", 10050, "mail: olga@example.org")},
			serverSetting("KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=(kopanoAccount=1)"), checkMailLDAP, good},
		{"mail knows one by another filter", lab.SlapdOptions{Entries: entry("olga", 10050, "mail: olga@example.org")},
			set(".env", "LDAP_QUERY_FILTER_GROUP=(&(objectclass=kopano-group)(mail=%s))", "LDAP_QUERY_FILTER_GROUP=(mail=%s)"), checkMailLDAP, good},
		{"mail looks elsewhere", lab.SlapdOptions{}, mailBase("ou=north,dc=example,dc=org"), checkMailLDAP,
			warned(checks.ReasonUnknownToMail, "LDAP_QUERY_FILTER_USER=", "finn@example.org, greta@example.org, hugo@example.org and 1 more")},
		{"mail does not know the domain", lab.SlapdOptions{}, set(".env", "LDAP_QUERY_FILTER_DOMAIN=(|(mail=*@%s)(kopanoAliases=*@%s))", "LDAP_QUERY_FILTER_DOMAIN=(ou=%s)"), checkMailLDAP,
			warned(checks.ReasonDomainUnknown, "LDAP_QUERY_FILTER_DOMAIN=", "example.org (9 users)")},
		{"mail knows the domain by its users only", lab.SlapdOptions{}, set(".env", "LDAP_QUERY_FILTER_DOMAIN=(|(mail=*@%s)(kopanoAliases=*@%s))", "LDAP_QUERY_FILTER_DOMAIN=(mail=*@%s)"), checkMailLDAP, good},

		{"no schema, for mail", lab.SlapdOptions{Plain: true}, nil, checkMailLDAP,
			expect{rung: checks.Ask, reason: checks.ReasonNoSchema, id: "live-ldap-no-kopano-schema", at: "  ldap:", says: "from which kopanoAccount comes"}},
		{"no schema, which the server's filter does not need", lab.SlapdOptions{Plain: true}, nil, checkLDAP, warned(checks.ReasonNoIMAP, "  ldap:", "imap")},
		{"no schema, and a filter of our own", lab.SlapdOptions{Plain: true}, serverSetting("KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=(kopanoAccount=1)"), checkLDAP,
			expect{rung: checks.Ask, reason: checks.ReasonNoSchema, id: "live-ldap-no-kopano-schema", at: "  ldap:", says: "nobody is found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.pin("ldap:389", directory(t, s.lab, c.options).Address)
			if c.edit != nil {
				c.edit(s)
			}
			r := c.check(s)
			s.want(r, c.expect)
			noSecrets(t, r)
		})
	}
}

// mailBase gives the mail transport a search base of its own.
func mailBase(base string) func(*scene) {
	return set("docker-compose.mail.yml", "LDAP_SEARCH_BASE: ${LDAP_SEARCH_BASE}", "LDAP_SEARCH_BASE: "+base)
}

// What stands in a directory is written by others: names that would colour a
// terminal, or forge a line of the report.
func TestLDAPHostilePeople(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	evil := "ev\x1b[31mil\nerror: all is lost" + strings.Repeat("!", 300)
	entry := "\ndn: cn=evil,ou=south,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: kopano-user\ncn: evil\nsn: evil\n" +
		"uidNumber: 10001\ngidNumber: 10000\nhomeDirectory: /\nuid:: " + encode(evil) + "\nkopanoEnabledFeatures: imap,pop3\n"
	s := newScene(t)
	s.pin("ldap:389", directory(t, s.lab, lab.SlapdOptions{Entries: entry}).Address)
	r := checkLDAP(s)
	if len(r.Findings) != 3 { // the number, no address, the list of features
		t.Errorf("got %d findings: %+v", len(r.Findings), r.Findings)
	}
	for _, f := range r.Findings {
		if strings.ContainsAny(f.Message, "\x1b\n") || len(f.Message) > 500 || !strings.Contains(f.Message, "ev[31mil error: all") {
			t.Errorf("%s says %q", f.ID, f.Message)
		}
	}
}

// Two copies of a directory hold the same people: what is wrong is said once.
func TestLDAPPeopleOfTwoServers(t *testing.T) {
	s := newScene(t)
	server := directory(t, s.lab, lab.SlapdOptions{NoIMAP: true})
	s.pin("ldap:389", server.Address)
	s.pin("ldap2.example.org:389", server.Address)
	s.edit(".env", "LDAP_SERVER=ldap://ldap:389", `LDAP_SERVER="ldap://ldap:389 ldap://ldap2.example.org"`)
	if r := checkLDAP(s); len(r.Findings) != 1 || r.Findings[0].ID != "live-ldap-imap-for-nobody" {
		t.Errorf("got %+v", r.Findings)
	}
}

// slowly passes on to a server, and waits before each question in which one of
// the words stands: a real one without indexes needs more entries to be slow
// than a test has time to make.
func slowly(t *testing.T, l *lab.Lab, server string, wait time.Duration, words ...string) string {
	t.Helper()
	address, err := l.Serve(func(c net.Conn) {
		to, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer to.Close()
		go func() { _, _ = io.Copy(c, to); c.Close() }()
		question := make([]byte, 64<<10)
		for {
			n, err := c.Read(question)
			if err != nil {
				return
			}
			for _, w := range words {
				if bytes.Contains(question[:n], []byte(w)) {
					time.Sleep(wait)
					break
				}
			}
			if _, err := to.Write(question[:n]); err != nil {
				return
			}
		}
	})
	labtest.Check(t, err)
	return address
}

// A directory that needs long for each page is not broken.
func TestLDAPSlowPages(t *testing.T) {
	s := newScene(t)
	server := directory(t, s.lab, lab.SlapdOptions{UserCount: 3500, SizeLimit: 100000})
	s.pin("ldap:389", slowly(t, s.lab, server.Address, 1200*time.Millisecond, "1.2.840.113556.1.4.319")) // the control for pages
	s.timeout = 2 * time.Second
	s.want(checkLDAP(s), expect{status: checks.OK, rung: checks.Ask, message: "more than "})
}

func TestLDAPSlow(t *testing.T) {
	l := labtest.New(t)
	server := directory(t, l, lab.SlapdOptions{})
	slow := expect{status: checks.OK, rung: checks.Ask, id: "live-ldap-slow-search", at: "  ldap:", says: "a search for one address takes"}
	for name, c := range map[string]struct {
		wait   time.Duration
		words  []string
		check  func(*scene) checks.Result
		expect expect
	}{
		"one address":            {600 * time.Millisecond, []string{"kopano-doctor.invalid"}, checkLDAP, slow},
		"one address, for mail":  {600 * time.Millisecond, []string{"kopano-doctor.invalid"}, checkMailLDAP, slow},
		"a little":               {200 * time.Millisecond, []string{"kopano-doctor.invalid"}, checkLDAP, expect{status: checks.OK, rung: checks.Ask}},
		"everything: a long way": {600 * time.Millisecond, []string{"dc=example"}, checkLDAP, expect{status: checks.OK, rung: checks.Ask}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.pin("ldap:389", slowly(t, l, server.Address, c.wait, c.words...))
			s.want(c.check(s), c.expect)
		})
	}
}
