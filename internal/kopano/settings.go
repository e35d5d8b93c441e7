package kopano

import (
	_ "embed" // the table of settings
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
)

// Setting is a line that a program of Kopano understands in its *.cfg file.
type Setting struct {
	Section     string   // the file without .cfg: "server"
	Name        string   // "mysql_host"
	State       State    // in the newest release known here, 11.0
	Versions    []string // releases whose source has it: "8.7", "9.1", "10.0", "11.0"; empty when only one release was read, or none has had it for long
	Nonempty    bool     // the program refuses an empty value
	Replacement string   // the setting of the same section to use instead; "" when there is none
	Default     string   // what holds without it; "" also when it is computed
}

// State is what the newest release does with a setting.
type State string

// The states.
const (
	StateOK       State = "ok"
	StateAlias    State = "alias"    // an older name that still works
	StateObsolete State = "obsolete" // accepted with a warning, and without effect
	StateUnused   State = "unused"   // accepted, and without effect
	StateRemoved  State = "removed"  // no longer known: the same as a misspelt one
)

// Section is a *.cfg file that the start scripts of kopano_core fill from
// settings of the environment.
type Section struct {
	Name    string
	Fatal   bool     // the program does not start with a setting that it does not know
	Listed  bool     // its settings are in the table
	Start   []string // values of SERVICE_TO_START whose program reads it; empty when tools or several programs do
	Program string   // who reads it, in an administrator's words
}

// sections of kopano_core (base/kcconf.py changes every file of the image). What
// an unknown setting does is in each program's main function: ECServer.cpp,
// Gateway.cpp, Spooler.cpp, CalDAV.cpp and monitor.cpp end, LDAPUserPlugin drops
// the whole file, DAgent.cpp and the Python programs go on.
var sections = []Section{
	{Name: "admin", Listed: true, Program: "the administration tools"},
	{Name: "archiver", Program: "the archiver"},
	{Name: "autorespond", Listed: true, Start: []string{"dagent"}, Program: "out-of-office answers"},
	{Name: "backup", Program: "kopano-backup"},
	{Name: "dagent", Listed: true, Start: []string{"dagent"}, Program: "mail delivery"},
	{Name: "gateway", Fatal: true, Listed: true, Start: []string{"gateway"}, Program: "IMAP and POP3"},
	{Name: "grapi", Listed: true, Start: []string{"grapi"}, Program: "the REST backend"},
	{Name: "ical", Fatal: true, Listed: true, Start: []string{"ical"}, Program: "iCal and CalDAV"},
	{Name: "kapid", Listed: true, Start: []string{"kapi", "kapid"}, Program: "the API gateway"},
	{Name: "kwebd", Listed: true, Program: "the web server of the apps"},
	{Name: "ldap", Fatal: true, Listed: true, Start: []string{"server"}, Program: "the storage server's access to the directory"},
	{Name: "monitor", Fatal: true, Listed: true, Start: []string{"monitor"}, Program: "quota mails"},
	{Name: "search", Listed: true, Start: []string{"search"}, Program: "full text search"},
	{Name: "server", Fatal: true, Listed: true, Start: []string{"server"}, Program: "the storage server"},
	{Name: "spamd", Listed: true, Start: []string{"spamd"}, Program: "spam learning"},
	{Name: "spooler", Fatal: true, Listed: true, Start: []string{"spooler"}, Program: "mail sending"},
	{Name: "statsd", Program: "statistics"},
	{Name: "unix", Start: []string{"server"}, Program: "the storage server's access to the users of the system"},
}

// otherSections begin like settings of a *.cfg file, and are read by the start
// scripts of other images, each in its own way (php/start-helper.sh,
// zpush/start.sh, meet/start-service.sh, kapps/start-service.sh).
var otherSections = []string{
	"calendar", "meet", "webapp", "webappplugin", "zpush", "zpushautodiscover", "zpushga2contacts", "zpushgabsync", "zpushmemcached", "zpushsql",
}

// Sections gives the names of the *.cfg files, sorted.
func Sections() []string {
	names := make([]string, 0, len(sections))
	for _, s := range sections {
		names = append(names, s.Name)
	}
	return names
}

// OtherSections gives the words behind KCCONF_ that name no *.cfg file but are
// read by the web applications, in lower case, sorted.
func OtherSections() []string { return slices.Clone(otherSections) }

// LookupSection gives a section by name, in lower case.
func LookupSection(name string) (Section, bool) {
	for _, s := range sections {
		if s.Name == name {
			return s, true
		}
	}
	return Section{}, false
}

// UnknownSettingIsFatal reports whether the program that reads a section does
// not start with a setting that it does not know.
func UnknownSettingIsFatal(section string) bool {
	s, ok := LookupSection(section)
	return ok && s.Fatal
}

// LookupSetting gives a setting by section and name, both in lower case.
func LookupSetting(section, name string) (Setting, bool) {
	s, ok := settingsTable()[section][name]
	return s, ok
}

// SettingNames gives the settings of a section that can be used today, sorted.
func SettingNames(section string) []string {
	var names []string
	for name, s := range settingsTable()[section] {
		if s.State == StateOK {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// NearestSetting gives the setting that a misspelt one was meant to be. Names
// that begin with their section's word are the usual trap: KCCONF_LDAP_URI was
// meant to be KCCONF_LDAP_LDAP_URI.
func NearestSetting(section, name string) (string, bool) {
	if s, ok := LookupSetting(section, section+"_"+name); ok && s.State == StateOK {
		return s.Name, true
	}
	return nearest.Of(name, SettingNames(section))
}

// NearestSection gives the section that a misspelt one was meant to be.
func NearestSection(name string) (string, bool) {
	return nearest.Of(name, slices.Concat(Sections(), otherSections))
}

// Kind is what a key of the environment asks the start script to do.
type Kind string

// The kinds of keys.
const (
	SetLine       Kind = "KCCONF"      // set a setting
	CommentLine   Kind = "KCCOMMENT"   // comment the line out that the value holds
	UncommentLine Kind = "KCUNCOMMENT" // and back in
)

// settingKey is what base/kcconf.py matches: a section of capital letters only,
// then a name. Anything else it passes over without a word.
var settingKey = regexp.MustCompile(`^(KCCONF|KCCOMMENT|KCUNCOMMENT)_([A-Z]+)_([A-Z0-9_]+)$`)

// ParseSettingKey reads a key of the environment as kcconf.py does: section and
// name come back in lower case. ok is false for keys that it passes over. For
// comments the name is a mere counter.
func ParseSettingKey(envKey string) (kind Kind, section, name string, ok bool) {
	m := settingKey.FindStringSubmatch(envKey)
	if m == nil {
		return "", "", "", false
	}
	return Kind(m[1]), strings.ToLower(m[2]), strings.ToLower(m[3]), true
}

//go:embed settings/settings.tsv
var settingsFile string

var settingsTable = sync.OnceValue(func() map[string]map[string]Setting {
	table := map[string]map[string]Setting{}
	for line := range strings.Lines(settingsFile) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(f) != 7 {
			continue
		}
		s := Setting{Section: f[0], Name: f[1], State: State(f[2]), Versions: strings.Fields(f[3]),
			Nonempty: f[4] == "nonempty", Replacement: f[5], Default: f[6]}
		if table[s.Section] == nil {
			table[s.Section] = map[string]Setting{}
		}
		table[s.Section][s.Name] = s
	}
	return table
})
