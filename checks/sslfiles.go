package checks

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// Reasons of the check of kopano_ssl's files.
const (
	ReasonFileMissing  Reason = "file-missing"
	ReasonFileEmpty    Reason = "file-empty"
	ReasonFileBad      Reason = "file-unreadable" // not what it should hold
	ReasonKeyMismatch  Reason = "key-mismatch"    // key and certificate do not belong together
	ReasonWrongCA      Reason = "wrong-authority" // not signed by ca.pem
	ReasonKeyLength    Reason = "key-length"
	ReasonFileWritable Reason = "file-writable" // a warning: any process may change it
)

// SSLFilesReasons lists what the check of kopano_ssl's files tells apart.
func SSLFilesReasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonNoRoute, Resolve, "Not checked: the volume cannot be read from here."},
		{ReasonFileMissing, Ask, "A file that the service is told to read does not exist."},
		{ReasonFileEmpty, Ask, "A file is empty."},
		{ReasonFileBad, Ask, "A file does not hold what it should."},
		{ReasonKeyMismatch, Ask, "Key and certificate of one file do not belong together."},
		{ReasonWrongCA, Ask, "The certificate is not signed by the authority in ca.pem."},
		{ReasonTLSName, Ask, "The certificate lacks the name of the service, or the public name."},
		{ReasonTLSExpired, Ask, "The certificate has expired."},
		{ReasonTLSNotYet, Ask, "The certificate is not valid yet, or a clock is wrong."},
		{ReasonExpiresSoon, Ask, "The certificate expires within 30 days; a warning."},
		{ReasonWeakKey, Ask, "A key is too short to be safe."},
		{ReasonKeyLength, Ask, "A secret key has the wrong length."},
		{ReasonFileWritable, Ask, "Every process may change the file; a warning."},
	}
}

const sslFolder = "/kopano/ssl"

// CheckSSLFiles reads the files of kopano_ssl that one service is told to use,
// as that service sees them: keys, certificates and the authority.
// ssl/start.sh of kopano-docker makes them, once: a file that was lost or that
// names a former FQDN is not made again while ca.pem exists.
func CheckSSLFiles(ctx context.Context, t Target) Result {
	c := &sslClimb{climb: newClimb(t, "ssl-files")}
	service := t.Edge.From
	if service == nil || t.Files == nil {
		return c.fail(&failure{Resolve, ReasonNoRoute, "the files of the containers cannot be read from here", nil})
	}
	c.service = service
	c.address = service.Name + ":" + sslFolder
	files := sslFilesOf(service)
	if len(files) == 0 {
		return c.ok(Ask, "%s is told to use no file of %s", service.Name, sslFolder)
	}
	for _, file := range files {
		if ctx.Err() != nil {
			return c.fail(&failure{Ask, ReasonDeadline, "the time for all checks was over", ctx.Err()})
		}
		if f := c.look(file); f != nil {
			return c.fail(f)
		}
	}
	if c.worst != nil {
		return c.fail(c.worst)
	}
	if len(files) == 1 {
		return c.ok(Ask, "%s is there and valid", files[0].path)
	}
	return c.ok(Ask, "%d files of %s are there, belong together and are valid", len(files), sslFolder)
}

type sslClimb struct {
	*climb
	service *deployment.Service
	ca      []*x509.Certificate
	caRead  bool
	worst   *failure
}

// sslFile is one file that a setting names.
type sslFile struct {
	path    string
	setting deployment.Value
	folder  bool
}

// sslFilesOf gives the files below /kopano/ssl that a service's settings name,
// by path; each once.
func sslFilesOf(s *deployment.Service) []sslFile {
	var out []sslFile
	for _, key := range s.Keys() {
		v := s.Env[key]
		name := path.Clean(v.Reveal())
		if !strings.HasPrefix(name, sslFolder+"/") {
			continue
		}
		if !slices.ContainsFunc(out, func(f sslFile) bool { return f.path == name }) {
			out = append(out, sslFile{name, v, strings.HasSuffix(key, "SSLKEYS_PATH")})
		}
	}
	slices.SortStableFunc(out, func(a, b sslFile) int { return strings.Compare(a.path, b.path) })
	return out
}

// look judges one file. The failure is only for what ends the whole check.
func (c *sslClimb) look(file sslFile) *failure {
	info, err := c.target.Files.Stat(c.service, file.path)
	if errors.Is(err, vantage.ErrNoRoute) {
		return &failure{Resolve, ReasonNoRoute, oneLine(err.Error()), err}
	}
	if errors.Is(err, fs.ErrPermission) {
		return &failure{Resolve, ReasonNoRoute, file.path + " cannot be read by this user; run as root to have it looked at", err}
	}
	if err != nil {
		c.bad(file, ReasonFileMissing, "does not exist", regenerate(file.path))
		return nil
	}
	if info.Mode&0o002 != 0 && !info.Dir {
		c.writable(file, info.Mode)
	}
	if file.folder || info.Dir {
		return nil
	}
	if info.Size == 0 {
		c.empty(file)
		return nil
	}
	data, err := c.target.Files.ReadFile(c.service, file.path, maxKeyFile)
	if err != nil {
		c.bad(file, ReasonFileBad, "cannot be read: "+oneLine(err.Error()), regenerate(file.path))
		return nil
	}
	c.content(file, data)
	return nil
}

// content judges a file by its name, as ssl/start.sh gives them.
func (c *sslClimb) content(file sslFile, data []byte) {
	base := path.Base(file.path)
	switch {
	case base == "ca.pem":
		c.authorityFile(file, data)
	case base == "konnectd-encryption.key":
		// konnect takes exactly 32 bytes (bootstrap/bootstrap.go).
		if len(data) != 32 {
			c.bad(file, ReasonKeyLength, fmt.Sprintf("has %d bytes, and must have 32", len(data)), regenerate(file.path))
		}
	case base == "konnectd-tokens-signing-key.pem":
		c.signingKey(file, data)
	case base == "kapid-pubs-secret.key":
		if len(strings.TrimSpace(string(data))) < 32 {
			c.bad(file, ReasonKeyLength, fmt.Sprintf("has only %d characters; kopano_ssl makes 128", len(strings.TrimSpace(string(data)))), regenerate(file.path))
		}
	case strings.HasPrefix(base, "kopano_") && strings.HasSuffix(base, ".pem"), base == "admin.pem":
		c.pair(file, data)
	}
}

// empty: konnect fills these three when it starts (konnect/wrapper.sh); until
// then they are empty by design.
func (c *sslClimb) empty(file sslFile) {
	switch path.Base(file.path) {
	case "konnectd-identifier-registration.yaml", "ecparam.pem", "meet-kwmserver.pem":
		if c.target.Topology.Role(c.service) == kopano.Konnect {
			return
		}
		c.bad(file, ReasonFileEmpty, "is empty", "Start kopano_konnect, which fills it, and look in its log why it has not (docker compose logs kopano_konnect). Then restart "+c.service.Name+".")
		return
	}
	c.bad(file, ReasonFileEmpty, "is empty", regenerate(file.path))
}

func (c *sslClimb) authorityFile(file sslFile, data []byte) {
	certs, err := certificates(data)
	if err != nil {
		c.bad(file, ReasonFileBad, "is no certificate: "+oneLine(err.Error()), regenerate(file.path))
		return
	}
	c.dates(file, certs[0])
}

func (c *sslClimb) signingKey(file sslFile, data []byte) {
	key, err := privateKey(data)
	if err != nil {
		c.bad(file, ReasonFileBad, "is no private key: "+err.Error(), regenerate(file.path))
		return
	}
	if bits, weak := weakKey(key.Public()); weak {
		c.bad(file, ReasonWeakKey, fmt.Sprintf("holds a key of %d bits; needed are 2048", bits), regenerate(file.path))
	}
}

// pair judges a file that holds a key and its certificate.
func (c *sslClimb) pair(file sslFile, data []byte) {
	key, err := privateKey(data)
	if err != nil {
		c.bad(file, ReasonFileBad, "is no key with a certificate: "+err.Error(), regenerate(file.path))
		return
	}
	certs, err := certificates(data)
	if err != nil {
		c.bad(file, ReasonFileBad, "is no key with a certificate: "+oneLine(err.Error()), regenerate(file.path))
		return
	}
	if err := keyMatches(data); err != nil {
		c.bad(file, ReasonKeyMismatch, "holds a key and a certificate that do not belong together", regenerate(file.path))
		return
	}
	if bits, weak := weakKey(key.Public()); weak {
		c.bad(file, ReasonWeakKey, fmt.Sprintf("holds a key of %d bits; needed are 2048", bits), regenerate(file.path))
	}
	c.dates(file, certs[0])
	c.signature(file, certs[0])
	c.names(file, certs[0])
}

func (c *sslClimb) dates(file sslFile, cert *x509.Certificate) {
	now := c.target.now()
	switch left := cert.NotAfter.Sub(now); {
	case left < 0:
		c.bad(file, ReasonTLSExpired, "expired on "+day(cert.NotAfter), regenerate(file.path))
	case now.Before(cert.NotBefore):
		c.bad(file, ReasonTLSNotYet, "is valid only from "+day(cert.NotBefore), "Set the clock of this machine right; if it is, "+lowerFirst(regenerate(file.path)))
	case left < c.target.expiresSoon():
		c.warn(finding.Warning, c.about(file, ReasonExpiresSoon, "A certificate of kopano_ssl expires soon", "is valid until "+day(cert.NotAfter)+", for "+days(left)+" more", regenerate(file.path)))
	}
}

// signature compares with ca.pem in the same folder.
func (c *sslClimb) signature(file sslFile, cert *x509.Certificate) {
	if !c.caRead {
		c.caRead = true
		if data, err := c.target.Files.ReadFile(c.service, sslFolder+"/ca.pem", maxKeyFile); err == nil {
			c.ca, _ = certificates(data)
		}
	}
	if len(c.ca) == 0 {
		return // its own finding, where the service is told to read it
	}
	for _, ca := range c.ca {
		if cert.CheckSignatureFrom(ca) == nil {
			return
		}
	}
	c.bad(file, ReasonWrongCA, "is not signed by the authority in "+sslFolder+"/ca.pem", regenerate(file.path))
}

// names: start.sh puts the service's name and FQDN without its port into each
// certificate, and does not renew them when FQDN changes.
func (c *sslClimb) names(file sslFile, cert *x509.Certificate) {
	want := []string{strings.TrimSuffix(path.Base(file.path), ".pem")}
	if fqdn := publicHost(c.target.Topology); fqdn != "" {
		want = append(want, fqdn)
	}
	for _, name := range want {
		if cert.VerifyHostname(name) != nil {
			c.bad(file, ReasonTLSName, fmt.Sprintf("is for %s, not for %s", certificateNames(cert), name), regenerate(file.path))
			return
		}
	}
}

// publicHost gives FQDN without its port.
func publicHost(t *kopano.Topology) string {
	for _, role := range []kopano.Role{kopano.SSL, kopano.Web} {
		for _, s := range t.Services(role) {
			if v, ok := s.Get("FQDN"); ok && v.Reveal() != "" {
				if host, _, err := net.SplitHostPort(v.Reveal()); err == nil {
					return host
				}
				return v.Reveal()
			}
		}
	}
	return ""
}

func (c *sslClimb) writable(file sslFile, mode uint32) {
	c.warn(finding.Warning, c.about(file, ReasonFileWritable, "Every process may change a file of kopano_ssl",
		fmt.Sprintf("has the permissions %04o", mode), fmt.Sprintf("Take the right to write from others: docker compose run --rm --entrypoint chmod kopano_ssl o-w %s.", file.path)))
}

// bad adds an error and keeps the first as the link's reason.
func (c *sslClimb) bad(file sslFile, reason Reason, what, remedy string) {
	f := c.about(file, reason, "A file of kopano_ssl cannot be used: "+path.Base(file.path), what, remedy)
	c.found = append(c.found, f)
	if c.worst == nil {
		c.worst = &failure{Ask, reason, file.path + " " + what, nil}
	}
}

func (c *sslClimb) about(file sslFile, reason Reason, title, what, remedy string) finding.Finding {
	places := file.setting.Locations()
	for _, s := range c.target.Topology.Services(kopano.SSL) {
		places = append(places, s.At.As(finding.Related))
	}
	f := c.finding(reason, places, title, fmt.Sprintf("%s, which %s reads (%s), %s", file.path, c.service.Name, file.setting.Key, what), remedy)
	f.Key = string(reason) + " " + file.path
	return f
}

// regenerate says how to have a file made anew. kopano_ssl makes the
// certificates only when there is no ca.pem, all of them at once.
func regenerate(name string) string {
	if base := path.Base(name); strings.HasPrefix(base, "konnectd-") || strings.HasPrefix(base, "kapid-") {
		return fmt.Sprintf("Remove %s from the volume and run kopano_ssl, which makes it anew (docker compose run --rm kopano_ssl); then restart the services that read it.", name)
	}
	return "Remove ca.pem and the other *.pem of kopano_ssl from the volume and run kopano_ssl, which makes all certificates anew (docker compose run --rm kopano_ssl); then restart the services that read them."
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
