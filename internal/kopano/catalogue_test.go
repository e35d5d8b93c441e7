package kopano

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deployed are the services of kopano-docker and its extras.
var deployed = []Role{
	Web, LDAP, LDAPAdmin, PasswordSelf, LDAPAccountManager, Mail, Database, SSL, Server, Webapp, ZPush, Grapi, Kapi, Kapps, Kdav,
	Dagent, Spooler, Gateway, Ical, Monitor, Search, Spamd, Konnect, Playground, GrapiExplorer, Kwmserver, Kwmbridge, Meet, Scheduler,
}

func TestEverySystemIsDescribed(t *testing.T) {
	seen := map[Role]bool{}
	for _, s := range Systems {
		if seen[s.Role] {
			t.Errorf("%s twice", s.Role)
		}
		seen[s.Role] = true
		if s.Service == "" || s.Title == "" || !strings.HasSuffix(s.Does, ".") || s.Layer == "" || s.Source == "" {
			t.Errorf("%s: incomplete", s.Role)
		}
		if len(s.Images) == 0 && s.Start == "" {
			t.Errorf("%s: nothing recognises it", s.Role)
		}
		names := map[string]bool{}
		for _, l := range s.Listens {
			if names[l.Name] {
				t.Errorf("%s: two listeners %q", s.Role, l.Name)
			}
			names[l.Name] = true
			if _, problem := parseListenForm(l.Default, l.Form); problem != "" {
				t.Errorf("%s %s: default %q: %s", s.Role, l.Name, l.Default, problem)
			}
		}
		if s.Section != "" {
			if _, ok := LookupSection(s.Section); !ok {
				t.Errorf("%s: no section %q", s.Role, s.Section)
			}
		}
	}
	for _, r := range deployed {
		if !seen[r] || SystemOf(r) == nil || SystemOf(r).Role != r {
			t.Errorf("%s is not described", r)
		}
	}
}

func TestEveryRoleHasALink(t *testing.T) {
	for _, r := range deployed {
		if !slices.ContainsFunc(Links, func(l Link) bool { return l.From == r || l.To == r }) {
			t.Errorf("%s is in no link", r)
		}
	}
}

// Every number of the catalogue of facts is there but L62, the database's own
// health check, which is no link.
func TestEveryLinkOfTheFacts(t *testing.T) {
	refs := map[string]bool{}
	for _, l := range Links {
		refs[l.Ref] = true
	}
	for _, r := range strings.Fields("L01 L02 L03 L04 L05 L06 L07 L08 L09 L10 L11 L12 L13 L14 L15 L16 L17 L18 L19 L20 L21 L22 L23 L24 L25 L26 L27 L30 L31 L32 L33 L34 L35 L36 L37 L38 L39 L40 L41 L42 L43 L44 L45 L46 L47 L48 L50 L51 L52 L53 L60 L61 L63") {
		if !refs[r] {
			t.Errorf("%s is missing", r)
		}
	}
}

func TestLinksAreSound(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, l := range slices.Concat(Links, LoginLinks) {
		if seen[l.ID] || !kebab.MatchString(l.ID) {
			t.Errorf("ID %q twice or not in kebab-case", l.ID)
		}
		seen[l.ID] = true
		if !strings.HasSuffix(l.Loses, ".") || l.Source == "" || l.Protocol == "" {
			t.Errorf("%s: incomplete", l.ID)
		}
		soundRoles(t, l)
		soundListeners(t, l)
		for _, d := range l.DependsOn {
			if LinkByID(d) == nil {
				t.Errorf("%s depends on %s, which does not exist", l.ID, d)
			}
		}
		if a := l.Address; a.Default != "" {
			if e := parseEndpoint(a.Default, a.Form); e.Problem != "" {
				t.Errorf("%s: default address %q: %s", l.ID, a.Default, e.Problem)
			}
		}
		if local := isLocal(l.Protocol) && l.To != Storage && l.Protocol != ProtoDocker; local != (l.Mount != "") && l.Protocol != ProtoDocker {
			t.Errorf("%s: protocol %s and mount %q", l.ID, l.Protocol, l.Mount)
		}
	}
}

func soundRoles(t *testing.T, l Link) {
	t.Helper()
	for _, r := range append([]Role{l.From, l.To}, l.Also...) {
		if r != Client && r != External && r != Storage && SystemOf(r) == nil {
			t.Errorf("%s: no system %q", l.ID, r)
		}
	}
	if l.From == External || l.From == Storage {
		t.Errorf("%s: nobody outside calls in but clients", l.ID)
	}
	for _, p := range l.Same {
		if p.ToRole != Unknown && SystemOf(p.ToRole) == nil || p.What == "" || p.From == "" || p.To == "" {
			t.Errorf("%s: pair %+v", l.ID, p)
		}
	}
}

func soundListeners(t *testing.T, l Link) {
	t.Helper()
	names := strings.Fields(l.Listener)
	for _, v := range l.Via {
		names = append(names, strings.Fields(v.Listener)...)
	}
	for _, name := range names {
		found := SystemOf(l.To).Listener(name) != nil
		for _, r := range l.Also {
			found = found || SystemOf(r).Listener(name) != nil
		}
		if !found {
			t.Errorf("%s: %s has no listener %q", l.ID, l.To, name)
		}
	}
}

func TestDependenciesHaveNoCircle(t *testing.T) {
	const open, done = 1, 2
	state := map[string]int{}
	var visit func(id string, path []string)
	visit = func(id string, path []string) {
		switch state[id] {
		case done:
			return
		case open:
			t.Errorf("circle: %s", strings.Join(append(path, id), " > "))
			return
		}
		state[id] = open
		if l := LinkByID(id); l != nil {
			for _, d := range l.DependsOn {
				visit(d, append(path, id))
			}
		}
		state[id] = done
	}
	for _, l := range Links {
		visit(l.ID, nil)
	}
}

// Settings of kopano-core that links name must be settings that exist.
func TestLinksNameRealSettings(t *testing.T) {
	check := func(id, key string) {
		_, section, name, ok := ParseSettingKey(key)
		if !ok {
			return
		}
		s, known := LookupSection(section)
		if !known || !s.Listed {
			return
		}
		// grapi's backend for a directory reads its own variables from the same file.
		if strings.HasPrefix(key, "KCCONF_GRAPI_LDAP_") {
			return
		}
		if setting, ok := LookupSetting(section, name); !ok || setting.State != StateOK {
			t.Errorf("%s: there is no setting %s", id, key)
		}
	}
	for _, l := range Links {
		keys := slices.Concat([]string{l.Address.Setting, l.Address.HostSetting, l.Address.PortSetting}, l.Address.Also, l.Requires, l.FileSettings)
		for _, c := range l.Conditions {
			keys = append(keys, c.Setting)
		}
		for _, p := range l.Same {
			keys = append(keys, p.From, p.To, p.By)
		}
		for _, k := range keys {
			check(l.ID, k)
		}
	}
}
