package lab

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// KonnectOptions say what Konnect is like.
type KonnectOptions struct {
	Issuer   string // "https://…", without a slash at its end
	Account  *Account
	Client   string // the application that it knows, besides its redirect address; "": webapp
	Consent  bool   // it does not trust the application, and asks the user
	Down     bool   // it does not reach kopano_server: 500 to every logon
	NoCookie bool   // it forgets who has signed in
	OtherKey bool   // its key set lacks the key that it signs with
}

// Konnect is a stand-in for Konnect, which is in no registry: the certified
// provider library behind the sign-in page's API as Konnect has it
// (identifier/handlers.go, identifier/models.go and
// identity/managers/identifier.go of konnect): XSRF header and Origin, the
// answer 204 to a wrong password, hello, consent, the logon cookie.
type Konnect struct {
	options  KonnectOptions
	provider http.Handler
	store    *konnectStorage
}

// identifierPath is the sign-in page; its API is below.
const identifierPath = "/signin/v1/identifier"

// NewKonnect gives the stand-in.
func NewKonnect(o KonnectOptions) (*Konnect, error) {
	if o.Client == "" {
		o.Client = "webapp"
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	config := &op.Config{CodeMethodS256: true, AuthMethodPost: true}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	client := storage.NativeClient(o.Client, o.Issuer+"/webapp/", o.Issuer+"/meet/")
	users := konnectUsers{&storage.User{ID: "id", Username: o.Account.Username, Password: o.Account.Password}}
	k := &Konnect{options: o, store: &konnectStorage{
		Storage: storage.NewStorageWithClients(users, map[string]*storage.Client{o.Client: client}), id: uuid.NewString(), key: key, other: o.OtherKey}}
	k.provider, err = op.NewProvider(config, k.store, op.StaticIssuer(o.Issuer), op.WithAllowInsecure(),
		op.WithCustomAuthEndpoint(op.NewEndpoint(identifierPath[1:]+"/_/authorize")))
	return k, err
}

// Knows reports whether a token is one that it gave.
func (k *Konnect) Knows(token string) bool {
	r := httptest.NewRequest(http.MethodGet, k.options.Issuer+"/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	k.provider.ServeHTTP(answer, r)
	return answer.Code == http.StatusOK
}

// ServeHTTP answers as Konnect.
func (k *Konnect) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case identifierPath + "/_/authorize":
		k.authorize(w, r)
	case identifierPath + "/_/logon", identifierPath + "/_/consent":
		if r.Method != http.MethodPost || r.Header.Get("Kopano-Konnect-XSRF") != "1" || r.Header.Get("Origin") != "https://"+r.Host {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if strings.HasSuffix(r.URL.Path, "logon") {
			k.logon(w, r)
			return
		}
		k.consent(w, r)
	case identifierPath:
		Page(http.StatusOK, "text/html; charset=utf-8", "<!doctype html><title>Sign in</title>").ServeHTTP(w, r)
	default:
		k.provider.ServeHTTP(w, r)
	}
}

func (k *Konnect) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != k.options.Client {
		http.Error(w, "unknown client_id", http.StatusBadRequest)
		return
	}
	_, noLogon := r.Cookie("__Secure-KKT")
	_, noConsent := r.Cookie("__Secure-KKC")
	flow := ""
	switch {
	case noLogon != nil:
		flow = "oidc"
	case k.options.Consent && noConsent != nil:
		flow = "consent"
	}
	if flow != "" && query.Get("prompt") == "none" {
		http.Redirect(w, r, query.Get("redirect_uri")+"?"+url.Values{"error": {"login_required"}, "state": {query.Get("state")}}.Encode(), http.StatusFound)
		return
	}
	if flow != "" {
		http.Redirect(w, r, identifierPath+"?flow="+flow+"&"+r.URL.RawQuery, http.StatusFound)
		return
	}
	// Who has signed in is known by the cookie; the library is told so.
	query.Del("prompt")
	began := k.ask(r, r.URL.Path+"?"+query.Encode())
	login, err := url.Parse(began.Header().Get("Location"))
	id := login.Query().Get("authRequestID")
	if err != nil || k.store.CheckUsernamePassword(k.options.Account.Username, k.options.Account.Password, id) != nil {
		http.Error(w, "sign-in is lost", http.StatusInternalServerError)
		return
	}
	done := k.ask(r, r.URL.Path+"/callback?id="+url.QueryEscape(id))
	w.Header().Set("Location", done.Header().Get("Location"))
	w.WriteHeader(done.Code)
}

// ask asks the library.
func (k *Konnect) ask(r *http.Request, target string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	k.provider.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, target, nil).WithContext(r.Context()))
	return answer
}

func (k *Konnect) logon(w http.ResponseWriter, r *http.Request) {
	var asks struct {
		State  string
		Params []string
		Hello  struct {
			Flow string `json:"flow"`
		}
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&asks) != nil || len(asks.Params) != 3 || asks.Params[2] != "1" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if k.options.Down {
		http.Error(w, "failed to logon", http.StatusInternalServerError)
		return
	}
	if !k.options.Account.Check(asks.Params[0], asks.Params[1]) {
		w.Header().Set("Kopano-Konnect-State", asks.State)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	hello := map[string]any{"success": true, "username": asks.Params[0], "flow": asks.Hello.Flow, "continue_uri": k.options.Issuer + identifierPath + "/_/authorize"}
	if k.options.Consent {
		hello["next"] = "consent"
	}
	if !k.options.NoCookie {
		k.remember(w, "__Secure-KKT")
	}
	writeJSON(w, map[string]any{"success": true, "state": asks.State, "hello": hello})
}

func (k *Konnect) consent(w http.ResponseWriter, r *http.Request) {
	var asks struct {
		State string
		Allow bool
	}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&asks) != nil || !asks.Allow {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	k.remember(w, "__Secure-KKC")
	writeJSON(w, map[string]any{"success": true, "state": asks.State})
}

func (k *Konnect) remember(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: rand.Text(), Path: identifierPath + "/_/", Secure: true, HttpOnly: true})
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

// konnectUsers is the one user.
type konnectUsers struct{ user *storage.User }

func (u konnectUsers) ExampleClientID() string { return "service" }

func (u konnectUsers) GetUserByID(string) *storage.User { return u.user }

func (u konnectUsers) GetUserByUsername(string) *storage.User { return u.user }

// konnectStorage signs with PS256, as Konnect does.
type konnectStorage struct {
	*storage.Storage
	id    string
	key   *rsa.PrivateKey
	other bool
}

// SigningKey gives the key itself.
func (s *konnectStorage) SigningKey(context.Context) (op.SigningKey, error) {
	return privateKey{s.id, s.key}, nil
}

// SignatureAlgorithms gives the algorithms of the discovery document.
func (s *konnectStorage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.PS256}, nil
}

// KeySet gives the keys of the key set.
func (s *konnectStorage) KeySet(context.Context) ([]op.Key, error) {
	if s.other {
		key, err := RSAKey(2048)
		return []op.Key{key}, err
	}
	return []op.Key{&PublicKey{s.id, "sig", jose.PS256, s.key.Public()}}, nil
}

type privateKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k privateKey) ID() string                                  { return k.id }
func (k privateKey) Key() any                                    { return k.key }
func (k privateKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.PS256 }
