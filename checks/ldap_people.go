package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// peopleAttributes are the names of what kopano_server reads of a user (kopano-core
// installer/linux/ldap.m4, ldap.propmap.cfg).
type peopleAttributes struct {
	unique, login, mail, aliases, shared string
}

// Attributes that no setting renames.
const (
	accountAttribute  = "kopanoAccount" // 1: has a mailbox; only filters look at it
	enabledAttribute  = "kopanoEnabledFeatures"
	disabledAttribute = "kopanoDisabledFeatures"
	homeAttribute     = "kopanoUserServer"
)

func (s ldapSettings) people() peopleAttributes {
	a := peopleAttributes{"uidNumber", "uid", "mail", "kopanoAliases", "kopanoSharedStoreOnly"}
	if s.usesActiveDirectory() {
		a.unique, a.login, a.aliases = "objectGUID", "sAMAccountName", "otherMailbox"
	}
	for name, setting := range map[*string]string{
		&a.unique: "USER_UNIQUE_ATTRIBUTE", &a.login: "LOGINNAME_ATTRIBUTE", &a.mail: "EMAILADDRESS_ATTRIBUTE",
		&a.aliases: "EMAILALIASES_ATTRIBUTE", &a.shared: "NONACTIVE_ATTRIBUTE",
	} {
		if v, _ := s.value("KCCONF_LDAP_LDAP_" + setting); v != "" {
			*name = v
		}
	}
	return a
}

func (a peopleAttributes) names() []string {
	names := []string{a.unique, a.login, a.mail, a.aliases, a.shared, accountAttribute, enabledAttribute, disabledAttribute, homeAttribute}
	slices.Sort(names)
	return slices.Compact(names)
}

// user is what matters of one entry.
type user struct {
	dn        string
	unique    string
	login     string
	mail      string   // the first address
	addresses []string // in small letters, aliases too, each once
	off       bool     // the administrator says that it has no mailbox
	shared    bool     // nobody logs in: a room, a shared mailbox
	enabled   []string // features, as written
	disabled  []string
	home      string // the server that keeps the mailbox
}

func (a peopleAttributes) read(entries []*ldap.Entry) []user {
	users := make([]user, 0, len(entries))
	for _, e := range entries {
		u := user{dn: e.DN, unique: string(e.GetEqualFoldRawAttributeValue(a.unique)), login: e.GetEqualFoldAttributeValue(a.login),
			mail: e.GetEqualFoldAttributeValue(a.mail), off: e.GetEqualFoldAttributeValue(accountAttribute) == "0",
			shared: switchedOn(e.GetEqualFoldAttributeValue(a.shared)), home: e.GetEqualFoldAttributeValue(homeAttribute),
			enabled: e.GetEqualFoldAttributeValues(enabledAttribute), disabled: e.GetEqualFoldAttributeValues(disabledAttribute)}
		for _, address := range append(e.GetEqualFoldAttributeValues(a.mail), e.GetEqualFoldAttributeValues(a.aliases)...) {
			u.addresses = append(u.addresses, strings.ToLower(strings.TrimSpace(address)))
		}
		slices.Sort(u.addresses)
		u.addresses = slices.Compact(u.addresses)
		users = append(users, u)
	}
	return users
}

// name is how a finding calls a user: what the administrator looks for.
func (u user) name() string {
	if u.login != "" {
		return oneLine(u.login)
	}
	return oneLine(u.dn)
}

// judgePeople looks at the users that kopano_server finds; whole says that
// these are all. The failure is what keeps all of them out.
func (c *ldapClimb) judgePeople(users []user, whole bool) *failure {
	if f := c.withoutUnique(users); f != nil {
		return f
	}
	attributes := c.settings.people()
	c.same(users, ReasonSameUniqueID, "Two users have the same "+attributes.unique,
		"kopano_server takes them for one user: one of them sees the other's mailbox, or has none.",
		fmt.Sprintf("Give each user a %s of its own; the one whose mailbox it is keeps it.", attributes.unique), func(u user) []string { return []string{u.unique} }, false)
	if on, _ := c.settings.value("KCCONF_SERVER_ENABLE_HOSTED_KOPANO"); !switchedOn(on) { // else the company is a part of the login
		c.same(users, ReasonSameLogin, "Two users have the same login name",
			"Neither of them can log in for certain.", fmt.Sprintf("Give each user a %s of its own.", attributes.login),
			func(u user) []string { return []string{strings.ToLower(u.login)} }, true)
	}
	c.same(users, ReasonSameAddress, "Two users have the same mail address",
		"Nobody can say in whose mailbox mail to this address arrives, or whether it is refused.",
		fmt.Sprintf("Look for the address in %s and %s of both, and take it from one.", attributes.mail, attributes.aliases),
		func(u user) []string { return u.addresses }, true)
	c.withoutAddress(users)
	c.featureValues(users)
	c.withoutHome(users)
	if whole {
		c.imapForNobody(users)
	}
	return nil
}

// withoutUnique: kopano_server leaves out whoever lacks the attribute
// (LDAPUserPlugin.cpp). It is missing, or the login may not read it.
func (c *ldapClimb) withoutUnique(users []user) *failure {
	const key = "KCCONF_LDAP_LDAP_USER_UNIQUE_ATTRIBUTE"
	s, attribute := c.settings, c.settings.people().unique
	var without []string
	for _, u := range users {
		if u.unique == "" {
			without = append(without, u.name())
		}
	}
	places := c.directoryPlaces()
	if _, set := s.value(key); set {
		places = append(s.placesOf(key), related(places)...)
	}
	remedy := fmt.Sprintf("Give them a %s; if they have one, let %s read it.", attribute, c.who())
	switch {
	case len(without) == 0:
		return nil
	case len(without) == len(users):
		f := &failure{Ask, ReasonNoUniqueID, fmt.Sprintf("%d users are found, and none of them shows %s to %s", len(users), attribute, c.who()), nil}
		return c.broke(f, places, "kopano_server cannot tell its users apart", remedy)
	}
	c.warnOf(finding.Warning, ReasonNoUniqueID, places, "Users lack what kopano_server knows them by",
		fmt.Sprintf("%s without %s: %s", countedUsers(len(without)), attribute, someOf(without)), "They are not in Kopano: no login, no mailbox.", remedy)
	return nil
}

// same tells of values that several users have. Values that are not shown may be
// binary.
func (c *ldapClimb) same(users []user, reason Reason, title, consequence, remedy string, values func(user) []string, shown bool) {
	owners := map[string][]string{}
	var order []string
	for _, u := range users {
		for _, v := range values(u) {
			if v == "" {
				continue
			}
			if owners[v] = append(owners[v], u.name()); len(owners[v]) == 2 {
				order = append(order, v)
			}
		}
	}
	if len(order) == 0 {
		return
	}
	slices.Sort(order) // servers give entries in any order
	var pairs []string
	for _, v := range order {
		who := owners[v]
		slices.Sort(who)
		text := someOf(who)
		if shown {
			text = oneLine(v) + " (" + text + ")"
		}
		pairs = append(pairs, text)
	}
	c.warnOf(finding.Warning, reason, c.directoryPlaces(), title, "the directory has it twice: "+joinSome(pairs), consequence, remedy)
}

// joinSome is someOf for things with commas in them.
func joinSome(list []string) string {
	const few = 3
	text := strings.Join(list[:min(len(list), few)], "; ")
	if more := len(list) - few; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

func (c *ldapClimb) withoutAddress(users []user) {
	attribute := c.settings.people().mail
	var without []string
	for _, u := range users {
		if u.mail == "" && !u.off && !u.shared {
			without = append(without, u.name())
		}
	}
	if len(without) == 0 {
		return
	}
	slices.Sort(without)
	remedy := fmt.Sprintf("Give them an address (%s).", attribute)
	if _, set := c.settings.value(c.settings.keys.filter); !set {
		remedy += fmt.Sprintf(" If they are no people, keep them out of Kopano with %s, for example (|(kopanoAccount=1)(objectClass=kopano-contact)).", c.settings.keys.filter)
	}
	c.warnOf(finding.Info, ReasonNoAddress, c.directoryPlaces(), "Users without a mail address",
		fmt.Sprintf("%s without %s: %s", countedUsers(len(without)), attribute, someOf(without)),
		"They get a mailbox, and can neither send nor be written to.", remedy)
}

// withoutHome: with several storage servers each user's entry names the one that
// keeps the mailbox.
func (c *ldapClimb) withoutHome(users []user) {
	if on, _ := c.settings.value("KCCONF_SERVER_ENABLE_DISTRIBUTED_KOPANO"); !switchedOn(on) {
		return
	}
	var without []string
	for _, u := range users {
		if u.home == "" && !u.off {
			without = append(without, u.name())
		}
	}
	if len(without) == 0 {
		return
	}
	slices.Sort(without)
	c.warnOf(finding.Warning, ReasonNoHome, c.directoryPlaces(), "Users without a storage server",
		fmt.Sprintf("there are several storage servers, and %s without %s: %s", countedUsers(len(without)), homeAttribute, someOf(without)),
		"No server makes a mailbox for them.", fmt.Sprintf("Write the name of a storage server into %s of each.", homeAttribute))
}

// warnOf adds a finding that does not break the link.
func (c *ldapClimb) warnOf(severity finding.Severity, reason Reason, places []finding.Location, title, message, consequence, remedy string) {
	f := c.finding(reason, places, title, message, remedy)
	f.Consequence = consequence
	c.warn(severity, f)
}

// directoryPlaces: what is in a directory stands in no file; the nearest is
// where the directory is written.
func (c *ldapClimb) directoryPlaces() []finding.Location {
	e := c.target.Edge
	if e.To != nil {
		return append([]finding.Location{e.To.At.As(finding.Fix)}, related(e.Locations())...)
	}
	return e.Locations()
}

func countedUsers(n int) string {
	if n == 1 {
		return "1 user is"
	}
	return fmt.Sprintf("%d users are", n)
}

// Features that can be switched on and off for a user (kopano-core ECFeatures.h).
var features = []string{"imap", "pop3", "mobile", "outlook", "webapp"}

// featureValues tells of lists in one value: each value is compared as a whole
// (ECFeatures.cpp), so that "imap, pop3" is neither.
func (c *ldapClimb) featureValues(users []user) {
	var wrong []string
	for _, u := range users {
		for _, value := range append(slices.Clone(u.enabled), u.disabled...) {
			if isFeatureList(value) {
				wrong = append(wrong, fmt.Sprintf("%s (%q)", u.name(), oneLine(value)))
				break
			}
		}
	}
	if len(wrong) == 0 {
		return
	}
	slices.Sort(wrong)
	c.warnOf(finding.Warning, ReasonFeatureValue, c.directoryPlaces(), "A list of features is written into one value",
		fmt.Sprintf("%s is for one feature a value, and kopano_server does not cut lists: %s", enabledAttribute+" or "+disabledAttribute, joinSome(wrong)),
		"The features in the list are neither on nor off for these users: the server's default holds.",
		fmt.Sprintf("Write each feature into a value of its own: %s: imap, and once more %s: pop3.", enabledAttribute, enabledAttribute))
}

func isFeatureList(value string) bool {
	parts := strings.FieldsFunc(strings.ToLower(value), func(r rune) bool { return strings.ContainsRune(",; \t", r) })
	if len(parts) < 2 {
		return false
	}
	for _, p := range parts {
		if !slices.Contains(features, p) {
			return false
		}
	}
	return true
}

// imapForNobody: the gateway runs, and each user is kept out of it.
func (c *ldapClimb) imapForNobody(users []user) {
	const key = "KCCONF_SERVER_DISABLED_FEATURES"
	gateways := c.target.Topology.Services(kopano.Gateway)
	if len(gateways) == 0 {
		return
	}
	byDefault, set := c.settings.value(key)
	if !set {
		byDefault = "imap pop3" // ECServer.cpp
	}
	off := slices.Contains(strings.Fields(strings.ToLower(byDefault)), "imap")
	people := 0
	for _, u := range users {
		if u.shared || u.off {
			continue
		}
		people++
		if slices.Contains(u.enabled, "imap") || !off && !slices.Contains(u.disabled, "imap") {
			return
		}
	}
	if people == 0 {
		return
	}
	places := c.directoryPlaces()
	if set {
		places = append(c.settings.placesOf(key), related(places)...)
	}
	c.warnOf(finding.Info, ReasonNoIMAP, places, "Nobody may use IMAP",
		fmt.Sprintf("%s runs, and none of the users of the directory has imap switched on (%s)", gateways[0].Name, enabledAttribute),
		"Mail programs are refused with the words of a wrong password.",
		fmt.Sprintf("Give those who use a mail program %s: imap, or write %s=pop3 on %s for all. If nobody shall use IMAP, stop %s.", enabledAttribute, key, c.from(), gateways[0].Name))
}
