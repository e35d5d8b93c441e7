//go:build linux

package main

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

//go:embed postfix
var postfixFiles embed.FS

// postfixConfig is what the templates see.
type postfixConfig struct {
	Dir, Domain, Networks, Transport string
	LDAP                             map[string]string // the environment's LDAP_… settings
	Cert, Key                        string
}

// mail is Postfix as docker-mailserver sets it up: addresses looked up in the
// directory, mail handed to kopano_dagent by LMTP, logins checked by saslauthd
// at kopano_gateway.
func mail(l *lab.Lab) error {
	if bad, err := faulty(l, ":25", ":465", ":587"); bad {
		return err
	}
	dir, err := l.Folder("p")
	if err != nil {
		return err
	}
	c := postfixConfig{Dir: dir, Domain: domain(), Transport: os.Getenv("POSTFIX_DAGENT"), Cert: os.Getenv("SSL_CERT_PATH"), Key: os.Getenv("SSL_KEY_PATH"),
		LDAP: environment("LDAP_SERVER_HOST", "LDAP_BIND_DN", "LDAP_BIND_PW", "LDAP_SEARCH_BASE", "LDAP_QUERY_FILTER_USER", "LDAP_QUERY_FILTER_GROUP", "LDAP_QUERY_FILTER_ALIAS", "LDAP_QUERY_FILTER_DOMAIN")}
	if os.Getenv("LAB_FAULT") != "no-relay" {
		c.Networks = connectedNetworks()
	}
	if err := errors.Join(mailCertificate(c), c.write(), readableByAll(dir, l.Dir)); err != nil {
		return err
	}
	if err := l.RunPostfix(filepath.Join(dir, "config"), "127.0.0.1:25"); err != nil {
		return err
	}
	return startSaslauthd(l, dir)
}

// mailCertificate makes the certificate that SSL_TYPE=manual expects.
func mailCertificate(c postfixConfig) error {
	if _, err := os.Stat(c.Cert); err == nil {
		return nil
	}
	ca, err := lab.NewCA("Mail")
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(lab.LeafOptions{Names: []string{"mail." + c.Domain, "mail"}})
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(c.Cert), 0o755), os.WriteFile(c.Cert, leaf.CertPEM(), 0o644), os.WriteFile(c.Key, leaf.KeyPEM(), 0o600))
}

// connectedNetworks gives the networks of PERMIT_DOCKER=connected-networks.
func connectedNetworks() string {
	var out []string
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if _, network, err := net.ParseCIDR(a.String()); err == nil && network.IP.To4() != nil {
			out = append(out, network.String())
		}
	}
	return strings.Join(out, " ")
}

func (c postfixConfig) write() error {
	templates, err := template.ParseFS(postfixFiles, "postfix/*.tmpl")
	if err != nil {
		return err
	}
	for _, name := range []string{"queue", "data", "config"} {
		if err := os.Mkdir(filepath.Join(c.Dir, name), 0o755); err != nil {
			return err
		}
	}
	if err := lab.GiveToPostfix(filepath.Join(c.Dir, "data")); err != nil {
		return err
	}
	files := map[string]string{"main.cf": "", "master.cf": ""}
	for name := range files {
		var b strings.Builder
		if err := templates.ExecuteTemplate(&b, name+".tmpl", c); err != nil {
			return err
		}
		files[name] = b.String()
	}
	for _, kind := range []string{"user", "group", "alias", "domain"} {
		files[kind+".cf"] = c.lookup(c.LDAP["LDAP_QUERY_FILTER_"+strings.ToUpper(kind)])
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(c.Dir, "config", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// lookup is one of docker-mailserver's four LDAP tables.
func (c postfixConfig) lookup(filter string) string {
	return fmt.Sprintf("server_host = %s\nsearch_base = %s\nversion = 3\nbind = yes\nbind_dn = %s\nbind_pw = %s\nquery_filter = %s\nresult_attribute = mail\ntimeout = 3\n",
		c.LDAP["LDAP_SERVER_HOST"], c.LDAP["LDAP_SEARCH_BASE"], c.LDAP["LDAP_BIND_DN"], c.LDAP["LDAP_BIND_PW"], filter)
}

// readableByAll opens a folder and those above it: Postfix' own processes run
// under another name.
func readableByAll(dir, top string) error {
	for d := dir; len(d) >= len(top); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// startSaslauthd has passwords checked by an IMAP login (rimap), as
// SASLAUTHD_MECHANISMS says.
func startSaslauthd(l *lab.Lab, dir string) error {
	const folder = "/var/run/saslauthd"
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.MkdirAll("/etc/postfix/sasl", 0o755),
		os.WriteFile("/etc/postfix/sasl/smtpd.conf", []byte("pwcheck_method: saslauthd\nmech_list: PLAIN LOGIN\n"), 0o644)); err != nil {
		return err
	}
	program, err := exec.LookPath("saslauthd")
	if err != nil {
		return err
	}
	// It resolves the host once, at its start, and ends when it cannot; the real
	// image has a supervisor start it again.
	for host := os.Getenv("SASLAUTHD_MECH_OPTIONS"); ; time.Sleep(300 * time.Millisecond) {
		if _, err := net.LookupHost(host); err == nil {
			break
		}
	}
	there := func() error { _, err := os.Stat(folder + "/mux"); return err }
	_, err = l.Run(dir, nil, there, program, "-d", "-a", os.Getenv("SASLAUTHD_MECHANISMS"), "-O", os.Getenv("SASLAUTHD_MECH_OPTIONS"), "-m", folder, "-n", "2", "-r")
	return err
}
