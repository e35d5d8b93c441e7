package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CA is a certificate authority of the lab.
type CA struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// Leaf is a certificate with its key.
type Leaf struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	CA   *CA // nil when it signed itself
}

// LeafOptions say what a certificate is like. The zero value is a good
// certificate for localhost and 127.0.0.1, valid from yesterday for 90 days.
type LeafOptions struct {
	Names      []string // DNS names and addresses; none: localhost and 127.0.0.1
	NotBefore  time.Time
	NotAfter   time.Time
	SelfSigned bool
	Key        crypto.Signer // none: a new P-256 key
	RSABits    int           // a new RSA key of that size instead
	NoNames    bool          // only a common name, as old certificates have
	ClientOnly bool          // for clients, so that no server may use it
}

// NewCA makes an authority, valid from two days ago for ten years.
func NewCA(name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := create(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &CA{cert, key}, nil
}

// Issue makes a certificate.
func (ca *CA) Issue(o LeafOptions) (*Leaf, error) {
	key, err := o.key()
	if err != nil {
		return nil, err
	}
	template := o.template()
	leaf := &Leaf{Key: key, CA: ca}
	if o.SelfSigned {
		leaf.CA = nil
		leaf.Cert, err = create(template, template, key, key)
	} else {
		leaf.Cert, err = create(template, ca.Cert, key, ca.key)
	}
	return leaf, err
}

func (o LeafOptions) key() (crypto.Signer, error) {
	switch {
	case o.Key != nil:
		return o.Key, nil
	case o.RSABits != 0:
		return rsa.GenerateKey(rand.Reader, o.RSABits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func (o LeafOptions) template() *x509.Certificate {
	names := o.Names
	if len(names) == 0 {
		names = []string{"localhost", "127.0.0.1"}
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: names[0]}, NotBefore: o.NotBefore, NotAfter: o.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if o.ClientOnly {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = time.Now().Add(-24 * time.Hour)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = time.Now().AddDate(0, 0, 90)
	}
	for _, name := range names {
		switch ip := net.ParseIP(name); {
		case o.NoNames:
		case ip != nil:
			t.IPAddresses = append(t.IPAddresses, ip)
		default:
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return t
}

func create(template, parent *x509.Certificate, key, parentKey crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return n
}

// PEM gives the authority's certificate.
func (ca *CA) PEM() []byte { return certPEM(ca.Cert) }

// Pool gives a pool that trusts only this authority.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// CertPEM gives the certificate.
func (l *Leaf) CertPEM() []byte { return certPEM(l.Cert) }

// KeyPEM gives the key (PKCS #8).
func (l *Leaf) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(l.Key)
	if err != nil {
		panic(fmt.Sprintf("a key that was just made cannot be written: %v", err))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TLS gives the certificate for a crypto/tls server.
func (l *Leaf) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{l.Cert.Raw}, PrivateKey: l.Key, Leaf: l.Cert}
}

// Write writes cert.pem, key.pem and, unless it signed itself, ca.pem into a folder.
func (l *Leaf) Write(dir string) error {
	files := map[string][]byte{"cert.pem": l.CertPEM(), "key.pem": l.KeyPEM()}
	if l.CA != nil {
		files["ca.pem"] = l.CA.PEM()
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
