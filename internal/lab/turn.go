package lab

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/pion/stun/v3"
)

// TURNOptions say what the TURN server is like. The zero value is one that
// takes names and passwords made with the secret "turn-secret".
type TURNOptions struct {
	Secret      string // default "turn-secret"
	Realm       string // default "example.org"
	Open        bool   // relays for everybody
	OnlySTUN    bool   // tells addresses, and relays for nobody
	Certificate *Leaf  // offers TLS on SecureAddress
}

// TURN is a running coturn.
type TURN struct {
	*Process
	Address       string // host:port, for UDP and TCP
	SecureAddress string // host:port of TLS, "" without a certificate
}

// StartTURN starts coturn on loopback. The error is an *ErrNotInstalled when
// there is none on this machine.
func (l *Lab) StartTURN(o TURNOptions) (*TURN, error) {
	program, err := Find("turnserver", "coturn")
	if err != nil {
		return nil, err
	}
	dir, err := l.Folder("turn")
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &TURN{Address: fmt.Sprintf("127.0.0.1:%d", port)}
	conf := fmt.Sprintf("listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlistening-port=%d\nrealm=%s\n", port, cmp.Or(o.Realm, "example.org")) +
		"no-cli\nno-dtls\nlog-file=stdout\nsimple-log\npidfile=" + filepath.Join(dir, "pid") + "\nuserdb=" + filepath.Join(dir, "db") + "\n"
	switch {
	case o.OnlySTUN:
		conf += "stun-only\n"
	case o.Open:
		conf += "no-auth\n"
	default:
		conf += "use-auth-secret\nstatic-auth-secret=" + cmp.Or(o.Secret, "turn-secret") + "\n"
	}
	if o.Certificate == nil {
		conf += "no-tls\n"
	} else {
		secure, err := FreePort()
		if err != nil {
			return nil, err
		}
		s.SecureAddress = fmt.Sprintf("127.0.0.1:%d", secure)
		if err := o.Certificate.Write(dir); err != nil {
			return nil, err
		}
		conf += fmt.Sprintf("tls-listening-port=%d\ncert=%s\npkey=%s\n", secure, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	}
	file := filepath.Join(dir, "turnserver.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	s.Process, err = l.Run(dir, nil, answersSTUN(s.Address), program, "-c", file)
	return s, err
}

// answersSTUN is a ready function: somebody tells addresses over UDP.
func answersSTUN(address string) func() error {
	return func() error {
		conn, err := net.Dial("udp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
		m, err := stun.Build(stun.TransactionID, stun.BindingRequest)
		if err != nil {
			return err
		}
		if _, err := conn.Write(m.Raw); err != nil {
			return err
		}
		data := make([]byte, 1500)
		n, err := conn.Read(data)
		if err == nil && !stun.IsMessage(data[:n]) {
			err = errors.New("it does not answer as STUN does")
		}
		return err
	}
}
