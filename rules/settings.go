package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// settingRules are about KCCONF_ settings: whether they are ones that a
// program knows, and whether they reach it. The start script of the core image
// writes KCCONF_SECTION_NAME as "name" into section.cfg (base/kcconf.py).
func settingRules() []Rule {
	return []Rule{
		{
			ID: "kcconf-malformed-name", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "The name of a setting does not have the form KCCONF_SECTION_NAME",
			Why:    "kcconf.py takes capital letters for the section, and capital letters, digits and underscores for the name; anything else is passed over in silence.",
			Source: "kopano-docker base/kcconf.py",
			Check:  malformedName,
		},
		{
			ID: "kcconf-unknown-section", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "A setting is for a configuration file that does not exist",
			Why:    "KCCONF_SERVER_… goes into server.cfg. Where there is no such file kcconf.py passes over the setting in silence.",
			Source: "kopano-docker base/kcconf.py",
			Check:  unknownSection,
		},
		{
			ID: "kcconf-missing-repeated-prefix", Fixable: true, Subject: "settings", Severity: finding.Error,
			Title: "The name of a setting lacks a part that must stand there twice",
			Why: "Some settings begin with the name of their own file: ldap_uri in ldap.cfg, server_listen in server.cfg. Their environment name has it twice: KCCONF_LDAP_LDAP_URI. " +
				"With one it becomes another, unknown setting.",
			Source: "kopano-docker base/kcconf.py; kopano-core ldap.cfg, server.cfg",
			Check:  missingPrefix,
		},
		{
			ID: "kcconf-unknown-setting", Fixable: true, Subject: "settings", Severity: finding.Error,
			Title: "A setting is unknown to its program",
			Why: "kopano_server, spooler, gateway, ical and monitor refuse to start with an unknown setting (\"Unknown option\", kopano-core, ECConfigImpl.cpp), an unknown one in ldap.cfg drops the directory; " +
				"dagent, search, spamd, kapi and grapi pass over it, and what was meant does not happen.",
			Source: "kopano-core common/ECConfigImpl.cpp",
			Check:  unknownSetting,
		},
		{
			ID: "kcconf-removed-setting", Fixable: true, Subject: "settings", Severity: finding.Error,
			Title:  "A setting was removed from Kopano",
			Why:    "Settings such as server_tcp_port or imap_port were announced as obsolete in 8.7 and are unknown since 9.0.1 (release notes of kopano-core); the program does not start with them.",
			Source: "kopano-core RELNOTES 8.7 and 9.0.1",
			Since:  "kopano-core 9.0.1",
			Check:  removedSetting,
		},
		{
			ID: "kcconf-obsolete-setting", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "A setting has no effect any more",
			Why:    "The program still accepts the name, and does nothing with it but write a note to its log (kopano-core, ECConfigImpl.cpp).",
			Source: "kopano-core common/ECConfigImpl.cpp",
			Since:  "kopano-core 8.7",
			Check:  obsoleteSetting,
		},
		{
			ID: "kcconf-wrong-service", Subject: "settings", Severity: finding.Warning,
			Title:  "A setting is given to a service that does not read it",
			Why:    "Each container has a configuration of its own. A setting of ldap.cfg on kopano_dagent changes a file there that nobody reads.",
			Source: "kopano-docker core/start-service.sh",
			Check:  wrongService,
		},
	}
}

// coreRoles are the roles that run the core image, with the files that their
// program reads (core/*.py); server.cfg and ldap.cfg, for example, lie in every
// core container, but only kopano_server reads them.
var coreRoles = map[kopano.Role][]string{
	kopano.Server:  {"server", "ldap", "unix", "admin", "backup", "archiver", "statsd"},
	kopano.Dagent:  {"dagent", "autorespond"},
	kopano.Spooler: {"spooler"},
	kopano.Gateway: {"gateway"},
	kopano.Ical:    {"ical"},
	kopano.Monitor: {"monitor"},
	kopano.Search:  {"search"},
	kopano.Spamd:   {"spamd"},
	kopano.Grapi:   {"grapi"},
	kopano.Kapi:    {"kapid"},
}

// daemonFiles are those whose settings belong to one service.
var daemonFiles = []string{"server", "ldap", "dagent", "autorespond", "spooler", "gateway", "ical", "monitor", "search", "spamd", "grapi", "kapid"}

// elsewhere are prefixes that other images read in their own way (webapp/start.sh,
// zpush/start.sh, kdav/start.sh, meet/start-service.sh).
var elsewhere = []string{"webapp", "webappplugin", "zpush", "zpushautodiscover", "zpushsql", "zpushmemcached", "zpushgabsync", "zpushgatwocontacts", "meet", "calendar", "kwebd", "serverhostname", "serverport"}

// setting is a KCCONF_, KCCOMMENT_ or KCUNCOMMENT_ setting on a core service.
type setting struct{ kind, section, name string }

func settingOf(key string) (setting, bool) {
	kind, section, name, ok := kopano.ParseSettingKey(key)
	return setting{string(kind), section, name}, ok
}

// key is the setting's name in the environment.
func (st setting) key() string { return st.kind + "_" + strings.ToUpper(st.section+"_"+st.name) }

func isSettingKey(key string) bool {
	return strings.HasPrefix(key, "KCCONF_") || strings.HasPrefix(key, "KCCOMMENT_") || strings.HasPrefix(key, "KCUNCOMMENT_")
}

func isCore(in *Input, s *deployment.Service) bool {
	_, ok := coreRoles[in.Topology.Role(s)]
	return ok
}

// onCore accepts the settings of core services.
func onCore(in *Input) func(*deployment.Service, string) bool {
	return func(s *deployment.Service, key string) bool { return isSettingKey(key) && isCore(in, s) }
}

// judgeSettings judges the well-formed KCCONF_ settings of core services.
func judgeSettings(in *Input, rule func(x sighting, st setting) *verdict) []finding.Finding {
	return judge(in, onCore(in), func(x sighting) *verdict {
		st, ok := settingOf(x.value.Key)
		if !ok || st.kind != "KCCONF" {
			return nil
		}
		return rule(x, st)
	})
}

func malformedName(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		return isSettingKey(strings.ToUpper(key)) && isCore(in, s)
	}
	return judge(in, want, func(x sighting) *verdict {
		key := x.value.Key
		if _, ok := settingOf(key); ok {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     key + " is not read: the name must be KCCONF_SECTION_NAME in capital letters.",
			consequence: "The setting has no effect.",
			remedy:      "Write the section in capital letters, and the name in capital letters, digits and underscores.",
		}
		if better := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(key)); better != key {
			if st, ok := settingOf(better); ok && known(st) {
				v.remedy, v.rename = "Write "+better, better
			}
		}
		return v
	})
}

func known(st setting) bool {
	_, ok := kopano.LookupSetting(st.section, st.name)
	return ok
}

func unknownSection(in *Input) []finding.Finding {
	return judge(in, onCore(in), func(x sighting) *verdict {
		st, ok := settingOf(x.value.Key)
		if !ok || slices.Contains(kopano.Sections(), st.section) || slices.Contains(elsewhere, st.section) {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     x.value.Key + " is for " + st.section + ".cfg, which does not exist.",
			consequence: "The setting has no effect.",
			remedy:      "The files are " + list(kopano.Sections(), 24) + ".",
		}
		if near, ok := kopano.NearestSection(st.section); ok {
			better := setting{st.kind, near, st.name}
			v.remedy = "Write " + better.key()
			if known(better) {
				v.rename = better.key()
			}
		}
		return v
	})
}

// repeated gives the setting that is meant when the section is to stand in the name twice.
func repeated(st setting) (string, bool) {
	if known(st) {
		return "", false
	}
	name := st.section + "_" + st.name
	if s, ok := kopano.LookupSetting(st.section, name); !ok || s.State == kopano.StateRemoved {
		return "", false
	}
	return "KCCONF_" + strings.ToUpper(st.section+"_"+name), true
}

func missingPrefix(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		better, ok := repeated(st)
		if !ok {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     x.value.Key + " sets " + st.name + " in " + st.section + ".cfg, which is no setting there; " + st.section + "_" + st.name + " is.",
			consequence: unknownConsequence(x, st),
			remedy:      "Write " + better,
			rename:      better,
		}
		if v.stops = fatal(in, x, st); !v.stops {
			v.severity = finding.Warning
		}
		return v
	})
}

// fatal reports whether an unknown setting stops the service that it is given to.
func fatal(in *Input, x sighting, st setting) bool {
	return kopano.UnknownSettingIsFatal(st.section) && slices.Contains(coreRoles[in.Topology.Role(x.service)], st.section)
}

func unknownConsequence(x sighting, st setting) string {
	switch {
	case st.section == "ldap":
		return "kopano_server drops the directory's settings: nobody can log in."
	case kopano.UnknownSettingIsFatal(st.section):
		return "The program refuses to start (\"Unknown option\")."
	}
	return "The setting has no effect, and nothing says so."
}

func unknownSetting(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if !slices.Contains(kopano.Sections(), st.section) || known(st) {
			return nil
		}
		if _, twice := repeated(st); twice || !knowsSettings(st.section) {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     x.value.Key + " sets " + st.name + " in " + st.section + ".cfg, which Kopano does not know.",
			consequence: unknownConsequence(x, st),
			remedy:      "Delete it, or look the name up in the manual page of " + st.section + ".cfg.",
		}
		if near, ok := kopano.NearestSetting(st.section, st.name); ok {
			better := setting{st.kind, st.section, near}
			v.remedy, v.rename = "Write "+better.key(), better.key()
		}
		if v.stops = fatal(in, x, st); !v.stops {
			v.severity = finding.Warning
		}
		return v
	})
}

// knowsSettings reports whether the settings of a file are known at all.
func knowsSettings(section string) bool { return slices.Contains(daemonFiles, section) }

// oldCore reports whether the core image is of a release before 9, which still
// knows the removed settings.
func oldCore(s *deployment.Service) bool {
	tag := tagOf(s.Image)
	return strings.HasPrefix(tag, "8.") || strings.HasPrefix(tag, "7.")
}

func removedSetting(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		s, ok := kopano.LookupSetting(st.section, st.name)
		if !ok || s.State != kopano.StateRemoved || oldCore(x.service) {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     x.value.Key + " sets " + st.name + ", which Kopano knew until release 8.7 only.",
			consequence: unknownConsequence(x, st),
			remedy:      "Delete it.",
		}
		if s.Replacement != "" {
			v.remedy = "Use KCCONF_" + strings.ToUpper(st.section+"_"+s.Replacement) + " instead, or delete it."
			v.edits = listenInstead(in, x, st, s.Replacement)
		}
		if v.stops = fatal(in, x, st); !v.stops {
			v.severity = finding.Warning
		}
		return v
	})
}

// listenInstead gives the edits that make *_listen=0.0.0.0:PORT of an old
// *_port=PORT, as the release notes of kopano-core 8.7 tell. The other removed
// settings have a successor of another meaning.
func listenInstead(in *Input, x sighting, st setting, successor string) []finding.Edit {
	if !strings.HasSuffix(st.name, "_port") || !strings.Contains(successor, "listen") || !isPort(x.text()) {
		return nil
	}
	name := renamed(in, x, setting{st.kind, st.section, successor}.key())
	text := in.Deployment.SetValue(x.value.At, x.text(), "0.0.0.0:"+x.text())
	if name == nil || text == nil {
		return nil // the port comes out of a variable that others may use
	}
	return append(name, text...)
}

func obsoleteSetting(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		s, ok := kopano.LookupSetting(st.section, st.name)
		if !ok {
			return nil
		}
		v := &verdict{key: true, consequence: "The setting has no effect.", remedy: "Delete it."}
		switch s.State {
		case kopano.StateObsolete, kopano.StateUnused:
			v.message = x.value.Key + " sets " + st.name + ", which the program accepts and does not use any more."
		case kopano.StateAlias:
			v.severity = finding.Info
			v.message = x.value.Key + " sets " + st.name + ", the old name of another setting."
			v.consequence = ""
		default:
			return nil
		}
		if s.Replacement != "" {
			v.remedy = "Use KCCONF_" + strings.ToUpper(st.section+"_"+s.Replacement) + " instead."
			if s.State == kopano.StateAlias {
				v.rename = setting{st.kind, st.section, s.Replacement}.key()
			}
		}
		return v
	})
}

func wrongService(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		files := coreRoles[in.Topology.Role(x.service)]
		if slices.Contains(files, st.section) || !slices.Contains(daemonFiles, st.section) || reachesRight(in, x, st) {
			return nil
		}
		reader := readerOf(st.section)
		v := &verdict{
			key:         true,
			message:     x.value.Key + " is a setting of " + st.section + ".cfg, which only " + reader + " reads.",
			consequence: "The setting has no effect here.",
			remedy:      "Move it to " + reader + ".",
		}
		if st.section == "kapid" || st.section == "grapi" {
			v.consequence = "The setting has no effect on this service."
		}
		return v
	})
}

func readerOf(section string) string {
	for role, files := range coreRoles {
		if slices.Contains(files, section) {
			if sys := kopano.SystemOf(role); sys != nil {
				return sys.Service
			}
		}
	}
	return "another service"
}

// reachesRight reports whether the same line also reaches the service that
// reads it: a list shared by several services is no mistake.
func reachesRight(in *Input, x sighting, st setting) bool {
	for _, s := range in.Deployment.Services {
		if v, ok := s.Get(x.value.Key); ok && v.At == x.value.At && slices.Contains(coreRoles[in.Topology.Role(s)], st.section) {
			return true
		}
	}
	return false
}
