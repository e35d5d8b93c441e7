package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/joho/godotenv"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// stage is the copy of the deployment and the servers behind it.
type stage struct {
	lab    *lab.Lab
	folder string
	env    map[string]string // .env
	pins   []string          // --resolve arguments
	// lost: kopano_server has no database. Its ports are open and nothing
	// answers, and kopano_dagent, which logs on to it first, does not greet.
	lost bool
}

// copyDeployment copies the folder's files, and adds what ties it to the lab:
// the volume of the certificates is a folder here.
func (s *stage) copyDeployment(source string) error {
	if err := os.CopyFS(s.folder, os.DirFS(source)); err != nil {
		return err
	}
	env, err := godotenv.Read(filepath.Join(s.folder, ".env"))
	if err != nil {
		return err
	}
	s.env = env
	for _, dir := range []string{"run/grapi", "data/attachments", "data/kapi-kvs"} {
		if err := os.MkdirAll(filepath.Join(s.folder, dir), 0o755); err != nil {
			return err
		}
	}
	override := "# Ties the deployment to this demonstration: its volumes are folders here.\nvolumes:\n"
	for volume, dir := range map[string]string{"kopanossl": s.sslFolder(), "kopanosocket": filepath.Join(s.folder, "run"), "kopanodata": filepath.Join(s.folder, "data")} {
		override += "  " + volume + ":\n    driver: local\n    driver_opts:\n      type: none\n      o: bind\n      device: " + dir + "\n"
	}
	override += "services:\n  kopano_scheduler:\n    volumes:\n      - " + filepath.Join(s.folder, "docker.sock") + ":/var/run/docker.sock\n" +
		"  kopano_dagent:\n    volumes:\n      - " + filepath.Join(s.folder, "kopano-autorespond") + ":/usr/local/bin/kopano-autorespond:ro\n"
	if err := os.WriteFile(filepath.Join(s.folder, "kopano-autorespond"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.folder, "docker-compose.demo.yml"), []byte(override), 0o644); err != nil {
		return err
	}
	file := filepath.Join(s.folder, ".env")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text = []byte(strings.Replace(string(text), "docker-compose.extras.yml", "docker-compose.extras.yml:docker-compose.demo.yml", 1))
	return os.WriteFile(file, text, 0o600)
}

func (s *stage) pin(name, address string) { s.pins = append(s.pins, name+"="+address) }

func (s *stage) start() error {
	for _, start := range []func() error{s.directory, s.database, s.delivery, s.certificates, s.web, s.mail, s.apps, s.sockets} {
		if err := start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) directory() error {
	server, err := s.lab.StartSlapd(lab.SlapdOptions{
		Base: s.env["LDAP_BASE_DN"], AdminPassword: s.env["LDAP_ADMIN_PASSWORD"], ReadonlyPassword: s.env["LDAP_READONLY_USER_PASSWORD"],
	})
	if err == nil {
		s.pin("ldap:389", server.Address)
	}
	return err
}

func (s *stage) database() error {
	server, err := s.lab.StartMariaDB(lab.MariaDBOptions{
		Database: s.env["MYSQL_DATABASE"], User: s.env["MYSQL_USER"], Password: s.env["MYSQL_PASSWORD"],
	})
	if err == nil {
		s.pin("db:3306", server.Address)
	}
	return err
}

func (s *stage) delivery() error {
	var address string
	var err error
	if s.lost {
		address, err = s.lab.Dagent(lab.DagentOptions{Waiting: true})
	} else {
		address, err = s.lab.Dovecot(lab.DovecotOptions{Users: []string{s.env["POSTMASTER_ADDRESS"]}})
	}
	if err == nil {
		s.pin("kopano_dagent:2003", address)
	}
	return err
}

// web starts Konnect's and kwmserver's parts, and the TLS front that people reach.
func (s *stage) web() error {
	ca, err := lab.NewCA("Lab")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.lab.Dir, "ca.pem"), ca.PEM(), 0o644); err != nil {
		return err
	}
	leaf, err := ca.Issue(lab.LeafOptions{Names: []string{s.env["FQDN"]}})
	if err != nil {
		return err
	}
	key, err := lab.SigningKey(s.sslFolder())
	if err != nil {
		return err
	}
	konnect, err := lab.OpenID(lab.OpenIDOptions{Issuer: "https://" + s.env["FQDN"], Keys: []op.Key{key}})
	if err != nil {
		return err
	}
	kwmserver := lab.Kwmserver(lab.KwmserverOptions{Guest: true})
	front, err := s.lab.ServeHTTP("", lab.Web(konnect, kwmserver), lab.ServerTLS(leaf))
	if err != nil {
		return err
	}
	s.pin(s.env["FQDN"]+":443", front)
	plain, err := s.lab.ServeHTTP("", lab.WebPlain(), nil)
	if err != nil {
		return err
	}
	s.pin(s.env["FQDN"]+":80", plain)
	for _, server := range []struct {
		name    string
		handler http.Handler
	}{{"kopano_konnect:8777", konnect}, {"kopano_kwmserver:8778", kwmserver}} {
		address, err := s.lab.ServeHTTP("", server.handler, nil)
		if err != nil {
			return err
		}
		s.pin(server.name, address)
	}
	return nil
}

// certificates writes what kopano_ssl makes, and starts kopano_server's HTTPS
// port, which uses it.
func (s *stage) certificates() error {
	ca, err := lab.WriteSSLFiles(s.sslFolder(), s.env["FQDN"])
	if err != nil {
		return err
	}
	leaf, err := lab.ServerLeaf(ca, s.env["FQDN"])
	if err != nil {
		return err
	}
	var address string
	if s.lost {
		address, err = s.lab.BlackHole()
	} else {
		address, err = s.lab.ServeHTTP("", lab.SOAP(), lab.ServerTLS(leaf))
	}
	if err == nil {
		s.pin("kopano_server:237", address)
	}
	return err
}

// mail starts the three ports of the mail transport.
func (s *stage) mail() error {
	ca, err := lab.NewCA("Mail")
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(lab.LeafOptions{Names: []string{"mail.example.org"}})
	if err != nil {
		return err
	}
	for port, options := range map[string]lab.PostfixOptions{"25": {Trusts: true}, "465": {Wrapped: true}, "587": {Submission: true}} {
		options.Users, options.Certificate = []string{s.env["POSTMASTER_ADDRESS"]}, leaf
		address, err := s.lab.Mail(options)
		if err != nil {
			return err
		}
		s.pin("mail:"+port, address)
	}
	return nil
}

// apps starts the stand-ins for what web passes on, for kopano_gateway, and for
// kopano_server's plain port.
func (s *stage) apps() error {
	apps, err := s.lab.ServeHTTP("", lab.Apps(lab.AppOptions{}), nil)
	if err != nil {
		return err
	}
	for _, name := range []string{"kopano_webapp:9080", "kopano_zpush:9080", "kopano_kdav:9080", "kopano_ical:8080", "kopano_meet:9080", "kopano_kapps:9080",
		"kopano_kapi:8039", "kopano_playground:8888", "ldap-admin:80", "password-self-service:80"} {
		s.pin(name, apps)
	}
	var server string
	if s.lost {
		server, err = s.lab.BlackHole()
	} else {
		server, err = s.lab.ServeHTTP("", lab.SOAP(), nil)
	}
	if err != nil {
		return err
	}
	s.pin("kopano_server:236", server)
	gateway, err := s.lab.Gateway(lab.GatewayOptions{})
	if err != nil {
		return err
	}
	s.pin("kopano_gateway:143", gateway)
	return nil
}

// sockets makes the sockets through which containers meet: those of
// kopano_server, kopano_search and kopano_grapi, and Docker's.
func (s *stage) sockets() error {
	well := lab.Page(http.StatusOK, "text/plain", "")
	for path, handler := range map[string]http.Handler{"run/grapi/rest0.sock": well, "run/grapi/rest1.sock": well,
		"docker.sock": lab.Page(http.StatusOK, "text/plain", "OK")} {
		if err := s.lab.ServeHTTPSocket(filepath.Join(s.folder, path), handler); err != nil {
			return err
		}
	}
	server := filepath.Join(s.folder, "run/server.sock")
	if s.lost {
		err := s.lab.ServeSocket(server, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		if err != nil {
			return err
		}
	} else if err := s.lab.ServeHTTPSocket(server, lab.SOAP()); err != nil {
		return err
	}
	return s.lab.ServeSocket(filepath.Join(s.folder, "run/search.sock"), lab.Search)
}

func (s *stage) sslFolder() string { return filepath.Join(s.folder, "ssl") }
