package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PostfixOptions say what the mail server is like.
type PostfixOptions struct {
	Users       []string // mail addresses that it knows; their domains are its own
	Trusts      bool     // it sends mail on for 127.0.0.1, as docker-mailserver does for networks in PERMIT_DOCKER
	Certificate *Leaf    // nil: no TLS
	Submission  bool     // as on port 587: a login is wanted, and on offer after STARTTLS only
	Wrapped     bool     // as on port 465: TLS at once
	ClearAuth   bool     // a login is on offer without TLS, too
	Auth        string   // the socket at which Dovecot answers for its users; "": nobody gets in
	NoLogin     bool     // Submission without a login on offer
	NoDirectory bool     // it asks a directory for addresses, which is down
	Postscreen  bool     // a stranger waits for the second line of the greeting
}

// ErrNeedsRoot says that a server can be started by root only.
var ErrNeedsRoot = errors.New("only root can start it")

// Postfix starts a real Postfix with one port. It delivers nothing: what it
// accepted would be thrown away. Postfix itself insists on being started by root.
func (l *Lab) Postfix(o PostfixOptions) (address string, err error) {
	if _, err := Find("postfix", "postfix"); err != nil {
		return "", err
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("postfix: %w", ErrNeedsRoot)
	}
	dir, err := l.Folder("p")
	if err != nil {
		return "", err
	}
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	for _, name := range []string{"queue", "data", "config"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return "", err
		}
	}
	if err := GiveToPostfix(filepath.Join(dir, "data")); err != nil {
		return "", err
	}
	if err := l.openToAll(dir); err != nil { // Postfix' own processes run under another name
		return "", err
	}
	config := filepath.Join(dir, "config")
	files := map[string]string{"main.cf": o.mainCF(dir), "master.cf": o.masterCF(port),
		// Nobody listens there.
		"users.cf": "server_host = ldap://127.0.0.1:1\nsearch_base = dc=example,dc=org\nbind = no\ntimeout = 1\nversion = 3\n"}
	if o.Certificate != nil {
		files["tls.pem"] = string(Pair(o.Certificate))
	}
	if err := writeFiles(config, 0o644, files); err != nil {
		return "", err
	}
	if err := os.Chmod(filepath.Join(config, "main.cf"), 0o644); err != nil {
		return "", err
	}
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return address, l.RunPostfix(config, address)
}

// RunPostfix starts Postfix by the settings in a folder, and waits until the
// address accepts connections.
func (l *Lab) RunPostfix(config, address string) error {
	program, err := Find("postfix", "postfix")
	if err != nil {
		return err
	}
	master, err := Find("master", "postfix")
	if err != nil {
		return err
	}
	if err := run(config, program, "-c", config, "check"); err != nil { // makes the folders of the queue
		return err
	}
	// "postfix start-fg" would leave the group that the lab ends with it.
	_, err = l.Run(config, nil, Accepts("tcp", address), master, "-d", "-c", config)
	return err
}

// openToAll lets every account of this machine reach a folder of the lab.
func (l *Lab) openToAll(dir string) error {
	for d := dir; len(d) > len(filepath.Dir(l.Dir)); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (o PostfixOptions) mainCF(dir string) string {
	var users, domains []string
	for _, u := range o.Users {
		users = append(users, "{"+u+"=ok}")
		_, domain, _ := strings.Cut(u, "@")
		domains = append(domains, domain)
	}
	mailboxes := "inline:{" + strings.Join(users, ", ") + "}"
	if len(users) == 0 {
		mailboxes = "static:ok"
	}
	if o.NoDirectory {
		mailboxes = "ldap:" + filepath.Join(dir, "config", "users.cf")
	}
	networks := ""
	if o.Trusts {
		networks = "127.0.0.0/8"
	}
	text := fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = /dev/stdout
myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = %[2]s
virtual_mailbox_domains = %[3]s
virtual_mailbox_maps = %[4]s
virtual_transport = discard:
default_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
postscreen_greet_wait = 2s
postscreen_greet_action = enforce
postscreen_greet_banner = mail.example.org looks at you first
postscreen_access_list =
`, dir, networks, strings.Join(domains, ", "), mailboxes)
	if o.Certificate != nil {
		text += fmt.Sprintf("smtpd_tls_security_level = may\nsmtpd_tls_chain_files = %s/config/tls.pem\nsmtpd_tls_auth_only = %s\n", dir, yesNo(!o.ClearAuth))
	}
	return text
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (o PostfixOptions) masterCF(port int) string {
	// A login is offered only where Postfix finds someone to ask; its Cyrus side has its own list.
	options := ""
	if (o.Submission || o.Wrapped) && !o.NoLogin {
		sasl := "-o smtpd_sasl_type=cyrus"
		if o.Auth != "" {
			sasl = "-o smtpd_sasl_type=dovecot -o smtpd_sasl_path=" + o.Auth
		}
		options += " -o smtpd_sasl_auth_enable=yes " + sasl + " -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
	}
	if o.Wrapped {
		options += " -o smtpd_tls_wrappermode=yes"
	}
	entry := fmt.Sprintf("127.0.0.1:%d inet n - n - - smtpd%s\n", port, options)
	if o.Postscreen {
		entry = fmt.Sprintf("127.0.0.1:%d inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\ndnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy\n", port)
	}
	return entry + `postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
`
}
