package checks

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// DefaultExpiresSoon is how long before its end a certificate is warned about.
const DefaultExpiresSoon = 30 * 24 * time.Hour

func (t Target) expiresSoon() time.Duration {
	if t.ExpiresSoon > 0 {
		return t.ExpiresSoon
	}
	return DefaultExpiresSoon
}

// weakness is something about a certificate that makes it unsafe.
type weakness struct {
	reason      Reason
	title, text string
	remedy      string
}

// weaknesses looks at keys and signatures: RSA of 2048 bits and P-256 are the
// least that is safe, SHA-1 and MD5 are not (CA/Browser Forum, Baseline
// Requirements 6.1.5 and 7.1.3.2). The signature of a certificate that signed
// itself proves nothing anyway, so it is not looked at.
func weaknesses(chain []*x509.Certificate) []weakness {
	var out []weakness
	for i, c := range chain {
		if bits, weak := weakKey(c.PublicKey); weak {
			out = append(out, weakness{ReasonWeakKey, "A certificate's key is too short",
				fmt.Sprintf("the key of the certificate of %s has %d bits", subjectOf(c), bits),
				"Make a new key of at least 2048 bits (RSA) or P-256, and a new certificate for it."})
		}
		if weakSignature(c.SignatureAlgorithm) && !(i > 0 && selfSigned(c)) {
			out = append(out, weakness{ReasonWeakSignature, "A certificate's signature is out of date",
				fmt.Sprintf("the certificate of %s is signed with %s", subjectOf(c), c.SignatureAlgorithm),
				"Get a new certificate that is signed with SHA-256."})
		}
	}
	return out
}

func weakSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// expiry warns about a certificate that ends soon: within 30 days or what was
// asked for, but not before the last third of a short life, as that of Caddy's
// own of seven days.
func (c *certificateClimb) expiry(leaf *x509.Certificate) {
	left := leaf.NotAfter.Sub(c.target.now())
	window := min(c.target.expiresSoon(), leaf.NotAfter.Sub(leaf.NotBefore)/3)
	if left > window || left < 0 {
		return
	}
	remedy := "Look why it was not renewed (docker compose logs web), or replace the files of TLS_CERT and TLS_KEY."
	switch {
	case c.internal:
		remedy = c.internalRemedy(ReasonTLSExpired)
	case c.mode == modeSelfSigned:
		remedy = "Restart web in time: the certificate that it signs itself lives only seven days from its start (docker compose restart web)."
	}
	f := c.finding(ReasonExpiresSoon, c.places(ReasonTLSExpired), "The certificate of "+hostPort(c.host, c.port)+" expires soon",
		fmt.Sprintf("the certificate of %s is valid until %s, for %s more", c.address, day(leaf.NotAfter), days(left)), remedy)
	c.warn(finding.Warning, f)
}

func days(d time.Duration) string {
	if n := int(d.Hours() / 24); n >= 2 {
		return fmt.Sprintf("%d days", n)
	}
	return fmt.Sprintf("%d hours", int(d.Hours()))
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && (!c.IsCA || c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil)
}

func subjectOf(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return oneLine(c.Subject.CommonName)
	}
	return certificateNames(c)
}

func issuerOf(c *x509.Certificate) string {
	switch {
	case selfSigned(c):
		return "itself"
	case c.Issuer.CommonName != "":
		return oneLine(c.Issuer.CommonName)
	}
	return oneLine(c.Issuer.String())
}

// maxKeyFile bounds a file of keys and certificates.
const maxKeyFile = 256 << 10

// certificates reads every certificate of a PEM file.
func certificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	return out, nil
}

// privateKey reads the first private key of a PEM file. The error never holds
// a part of the key.
func privateKey(data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "RSA PRIVATE KEY":
			k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			return signer(k, err)
		case "EC PRIVATE KEY":
			k, err := x509.ParseECPrivateKey(block.Bytes)
			return signer(k, err)
		case "PRIVATE KEY":
			k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			return signer(k, err)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is locked with a passphrase")
		}
	}
	return nil, errors.New("there is no private key in it")
}

func signer(key any, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, errors.New("the key in it is damaged")
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case crypto.Signer:
		return k, nil
	}
	return nil, errors.New("the key in it is of an unknown kind")
}

// keyMatches reports whether a file's key belongs to its certificate.
func keyMatches(data []byte) error {
	_, err := tls.X509KeyPair(data, data)
	return err
}
