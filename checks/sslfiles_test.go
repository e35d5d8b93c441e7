package checks_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

var sslLinks = map[string]string{"server-ssl": "kopano_server", "konnect-ssl": "kopano_konnect", "kapi-ssl": "kopano_kapi",
	"kwmserver-ssl": "kopano_kwmserver", "dagent-ssl": "kopano_dagent", "spooler-ssl": "kopano_spooler"}

func TestSSLFiles(t *testing.T) {
	s := newScene(t)
	_, err := lab.WriteSSLFiles(s.sslVolume(), publicName)
	labtest.Check(t, err)
	for link, from := range sslLinks {
		s.want(s.run(checks.CheckSSLFiles, link, from), expect{status: checks.OK, rung: checks.Ask, message: "valid"})
	}
}

func TestSSLFilesOutOfReach(t *testing.T) {
	s := newScene(t)
	for link, from := range sslLinks {
		s.want(s.run(checks.CheckSSLFiles, link, from), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute})
	}
}

func TestSSLFilesFaults(t *testing.T) {
	soon := time.Now().Add(20*24*time.Hour + time.Hour)
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	names := []string{"kopano_server", publicName}
	pair := func(o lab.LeafOptions) func(*testing.T, string, *lab.CA) {
		return func(t *testing.T, dir string, ca *lab.CA) {
			leaf, err := ca.Issue(o)
			labtest.Check(t, err)
			write(t, dir, "kopano_server.pem", lab.Pair(leaf))
		}
	}
	put := func(name string, data []byte) func(*testing.T, string, *lab.CA) {
		return func(t *testing.T, dir string, _ *lab.CA) { write(t, dir, name, data) }
	}
	key, ca := "KCCONF_SERVER_SERVER_SSL_KEY_FILE", "KCCONF_SERVER_SERVER_SSL_CA_FILE"
	tests := map[string]struct {
		link   string
		break_ func(*testing.T, string, *lab.CA)
		expect expect
	}{
		"missing": {"server-ssl", func(t *testing.T, dir string, _ *lab.CA) {
			labtest.Check(t, os.Remove(filepath.Join(dir, "kopano_server.pem")))
		}, expect{reason: checks.ReasonFileMissing, at: key}},
		"empty":  {"server-ssl", put("kopano_server.pem", nil), expect{reason: checks.ReasonFileEmpty, at: key}},
		"no key": {"server-ssl", put("kopano_server.pem", []byte("hello")), expect{reason: checks.ReasonFileBad, at: key}},
		"no certificate": {"server-ssl", func(t *testing.T, dir string, c *lab.CA) {
			leaf, err := c.Issue(lab.LeafOptions{})
			labtest.Check(t, err)
			write(t, dir, "kopano_server.pem", leaf.KeyPEM())
		}, expect{reason: checks.ReasonFileBad, at: key}},
		"two halves": {"server-ssl", twoHalves, expect{reason: checks.ReasonKeyMismatch, at: key}},
		"other authority": {"server-ssl", func(t *testing.T, dir string, _ *lab.CA) {
			other, err := lab.NewCA("Internal Kopano System")
			labtest.Check(t, err)
			write(t, dir, "ca.pem", other.PEM())
		}, expect{reason: checks.ReasonWrongCA, at: key}},
		"former FQDN":   {"server-ssl", pair(lab.LeafOptions{Names: []string{"kopano_server", "old.example.org"}}), expect{reason: checks.ReasonTLSName, at: key, says: "old.example.org"}},
		"other service": {"server-ssl", pair(lab.LeafOptions{Names: []string{"kopano_dagent", publicName}}), expect{reason: checks.ReasonTLSName, at: key, says: "not for kopano_server"}},
		"expired":       {"server-ssl", pair(lab.LeafOptions{Names: names, NotAfter: past}), expect{reason: checks.ReasonTLSExpired, at: key}},
		"not yet":       {"server-ssl", pair(lab.LeafOptions{Names: names, NotBefore: future}), expect{reason: checks.ReasonTLSNotYet, at: key}},
		"weak key":      {"server-ssl", pair(lab.LeafOptions{Names: names, RSABits: 1024}), expect{reason: checks.ReasonWeakKey, at: key, says: "1024"}},
		"ends soon":     {"server-ssl", pair(lab.LeafOptions{Names: names, NotAfter: soon}), expect{status: checks.OK, reason: "expires-soon", at: key, says: "20 days"}},
		"no authority":  {"server-ssl", put("ca.pem", []byte("hello")), expect{reason: checks.ReasonFileBad, at: ca}},
		"writable": {"server-ssl", func(t *testing.T, dir string, _ *lab.CA) {
			labtest.Check(t, os.Chmod(filepath.Join(dir, "kopano_server.pem"), 0o666))
		}, expect{status: checks.OK, reason: "file-writable", at: key, says: "0666"}},
		"encryption key": {"konnect-ssl", put("konnectd-encryption.key", make([]byte, 33)), expect{reason: checks.ReasonKeyLength, at: "encryption_secret_key", says: "33 bytes"}},
		"signing key":    {"konnect-ssl", put("konnectd-tokens-signing-key.pem", []byte("hello")), expect{reason: checks.ReasonFileBad, at: "signing_private_key"}},
		"weak signing key": {"konnect-ssl", func(t *testing.T, dir string, c *lab.CA) {
			leaf, err := c.Issue(lab.LeafOptions{RSABits: 1024})
			labtest.Check(t, err)
			write(t, dir, "konnectd-tokens-signing-key.pem", leaf.KeyPEM())
		}, expect{reason: checks.ReasonWeakKey, at: "signing_private_key", says: "1024"}},
		"pubs secret":  {"kapi-ssl", put("kapid-pubs-secret.key", []byte("short\n")), expect{reason: checks.ReasonKeyLength, at: "DEFAULT_PLUGIN_PUBS_SECRET_KEY_FILE"}},
		"registration": {"kwmserver-ssl", put("konnectd-identifier-registration.yaml", nil), expect{reason: checks.ReasonFileEmpty, at: "registration_conf"}},
		"huge":         {"server-ssl", put("kopano_server.pem", make([]byte, 1<<20)), expect{reason: checks.ReasonFileBad, at: key}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			dir := s.sslVolume()
			authority, err := lab.WriteSSLFiles(dir, publicName)
			labtest.Check(t, err)
			test.break_(t, dir, authority)
			test.expect.rung, test.expect.id = checks.Ask, "live-ssl-files-"+string(test.expect.reason)
			if test.expect.status == checks.OK {
				test.expect.reason = ""
			}
			r := s.run(checks.CheckSSLFiles, test.link, sslLinks[test.link])
			s.want(r, test.expect)
			if f := findingOf(r, test.expect.id); test.expect.status == checks.OK && f.Severity != finding.Warning {
				t.Errorf("severity is %s", f.Severity)
			}
		})
	}
}

// twoHalves puts the key of one certificate before another.
func twoHalves(t *testing.T, dir string, ca *lab.CA) {
	a, err := ca.Issue(lab.LeafOptions{Names: []string{"kopano_server", publicName}})
	labtest.Check(t, err)
	b, err := ca.Issue(lab.LeafOptions{Names: []string{"kopano_server", publicName}})
	labtest.Check(t, err)
	write(t, dir, "kopano_server.pem", append(a.KeyPEM(), b.CertPEM()...))
}

// TestSSLFilesBeforeKonnect: three files are empty until Konnect has started.
func TestSSLFilesBeforeKonnect(t *testing.T) {
	s := newScene(t)
	dir := s.sslVolume()
	_, err := lab.WriteSSLFiles(dir, publicName)
	labtest.Check(t, err)
	for _, name := range []string{"konnectd-identifier-registration.yaml", "ecparam.pem", "meet-kwmserver.pem"} {
		write(t, dir, name, nil)
	}
	s.want(s.run(checks.CheckSSLFiles, "konnect-ssl", "kopano_konnect"), expect{status: checks.OK, rung: checks.Ask})
}

// TestSSLFilesNeverFollowLinksOut: a link in the volume must not make the
// doctor read files of this machine.
func TestSSLFilesNeverFollowLinksOut(t *testing.T) {
	s := newScene(t)
	dir := s.sslVolume()
	authority, err := lab.WriteSSLFiles(dir, publicName)
	labtest.Check(t, err)
	leaf, err := authority.Issue(lab.LeafOptions{Names: []string{"kopano_server", publicName}})
	labtest.Check(t, err)
	outside := filepath.Join(s.lab.Dir, "outside.pem")
	labtest.Check(t, os.WriteFile(outside, lab.Pair(leaf), 0o644))
	labtest.Check(t, os.Remove(filepath.Join(dir, "kopano_server.pem")))
	labtest.Check(t, os.Symlink(outside, filepath.Join(dir, "kopano_server.pem")))
	if r := s.run(checks.CheckSSLFiles, "server-ssl", "kopano_server"); r.Status != checks.Broken {
		t.Errorf("got %s: %s", r.Status, r.Message)
	}
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	labtest.Check(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
}
