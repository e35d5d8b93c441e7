package kopano

// Link is one kind of connection of the catalogue: who calls whom, how the
// address is configured, what both ends must agree on, and what a person loses
// when it is down.
type Link struct {
	ID        string // "server-ldap": stable, kebab-case
	Ref       string // number in the catalogue of facts, for maintainers: "L31"
	From, To  Role   // To may be played by a server outside the deployment where External is set
	Protocol  Protocol
	Address   Address
	Listener  string   // name of To's Listener that the address must meet; "" when the port is fixed by Address
	External  bool     // the other end may well be outside the deployment
	Optional  bool     // From works without To; a missing To is no fault
	Same      []Pair   // settings at both ends that must be equal
	Requires  []string // settings of From that must be set and not empty
	Mount     string   // unix and file links: the folder that both ends must mount from one volume
	File      string   // file links: the file within Mount
	DependsOn []string // IDs of links without which this one cannot work
	Loses     string   // what a person loses: "Nobody can log in, and no mail address is found."
	Source    string
}

// Address says how From finds To.
type Address struct {
	Setting     string // environment key on From; "" when the address is fixed
	HostSetting string // where host and port stand apart
	PortSetting string
	Form        Form
	Default     string // in the same form, when the setting is absent
	DefaultPort int    // when the form names no port
}

// Pair is two settings that must be equal.
type Pair struct {
	From, To string // environment keys
	What     string // "the bind password"
	When     string // "" = always; "bundled" = only when To is the bundled service of the catalogue (an osixia image, say)
}
