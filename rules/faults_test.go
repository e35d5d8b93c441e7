package rules

import (
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// faultTable checks a function that says what is wrong with a text: "" means
// that nothing is, any other entry must be a part of what it says.
func faultTable(t *testing.T, fault func(string) string, cases map[string]string) {
	t.Helper()
	for in, want := range cases {
		switch got := fault(in); {
		case want == "" && got != "":
			t.Errorf("%q: %q, want no fault", in, got)
		case want != "" && !strings.Contains(got, want):
			t.Errorf("%q: %q, want a fault with %q", in, got, want)
		}
	}
}

func TestFQDNFault(t *testing.T) {
	faultTable(t, func(s string) string { return fqdnFault(s, kopano.Web) }, map[string]string{
		"kopano.example.com": "", "localhost": "", "k.example.com:2015": "", "xn--mller-kva.example": "", "192.0.2.1": "", "1und1.de": "",
		"": "no name", "https://k.example.com": "scheme", "k.example.com/webapp": "path", "K.example.com": "capital", "k.example.com.": "dot",
		"my_host.example.com": "underscore", "-a.example.com": "not allowed", "a..example.com": "not allowed", "k.example.com ": "blank",
		"müller.example": "not allowed", strings.Repeat("a.", 130) + "de": "longer", strings.Repeat("a", 64) + ".de": "not allowed",
	})
	if got := fqdnFault("k.example.com/kopanoid", kopano.Konnect); got != "" {
		t.Errorf("konnect with a path: %q, want no fault", got)
	}
}

func TestListenFault(t *testing.T) {
	faultTable(t, func(s string) string { return listenFault(s, false) }, map[string]string{
		"0.0.0.0:236": "", "*:236": "", "*%lo:236": "", "[::]:236": "", "[::1]:236": "", "127.0.0.1:236": "", "unix:/run/kopano/server.sock": "", "0.0.0.0%eth0:143": "",
		"kopano_server:236": "name", "236": "address in front", "0.0.0.0": "no port", "0.0.0.0:0": "no port", "0.0.0.0:http": "no port", "0.0.0.0:70000": "no port", ":": "no port", "::1": "no port", "0.0.0.0:236,[::]:236": "separated by blanks",
	})
	if got := listenFault("kopano_kapi:8039", true); got != "" {
		t.Errorf("kapi with a name: %q, want no fault", got)
	}
}

func TestTURNFault(t *testing.T) {
	faultTable(t, turnFault, map[string]string{
		"turn:turn.example.com:3478": "", "turns:turn.example.com": "", "turn:192.0.2.1:3478?transport=udp": "", "turn:[2001:db8::1]:3478": "", "stun:stun.example.com": "",
		"turn.example.com": "begin", "turn://turn.example.com": "slashes", "turn:a:1,turn:b:2": "commas", "turn::3478": "no host", "turn:h:99999": "no port", "turn:h?transport=sctp": "question mark", "": "begin",
	})
}

func TestLDAPURIFault(t *testing.T) {
	faultTable(t, func(s string) string { return ldapURIFault(s, true) }, map[string]string{
		"ldap://ldap:389": "", "ldaps://dc1.example.com": "", "ldapi://%2Frun%2Fslapd%2Fldapi": "", "ldap://[2001:db8::1]:389": "", "ldap://my_ldap:389": "",
		"ldap:389": "missing", "http://ldap": "scheme must be", "ldap://": "no host", "ldap://ldap://x": "twice", "ldap://ldap:port": "not an address", "ldap://ldap:99999": "no port",
	})
	if got := ldapURIFault("ldap:389", false); got != "" {
		t.Errorf("bare host where it is allowed: %q, want no fault", got)
	}
}

func TestCronFault(t *testing.T) {
	faultTable(t, cronFault, map[string]string{
		"10 * * * * docker exec kopano_server kopano-admin --sync": "", "*/5 0-6 1,15 * mon-fri cmd": "", "@daily cmd": "", "0 0 L * * cmd": "", "0 0 * * 5#2 cmd": "", "": "",
		"10  * * * * cmd": "more than one blank", "10 * * * *": "five fields", "61 * * * * cmd": "no schedule", "a b c d e cmd": "no schedule", " 1 * * * * cmd": "begins or ends", "@sometimes cmd": "no schedule", "1 *\t* * * cmd x": "tab",
	})
}

func TestIsZone(t *testing.T) {
	for name, want := range map[string]bool{
		"Europe/Berlin": true, "UTC": true, "Etc/GMT+5": true, "CET": true, "CET-1CEST": true, "EST5EDT": true, "CET-1CEST,M3.5.0,M10.5.0/3": true,
		"yes": false, "Europe/Berlni": false, "Local": false, "../../etc/passwd": false, "ABC99": false, "Berlin": false,
	} {
		if got := isZone(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestJobTargets(t *testing.T) {
	for cmd, want := range map[string]string{
		"docker exec kopano_server kopano-admin --sync":                           "kopano_server",
		"docker exec -u www-data kopano_zpush z-push-gabsync -a sync":             "kopano_zpush",
		"docker exec --user=root -e A=b kopano_zpush true":                        "kopano_zpush",
		"docker container exec -i kopano_db true":                                 "kopano_db",
		"docker run --rm -it --volumes-from kopano_server -v /a:/b img cmd":       "kopano_server",
		"docker exec mail_a true && docker exec mail_b true":                      "mail_a,mail_b",
		"/usr/local/bin/backup.sh":                                                "",
		"docker pull kopano_server":                                               "",
		"docker run --rm --volumes-from=kopano_server img":                        "kopano_server",
		"docker exec -e KEY=value --workdir /tmp kopano_server kopano-admin -l":   "kopano_server",
		"docker exec $CONTAINER true":                                             "",
		"docker exec kopano_server sh -c 'docker exec'":                           "kopano_server",
		"docker compose exec kopano_server kopano-admin --sync":                   "",
		"docker exec -it kopano_server kopano-admin --details somebody@localhost": "kopano_server",
	} {
		if got := strings.Join(targets(cmd), ","); got != want {
			t.Errorf("%.80q: %q, want %q", cmd, got, want)
		}
	}
}

func TestTerminalFlag(t *testing.T) {
	for cmd, want := range map[string]bool{
		"docker run --rm -it img": true, "docker exec -t c cmd": true, "docker exec -ti c cmd": true, "docker run --tty img": true, "docker exec -u root -it c cmd": true,
		"docker exec c tar -t": false, "docker run --rm img cmd -t": false, "docker exec -i c cmd": false, "docker run --network test img": false,
	} {
		calls := dockerCalls(cmd)
		if got := len(calls) == 1 && calls[0].terminal() != ""; got != want {
			t.Errorf("%q: %v, want %v", cmd, got, want)
		}
	}
}

func TestDomainOf(t *testing.T) {
	for dn, want := range map[string]string{"dc=kopano,dc=demo": "kopano.demo", "ou=People, DC=Example , DC=Com": "example.com", "o=x": "", "nonsense": ""} {
		if got := domainOf(dn); got != want {
			t.Errorf("%q: %q, want %q", dn, got, want)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"", "", true}, {"", "0.0.0.0", true}, {"127.0.0.1", "", true}, {"127.0.0.1", "192.0.2.1", false}, {"127.0.0.1", "127.0.0.1", true}, {"::1", "127.0.0.1", false}, {"::", "::1", true}, {"nonsense", "127.0.0.1", false},
	} {
		if got := overlap(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestList(t *testing.T) {
	for want, in := range map[string][]string{"nothing": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}, "a, b and 2 more": {"a", "b", "c", "d"}} {
		if got := list(in, 3); got != want {
			t.Errorf("%v: %q, want %q", in, got, want)
		}
	}
}
