package lab

import (
	"bufio"
	"io"
	"net"
	"strings"
)

// GatewayOptions say how the mailbox server behaves.
type GatewayOptions struct {
	POP3          bool // speaks POP3 instead of IMAP
	LoginDisabled bool // disable_plaintext_auth=yes with a certificate
	Greeting      string
}

// Gateway starts a stand-in for kopano-gateway, which cannot be had from Debian.
// It gives kopano-gateway 11.0.2's own greetings and capabilities
// (gateway/IMAP.cpp, gateway/POP3.cpp of kopano-core), without mailboxes.
func (l *Lab) Gateway(o GatewayOptions) (address string, err error) {
	return l.Serve(func(c net.Conn) {
		if o.POP3 {
			o.pop3(c)
			return
		}
		o.imap(c)
	})
}

func (o GatewayOptions) imap(c net.Conn) {
	can := "IMAP4rev1 LITERAL+ STARTTLS AUTH=PLAIN"
	if o.LoginDisabled {
		can = "IMAP4rev1 LITERAL+ STARTTLS LOGINDISABLED"
	}
	greeting := "* OK [CAPABILITY " + can + "] IMAP gateway ready"
	if o.Greeting != "" {
		greeting = o.Greeting
	}
	say := func(line string) { _, _ = io.WriteString(c, line+"\r\n") }
	say(greeting)
	lines := bufio.NewScanner(io.LimitReader(c, 1<<16))
	for lines.Scan() {
		tag, command, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch verb, _, _ := strings.Cut(strings.ToUpper(command), " "); verb {
		case "CAPABILITY":
			say("* CAPABILITY " + can)
			say(tag + " OK CAPABILITY Completed")
		case "LOGOUT":
			say("* BYE server logging out")
			say(tag + " OK LOGOUT completed")
			return
		case "LOGIN":
			say(tag + " NO LOGIN wrong username or password")
		default:
			say(tag + " BAD Command not supported")
		}
	}
}

func (o GatewayOptions) pop3(c net.Conn) {
	say := func(line string) { _, _ = io.WriteString(c, line+"\r\n") }
	say("+OK POP3 gateway ready")
	lines := bufio.NewScanner(io.LimitReader(c, 1<<16))
	for lines.Scan() {
		if strings.EqualFold(strings.TrimSpace(lines.Text()), "QUIT") {
			say("+OK Bye")
			return
		}
		say("-ERR [AUTH] Wrong username or password")
	}
}
