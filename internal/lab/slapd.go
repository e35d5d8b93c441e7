package lab

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/go-ldap/ldap/v3"
)

//go:embed slapd
var slapdFiles embed.FS

// SlapdOptions say what the directory is like. The zero value is a good one
// without TLS: base dc=example,dc=org, ten users in two companies.
type SlapdOptions struct {
	Base             string // default dc=example,dc=org
	AdminPassword    string // of cn=admin,BASE; default "admin-secret"
	ReadonlyPassword string // of cn=readonly,BASE; default "readonly-secret"
	UserPassword     string // of every user; default "user-secret"
	Certificate      *Leaf  // offers StartTLS on Address and LDAPS on SecureAddress
	Listen           string // host:port; default a free port on loopback

	ClientCert bool     // demands a certificate from clients
	RequireTLS bool     // refuses everything before StartTLS (code 13)
	SizeLimit  int      // entries that one search may return, as `sizelimit` of slapd.conf
	NoUsers    bool     // the tree without users and groups
	Empty      bool     // no entry at all; only cn=admin can log in
	HideTree   bool     // the access rules hide everything from cn=readonly
	Referral   string   // URI to which searches outside the base are sent
	Codes      bool     // whoever logs in as cn=busy, cn=locked or cn=nobody below ou=codes,BASE gets that answer, the last two in Active Directory's words
	Extra      []string // further global lines of slapd.conf
	UserCount  int      // that many more users, named extra1 …
	Plain      bool     // without Kopano's schema and what is of it
	NoIMAP     bool     // nobody has a feature switched on
	Entries    string   // further entries, as LDIF
}

// Slapd is a running OpenLDAP server.
type Slapd struct {
	*Process
	Address       string // host:port of ldap://
	SecureAddress string // host:port of ldaps://, "" without a certificate
	Base          string
	BindDN        string // cn=readonly,BASE
	BindPassword  string
}

type person struct {
	ID, First, Last, Company string
	Number                   int
	Admin, IMAP, NoMailbox   bool
}

// people are the users of the lab's directory.
func people() []person {
	return []person{
		{"anna", "Anna", "Arends", "north", 10001, true, true, false},
		{"bert", "Bert", "Bakker", "north", 10002, false, true, false},
		{"carla", "Carla", "Costa", "north", 10003, false, false, false},
		{"dirk", "Dirk", "Dekker", "north", 10004, false, false, false},
		{"elsa", "Elsa", "Ekman", "north", 10005, false, false, false},
		{"finn", "Finn", "Falk", "south", 10006, false, true, false},
		{"greta", "Greta", "Grau", "south", 10007, false, false, false},
		{"hugo", "Hugo", "Haas", "south", 10008, false, false, false},
		{"ines", "Ines", "Ilves", "south", 10009, false, false, true},
		{"nina", "Nina", "Nowak", "south", 10010, false, false, false},
	}
}

// UserIDs gives the names under which the users of the lab's directory log in.
func UserIDs() []string {
	var out []string
	for _, p := range people() {
		out = append(out, p.ID)
	}
	return out
}

// slapdConfig is what the templates see.
type slapdConfig struct {
	SlapdOptions
	Dir, Modules string
	Schemas      []string
	TLS, CA      bool
	DC, Domain   string
	Users        []person
}

// StartSlapd starts an OpenLDAP server. The error is an *ErrNotInstalled when
// there is none on this machine.
func (l *Lab) StartSlapd(o SlapdOptions) (*Slapd, error) {
	slapd, err := Find("slapd", "slapd")
	if err != nil {
		return nil, err
	}
	slapadd, err := Find("slapadd", "slapd")
	if err != nil {
		return nil, err
	}
	config, err := l.slapdConfig(o)
	if err != nil {
		return nil, err
	}
	if err := config.write(); err != nil {
		return nil, err
	}
	conf := filepath.Join(config.Dir, "slapd.conf")
	if !o.Empty {
		if err := run(config.Dir, slapadd, "-q", "-f", conf, "-l", filepath.Join(config.Dir, "tree.ldif")); err != nil {
			return nil, err
		}
	}
	return l.runSlapd(slapd, conf, config)
}

func (l *Lab) runSlapd(slapd, conf string, c *slapdConfig) (*Slapd, error) {
	address, err := listenAddress(c.Listen)
	if err != nil {
		return nil, err
	}
	s := &Slapd{Address: address, Base: c.Base, BindDN: "cn=readonly," + c.Base, BindPassword: c.ReadonlyPassword}
	listen := "ldap://" + s.Address + "/"
	if c.TLS {
		secure, err := FreePort()
		if err != nil {
			return nil, err
		}
		s.SecureAddress = fmt.Sprintf("127.0.0.1:%d", secure)
		listen += " ldaps://" + s.SecureAddress + "/"
	}
	// -d keeps it in the foreground; 256 logs connections and results.
	s.Process, err = l.Run(c.Dir, nil, answersLDAP(s.Address), slapd, "-d", "256", "-f", conf, "-h", listen)
	return s, err
}

// answersLDAP is a ready function: an unauthenticated question gets any answer.
func answersLDAP(address string) func() error {
	return func() error {
		conn, err := ldap.DialURL("ldap://" + address)
		if err != nil {
			return err
		}
		defer conn.Close()
		err = conn.UnauthenticatedBind("")
		if ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
			return err
		}
		return nil
	}
}

func (l *Lab) slapdConfig(o SlapdOptions) (*slapdConfig, error) {
	dir, err := l.Folder("slapd")
	if err != nil {
		return nil, err
	}
	fill(&o.Base, "dc=example,dc=org")
	fill(&o.AdminPassword, "admin-secret")
	fill(&o.ReadonlyPassword, "readonly-secret")
	fill(&o.UserPassword, "user-secret")
	dn, err := ldap.ParseDN(o.Base)
	if err != nil {
		return nil, err
	}
	var labels []string
	for _, rdn := range dn.RDNs {
		labels = append(labels, rdn.Attributes[0].Value)
	}
	c := &slapdConfig{SlapdOptions: o, Dir: dir, Modules: "/usr/lib/ldap", DC: labels[0], Domain: strings.Join(labels, ".")}
	for _, name := range []string{"core", "cosine", "nis", "inetorgperson"} {
		c.Schemas = append(c.Schemas, "/etc/ldap/schema/"+name+".schema")
	}
	if !o.Plain {
		c.Schemas = append(c.Schemas, filepath.Join(dir, "kopano.schema"))
	}
	if !o.NoUsers {
		c.Users = people()
		for i := range o.UserCount {
			c.Users = append(c.Users, person{ID: fmt.Sprintf("extra%d", i+1), First: "Extra", Last: fmt.Sprint(i + 1), Company: "south", Number: 20001 + i})
		}
	}
	if o.Certificate != nil {
		c.TLS, c.CA = true, o.Certificate.CA != nil
	}
	return c, nil
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// What needs Kopano's schema in an entry; groups have an address by its classes.
var (
	kopanoLine  = regexp.MustCompile(`(?m)^kopano\w+:.*\n`)
	kopanoClass = regexp.MustCompile(`\bkopano-\w+`)
)

// write writes the configuration, the tree and the certificate.
func (c *slapdConfig) write() error {
	if err := os.Mkdir(filepath.Join(c.Dir, "data"), 0o700); err != nil {
		return err
	}
	schema, err := slapdFiles.ReadFile("slapd/kopano.schema")
	if err != nil {
		return err
	}
	files := map[string]string{"kopano.schema": string(schema)}
	templates, err := template.ParseFS(slapdFiles, "slapd/*.tmpl")
	if err != nil {
		return err
	}
	for _, name := range []string{"slapd.conf", "tree.ldif"} {
		var b strings.Builder
		if err := templates.ExecuteTemplate(&b, name+".tmpl", c); err != nil {
			return err
		}
		files[name] = b.String()
	}
	if c.Plain {
		files["tree.ldif"] = kopanoClass.ReplaceAllString(kopanoLine.ReplaceAllString(files["tree.ldif"], ""), "extensibleObject")
	}
	if c.TLS {
		if err := c.Certificate.Write(c.Dir); err != nil {
			return err
		}
	}
	return writeFiles(c.Dir, 0o600, files)
}
