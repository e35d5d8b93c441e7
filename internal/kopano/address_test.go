package kopano

import (
	"strings"
	"testing"
)

func TestParseEndpoint(t *testing.T) {
	for _, c := range []struct {
		text    string
		form    Form
		scheme  string
		host    string
		port    int
		path    string
		problem string // a part of it; "" when there must be none
	}{
		{text: "ldap://ldap:389", form: FormURI, scheme: "ldap", host: "ldap", port: 389},
		{text: " ldaps://dc.example.org ", form: FormURI, scheme: "ldaps", host: "dc.example.org"},
		{text: "LDAP://kopano_ldap", form: FormURI, scheme: "ldap", host: "kopano_ldap"},
		{text: "ldap://[2001:db8::1]:389", form: FormURI, scheme: "ldap", host: "2001:db8::1", port: 389},
		{text: "ldap:389", form: FormURI, problem: "scheme"},
		{text: "ldap", form: FormURI, problem: "scheme"},
		{text: "ldap://", form: FormURI, scheme: "ldap", problem: "no host"},
		{text: "ldap://ldap:38x", form: FormURI, problem: "port is no number"},
		{text: "ldap://ldap:99999", form: FormURI, scheme: "ldap", host: "ldap", problem: "between 1 and 65535"},
		{text: "ldap://my ldap", form: FormURI, problem: "blank"},
		{text: "http://kopano_server:236/", form: FormURI, scheme: "http", host: "kopano_server", port: 236, path: "/"},
		{text: "file:///var/run/kopano/server.sock", form: FormURI, scheme: "file", path: "/var/run/kopano/server.sock"},
		{text: "file://var/run/kopano/server.sock", form: FormURI, scheme: "file", path: "/run/kopano/server.sock", problem: "three slashes"},
		{text: "default:", form: FormURI, scheme: "default"},
		{text: "turn:turn.example.org:3478?transport=udp", form: FormURI, scheme: "turn", host: "turn.example.org", port: 3478},
		{text: "", form: FormURI, problem: "empty"},
		{text: "db", form: FormHost, host: "db"},
		{text: "db:3307", form: FormHost, host: "db", port: 3307},
		{text: "kopano_gateway/143", form: FormHost, host: "kopano_gateway", port: 143},
		{text: "::1", form: FormHost, host: "::1"},
		{text: "[::1]:25", form: FormHost, host: "::1", port: 25},
		{text: "[::1", form: FormHost, problem: "bracket"},
		{text: "a:b:c", form: FormHost, host: "a:b:c", problem: "more than one colon"},
		{text: "db:", form: FormHost, host: "db", problem: "no port behind"},
		{text: "mysql://db", form: FormHost, problem: "without mysql://"},
		{text: "da tabase", form: FormHost, host: "da tabase", problem: "no host name"},
		{text: "-db", form: FormHost, host: "-db", problem: "no host name"},
		{text: "ldap://ldap:389", form: FormAny, scheme: "ldap", host: "ldap", port: 389},
		{text: "ldap:389", form: FormAny, host: "ldap", port: 389},
		{text: "lmtp:kopano_dagent:2003", form: FormLMTP, scheme: "lmtp", host: "kopano_dagent", port: 2003},
		{text: "lmtp:inet:kopano_dagent:2003", form: FormLMTP, scheme: "lmtp", host: "kopano_dagent", port: 2003},
		{text: "lmtp:[10.0.0.5]:2003", form: FormLMTP, scheme: "lmtp", host: "10.0.0.5", port: 2003},
		{text: "lmtp:unix:/run/kopano/dagent.sock", form: FormLMTP, scheme: "lmtp", path: "/run/kopano/dagent.sock"},
		{text: "lmtp://kopano_dagent:2003", form: FormLMTP, problem: "lmtp:host:port"},
		{text: "kopano_dagent", form: FormLMTP, problem: "lmtp:host:port"},
		{text: "smtp:kopano_dagent:2003", form: FormLMTP, scheme: "smtp", host: "kopano_dagent", port: 2003, problem: "instead of lmtp"},
		{text: "file:///var/run/kopano/search.sock", form: FormPath, scheme: "file", path: "/var/run/kopano/search.sock"},
		{text: "/kopano/ssl/ca.pem", form: FormPath, scheme: "file", path: "/kopano/ssl/ca.pem"},
		{text: "ca.pem", form: FormPath, scheme: "file", path: "ca.pem", problem: "starts with a slash"},
		{text: "http://x", form: FormPath, scheme: "file", problem: "path inside the container"},
	} {
		e := parseEndpoint(c.text, c.form)
		if e.Scheme != c.scheme || e.Host != c.host || e.Port != c.port || e.Path != c.path {
			t.Errorf("%q as %s: %q %q %d %q", c.text, c.form, e.Scheme, e.Host, e.Port, e.Path)
		}
		if c.problem == "" && e.Problem != "" || !strings.Contains(e.Problem, c.problem) || c.problem != "" && e.Problem == "" {
			t.Errorf("%q as %s: problem %q; want %q", c.text, c.form, e.Problem, c.problem)
		}
	}
}

func TestPasswordsInAddressesAreRemoved(t *testing.T) {
	for _, text := range []string{"ldap://admin:t0psecret@ldap:389", "ldap://admin:t0psecret@ldap:38x", "http://admin:t0psecret@%zz/", "admin:t0psecret@ldap"} {
		for _, form := range []Form{FormURI, FormHost, FormAny, FormLMTP} {
			e := parseEndpoint(text, form)
			if strings.Contains(e.Text+e.Problem, "t0psecret") {
				t.Errorf("%q gives %q and %q", text, e.Text, e.Problem)
			}
		}
	}
}

func TestParseListen(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    []ListenAddr
		problem string
	}{
		{"*%lo:236", []ListenAddr{{Host: "*", Port: 236, Loopback: true}}, ""},
		{"*:143", []ListenAddr{{Host: "*", Port: 143}}, ""},
		{"0.0.0.0:236", []ListenAddr{{Host: "0.0.0.0", Port: 236}}, ""},
		{":236", []ListenAddr{{Port: 236}}, ""},
		{"127.0.0.1:236 [::1]:236", []ListenAddr{{Host: "127.0.0.1", Port: 236, Loopback: true}, {Host: "::1", Port: 236, Loopback: true}}, ""},
		{"[::]:2003", []ListenAddr{{Host: "::", Port: 2003}}, ""},
		{"[::]%lo:2003", []ListenAddr{{Host: "::", Port: 2003, Loopback: true}}, ""},
		{"[fe80::1%eth0]:2003", []ListenAddr{{Host: "fe80::1", Port: 2003}}, ""},
		{"unix:/run/kopano/x.sock *:1", []ListenAddr{{Path: "/run/kopano/x.sock"}, {Host: "*", Port: 1}}, ""},
		{"", nil, ""},
		{"0.0.0.0", nil, "no port"},
		{"[::]", nil, "no port"},
		{"0.0.0.0:0", nil, "between 1 and 65535"},
		{"0.0.0.0:http", nil, "no number"},
		{"kopano_server:236", nil, "is a name"},
		{"[::1:236", nil, "not closed"},
	} {
		got, problem := ParseListen(c.text)
		if len(got) != len(c.want) {
			t.Errorf("%q: %v", c.text, got)
		} else {
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%q: %+v; want %+v", c.text, got[i], c.want[i])
				}
			}
		}
		if c.problem == "" && problem != "" || !strings.Contains(problem, c.problem) {
			t.Errorf("%q: problem %q; want %q", c.text, problem, c.problem)
		}
	}
	if a, problem := parseListenForm("localhost:8039", FormGo); problem != "" || !a[0].Loopback {
		t.Errorf("Go's localhost: %v %s", a, problem)
	}
	if a, problem := parseListenForm("65435:65535", FormRange); problem != "" || !a[0].has(65500) || a[0].has(65434) {
		t.Errorf("range: %v %s", a, problem)
	}
	if _, problem := parseListenForm("9:5", FormRange); problem == "" {
		t.Error("a range that ends before it starts has no problem")
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"ldap://ldap:389", "lmtp:unix:", "*%lo:236", "[::", "a:b:c", "file://", "turn:", "\x00", "[]:1", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, form := range []Form{FormURI, FormHost, FormAny, FormLMTP, FormPath} {
			if e := parseEndpoint(s, form); e.Port < 0 || e.Port > 65535 || len(e.Problem) > 500 {
				t.Errorf("%q as %s: %+v", s, form, e)
			}
		}
		for _, form := range []Form{FormListen, FormGo, FormRange, FormPath} {
			addrs, _ := parseListenForm(s, form)
			for _, a := range addrs {
				if a.Port < 0 || a.Port > 65535 {
					t.Errorf("%q as %s: %+v", s, form, a)
				}
			}
		}
		ParseImage(s).Major()
	})
}
