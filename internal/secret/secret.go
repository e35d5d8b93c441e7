// Package secret keeps passwords, keys and tokens out of everything that the
// doctor prints. Two walls: a Text never prints itself, and a Redactor removes
// whatever a server or a file said about a known secret before it is reported.
package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Hidden is what stands in the place of a secret.
const Hidden = "«hidden»"

// Text is a string that may be secret. Its String, Format and MarshalJSON give
// Hidden when it is; only Reveal gives the characters.
type Text struct {
	text   string
	secret bool
}

// New makes a Text.
func New(text string, isSecret bool) Text { return Text{text, isSecret} }

// Reveal gives the characters themselves: to compare, to parse, to log in with. Never to print.
func (t Text) Reveal() string { return t.text }

// IsSecret reports whether the text must never be printed.
func (t Text) IsSecret() bool { return t.secret }

// String gives the text, or Hidden. An empty secret is shown as empty: that it is empty is what matters.
func (t Text) String() string {
	if t.secret && t.text != "" {
		return Hidden
	}
	return t.text
}

// Format keeps every verb from reaching the characters of a secret.
func (t Text) Format(f fmt.State, verb rune) {
	s := t.String()
	if verb == 'q' && s != Hidden {
		s = strconv.Quote(s)
	}
	_, _ = f.Write([]byte(s))
}

// MarshalJSON gives the text, or Hidden, as a JSON string.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// keyPattern: the names of settings whose value is a secret, as Kopano's
// containers, MariaDB, OpenLDAP and docker-mailserver write them. A name that
// ends in FILE or PATH holds a file's name, not the secret itself.
var (
	keyPattern    = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|_pw$|^pw$|_pass$|bindpass$|secret|_key$|^key$|secretekey|accesskeyid|secretaccesskey|token|credential|shared_secret|api_?key|private_key$|hostauth$)`)
	notKeyPattern = regexp.MustCompile(`(?i)((_|^)(file|path|dir|lifetime|expir\w*|length|min\w*|max\w*|enabled?|type|algorithm|hash|attribute|attr\w*|user|policy|url|uri|mode|change\w*|complexity|strength|size|count|limit|regexp?|method|keyphrase|show|use|reset|clear|no_\w+|format|realm|signing_private_key|encryption_secret_key)$)|(pwd_(min|max)|password_(min|max|hash|show|no|reuse|complexity|diff)|passwd_attr)|SSLKEY_FILE|_credentials_user$`)
)

// IsName reports whether a setting of this name holds a secret.
func IsName(key string) bool {
	return keyPattern.MatchString(key) && !notKeyPattern.MatchString(key)
}

// urlPassword finds the password of a URL with user information.
var urlPassword = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:)([^\s@/"']+)@`)

// Redactor removes the known secrets of one run from any text. The zero value
// knows none, and still hides passwords in URLs.
type Redactor struct {
	forms []string // longest first
}

// NewRedactor learns the secrets, each in the encodings in which it may come
// back: plain, URL, base64, JSON, HTML and shell quoting. A secret that is
// shorter than four characters, or equal to one of the public words (a user
// name, a host), is not replaced in running text, since that would spoil the
// report without hiding anything; where such a value is written down it is
// hidden by its position.
func NewRedactor(secrets []string, public []string) *Redactor {
	plain := map[string]bool{}
	for _, p := range public {
		plain[p] = true
	}
	seen := map[string]bool{}
	r := &Redactor{}
	for _, s := range secrets {
		s = strings.TrimSpace(s)
		if len(s) < 4 || plain[s] {
			continue
		}
		for _, form := range encodings(s) {
			if len(form) >= 4 && !seen[form] && !plain[form] {
				seen[form] = true
				r.forms = append(r.forms, form)
			}
		}
	}
	sort.Slice(r.forms, func(i, j int) bool {
		if len(r.forms[i]) != len(r.forms[j]) {
			return len(r.forms[i]) > len(r.forms[j])
		}
		return r.forms[i] < r.forms[j]
	})
	return r
}

func encodings(s string) []string {
	quotedJSON, err := json.Marshal(s)
	forms := []string{s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s),
		base64.StdEncoding.EncodeToString([]byte(s)), base64.RawStdEncoding.EncodeToString([]byte(s)),
		base64.URLEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		strings.ReplaceAll(s, "$", "$$"), strings.ReplaceAll(s, "'", `'\''`), strings.ReplaceAll(s, `\`, `\\`)}
	if err == nil {
		forms = append(forms, string(quotedJSON[1:len(quotedJSON)-1]))
	}
	return forms
}

// Redact replaces every known secret in s by Hidden.
func (r *Redactor) Redact(s string) string {
	if s == "" {
		return s
	}
	if r != nil {
		for _, form := range r.forms {
			if strings.Contains(s, form) {
				s = replaceWord(s, form)
			}
		}
	}
	if strings.Contains(s, "://") {
		s = urlPassword.ReplaceAllString(s, "${1}"+Hidden+"@")
	}
	return s
}

// replaceWord replaces form where it does not stand inside a longer word: a
// password "demo" must not eat a part of "kopano_ldap_demo". Long secrets are
// replaced wherever they stand.
func replaceWord(s, form string) string {
	if len(form) >= 12 {
		return strings.ReplaceAll(s, form, Hidden)
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		j := strings.Index(s[i:], form)
		if j < 0 {
			b.WriteString(s[i:])
			break
		}
		start, end := i+j, i+j+len(form)
		b.WriteString(s[i:start])
		if inWord(s, start-1) && inWord(s, start) || inWord(s, end-1) && inWord(s, end) {
			b.WriteString(form)
		} else {
			b.WriteString(Hidden)
		}
		i = end
	}
	return b.String()
}

func inWord(s string, i int) bool {
	if i < 0 || i >= len(s) {
		return false
	}
	c := s[i]
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// What programs write in front of a secret in their logs. The words YES and NO
// after "password" are MariaDB's, and tell whether one was sent.
var (
	assignment = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:passw(?:or)?d|passphrase|passwd|(?:\b|_)pwd?|bindpw|secret|token|api_?key|private_?key|credentials?|cookie|session_?id)["']?\s*(?:=>|[=:])\s*)("[^"]*"|'[^']*'|[^\s,;&)\]}]+)`)
	header     = regexp.MustCompile(`(?i)(\b(?:basic|bearer)\s+)[a-z0-9._~+/=-]{8,}`)
	webToken   = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`)
)

// Mask hides in a line of a log what looks like a secret by what stands before
// it or by its form, whether it is known or not.
func Mask(line string) string {
	line = header.ReplaceAllString(line, "${1}"+Hidden)
	line = webToken.ReplaceAllString(line, Hidden)
	return assignment.ReplaceAllStringFunc(line, func(all string) string {
		m := assignment.FindStringSubmatch(all)
		if v := strings.ToUpper(m[2]); v == "YES" || v == "NO" {
			return all
		}
		return m[1] + Hidden
	})
}
