package main

import (
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
	override := "# Ties the deployment to this demonstration.\nvolumes:\n  kopanossl:\n    driver: local\n    driver_opts:\n      type: none\n      o: bind\n      device: " + s.sslFolder() + "\n"
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
	for _, start := range []func() error{s.directory, s.database, s.delivery, s.certificates, s.web} {
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
	address, err := s.lab.Dovecot(lab.DovecotOptions{Users: []string{s.env["POSTMASTER_ADDRESS"]}})
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
	address, err := s.lab.ServeHTTP("", lab.SOAP(), lab.ServerTLS(leaf))
	if err == nil {
		s.pin("kopano_server:237", address)
	}
	return err
}

func (s *stage) sslFolder() string { return filepath.Join(s.folder, "ssl") }
