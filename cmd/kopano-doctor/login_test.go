package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func TestReadLogin(t *testing.T) {
	for text, want := range map[string][2]string{
		"USERNAME=doctor\nPASSWORD=pa$$ #word \n":                {"doctor", "pa$$ #word "},
		"# test\n\nexport USERNAME=doctor\nPASSWORD='a\"=b'\r\n": {"doctor", `a"=b`},
		"username: doctor\npassword: 0123\n":                     {"doctor", "0123"},
		"username: doctor\npassword: \"a=b\\\"\"\n":              {"doctor", `a=b"`},
	} {
		trip, err := parseLogin("f", strings.NewReader(text))
		if err != nil || trip.Username != want[0] || trip.Password.Reveal() != want[1] {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{"", "USERNAME=doctor\n", "hunter2", "username: doctor\npassword: [hunter2]\n", "username: u\npassword: \"a\\nhunter2\"\n", "password: hunter2\n\tx",
		strings.Repeat("hunter2 ", 4000)} {
		_, err := parseLogin("f", strings.NewReader(text))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// The file is refused when others can read it, and the command line says so.
func TestLoginFileIsPrivate(t *testing.T) {
	dir := harmless(t)
	file := filepath.Join(t.TempDir(), "test.env")
	if err := os.WriteFile(file, []byte("USERNAME=doctor\nPASSWORD=hunter2-of-the-test\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		got := run(t, nil, "check", "--login", file, dir)
		if got.code != 2 || !strings.Contains(got.stderr, "chmod 600") {
			t.Errorf("exit %d\n%s", got.code, got.stderr)
		}
	}
	if got := run(t, nil, "check", "--login", file, "--login-shared", dir); got.code != 3 || !strings.Contains(got.stderr, "nothing") {
		t.Errorf("exit %d\n%s", got.code, got.stderr)
	}
	if got := run(t, nil, "check", "--login", file, "--login-shared", "--offline", dir); got.code != 2 {
		t.Errorf("exit %d with --offline", got.code)
	}
	if got := run(t, nil, "check", "--login", filepath.Join(dir, "none"), dir); got.code != 2 {
		t.Errorf("exit %d without the file", got.code)
	}
}

const loginPassword = "Tr1p-of-the-test!"

// loginScene is the bundled deployment with what the test user passes behind it.
func loginScene(t *testing.T, o lab.GatewayOptions) (args []string, account *lab.Account) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deployment")
	labtest.Check(t, os.CopyFS(dir, os.DirFS(full)))
	env := filepath.Join(dir, ".env")
	text, err := os.ReadFile(env)
	labtest.Check(t, err)
	labtest.Check(t, os.WriteFile(env, append(text, "\nEMAIL=self_signed\n"...), 0o600))
	l := labtest.New(t)
	ca, err := lab.NewCA("Lab")
	labtest.Check(t, err)
	leaf, err := ca.Issue(lab.LeafOptions{Names: []string{"kopano.example.org"}})
	labtest.Check(t, err)
	account = &lab.Account{Username: "doctor", Password: loginPassword}
	konnect := labtest.MustStart(t, lab.NewKonnect, lab.KonnectOptions{Issuer: "https://kopano.example.org", Account: account})
	web, err := l.ServeHTTP("", tattling(lab.SignedIn(lab.SignedInOptions{Konnect: konnect, Account: account})), lab.ServerTLS(leaf))
	labtest.Check(t, err)
	o.Account = account
	gateway := labtest.MustStart(t, l.Gateway, o)
	args = []string{"--resolve", "kopano.example.org:443=" + web, "--resolve", "kopano_gateway:143=" + gateway, "--timeout", "2s", "--deadline", "20s", dir}
	return args, account
}

// tattling repeats in a header of each answer what it was sent, as a server may
// that is set up to find faults.
func tattling(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/kdav/" {
			user, password, _ := r.BasicAuth()
			w.Header().Set("Content-Type", "text/"+user+password+" "+r.Header.Get("Authorization")+" "+password)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		if r.URL.Path == "/api/gc/v1/me" {
			w.Header().Set("Content-Type", r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func runWith(stdin io.Reader, args ...string) call {
	var stdout, stderr bytes.Buffer
	code := Main(append([]string{"kopano-doctor", "check", "--engine", "none"}, args...), stdin, &stdout, &stderr, nil)
	return call{code, stdout.String(), stderr.String()}
}

func loginStates(t *testing.T, r report.Report) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, l := range r.Links {
		if id, _, _ := strings.Cut(l.ID, "@"); strings.HasPrefix(id, "login-") {
			out[id] = strings.TrimSpace(l.Status + " " + l.Reason)
		}
	}
	return out
}

// A whole run: the steps are there, and whatever the servers repeat, no format
// shows the password, a form of it, or a token.
func TestCheckWithLogin(t *testing.T) {
	args, account := loginScene(t, lab.GatewayOptions{})
	login := "USERNAME=doctor\nPASSWORD=" + loginPassword + "\n"
	for i, format := range report.Formats() {
		got := runWith(strings.NewReader(login), append([]string{"--login", "-", "--format", string(format)}, args...)...)
		for _, secret := range []string{loginPassword, base64.StdEncoding.EncodeToString([]byte("doctor:" + loginPassword)), "Bearer e", "Bearer a"} {
			if strings.Contains(got.stdout+got.stderr, secret) {
				t.Errorf("%s shows %q", format, secret)
			}
		}
		if right, wrong := account.Tries(); wrong != 0 || right != 4*(i+1) {
			t.Errorf("%d right and %d wrong passwords after %d runs", right, wrong, i+1)
		}
		if format != "json" {
			continue
		}
		states := loginStates(t, parse(t, got.stdout))
		for id, want := range map[string]string{"login-openid": "ok", "login-webapp": "ok", "login-kapi": "broken token-refused", "login-activesync": "ok",
			"login-kdav": "broken not-the-app", "login-caldav": "ok", "login-imap": "ok"} {
			if states[id] != want {
				t.Errorf("%s: %q, want %q", id, states[id], want)
			}
		}
		if !strings.Contains(got.stdout, "«hidden»") {
			t.Error("nothing was hidden, although servers repeat what they were sent")
		}
	}
	plain := parse(t, runWith(strings.NewReader(""), append([]string{"--format", "json"}, args...)...).stdout)
	if states := loginStates(t, plain); len(states) > 0 {
		t.Errorf("without --login there are %v", states)
	}
}

func TestCheckWithAWrongLogin(t *testing.T) {
	args, account := loginScene(t, lab.GatewayOptions{})
	start := time.Now()
	got := runWith(strings.NewReader("username: doctor\npassword: of-somebody-else\n"), append([]string{"--login", "-", "--format", "json"}, args...)...)
	if right, wrong := account.Tries(); right != 0 || wrong != 1 {
		t.Errorf("%d right and %d wrong passwords were tried, in %s", right, wrong, time.Since(start))
	}
	states := loginStates(t, parse(t, got.stdout))
	refused := 0
	for id, state := range states {
		switch state {
		case "broken user-refused":
			refused++
		case "unchecked blocked":
		default:
			t.Errorf("%s: %s", id, state)
		}
	}
	if refused != 1 || got.code != 1 {
		t.Errorf("%d steps refused, exit %d: %v", refused, got.code, states)
	}
}
