package checks_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

const turnHost = "turn.example.org"

// turn gives kwmserver TURN servers of its own, with the secret in a file of
// the volume of certificates.
func (s *scene) turn(secret string, uris ...string) {
	s.t.Helper()
	s.kwmserver("turn_uris: " + strings.Join(uris, " ") + "\n      turn_server_shared_secret: /kopano/ssl/turn.secret")
	if secret != "" {
		labtest.Check(s.t, os.WriteFile(filepath.Join(s.sslVolume(), "turn.secret"), []byte(secret+"\n"), 0o600))
	}
}

func (s *scene) kwmserver(settings string) {
	s.t.Helper()
	s.edit("docker-compose.yml", "      enable_guest_api:", "      "+settings+"\n      enable_guest_api:")
}

func (s *scene) turnCheck() checks.Result {
	s.t.Helper()
	return s.run(checks.CheckTURN, "kwmserver-turn-uris", "kopano_kwmserver")
}

func (s *scene) coturn(o lab.TURNOptions) *lab.TURN {
	s.t.Helper()
	server := labtest.MustStart(s.t, s.lab.StartTURN, o)
	s.pin(turnHost+":3478", server.Address)
	if server.SecureAddress != "" {
		s.pin(turnHost+":5349", server.SecureAddress)
	}
	return server
}

func TestTURN(t *testing.T) {
	for name, uri := range map[string]string{"udp": "turn:turn.example.org:3478", "udp, said": "turn:turn.example.org?transport=udp",
		"tcp": "turn:turn.example.org:3478?transport=tcp", "tls": "turns:turn.example.org", "tls, port": "turns:turn.example.org:5349?transport=tcp"} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.coturn(lab.TURNOptions{Certificate: s.leaf(lab.LeafOptions{Names: []string{turnHost}})})
			s.turn("turn-secret", uri)
			s.want(s.turnCheck(), expect{status: checks.OK, rung: checks.Authenticate, message: "takes the passwords"})
		})
	}
}

// Without the secret, and without an account, nothing more can be asked than
// whether the server wants one. No session is begun, whatever is asked.
func TestTURNReservesNothing(t *testing.T) {
	s := newScene(t)
	server := s.coturn(lab.TURNOptions{})
	s.turn("", "turn:turn.example.org")
	s.want(s.turnCheck(), expect{status: checks.OK, rung: checks.Ask, message: "example.org"})
	open := newScene(t)
	openServer := open.coturn(lab.TURNOptions{Open: true})
	open.turn("turn-secret", "turn:turn.example.org")
	open.want(open.turnCheck(), expect{status: checks.OK, rung: checks.Ask, id: "live-turn-turn-open", at: "turn_uris"})
	for _, s := range []*lab.TURN{server, openServer} {
		if log := s.Log(); strings.Contains(log, "ALLOCATE processed, success") || strings.Contains(log, "new, realm") {
			t.Errorf("a session was begun:\n%s", log)
		}
	}
}

func TestTURNFaults(t *testing.T) {
	s := newScene(t)
	s.coturn(lab.TURNOptions{Secret: "another"})
	s.turn("turn-secret", "turn:turn.example.org")
	s.want(s.turnCheck(), expect{rung: checks.Authenticate, reason: checks.ReasonTURNSecret, id: "live-turn-turn-secret", at: "turn_server_shared_secret"})

	s = newScene(t)
	s.coturn(lab.TURNOptions{OnlySTUN: true})
	s.turn("turn-secret", "turn:turn.example.org?transport=tcp")
	s.want(s.turnCheck(), expect{rung: checks.Ask, reason: checks.ReasonNotTURN, id: "live-turn-not-turn", at: "turn_uris"})
	stun := newScene(t)
	stun.coturn(lab.TURNOptions{OnlySTUN: true})
	stun.turn("turn-secret", "stun:turn.example.org")
	stun.want(stun.turnCheck(), expect{status: checks.OK, rung: checks.Ask})

	s = newScene(t)
	s.coturn(lab.TURNOptions{Certificate: s.leaf(lab.LeafOptions{Names: []string{"other.example.org"}})})
	s.turn("turn-secret", "turns:turn.example.org")
	s.want(s.turnCheck(), expect{rung: checks.TLS, reason: checks.ReasonTLSName, id: "live-turn-tls-name", at: "turn_uris"})

	s = newScene(t)
	s.turn("turn-secret", "turn:turn.example.org")
	s.pin(turnHost+":3478", "127.0.0.1:9")
	s.want(s.turnCheck(), expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-turn-refused", at: "turn_uris", says: "UDP"})

	s = newScene(t)
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	labtest.Check(t, err)
	defer deaf.Close()
	s.turn("turn-secret", "turn:turn.example.org")
	s.pin(turnHost+":3478", deaf.LocalAddr().String())
	s.timeout = labTimeout
	s.want(s.turnCheck(), expect{rung: checks.Greet, reason: checks.ReasonSilent, id: "live-turn-silent", at: "turn_uris", says: "over UDP within"})

	s = newScene(t)
	address, err := s.lab.Say([]byte("220 mail.example.org ESMTP ready and waiting\r\n"))
	labtest.Check(t, err)
	s.turn("turn-secret", "turn:turn.example.org?transport=tcp")
	s.pin(turnHost+":3478", address)
	s.want(s.turnCheck(), expect{rung: checks.Greet, reason: checks.ReasonWrongServer, id: "live-turn-wrong-protocol", at: "turn_uris"})
}

// One server of several that is down is a warning.
func TestTURNSeveral(t *testing.T) {
	s := newScene(t)
	s.coturn(lab.TURNOptions{})
	s.pin("spare.example.org:3478", "127.0.0.1:9")
	s.turn("turn-secret", "turn:spare.example.org", "turn:turn.example.org")
	s.want(s.turnCheck(), expect{status: checks.OK, rung: checks.Authenticate, id: "live-turn-refused", at: "turn_uris"})
}

// What a hostile server sends over UDP: noise, answers to nobody, its own words back.
func TestTURNSurvivesHostileServers(t *testing.T) {
	for name, answer := range map[string]func([]byte) []byte{
		"noise": func([]byte) []byte { return []byte("\x1b[31mhello") }, "nothing": func([]byte) []byte { return nil },
		"echo": func(q []byte) []byte { return q }, "half": func(q []byte) []byte { return q[:10] },
		"another": func(q []byte) []byte { q[19] ^= 1; q[0] = 1; q[1] = 1; return q },
		"no code": func(q []byte) []byte { q[0], q[1] = q[0]|1, q[1]|0x10; return q },
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			labtest.Check(t, err)
			defer conn.Close()
			go func() {
				data := make([]byte, 1500)
				for {
					n, from, err := conn.ReadFrom(data)
					if err != nil {
						return
					}
					for range 3 {
						_, _ = conn.WriteTo(answer(append([]byte(nil), data[:n]...)), from)
					}
				}
			}()
			s := newScene(t)
			s.turn("turn-secret", "turn:turn.example.org")
			s.pin(turnHost+":3478", conn.LocalAddr().String())
			s.timeout = labTimeout
			if r := s.turnCheck(); r.Status != checks.Broken || strings.Contains(r.Message, "\x1b") {
				t.Errorf("%+v", r)
			}
		})
	}
	hostile(t, turnHost+":3478", func(s *scene) checks.Result {
		s.turn("turn-secret", "turn:turn.example.org?transport=tcp")
		return s.turnCheck()
	})
}

func TestTURNService(t *testing.T) {
	service := func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "lab" || password != "lab-password" {
			lab.Login("TURN").ServeHTTP(w, r)
			return
		}
		lab.Page(200, "application/json", `{"username":"1:x","password":"turned","ttl":60,"uris":["turn:a:3478","turn:b:443?transport=tcp"]}`).ServeHTTP(w, r)
	}
	ask := func(password string, h http.Handler) (*scene, checks.Result) {
		s := newScene(t)
		s.kwmserver("turn_service_url: https://turn.example.org/auth/")
		s.edit("docker-compose.yml", "turn_service_credentials_user: ${TURN_USER:-}", "turn_service_credentials_user: lab")
		s.edit("docker-compose.yml", "turn_service_credentials_password: ${TURN_PASSWORD:-}", "turn_service_credentials_password: "+password)
		address, err := s.lab.ServeHTTP("", h, lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{turnHost}})))
		labtest.Check(t, err)
		s.pin(turnHost+":443", address)
		r := s.run(checks.CheckTURNService, "kwmserver-turn", "kopano_kwmserver")
		if strings.Contains(r.Message, "password-") || strings.Contains(r.Message, "turned") {
			t.Errorf("a secret is told: %s", r.Message)
		}
		return s, r
	}
	s, r := ask("lab-password", http.HandlerFunc(service))
	s.want(r, expect{status: checks.OK, rung: checks.Authenticate, message: "2 addresses"})
	s, r = ask("wrong-password", http.HandlerFunc(service))
	s.want(r, expect{rung: checks.Authenticate, reason: checks.ReasonCredentials, id: "live-turn-service-bad-credentials", at: "turn_service_credentials_user"})
	s, r = ask("lab-password", lab.Page(200, "text/html", "a site"))
	s.want(r, expect{rung: checks.Ask, reason: checks.ReasonNoTURNData, id: "live-turn-service-no-turn-data", at: "turn_service_url"})
}
