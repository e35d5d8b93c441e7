package kopano

// Link is one kind of connection of the catalogue: who calls whom, how the
// address is configured, what both ends must agree on, and what a person loses
// when it is down.
type Link struct {
	ID           string // "server-ldap": stable, kebab-case
	Ref          string // number in the catalogue of facts, for maintainers: "L31"
	From, To     Role   // To may be played by a server outside the deployment where External is set
	Protocol     Protocol
	Address      Address
	Via          []Via       // what the address' scheme changes; empty when every scheme means the same
	Also         []Role      // roles that may stand in for To: the reverse proxy before it
	Listener     string      // names of To's Listeners that the address may meet, separated by blanks; "" when there is none
	Conditions   []Condition // the link is made only where all of them hold on From (on To when From is a client)
	External     bool        // the other end may well be outside the deployment
	Optional     bool        // From works without To; a missing To is no fault
	Through      Role        // the browser carries the traffic through this role; there is no connection from From to To
	Login        bool        // a person signs in on it: only with a password that was given for that (LoginLinks)
	Background   bool        // nobody loses anything when it is down (telemetry): it stands in the catalogue and makes no edge
	Same         []Pair      // settings at both ends that must agree
	Requires     []string    // settings of From that must be set and not empty
	Mount        string      // unix and file links: the folder that both ends must mount from one volume
	File         string      // file links: the file within Mount; "" when the address names it
	FileSettings []string    // file links: further settings of From that name files within Mount
	DependsOn    []string    // IDs of links without which this one cannot work
	Loses        string      // what a person loses: "Nobody can log in, and no mail address is found."
	Source       string
}

// Address says how From finds To.
type Address struct {
	Setting     string // environment key on From; "" when the address is fixed
	HostSetting string // where host and port stand apart
	PortSetting string
	Form        Form
	Default     string   // in the same form, when the setting is absent
	DefaultPort int      // when the form names no port
	Prefix      string   // put before the setting's value to make it an address in the form: "https://"
	Suffix      string   // put behind the host: grapi-explorer is reached under the name of grapi plus "-explorer"
	List        bool     // several addresses, separated by blanks
	None        []string // values that mean the same as absent
	Also        []string // other keys that mean the same as Setting, looked at when it is absent
}

// Via is what the scheme of an address decides.
type Via struct {
	Scheme   string
	Protocol Protocol
	Listener string
	Port     int // when the address names none
}

// Condition is a setting that decides whether a link is made.
type Condition struct {
	Setting string
	Default string   // the value when the setting is absent
	Is      []string // the value is one of these
	Not     []string // the value is none of these
	Prefix  string   // the value starts with this
	Set     bool     // the setting is there and not empty
	Present bool     // the setting is there, maybe empty
	Or      *Condition
}

// Pair is two settings that must agree.
type Pair struct {
	From, To string // environment keys
	ToAlso   string // another key that means the same at the other end: MARIADB_USER for MYSQL_USER
	ToElse   string // the key that decides when To is absent
	ElseAs   string // the value that ToElse gives, with %s for it: "https://%s"
	ToRole   Role   // the role that holds To, when it is not the link's To
	What     string // "the bind password"
	When     When
	By       string // the setting of From that When looks at
	How      How
}

// When says where a pair holds.
type When string

// The cases. A service is bundled when its image is one of the catalogue's, so
// that what its settings mean is known.
const (
	Always        When = ""
	WhenBundled   When = "bundled"
	WhenReadonly  When = "bundled-readonly" // and From binds as cn=readonly, which osixia/openldap makes
	WhenAdmin     When = "bundled-admin"    // and From binds as cn=admin
	WhenRoot      When = "bundled-root"     // and From logs in to the database as root
	WhenUser      When = "bundled-user"     // and From logs in to the database as the user that its image makes
	WhenOneSchema When = "bundled-schema"   // and nothing there makes further users and databases
)

// How says when two values agree.
type How string

// The comparisons.
const (
	Equal    How = ""
	SameDN   How = "dn"        // equal as distinguished names
	WithinDN How = "within-dn" // From is To or lies below it
	SameHost How = "host"      // the host of the address From is the host of To
	OnOff    How = "on-off"    // both mean yes, or both mean no
)
