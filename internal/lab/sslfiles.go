package lab

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

// sslServices are the names for which kopano_ssl makes a key (ssl/start.sh of
// kopano-docker).
var sslServices = []string{"kopano_server", "kopano_server_2", "kopano_dagent", "kopano_monitor", "kopano_search", "kopano_spooler", "kopano_webapp", "admin"}

// WriteSSLFiles writes into a folder what kopano_ssl makes, as it is once
// Konnect ran too, and gives the authority that signed it.
func WriteSSLFiles(dir, fqdn string) (*CA, error) {
	if err := os.MkdirAll(filepath.Join(dir, "clients"), 0o755); err != nil {
		return nil, err
	}
	ca, err := NewCA("Internal Kopano System")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"ca.pem": ca.PEM(), "ecparam.pem": []byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"),
		"konnectd-identifier-registration.yaml": []byte("clients: []\n"),
	}
	for _, name := range sslServices {
		leaf, err := ca.Issue(LeafOptions{Names: []string{name, fqdn}})
		if err != nil {
			return nil, err
		}
		files[name+".pem"] = Pair(leaf)
		public, err := x509.MarshalPKIXPublicKey(leaf.Cert.PublicKey)
		if err != nil {
			return nil, err
		}
		files[filepath.Join("clients", name+"-public.pem")] = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	}
	if err := secretFiles(ca, files); err != nil {
		return nil, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return nil, err
		}
	}
	return ca, nil
}

// secretFiles adds the keys that have no certificate.
func secretFiles(ca *CA, files map[string][]byte) error {
	signing, err := ca.Issue(LeafOptions{RSABits: 2048})
	if err != nil {
		return err
	}
	meet, err := ca.Issue(LeafOptions{})
	if err != nil {
		return err
	}
	secret := make([]byte, 96)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	files["konnectd-tokens-signing-key.pem"] = signing.KeyPEM()
	files["meet-kwmserver.pem"] = meet.KeyPEM()
	files["konnectd-encryption.key"] = secret[:32]
	files["kapid-pubs-secret.key"] = []byte(hex.EncodeToString(secret[32:]) + "\n")
	return nil
}

// SigningKey gives the public half of Konnect's signing key in such a folder,
// for an OpenID provider that signs with it.
func SigningKey(dir string) (*PublicKey, error) {
	text, err := os.ReadFile(filepath.Join(dir, "konnectd-tokens-signing-key.pem"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block in the signing key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &PublicKey{uuid.NewString(), "sig", jose.PS256, key.(crypto.Signer).Public()}, nil
}

// ServerLeaf issues the certificate of kopano_server's HTTPS port.
func ServerLeaf(ca *CA, fqdn string) (*Leaf, error) {
	return ca.Issue(LeafOptions{Names: []string{"kopano_server", fqdn}})
}

// SOAP answers as kopano_server's ports do to a question that is no call
// (gSOAP 2.8). It is a stand-in: kopano-server is no Debian package any more.
func SOAP() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "gSOAP/2.8")
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><fault>HTTP GET method not implemented</fault>`)
	})
}

// Pair gives key and certificate in one file, the key first.
func Pair(l *Leaf) []byte { return append(l.KeyPEM(), l.CertPEM()...) }
