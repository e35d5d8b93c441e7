package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// DagentOptions say how the LMTP agent behaves.
type DagentOptions struct {
	Users       map[string]bool // mail addresses that it knows
	ServerDown  bool            // kopano_server is gone: greets with 421 and hangs up
	Waiting     bool            // kopano_server waits for its database: no greeting at all
	LosesServer bool            // kopano_server goes away between greeting and RCPT
	Greeting    string          // another greeting
	Reply       func(command string) (reply string, ok bool)
	Commands    func(command string) // sees every command
}

// Dagent starts a stand-in for kopano-dagent, which cannot be had from Debian.
// It gives kopano-dagent 11.0.2's own replies, which differ from those of
// every other LMTP server: an unknown user is 503, not 550, and an unknown
// command 555 (spooler/DAgent.cpp of kopano-core). As there, the text of a
// reply and its end of line come in two segments.
func (l *Lab) Dagent(o DagentOptions) (address string, err error) {
	return l.Serve(func(c net.Conn) {
		if o.Waiting {
			_, _ = io.Copy(io.Discard, c)
			return
		}
		o.talk(c)
	})
}

func (o DagentOptions) talk(c net.Conn) {
	say := func(line string) {
		_, _ = io.WriteString(c, line)
		time.Sleep(2 * time.Millisecond)
		_, _ = io.WriteString(c, "\r\n")
	}
	switch {
	case o.ServerDown:
		say("421 internal error: GetSession failed")
		return
	case o.Greeting != "":
		say(o.Greeting)
	default:
		say("220 2.1.5 LMTP server is ready")
	}
	lines := bufio.NewScanner(io.LimitReader(c, 1<<16))
	for lines.Scan() {
		command := strings.TrimRight(lines.Text(), "\r")
		if o.Commands != nil {
			o.Commands(command)
		}
		for _, line := range o.reply(command) {
			say(line)
		}
		if strings.EqualFold(command, "QUIT") {
			return
		}
	}
}

func (o DagentOptions) reply(command string) []string {
	if o.Reply != nil {
		if reply, ok := o.Reply(command); ok {
			return strings.Split(reply, "\n")
		}
	}
	verb, rest, _ := strings.Cut(command, " ")
	switch strings.ToUpper(verb) {
	case "LHLO":
		return []string{"250-SERVER ready", "250-PIPELINING", "250-8BITMIME", "250-ENHANCEDSTATUSCODE", "250-RSET", "250 SMTPUTF8"}
	case "MAIL":
		return []string{"250 2.1.0 Ok"}
	case "RCPT":
		return []string{o.recipient(rest)}
	case "RSET":
		return []string{"250 2.1.0 Ok"}
	case "DATA":
		return []string{"354 2.1.5 Start mail input; end with <CRLF>.<CRLF>"}
	case "QUIT":
		return []string{"221 2.0.0 Bye"}
	}
	return []string{"555 5.5.4 Command not recognized"}
}

func (o DagentOptions) recipient(argument string) string {
	from, to := strings.Index(argument, "<"), strings.Index(argument, ">")
	switch {
	case from < 0 || to < from:
		return "503 5.1.3 Bad destination mailbox address syntax"
	case o.LosesServer:
		return "503 5.1.1 Connection error: 0x80040115"
	case o.Users[strings.ToLower(argument[from+1:to])]:
		return "250 2.1.5 Ok"
	}
	return "503 5.1.1 User does not exist"
}

// DovecotOptions say what the Dovecot LMTP server is like.
type DovecotOptions struct {
	Users       []string // mail addresses that it knows
	ClientLimit int      // connections at one time, 0: Dovecot's default
	NoDirectory bool     // its user database does not answer, so that every recipient is refused for now
	Serves      string   // "imap" or "pop3" instead of "lmtp"
	Certificate *Leaf    // with it a login is taken after STARTTLS only
	TLS         bool     // TLS at once
	Password    string   // of all users
	Auth        string   // where it answers Postfix' questions about logins: path of a socket; "": nowhere
}

// Dovecot starts a real Dovecot with nothing but its LMTP server, or another one of its servers. It runs as
// whoever runs the tests; root needs no special account either.
func (l *Lab) Dovecot(o DovecotOptions) (address string, err error) {
	program, err := Find("dovecot", "dovecot-core")
	if err != nil {
		return "", err
	}
	if o.Serves == "" {
		o.Serves = "lmtp"
	}
	if _, err := Find(o.Serves, "dovecot-"+o.Serves+"d"); err != nil {
		return "", err
	}
	dir, err := l.Folder("d")
	if err != nil {
		return "", err
	}
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	files, err := dovecotFiles(dir, port, o)
	if err != nil {
		return "", err
	}
	if err := writeFiles(dir, 0o644, files); err != nil {
		return "", err
	}
	if o.Password != "" { // whoever logs in does so under another name
		if err := l.openToAll(dir); err != nil {
			return "", err
		}
	}
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ready := greets(address)
	if o.Serves != "lmtp" {
		ready = Accepts("tcp", address)
	}
	_, err = l.Run(dir, nil, ready, program, "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	return address, err
}

// greets is a ready function: a server greets with 220 and takes its leave. A
// Dovecot that only has its port open does not yet listen to signals.
func greets(address string) func() error {
	return func() error {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, "QUIT\r\n")
		said, err := io.ReadAll(io.LimitReader(conn, 1<<10))
		if !strings.HasPrefix(string(said), "220") {
			return fmt.Errorf("greets with %q: %v", said, err)
		}
		return nil
	}
}

func dovecotFiles(dir string, port int, o DovecotOptions) (map[string]string, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		return nil, err
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65534 // Dovecot takes no user 0; nothing is ever delivered, so any other will do
	}
	var users strings.Builder
	for _, address := range o.Users {
		password := ""
		if o.Password != "" {
			password = "{PLAIN}" + o.Password
		}
		fmt.Fprintf(&users, "%s:%s:%d:%d::%s/mail::\n", address, password, uid, gid, dir)
	}
	if strings.ContainsAny(dir+me.Username+group.Name, "\" \n") {
		return nil, errors.New("folder or user name cannot be written into dovecot.conf")
	}
	limit := ""
	if o.ClientLimit > 0 {
		limit = fmt.Sprintf("  process_limit = %d\n  client_limit = 1\n", o.ClientLimit)
	}
	if err := mailbox(dir, uid, gid); err != nil {
		return nil, err
	}
	passdb, socket := filepath.Join(dir, "users"), "auth-userdb"
	if o.NoDirectory {
		socket = "no-such-socket"
	}
	tls, service, listener := "ssl = no", "lmtp", "lmtp"
	files := map[string]string{"users": users.String()}
	if o.Certificate != nil {
		files["tls.pem"] = string(Pair(o.Certificate))
		tls = fmt.Sprintf("ssl = yes\nssl_cert = <%[1]s/tls.pem\nssl_key = <%[1]s/tls.pem\ndisable_plaintext_auth = yes", dir)
	}
	if o.Serves != "lmtp" {
		service, listener = o.Serves+"-login", o.Serves
	}
	login := me.Username
	if os.Getuid() == 0 && o.Serves != "lmtp" {
		login = "nobody" // the process that meets strangers must not be root
	}
	wrapped := ""
	if o.TLS {
		wrapped = "    ssl = yes\n"
		limit += "  inet_listener " + listener + " {\n    port = 0\n  }\n"
		listener += "s"
	}
	ask := ""
	if o.Auth != "" {
		ask = fmt.Sprintf("service auth {\n  unix_listener %s {\n    mode = 0666\n  }\n}\n", o.Auth)
	}
	files["dovecot.conf"] = fmt.Sprintf(`# Dovecot runs without root when every account is one's own.
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = /dev/stderr
protocols = %[8]s
%[9]s
login_trusted_networks =
listen = 127.0.0.1
default_internal_user = %[2]s
default_internal_group = %[3]s
default_login_user = %[13]s
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:%[1]s/mail
mail_home = %[1]s/mail
auth_mechanisms = plain
auth_socket_path = %[7]s
passdb {
  driver = passwd-file
  args = %[5]s
}
userdb {
  driver = passwd-file
  args = %[5]s
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service %[10]s {
  chroot =
%[6]s  inet_listener %[11]s {
    address = 127.0.0.1
    port = %[4]d
%[12]s  }
}
%[14]s`, dir, me.Username, group.Name, port, passdb, limit, socket, o.Serves, tls, service, listener, wrapped, login, ask)
	return files, nil
}

// mailbox makes the folder of all mailboxes, for whoever owns them.
func mailbox(dir string, uid, gid int) error {
	mail := filepath.Join(dir, "mail")
	if err := os.Mkdir(mail, 0o700); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(mail, uid, gid)
}
