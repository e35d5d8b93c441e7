//go:build linux

package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/go-sql-driver/mysql"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

const sslFolder = "/kopano/ssl"

// certificates makes the files of kopano_ssl, if they are not there yet, and ends.
func certificates(*lab.Lab) error {
	if _, err := os.Stat(filepath.Join(sslFolder, "ca.pem")); err == nil {
		return errDone
	}
	ca, err := lab.WriteSSLFiles(sslFolder, os.Getenv("FQDN"))
	if err != nil {
		return err
	}
	leaf, err := lab.ServerLeaf(ca, os.Getenv("FQDN"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(sslFolder, "kopano_server.pem"), lab.Pair(leaf), 0o600); err != nil {
		return err
	}
	return errDone
}

// waitForFile waits for what another container makes, as the real images do.
func waitForFile(path string) {
	for n := 0; ; n++ {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if n%50 == 0 {
			log.Printf("waiting for %s", path)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// server plays kopano_server 11.0.2: its ports are bound before it has its
// database, and nothing answers on them until then; later the loss of the
// database or of the directory shows only in what its clients are told.
func server(l *lab.Lab) error {
	socket := "/run/kopano/server.sock"
	_ = os.Remove(socket)
	if bad, err := faulty(l, ":236", ":237", socket); bad {
		return err
	}
	file := filepath.Join(sslFolder, "kopano_server.pem")
	waitForFile(file)
	certificate, err := lab.ServerTLSFiles(file, file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(os.Getenv("KCCONF_SERVER_ATTACHMENT_PATH"), 0o755); err != nil {
		return err
	}
	ready := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-ready
		serverAnswer(w, r)
	})
	for _, listen := range []func() error{
		func() error {
			_, err := l.ServeHTTP(os.Getenv("KCCONF_SERVER_SERVER_LISTEN"), handler, nil)
			return err
		},
		func() error {
			_, err := l.ServeHTTP(os.Getenv("KCCONF_SERVER_SERVER_LISTEN_TLS"), handler, certificate)
			return err
		},
		func() error { return l.ServeHTTPSocket(socket, handler) },
	} {
		if err := listen(); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		err := askDatabase()
		if err == nil {
			break
		}
		if n%20 == 0 { // kopano-core provider/libserver/ECDatabaseMySQL.cpp: the words of its log
			log.Printf("[error  ] KC: ECDatabaseMySQL::Connect(): mysql connect fail: %v", err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	if err := askDirectory("*"); err != nil {
		log.Printf("[error  ] Cannot instantiate user plugin: ldap_bind_s: %v", err)
	}
	close(ready)
	log.Print("[notice ] Startup succeeded on pid 1")
	return nil
}

// serverAnswer answers a plain GET as SOAP does. Under /lab/ the other parts
// ask what kopano_server's own protocol would tell them.
func serverAnswer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/lab/session":
		if err := askDatabase(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	case "/lab/user":
		if err := askDirectory(r.URL.Query().Get("mail")); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
		}
	default:
		lab.SOAP().ServeHTTP(w, r)
	}
}

func askDatabase() error {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(os.Getenv("KCCONF_SERVER_MYSQL_HOST"), os.Getenv("KCCONF_SERVER_MYSQL_PORT"))
	c.User, c.Passwd, c.DBName = os.Getenv("KCCONF_SERVER_MYSQL_USER"), os.Getenv("KCCONF_SERVER_MYSQL_PASSWORD"), os.Getenv("KCCONF_SERVER_MYSQL_DATABASE")
	c.Timeout, c.ReadTimeout, c.Logger = 2*time.Second, 2*time.Second, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

// askDirectory looks for a user by mail address, as the plugin does.
func askDirectory(mail string) error {
	conn, err := ldap.DialURL(os.Getenv("KCCONF_LDAP_LDAP_URI"), ldap.DialWithDialer(&net.Dialer{Timeout: 2 * time.Second}))
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetTimeout(2 * time.Second)
	if err := conn.Bind(os.Getenv("KCCONF_LDAP_LDAP_BIND_USER"), os.Getenv("KCCONF_LDAP_LDAP_BIND_PASSWD")); err != nil {
		return err
	}
	if mail != "*" {
		mail = ldap.EscapeFilter(mail)
	}
	filter := fmt.Sprintf("(&(objectClass=kopano-user)(|(mail=%[1]s)(kopanoAliases=%[1]s)))", mail)
	got, err := conn.Search(ldap.NewSearchRequest(os.Getenv("KCCONF_LDAP_LDAP_SEARCH_BASE"), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 1, 2, false, filter, []string{"1.1"}, nil))
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return err
	}
	if len(got.Entries) == 0 {
		return fmt.Errorf("no user %s", mail)
	}
	return nil
}

// askServer asks kopano_server as this part is told to: over its socket unless
// the setting names another way.
func askServer(setting, path string) error {
	address := os.Getenv(setting)
	client := &http.Client{Timeout: 20 * time.Second}
	if address == "" || strings.HasPrefix(address, "file:") || strings.HasPrefix(address, "default:") {
		socket := strings.TrimPrefix(strings.TrimPrefix(address, "file://"), "default:")
		if socket == "" {
			socket = "/run/kopano/server.sock"
		}
		address = "http://kopano_server/"
		client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}
	}
	answer, err := client.Get(strings.TrimSuffix(address, "/") + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return fmt.Errorf("kopano_server: %s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// dagent is a real Dovecot speaking LMTP, behind what kopano_dagent does first:
// it logs on to kopano_server before it greets, and asks it for each recipient.
func dagent(l *lab.Lab) error {
	listen := os.Getenv("KCCONF_DAGENT_LMTP_LISTEN")
	if bad, err := faulty(l, listen); bad {
		return err
	}
	backend, err := l.Dovecot(lab.DovecotOptions{Users: addresses()})
	if err != nil {
		return err
	}
	return l.ServeOn("tcp", listen, func(c net.Conn) {
		if err := askServer("KCCONF_DAGENT_SERVER_SOCKET", "/lab/session"); err != nil {
			log.Printf("[error  ] GetSession failed: %v", err)
			_, _ = io.WriteString(c, "421 internal error: GetSession failed\r\n")
			return
		}
		relay(c, backend, func(line string) string {
			verb, rest, _ := strings.Cut(line, ":")
			if !strings.EqualFold(strings.TrimSpace(verb), "RCPT TO") {
				return ""
			}
			mail := strings.Trim(strings.Fields(rest + " .")[0], "<>")
			if err := askServer("KCCONF_DAGENT_SERVER_SOCKET", "/lab/user?mail="+url.QueryEscape(mail)); err != nil {
				log.Printf("[error  ] Requested e-mail address \"%s\" does not resolve to a user.", mail)
				return "503 5.1.1 User does not exist\r\n"
			}
			return ""
		})
	})
}

// gateway is a real Dovecot speaking IMAP, behind kopano_gateway's own words
// for a lost kopano_server.
func gateway(l *lab.Lab) error {
	listen := os.Getenv("KCCONF_GATEWAY_IMAP_LISTEN")
	if bad, err := faulty(l, listen); bad {
		return err
	}
	backend, err := l.Dovecot(lab.DovecotOptions{Users: addresses(), Serves: "imap"})
	if err != nil {
		return err
	}
	return l.ServeOn("tcp", listen, func(c net.Conn) {
		relay(c, backend, func(line string) string {
			fields := strings.Fields(line)
			if len(fields) < 2 || !strings.EqualFold(fields[1], "LOGIN") {
				return ""
			}
			if err := askServer("KCCONF_GATEWAY_SERVER_SOCKET", "/lab/session"); err != nil {
				log.Printf("[error  ] OpenECSession failed: %v", err)
				return fields[0] + " BAD Internal error: OpenECSession failed\r\n"
			}
			return ""
		})
	})
}

// addresses are those of the directory's users.
func addresses() []string {
	domain := domain()
	out := []string{"postmaster@" + domain}
	for _, id := range lab.UserIDs() {
		out = append(out, id+"@"+domain)
	}
	return out
}

// relay passes lines on to a server and its answers back. Answer may answer a
// line itself.
func relay(c net.Conn, address string, answer func(line string) string) {
	backend, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		log.Print(err)
		return
	}
	defer backend.Close()
	go func() {
		_, _ = io.Copy(c, backend)
		_ = c.Close()
	}()
	lines := bufio.NewScanner(io.LimitReader(c, 1<<20))
	for lines.Scan() {
		if own := answer(lines.Text()); own != "" {
			_, _ = io.WriteString(c, own)
			continue
		}
		if _, err := io.WriteString(backend, lines.Text()+"\r\n"); err != nil {
			return
		}
	}
}

// search plays kopano_search.
func search(l *lab.Lab) error {
	socket := "/run/kopano/search.sock"
	_ = os.Remove(socket)
	if bad, err := faulty(l, socket); bad {
		return err
	}
	return l.ServeSocket(socket, lab.Search)
}

// visitor plays kopano_spooler and kopano_monitor, which serve nobody and keep
// a session at kopano_server.
func visitor(l *lab.Lab) error {
	if bad, err := faulty(l); bad {
		return err
	}
	go func() {
		last := ""
		for {
			now := "[notice ] Connection to storage server succeeded"
			if err := askServer("", "/lab/session"); err != nil {
				now = "[error  ] Unable to open admin session: network error (80040115)"
			}
			if now != last {
				log.Print(now)
			}
			last = now
			time.Sleep(2 * time.Second)
		}
	}()
	return nil
}

// idle plays a service that only runs.
func idle(l *lab.Lab) error {
	_, err := faulty(l)
	return err
}
