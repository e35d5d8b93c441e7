package checks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// startTLS asks for TLS (RFC 4511, 4.14) before the library takes over the
// connection, since the library's own way loses the reason of a failure.
func (c *ldapClimb) startTLS(ctx context.Context) *failure {
	const oid = "1.3.6.1.4.1.1466.20037"
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, oid, ""))
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, ""))
	message.AppendChild(request)
	c.peer.rung(ctx, c.target)
	wire := &ldapWire{Conn: c.peer}
	_, err := wire.Write(message.Bytes())
	var answer *ber.Packet
	if err == nil {
		answer, err = ber.ReadPacket(bufio.NewReader(wire))
	}
	if err != nil {
		return c.noAnswer(ctx, wire, err, TLS)
	}
	refusal := ldap.GetLDAPError(answer)
	if refusal == nil {
		return nil
	}
	f := &failure{TLS, ReasonStartTLS, c.peer.address + " refuses StartTLS: " + refusalText(refusal), refusal}
	return c.broke(f, c.settings.placesOf(c.settings.keys.startTLS), c.to(c.server.Host)+" does not offer StartTLS",
		fmt.Sprintf("Set up a certificate on the directory server, or remove %s from %s if the way there is safe without.", c.settings.keys.startTLS, c.from()))
}

// handshakeFailed looks twice at a server that only hangs up: OpenLDAP does so
// when it wants a client certificate, and when the port is the one without TLS.
func (c *ldapClimb) handshakeFailed(ctx context.Context, f *failure) *failure {
	switch {
	case f.Reason != ReasonClosed && f.Reason != ReasonTLSRefused:
		return f
	case c.asked:
		return c.wantsCertificate(f)
	case c.server.Scheme == "ldaps" && c.speaksPlain(ctx):
		return &failure{TLS, ReasonPlainOnTLS, c.peer.address + " speaks LDAP without TLS, and is called with TLS", f.Err}
	}
	return f
}

// wantsCertificate: osixia/openldap demands client certificates unless told
// otherwise (LDAP_TLS_VERIFY_CLIENT, demand by default).
func (c *ldapClimb) wantsCertificate(f *failure) *failure {
	f = &failure{TLS, ReasonTLSClient, c.peer.address + " asks for a client certificate, and hangs up without one", f.Err}
	remedy := "Let the server take clients without a certificate (OpenLDAP: olcTLSVerifyClient: try), or call it without TLS where the way there is safe."
	places := c.target.Edge.Locations()
	if to := c.target.Edge.To; to != nil {
		remedy = fmt.Sprintf("Set LDAP_TLS_VERIFY_CLIENT=try on %s and start it anew, or call it without TLS (ldap://) inside the deployment.", to.Name)
		places = append(places, related(valuesLocations(to, "LDAP_TLS_VERIFY_CLIENT"))...)
	}
	return c.broke(f, places, c.to(c.server.Host)+" asks for a client certificate", remedy)
}

// speaksPlain tries whether the port speaks LDAP without TLS.
func (c *ldapClimb) speaksPlain(ctx context.Context) bool {
	p, f := dial(ctx, c.target, c.server.Host, c.server.Port)
	if f != nil {
		return false
	}
	defer p.Close()
	p.rung(ctx, c.target)
	conn := ldap.NewConn(&ldapWire{Conn: p}, false)
	conn.SetTimeout(c.target.timeout())
	conn.Start()
	defer conn.Close()
	_, err := conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 1, false, "(objectClass=*)", []string{"1.1"}, nil))
	_, answered := resultCode(err)
	return err == nil || answered
}

// tlsOnPlain is ldap:// to a port that speaks TLS.
func (c *ldapClimb) tlsOnPlain(err error) *failure {
	f := &failure{Greet, ReasonTLSOnPlain, c.peer.address + " speaks TLS, and is called without", err}
	return c.broke(f, c.target.Edge.Locations(), c.to(c.server.Host)+" speaks TLS on this port",
		fmt.Sprintf("Write ldaps:// instead of ldap:// into %s, or the port without TLS, usually 389.", c.addressWritten()))
}

// speaksTLS tries whether the port speaks TLS. The certificate does not matter.
func (c *ldapClimb) speaksTLS(ctx context.Context) bool {
	p, f := dial(ctx, c.target, c.server.Host, c.server.Port)
	if f != nil {
		return false
	}
	defer p.Close()
	_, f = handshake(ctx, c.target, p, &tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- nothing is sent over it
	return f == nil
}

// The files in which OpenLDAP's library looks for its settings (ldap.conf(5)).
const (
	ldapConf     = "/etc/ldap/ldap.conf"
	maxLDAPConf  = 64 << 10
	maxAuthority = 1 << 20
)

// tlsConfig is what the client checks: the server's name, and an authority
// that the machine trusts or that the container is given.
func (c *ldapClimb) tlsConfig() *tls.Config {
	config := &tls.Config{ServerName: c.server.Host, MinVersion: tls.VersionTLS12}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.asked = true
		return &tls.Certificate{}, nil
	}
	if c.settings.keys.postfix {
		config.InsecureSkipVerify = true // #nosec G402 -- as Postfix does; the connection is judged as the client would
		return config
	}
	roots := c.target.roots().Clone()
	authority, require := c.libraryConf()
	if authority != "" && c.target.Files != nil {
		if pem, err := c.target.Files.ReadFile(c.settings.from, authority, maxAuthority); err == nil {
			roots.AppendCertsFromPEM(pem)
		}
	}
	config.RootCAs = roots
	config.InsecureSkipVerify = require == "never" || require == "allow" // #nosec G402 -- as the client is told
	return config
}

// libraryConf gives TLS_CACERT and TLS_REQCERT as the library in the container
// finds them: in its environment, else in a mounted ldap.conf.
func (c *ldapClimb) libraryConf() (authority, require string) {
	s := c.settings
	if s.from == nil {
		return "", ""
	}
	if c.target.Files != nil {
		if text, err := c.target.Files.ReadFile(s.from, ldapConf, maxLDAPConf); err == nil {
			authority, require = parseLDAPConf(text)
		}
	}
	if v, ok := s.value("LDAPTLS_CACERT"); ok {
		authority = v
	}
	if v, ok := s.value("LDAPTLS_REQCERT"); ok {
		require = v
	}
	return authority, strings.ToLower(require)
}

func parseLDAPConf(text []byte) (authority, require string) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch strings.ToUpper(fields[0]) {
		case "TLS_CACERT":
			authority = fields[1]
		case "TLS_REQCERT":
			require = fields[1]
		}
	}
	return authority, require
}
