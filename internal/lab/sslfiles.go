package lab

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
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

// Pair gives key and certificate in one file, the key first.
func Pair(l *Leaf) []byte { return append(l.KeyPEM(), l.CertPEM()...) }
