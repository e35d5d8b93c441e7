package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

func TestNamesOfSecrets(t *testing.T) {
	for key, want := range map[string]bool{
		"MYSQL_PASSWORD":                                 true,
		"MYSQL_ROOT_PASSWORD":                            true,
		"LDAP_BIND_PW":                                   true,
		"LDAP_BINDPASS":                                  true,
		"KCCONF_LDAP_LDAP_BIND_PASSWD":                   true,
		"SELF_SERVICE_SECRETEKEY":                        true,
		"SECRETEKEY":                                     true,
		"TURN_PASSWORD":                                  true,
		"turn_service_credentials_password":              true,
		"external_oidc_clientsecret":                     true,
		"KCCONF_SERVER_ATTACHMENT_S3_SECRETACCESSKEY":    true,
		"KCCONF_SERVER_SERVER_SSL_KEY_PASS":              true,
		"KCCONF_KAPID_PLUGIN_PUBS_SECRET_KEY":            true,
		"SMTP_RELAY_HOSTAUTH":                            true,
		"LDAP_READONLY_USER_PASSWORD":                    true,
		"SASLAUTHD_LDAP_PASSWORD":                        true,
		"LDAP_BIND_DN":                                   false,
		"LDAP_READONLY_USER":                             false,
		"MYSQL_USER":                                     false,
		"MYSQL_PASSWORD_FILE":                            false,
		"KCCONF_DAGENT_SSLKEY_FILE":                      false,
		"KCCONF_SERVER_SERVER_SSL_KEY_FILE":              false,
		"KCCONF_SERVER_SSLKEYS_PATH":                     false,
		"DEFAULT_PLUGIN_PUBS_SECRET_KEY_FILE":            false,
		"encryption_secret_key":                          false, // konnect: the path of a file
		"signing_private_key":                            false, // konnect: the path of a file
		"turn_service_credentials_user":                  false,
		"SELF_SERVICE_PASSWORD_MIN_LENGTH":               false,
		"PASSWORD_MIN_DIGIT":                             false,
		"KCCONF_LDAP_LDAP_AUTHENTICATION_METHOD":         false,
		"KCCONF_LDAP_LDAP_PASSWORD_ATTRIBUTE":            false,
		"FQDN":                                           false,
		"KCCONF_SERVER_ATTACHMENT_PATH":                  false,
		"KCCONF_GATEWAY_DISABLE_PLAINTEXT_AUTH":          false,
		"KCCONF_GATEWAY_BYPASS_AUTH":                     false,
		"KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY":      false,
		"allow_dynamic_client_registration":              false,
		"KCCONF_SERVER_SERVER_SSL_PREFER_SERVER_CIPHERS": false,
		"TZ": false,
	} {
		if got := IsName(key); got != want {
			t.Errorf("IsName(%q) = %v, want %v", key, got, want)
		}
	}
}

func TestTextNeverPrintsASecret(t *testing.T) {
	type holder struct{ Password Text }
	const pw = "Rw6bUj9tCm3zXe7n"
	h := holder{New(pw, true)}
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprint(h.Password), fmt.Sprintf("%s %v %+v %#v %q %x %d", h.Password, h, h, h, h.Password, h.Password, h.Password),
		fmt.Sprintf("%v %+v %#v", &h, []Text{h.Password}, map[string]Text{"a": h.Password}), string(asJSON), fmt.Sprintln(h),
	} {
		if strings.Contains(printed, pw) || strings.Contains(printed, fmt.Sprintf("%x", pw)) {
			t.Errorf("printed: %s", printed)
		}
	}
	if New("", true).String() != "" {
		t.Error("an empty secret must be shown as empty")
	}
	if got := fmt.Sprintf("%q", New("plain", false)); got != `"plain"` {
		t.Errorf("plain text with %%q: %s", got)
	}
}

func TestRedactor(t *testing.T) {
	r := NewRedactor([]string{"kopano123", "demo", "abc", "pass word/ä+", "kopano"}, []string{"kopano", "ldap"})
	for in, want := range map[string]string{
		"login with kopano123 failed":          "login with «hidden» failed",
		"the image kopano_ldap_demo":           "the image kopano_ldap_demo",
		"password demo, quoted 'demo'":         "password «hidden», quoted '«hidden»'",
		"abc is too short to hide":             "abc is too short to hide",
		"user kopano":                          "user kopano",
		"mysql://root:x9@db:3306/kopano":       "mysql://root:«hidden»@db:3306/kopano",
		"q=" + url.QueryEscape("pass word/ä+"): "q=«hidden»",
	} {
		if got := r.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
	var none *Redactor
	if got := none.Redact("https://u:pw@h/"); got != "https://u:«hidden»@h/" {
		t.Errorf("nil redactor: %q", got)
	}
}

// Secrets of every shape, in every encoding that a file or a server may give
// back, leave no trace.
func TestRedactorProperty(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const alphabet = `abcXYZ019 $'"\/+&#@:<>%=ä`
	for range 2000 {
		runes := []rune(alphabet)
		var b strings.Builder
		b.WriteString("Zq") // no blank edges: settings are trimmed
		for range 8 + rnd.IntN(24) {
			b.WriteRune(runes[rnd.IntN(len(runes))])
		}
		b.WriteString("7w")
		pw := b.String()
		quoted, _ := json.Marshal(pw)
		r := NewRedactor([]string{pw}, nil)
		for _, form := range []string{pw, url.QueryEscape(pw), url.PathEscape(pw), base64.StdEncoding.EncodeToString([]byte(pw)), string(quoted), strings.ReplaceAll(pw, "$", "$$")} {
			if got := r.Redact("before " + form + " after"); strings.Contains(got, strings.Trim(form, `"`)) {
				t.Fatalf("secret %q as %q left in %q", pw, form, got)
			}
		}
	}
}

func TestMask(t *testing.T) {
	for line, want := range map[string]string{
		"login with password=abc, user=x":             "login with password=«hidden», user=x",
		`{"bind_pw": "a b c", "n": 1}`:                `{"bind_pw": «hidden», "n": 1}`,
		`{"password": "a b c", "n": 1}`:               `{"password": «hidden», "n": 1}`,
		"Access denied (using password: YES)":         "Access denied (using password: YES)",
		"Authorization: Basic a29wYW5vOnNlY3JldA==":   "Authorization: Basic «hidden»",
		"token eyJhbGciOiJQUzI1.eyJpc3MiOiJo.c2ln ok": "token «hidden» ok",
		"MYSQL_ROOT_PASSWORD='x y' client_secret: z":  "MYSQL_ROOT_PASSWORD=«hidden» client_secret: «hidden»",
		"the password is wrong":                       "the password is wrong",
	} {
		if got := Mask(line); got != want {
			t.Errorf("%s\nbecomes %s\nwant    %s", line, got, want)
		}
	}
}
