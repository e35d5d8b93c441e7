package lab

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"net/http"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// OpenIDOptions say what an OpenID provider is like. The zero value is a good
// one that signs with PS256, as Konnect does.
type OpenIDOptions struct {
	Issuer     string                    // what it calls itself
	Algorithms []jose.SignatureAlgorithm // none: PS256
	Keys       []op.Key                  // nil: one RSA key of 2048 bits
	NoKeys     bool                      // an empty key set
}

// OpenID gives the web handler of a real OpenID provider, the certified
// library github.com/zitadel/oidc. Like Konnect it calls itself what it was
// told, whatever name it is asked by, and serves plain HTTP: TLS is up to the
// server or proxy in front.
func OpenID(o OpenIDOptions) (http.Handler, error) {
	if len(o.Algorithms) == 0 {
		o.Algorithms = []jose.SignatureAlgorithm{jose.PS256}
	}
	if o.Keys == nil && !o.NoKeys {
		key, err := RSAKey(2048)
		if err != nil {
			return nil, err
		}
		o.Keys = []op.Key{key}
	}
	config := &op.Config{CodeMethodS256: true, AuthMethodPost: true, GrantTypeRefreshToken: true}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	store := &openIDStorage{Storage: storage.NewStorage(storage.NewUserStore(o.Issuer)), options: o}
	return op.NewProvider(config, store, op.StaticIssuer(o.Issuer), op.WithAllowInsecure())
}

// openIDStorage is the library's own storage in memory with other keys.
type openIDStorage struct {
	*storage.Storage
	options OpenIDOptions
}

// SignatureAlgorithms gives the algorithms of the discovery document.
func (s *openIDStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return s.options.Algorithms, nil
}

// KeySet gives the keys of the key set.
func (s *openIDStorage) KeySet(context.Context) ([]op.Key, error) { return s.options.Keys, nil }

// PublicKey is a key of a key set.
type PublicKey struct {
	KeyID  string
	For    string // "sig" or "enc"
	Sign   jose.SignatureAlgorithm
	Public crypto.PublicKey
}

// RSAKey makes a key for signatures of so many bits.
func RSAKey(bits int) (*PublicKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	return &PublicKey{uuid.NewString(), "sig", jose.PS256, key.Public()}, nil
}

// ID gives the key's name in the key set.
func (k *PublicKey) ID() string { return k.KeyID }

// Algorithm gives the algorithm that the key is for.
func (k *PublicKey) Algorithm() jose.SignatureAlgorithm { return k.Sign }

// Use gives what the key is for.
func (k *PublicKey) Use() string { return k.For }

// Key gives the public key.
func (k *PublicKey) Key() any { return k.Public }
