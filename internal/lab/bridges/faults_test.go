//go:build linux && lab

package bridges

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// fault is one thing that goes wrong, and what the doctor must lead with.
type fault struct {
	name  string
	plant plant
	id    string // of the finding that must come first
	about string // and its subject
}

const soon = 1500 * time.Millisecond // until a service that was made anew answers, or ends

func faults() []fault {
	var out []fault
	for _, s := range []string{"db", "ldap", "kopano_server", "mail", "kopano_dagent", "kopano_gateway", "kopano_konnect", "kopano_kwmserver", "web", "kopano_kapi", "kopano_grapi", "kopano_search", "kopano_webapp", "kopano_zpush", "kopano_spooler", "kopano_ical"} {
		out = append(out, fault{s + " stopped", stopped(s), "live-container-exited", s})
	}
	for _, s := range []string{"db", "ldap", "kopano_server", "kopano_konnect", "mail"} {
		out = append(out, fault{s + " paused", paused(s), "live-container-paused", s})
	}
	out = append(out,
		fault{"kopano_dagent killed", killed("kopano_dagent"), "live-container-exited", "kopano_dagent"},
		fault{"kopano_kdav removed", removed("kopano_kdav"), "live-container-not-created", "kopano_kdav"},
		fault{"kopano_meet removed", removed("kopano_meet"), "live-container-not-created", "kopano_meet"},
		fault{"everything stopped", everything([]string{"stop", "-t", "2"}, []string{"start"}), "live-container-none-runs", "kopanodoctorlab"},
		fault{"kopano_gateway starts over and over", settled(2*soon, behaves("kopano_gateway", "exit")), "live-container-restarting", "kopano_gateway"},
		fault{"kopano_konnect starts over and over", settled(2*soon, behaves("kopano_konnect", "exit")), "live-container-restarting", "kopano_konnect"},
		fault{"kopano_search killed by its memory limit", settled(2*soon, behavesWith("kopano_search", "\n    mem_limit: 48m\n    environment: {LAB_FAULT: eat}")), "live-container-out-of-memory", "kopano_search"},

		fault{"db off kopano-net", disconnected("db", "kopano-net"), "live-container-networks-changed", "db"},
		fault{"ldap off ldap-net", disconnected("ldap", "ldap-net"), "live-container-networks-changed", "ldap"},
		fault{"kopano_server off kopano-net", disconnected("kopano_server", "kopano-net"), "live-container-networks-changed", "kopano_server"},
		fault{"mail off kopano-net", disconnected("mail", "kopano-net"), "live-container-networks-changed", "mail"},
		fault{"web off web-net", disconnected("web", "web-net"), "live-container-networks-changed", "web"},
		fault{"kopano_kapi off web-net", disconnected("kopano_kapi", "web-net"), "live-container-networks-changed", "kopano_kapi"},

		fault{"a new database password, as the database remembers the old one", env("MYSQL_PASSWORD", "Rw6bUj9tCm3zXe7nKv2yDq5g", "Other7password", "db", "kopano_server"), "live-mariadb-bad-credentials", "kopano_server → db"},
		fault{"a new database password, nothing made anew", env("MYSQL_PASSWORD", "Rw6bUj9tCm3zXe7nKv2yDq5g", "Other7password"), "live-mariadb-bad-credentials", "kopano_server → db"},
		fault{"a wrong bind password", env("LDAP_BIND_PW", "Ht5gYk2nWq8vRj3xPb6mCd9s", "Other7password", "kopano_server", "mail"), "link-credentials-differ", "kopano_server"},
		fault{"a bind DN that does not exist", env("LDAP_BIND_DN", "cn=readonly,dc=example,dc=org", "cn=readonli,dc=example,dc=org", "kopano_server", "mail"), "ldap-bind-dn-not-created", "mail"},
		fault{"a search base of another tree", env("LDAP_SEARCH_BASE", "dc=example,dc=org", "dc=example,dc=net", "kopano_server", "mail"), "ldap-search-base-outside", "mail"},
		fault{"a directory host that does not exist", env("LDAP_SERVER", "ldap://ldap:389", "ldap://ldapp:389", "kopano_server", "mail"), "link-host-unknown", "mail"},
		fault{"a directory port that nobody listens on", env("LDAP_SERVER", "ldap://ldap:389", "ldap://ldap:3389", "kopano_server", "mail"), "link-port-mismatch", "mail"},
		fault{"a database host that does not exist", env("MYSQL_HOST", "db", "dbb", "kopano_server"), "link-host-unknown", "kopano_server"},
		fault{"a database that does not exist", env("MYSQL_DATABASE", "kopano", "kopano2", "kopano_server", "db"), "live-mariadb-database-denied", "kopano_server → db"},
		fault{"a database user that does not exist", env("MYSQL_USER", "kopano", "kopan", "kopano_server", "db"), "live-mariadb-bad-credentials", "kopano_server → db"},
		fault{"mail handed in at the wrong port", changed([]edit{{"docker-compose.mail.yml", "lmtp:kopano_dagent:2003", "lmtp:kopano_dagent:2004"}}, "mail"), "link-port-mismatch", "mail"},
		fault{"the spooler's mail server does not exist", changed([]edit{{"docker-compose.yml", "KCCONF_SPOOLER_SMTP_SERVER: mail", "KCCONF_SPOOLER_SMTP_SERVER: mailx"}}, "kopano_spooler"), "link-host-unknown", "kopano_spooler"},
		fault{"kapi waits for another issuer", changed([]edit{{"docker-compose.yml", "KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER: https://${FQDN}", "KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER: https://${FQDN}/konnect"}}, "kopano_kapi"), "issuer-mismatch", "kopano_kapi"},
		fault{"kopano_gateway asks a port that nobody serves", changed([]edit{{"docker-compose.yml", "KCCONF_GATEWAY_SERVER_SOCKET: http://kopano_server:236/", "KCCONF_GATEWAY_SERVER_SOCKET: http://kopano_server:2236/"}}, "kopano_gateway"), "link-port-mismatch", "kopano_gateway"},
		fault{"kopano_webapp without the socket's volume", changed([]edit{{"docker-compose.yml", "      - kopanosocket:/run/kopano\n      - kopanossl:/kopano/ssl\n      - kopanowebapp:", "      - kopanossl:/kopano/ssl\n      - kopanowebapp:"}}, "kopano_webapp"), "socket-volume-missing", "kopano_webapp"},
		fault{"kopano_zpush's container without the socket's volume", behavesWith("kopano_zpush", "\n    volumes: !override [\"zpushstates:/var/lib/z-push/\"]"), "live-container-mounts-changed", "kopano_zpush"},
		fault{"the scheduler without the engine's socket", changed([]edit{{"docker-compose.yml", "    volumes:\n      - /var/run/docker.sock:/var/run/docker.sock:ro\n", ""}}, "kopano_scheduler"), "docker-socket-missing", "kopano_scheduler"},
		fault{"an environment changed, and nothing made anew", changed([]edit{{"docker-compose.yml", "KCCONF_ICAL_SERVER_SOCKET: http://kopano_server:236/", "KCCONF_ICAL_SERVER_SOCKET: http://kopano_server:237/"}}), "link-port-mismatch", "kopano_ical"},

		fault{"the disk of kopano_server's data is full", inside("kopano_server", "head -c 70000000 /dev/zero > /kopano/data/filler || true", "rm /kopano/data/filler"), "live-container-disk-full", "kopano_kapi"},
		fault{"web without the name that the others call it by", env("FQDNCLEANED", "kopano.example.org", "other.example.org", "web"), "fqdncleaned-mismatch", "web"},
		fault{"the name server of kopano_spooler's container is gone", behavesWith("kopano_spooler", "\n    network_mode: none\n    networks: !reset {}"), "live-container-networks-changed", "kopano_spooler"},

		fault{"the certificate has expired", certificate(lab.LeafOptions{Names: []string{"kopano.example.org"}, NotBefore: time.Now().AddDate(0, 0, -90), NotAfter: time.Now().Add(-time.Hour)}), "live-certificate-tls-expired", "client → web"},
		fault{"the certificate is of tomorrow", certificate(lab.LeafOptions{Names: []string{"kopano.example.org"}, NotBefore: time.Now().Add(24 * time.Hour)}), "live-certificate-tls-not-yet-valid", "client → web"},
		fault{"the certificate is for another name", certificate(lab.LeafOptions{Names: []string{"mail.example.org"}}), "live-certificate-tls-name", "client → web"},
		fault{"the certificate has signed itself", certificate(lab.LeafOptions{Names: []string{"kopano.example.org"}, SelfSigned: true}), "live-certificate-self-signed", "client → web"},
		fault{"kopano_ssl: the key of kopano_dagent is missing", replaced("kopanossl", "kopano_dagent.pem", nil), "live-ssl-files-file-missing", "kopano_dagent → kopano_ssl"},
		fault{"kopano_ssl: the key of kopano_server is empty", replaced("kopanossl", "kopano_server.pem", empty), "live-ssl-files-file-empty", "kopano_server → kopano_ssl"},
		fault{"kopano_ssl: the key of kopano_spooler is no key", replaced("kopanossl", "kopano_spooler.pem", notAKey), "live-ssl-files-file-unreadable", "kopano_spooler → kopano_ssl"},
		fault{"kopano_ssl: another authority", replaced("kopanossl", "ca.pem", otherAuthority), "live-ssl-files-wrong-authority", "kopano_server → kopano_ssl"},
		fault{"kopano_ssl: Konnect's encryption key is cut short", replaced("kopanossl", "konnectd-encryption.key", cutShort), "live-ssl-files-key-length", "kopano_konnect → kopano_ssl"},

		fault{"db: packets dropped", packets("db", "3306", "DROP"), "live-mariadb-timeout", "kopano_server → db"},
		fault{"ldap: packets dropped", packets("ldap", "389", "DROP"), "live-ldap-timeout", "kopano_server → ldap"},
		fault{"kopano_dagent: packets dropped", packets("kopano_dagent", "2003", "DROP"), "live-lmtp-timeout", "mail → kopano_dagent"},
		fault{"kopano_konnect: packets dropped", packets("kopano_konnect", "8777", "DROP"), "live-oidc-timeout", "web → kopano_konnect"},
		fault{"mail: packets refused", packets("mail", "25", "REJECT --reject-with tcp-reset"), "live-smtp-refused", "password-self-service → mail"},
		fault{"kopano_kapi: packets refused", packets("kopano_kapi", "8039", "REJECT --reject-with icmp-host-unreachable"), "live-app-unreachable", "web → kopano_kapi"},

		fault{"db accepts and is silent", behaves("db", "silent"), "live-mariadb-silent", "kopano_server → db"},
		fault{"another server on db's port", behaves("db", "ssh"), "live-mariadb-wrong-protocol", "kopano_server → db"},
		fault{"db without Kopano's tables", behaves("db", "no-tables"), "live-mariadb-empty-database", "kopano_server → db"},
		fault{"ldap accepts and is silent", behaves("ldap", "silent"), "live-ldap-silent", "kopano_server → ldap"},
		fault{"ldap hangs up", behaves("ldap", "hang-up"), "live-ldap-closed", "kopano_server → ldap"},
		fault{"ldap without users", behaves("ldap", "no-users"), "live-ldap-no-users", "kopano_server → ldap"},
		fault{"ldap hides its tree", behaves("ldap", "hidden"), "live-ldap-no-such-base", "kopano_server → ldap"},
		fault{"kopano_server accepts and is silent", behaves("kopano_server", "silent"), "live-server-silent", "kopano_gateway → kopano_server"},
		fault{"kopano_dagent says half a greeting", behaves("kopano_dagent", "half"), "live-lmtp-wrong-protocol", "mail → kopano_dagent"},
		fault{"another server on kopano_dagent's port", behaves("kopano_dagent", "ssh"), "live-lmtp-wrong-protocol", "mail → kopano_dagent"},
		fault{"kopano_gateway accepts and is silent", behaves("kopano_gateway", "silent"), "live-imap-silent", "mail → kopano_gateway"},
		fault{"kopano_konnect is slow", behaves("kopano_konnect", "slow"), "live-oidc-silent", "web → kopano_konnect"},
		fault{"kopano_konnect without keys", behaves("kopano_konnect", "no-keys"), "live-oidc-no-keys", "kopano_kapi → web"},
		fault{"kopano_konnect calls itself by another name", behavesWith("kopano_konnect", "oidc_issuer_identifier: \"https://login.example.org\""), "live-oidc-issuer-differs", "web → kopano_konnect"},
		fault{"kopano_webapp answers with 500", behaves("kopano_webapp", "\"500\""), "live-app-app-error", "web → kopano_webapp"},
		fault{"kopano_kapi without its API", behavesWith("kopano_kapi", "LAB_WITHOUT: /api/gc"), "live-app-plugin-off", "web → kopano_kapi"},
		fault{"kopano_kwmserver without its RTM API", behaves("kopano_kwmserver", "no-rtm"), "live-signalling-rtm-off", "kopano_meet → kopano_kwmserver"},
		fault{"kopano_grapi accepts and is silent", behaves("kopano_grapi", "silent"), "live-grapi-silent", "kopano_kapi → kopano_grapi"},
		fault{"kopano_search hangs up", behaves("kopano_search", "hang-up"), "live-search-closed", "kopano_server → kopano_search"},
		fault{"mail accepts and is silent", behaves("mail", "silent"), "live-smtp-silent", "password-self-service → mail"},
		fault{"another server on mail's ports", behaves("mail", "ssh"), "live-smtp-not-smtp", "password-self-service → mail"},
		fault{"mail relays for nobody", behaves("mail", "no-relay"), "live-smtp-relay-denied", "kopano_spooler → mail"},
		fault{"kopano_server's socket is gone", socketGone("kopano_server", "server.sock"), "live-server-no-socket", "kopano_dagent → kopano_server"},
		fault{"kopano_search's socket is gone", socketGone("kopano_search", "search.sock"), "live-search-no-socket", "kopano_server → kopano_search"},
		fault{"the sockets of kopano_grapi are gone", socketGone("kopano_grapi", "grapi/rest0.sock", "grapi/rest1.sock"), "live-grapi-no-worker", "kopano_kapi → kopano_grapi"},
		fault{"the wrong address for db in kopano_server's hosts file", hosts("kopano_server", "192.0.2.9 db"), "live-mariadb-timeout", "kopano_server → db"},
		fault{"kopano_ical runs and listens nowhere", behaves("kopano_ical", "nothing"), "live-app-refused", "web → kopano_ical"},
	)
	return out
}

func TestFaults(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tthe doctor leads with\tabout\tother causes\tlinks down\ttime")
	only := os.Getenv("KOPANO_DOCTOR_LAB_FAULT")
	right, all := 0, 0
	for _, f := range faults() {
		if only != "" && !regexp.MustCompile(only).MatchString(f.name) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			all++
			undo, err := f.plant()
			if undo != nil {
				defer func() {
					if err := undo(); err != nil {
						t.Fatal(err)
					}
					if err := waitUntilWell(45 * time.Second); err != nil {
						t.Fatal(err)
					}
				}()
			}
			if err != nil {
				t.Fatal(err)
			}
			a, err := examine()
			if err != nil {
				t.Fatal(err)
			}
			roots := a.roots()
			if a.code != 1 || len(roots) == 0 {
				t.Errorf("exit code %d", a.code)
				fmt.Fprintf(w, "%s\tNOTHING\t\t\t\n", f.name)
				return
			}
			first := roots[0]
			others := len(roots) - 1
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%.1f s\n", f.name, first.ID, first.Subject, others, a.report.Summary.LinksBroken+a.report.Summary.LinksUnchecked, a.took.Seconds())
			if first.ID != f.id || first.Subject != f.about {
				t.Errorf("leads with %s about %s, not with %s about %s\n%s", first.ID, first.Subject, f.id, f.about, a.describe())
				return
			}
			if others > 0 {
				t.Errorf("%d more causes beside the right one\n%s", others, a.describe())
				return
			}
			right++
		})
	}
	w.Flush()
	fmt.Println(table.String())
	fmt.Printf("%d of %d faults: the right cause first, and all else folded under it\n", right, all)
	if file := os.Getenv("KOPANO_DOCTOR_LAB_TABLE"); file != "" {
		if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// certificate gives web another certificate.
func certificate(o lab.LeafOptions) plant {
	return func() (func() error, error) {
		return func() error { return theLab.WriteCertificate(lab.LeafOptions{Names: []string{theLab.FQDN}}) }, theLab.WriteCertificate(o)
	}
}

func empty([]byte) ([]byte, error) { return []byte{}, nil }

func cutShort(old []byte) ([]byte, error) { return old[:len(old)/2], nil }

func notAKey([]byte) ([]byte, error) { return []byte("-----BEGIN NONSENSE-----\n"), nil }

func otherAuthority([]byte) ([]byte, error) {
	ca, err := lab.NewCA("Somebody else")
	if err != nil {
		return nil, err
	}
	return ca.PEM(), nil
}
