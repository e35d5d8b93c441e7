package lab

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"strings"
)

// GatewayOptions say how the mailbox server behaves.
type GatewayOptions struct {
	POP3          bool // speaks POP3 instead of IMAP
	LoginDisabled bool // disable_plaintext_auth=yes with a certificate
	Greeting      string
	Account       *Account // the one user; nil: nobody gets in
	IMAPOff       bool     // IMAP is a disabled feature of the user
	ServerDown    bool     // it does not reach kopano_server
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
		case "AUTHENTICATE":
			say("+ ")
			lines.Scan()
			say(tag + o.authenticate(lines.Text()))
		case "LIST":
			say(`* LIST (\HasNoChildren) "/" "INBOX"`)
			say(tag + " OK LIST completed")
		case "EXAMINE":
			say("* 3 EXISTS")
			say(tag + " OK [READ-ONLY] EXAMINE completed")
		case "STARTTLS":
			say(tag + " NO STARTTLS error in ssl context")
		default:
			say(tag + " BAD Command not supported")
		}
	}
}

// authenticate judges what AUTHENTICATE PLAIN carries (RFC 4616).
func (o GatewayOptions) authenticate(encoded string) string {
	sent, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	parts := strings.Split(string(sent), "\x00")
	switch {
	case o.ServerDown:
		return " BAD Internal error: OpenECSession failed"
	case err != nil || len(parts) != 3 || o.Account == nil || !o.Account.Check(parts[1], parts[2]):
		return " NO LOGIN wrong username or password"
	case o.IMAPOff:
		return " NO LOGIN imap feature disabled"
	}
	return " OK LOGIN completed"
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
