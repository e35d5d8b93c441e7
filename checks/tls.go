package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// handshake climbs the TLS rung. Certificates are judged at the target's time.
// On success the state is that of the connection; the returned connection
// reads through p, so its limits hold.
func handshake(ctx context.Context, t Target, p *peer, config *tls.Config) (*tls.Conn, *failure) {
	config = config.Clone()
	if config.Time == nil {
		config.Time = t.now
	}
	p.rung(ctx, t)
	conn := tls.Client(p, config)
	err := conn.HandshakeContext(ctx)
	if err == nil {
		return conn, nil
	}
	return nil, tlsFailure(ctx, t, p, err)
}

// tlsFailure says why a handshake failed.
func tlsFailure(ctx context.Context, t Target, p *peer, err error) *failure {
	if reason, text := tlsReason(err, t.now()); reason != ReasonNone {
		if reason == ReasonPlainOnTLS {
			text = "answers in plain text where TLS is expected" + answered(p.start())
		}
		return &failure{TLS, reason, p.address + ": " + text, err}
	}
	return readFailure(ctx, err, TLS, p, t.timeout())
}

// tlsReason recognises the errors of crypto/tls and crypto/x509. The text goes
// on after "address: ". now tells an expired certificate from one that is not
// yet valid.
func tlsReason(err error, now time.Time) (Reason, string) {
	var header tls.RecordHeaderError
	if errors.As(err, &header) {
		return ReasonPlainOnTLS, "answers in plain text where TLS is expected"
	}
	if reason, text := certificateReason(err, now); reason != ReasonNone {
		return reason, text
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return alertReason(op.Err.Error())
	}
	if strings.Contains(err.Error(), "unsupported protocol version") {
		return ReasonTLSVersion, "speaks only TLS 1.1 or older, which nobody should use any more"
	}
	return ReasonNone, ""
}

func certificateReason(err error, now time.Time) (Reason, string) {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var constraint x509.ConstraintViolationError
	switch {
	case errors.As(err, &name):
		return ReasonTLSName, fmt.Sprintf("the certificate is for %s, not for %s", certificateNames(name.Certificate), oneLine(name.Host))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && now.Before(invalid.Cert.NotBefore):
		return ReasonTLSNotYet, "the certificate is valid only from " + day(invalid.Cert.NotBefore)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return ReasonTLSExpired, "the certificate expired on " + day(invalid.Cert.NotAfter)
	case errors.As(err, &authority):
		return ReasonTLSUnknown, "the certificate is signed by an authority that is not trusted here" + issuedBy(authority.Cert)
	case errors.As(err, &invalid), errors.As(err, &constraint):
		return ReasonTLSBad, "the certificate cannot be used: " + oneLine(strings.TrimPrefix(err.Error(), "tls: failed to verify certificate: "))
	case strings.Contains(err.Error(), "x509: "), strings.Contains(err.Error(), "tls: failed to parse certificate"):
		return ReasonTLSBad, "the certificate cannot be used: " + oneLine(err.Error())
	}
	return ReasonNone, ""
}

// alertReason reads the alert with which the other end refused; the words are
// those of crypto/tls for the alerts of RFC 8446, section 6.
func alertReason(alert string) (Reason, string) {
	alert = strings.TrimPrefix(alert, "tls: ")
	switch {
	case strings.Contains(alert, "certificate required"), strings.Contains(alert, "bad certificate"):
		return ReasonTLSClient, "asks for a client certificate (alert: " + oneLine(alert) + ")"
	case strings.Contains(alert, "protocol version"):
		return ReasonTLSVersion, "speaks no TLS version that is safe today"
	}
	return ReasonTLSRefused, "refused the TLS connection (alert: " + oneLine(alert) + ")"
}

// certificateNames lists the names of a certificate, at most four.
func certificateNames(c *x509.Certificate) string {
	if c == nil {
		return "another name"
	}
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && c.Subject.CommonName != "" {
		return oneLine(c.Subject.CommonName) + " (common name only)"
	}
	if len(names) == 0 {
		return "no name at all"
	}
	if len(names) > 4 {
		names = append(names[:4], "…")
	}
	return oneLine(strings.Join(names, ", "))
}

func issuedBy(c *x509.Certificate) string {
	switch {
	case c == nil:
		return ""
	case c.Issuer.String() == c.Subject.String():
		return " (it signed itself)"
	case c.Issuer.CommonName != "":
		return " (" + oneLine(c.Issuer.CommonName) + ")"
	}
	return ""
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
