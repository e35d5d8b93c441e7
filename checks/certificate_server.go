package checks

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// CheckServerCertificate looks at the certificate of kopano_server's HTTPS
// port with the authority that kopano_ssl made, and whether kopano_server is
// what answers: gSOAP says 405 to a GET.
func CheckServerCertificate(ctx context.Context, t Target) Result {
	c := &certificateClimb{climb: newClimb(t, "certificate"), internal: true}
	if t.Edge.From != nil && t.Edge.Addr.Scheme != "https" {
		return c.fail(&failure{Resolve, ReasonNoCheck, "this link has no certificate: it does not use https", nil})
	}
	c.host, c.port = serverAddress(t)
	c.names = []string{c.host}
	if t.Edge.From == nil {
		// ssl/start.sh gives the certificate the service's name and FQDN; clients outside know only the latter.
		c.names = append(c.names, publicHost(t.Topology))
	}
	c.places = c.serverPlaces
	known := c.internalAuthority()
	state, f := c.handshake(ctx)
	if f != nil {
		return c.refused(f)
	}
	if f := c.judge(state); f != nil {
		return c.fail(f)
	}
	if f := c.soap(ctx); f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "the certificate of %s is valid until %s, and kopano_server answers behind it%s", c.to(c.host), day(state.PeerCertificates[0].NotAfter), known)
}

// serverAddress gives the address of kopano_server's HTTPS port. A client
// outside reaches it by the published port, which the dialer finds by the
// service's name.
func serverAddress(t Target) (string, int) {
	addr := clientsView(t.Edge)
	return addr.Host, addr.Port
}

// soap asks kopano_server for a page, which it refuses in its own way.
func (c *certificateClimb) soap(ctx context.Context) *failure {
	w := &web{target: c.target, insecure: true} // the certificate was judged already
	a, f := w.get(ctx, "https://"+hostPort(c.host, c.port)+"/")
	if f != nil {
		if f.status() != Unchecked {
			c.found = append(c.found, c.network(f, c.host, c.port))
		}
		return f
	}
	if a.Status == http.StatusMethodNotAllowed {
		return nil
	}
	f = &failure{Ask, ReasonNotServer, fmt.Sprintf("%s answers with %s; kopano_server answers 405", a.Address, a.saw()), nil}
	c.found = append(c.found, c.finding(f.Reason, c.target.Edge.Locations(), "Another server answers where kopano_server should", f.Message,
		fmt.Sprintf("Correct host and port in %s: kopano_server speaks HTTPS on 237.", c.settingName())))
	return f
}

// internalAuthority reads ca.pem for the check of kopano_server's HTTPS port.
// The note says when it could not be compared.
func (c *certificateClimb) internalAuthority() (note string) {
	const setting = "KCCONF_SERVER_SERVER_SSL_CA_FILE"
	name := sslFolder + "/ca.pem"
	server := c.target.Edge.To
	if v, ok := webSetting(server, setting); ok && v.Reveal() != "" {
		name = v.Reveal()
	}
	if server != nil && c.target.Files != nil {
		if data, err := c.target.Files.ReadFile(server, name, maxKeyFile); err == nil {
			if certs, err := certificates(data); err == nil {
				pool := x509.NewCertPool()
				for _, ca := range certs {
					pool.AddCert(ca)
				}
				c.trust = x509.VerifyOptions{Roots: pool}
				return ""
			}
		}
	}
	c.unknown = true
	return "; who signed it was not checked, since " + name + " cannot be read from here"
}

func (c *certificateClimb) serverPlaces(Reason) []finding.Location {
	return append(valuesLocations(c.target.Edge.To, "KCCONF_SERVER_SERVER_SSL_KEY_FILE", "KCCONF_SERVER_SERVER_SSL_CA_FILE"), related(c.target.Edge.Locations())...)
}

func (c *certificateClimb) internalRemedy(r Reason) string {
	switch r {
	case ReasonTLSUnknown, ReasonSelfSigned:
		return "Restart kopano_server: it still uses a certificate from before kopano_ssl made new ones. If that does not help, " + lowerFirst(regenerate("ca.pem"))
	}
	return regenerate("ca.pem")
}
