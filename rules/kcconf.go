package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// kcconfRules are about what kcconf.py and the start script of the core image make of a value.
func kcconfRules() []Rule {
	return []Rule{
		{
			ID: "kcconf-backslash", Subject: "settings", Severity: finding.Error,
			Title:  "A setting has a backslash in its value",
			Why:    "kcconf.py uses the value as the replacement of a regular expression: \\1 or \\d stop the container at start, \\n and \\b become other characters.",
			Source: "kopano-docker base/kcconf.py; Python re.sub",
			Check:  backslash,
		},
		{
			ID: "kcconf-outer-blanks", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "A setting begins or ends with a blank, or has a line break in it",
			Why:    "The programs cut blanks off at both ends (kopano-core, ECConfigImpl.cpp), so a password loses them; after a line break a new setting begins.",
			Source: "kopano-core common/ECConfigImpl.cpp",
			Check:  outerBlanks,
		},
		{
			ID: "kcconf-value-too-long", Subject: "settings", Severity: finding.Warning,
			Title:  "The value of a setting is too long",
			Why:    "Kopano reads at most 1023 bytes of a line of its configuration files (kopano-core, ECConfigImpl.cpp); the rest is cut off.",
			Source: "kopano-core common/ECConfigImpl.cpp",
			Check:  tooLong,
		},
		{
			ID: "kcconf-value-with-blank", Subject: "settings", Severity: finding.Error,
			Title:  "A setting of kapi or grapi has a blank in its value",
			Why:    "The start script turns kapid.cfg and grapi.cfg into environment variables with export $(…), which splits values at blanks (core/start-service.sh).",
			Source: "kopano-docker core/start-service.sh",
			Check:  kapiBlank,
		},
		{
			ID: "kccomment-empty", Subject: "settings", Severity: finding.Error,
			Title:  "KCCOMMENT or KCUNCOMMENT is empty",
			Why:    "kcconf.py comments out, or in, every line that begins with the value; every line begins with nothing. An empty KCCOMMENT_LDAP_1 switches off all of ldap.cfg.",
			Source: "kopano-docker base/kcconf.py",
			Check:  commentEmpty,
		},
		{
			ID: "ldap-include", Subject: "settings", Severity: finding.Error,
			Title: "Not exactly one kind of directory is switched on",
			Why: "ldap.cfg has one !include line for OpenLDAP and one for Active Directory. KCUNCOMMENT_LDAP_1 must be the line to switch on, KCCOMMENT_LDAP_1 the other one, letter by letter; " +
				"otherwise both or none are on.",
			Source: "kopano-docker base/kcconf.py, setup.sh; kopano-core ldap.cfg",
			Check:  ldapInclude,
		},
		{
			ID: "service-to-start-invalid", Fixable: true, Subject: "settings", Severity: finding.Error,
			Title:  "SERVICE_TO_START names no service of the core image",
			Why:    "The start script ends with \"Invalid service specified\" (core/start-service.sh). kapid was renamed to kapi in August 2019; images from before know kapid only.",
			Source: "kopano-docker core/start-service.sh",
			Check:  serviceToStart,
		},
	}
}

func backslash(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, _ setting) *verdict {
		if !strings.Contains(x.text(), `\`) {
			return nil
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " has a backslash in its value.",
			consequence: "The container stops at start, or its program gets another value than you wrote.",
			remedy:      "Use a value without backslash: another password, or user@domain in place of DOMAIN\\user.",
		}
	})
}

func outerBlanks(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, _ setting) *verdict {
		s := x.text()
		v := &verdict{consequence: "The program gets another value than you wrote; a password is then wrong."}
		switch {
		case strings.ContainsAny(s, "\n\r"):
			v.message = x.name() + " has a line break in its value."
			v.remedy = "Write the value on one line."
		case strings.TrimSpace(s) != s:
			v.message = x.name() + " begins or ends with a blank."
			v.remedy = "Delete the blanks at both ends of the value."
			v.write = strings.TrimSpace(s)
		default:
			return nil
		}
		return v
	})
}

func tooLong(in *Input) []finding.Finding {
	const most = 1023
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if len(x.text()) <= most || st.section == "kapid" || st.section == "grapi" {
			return nil
		}
		return &verdict{
			message:     x.name() + " has " + itoa(len(x.text())) + " bytes; Kopano reads the first " + itoa(most) + ".",
			consequence: "The program works with a value that is cut off.",
			remedy:      "Shorten the value, or mount a configuration file of your own.",
		}
	})
}

func kapiBlank(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		if st.section != "kapid" && st.section != "grapi" || !strings.ContainsAny(strings.TrimSpace(x.text()), " \t") || !slices.Contains(coreRoles[in.Topology.Role(x.service)], st.section) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + "; the part behind the blank is lost.",
			consequence: "The service gets half of the value, or does not start.",
			remedy:      "Write the value without blanks; lists have commas alone between their parts.",
		}
	})
}

func commentEmpty(in *Input) []finding.Finding {
	return judge(in, onCore(in), func(x sighting) *verdict {
		st, ok := settingOf(x.value.Key)
		if !ok || st.kind == "KCCONF" || strings.TrimSpace(x.text()) != "" {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is empty, which means every line of " + st.section + ".cfg.",
			consequence: "All settings in it are switched off: kopano_server does not find the directory, and nobody can log in.",
			remedy:      "Write the line that is meant, or delete the setting.",
		}
		if st.kind == "KCUNCOMMENT" {
			v.consequence = "Every comment in it becomes a setting: the program does not start."
		}
		if st.section == "ldap" {
			v.remedy = "Write " + x.name() + "=" + usualValue(st.kind+"_LDAP_1")
		}
		return v
	})
}

const (
	includeOpenLDAP = "!include /usr/share/kopano/ldap.openldap.cfg"
	includeAD       = "!include /usr/share/kopano/ldap.active-directory.cfg"
)

func ldapInclude(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Server) {
		on, ok1 := s.Get("KCUNCOMMENT_LDAP_1")
		off, ok2 := s.Get("KCCOMMENT_LDAP_1")
		if !ok1 || !ok2 || strings.TrimSpace(on.Reveal()) == "" || strings.TrimSpace(off.Reveal()) == "" {
			continue // the rules about empty values speak of those
		}
		f := finding.Finding{
			Subject: s.Name, Key: "include", Links: linksBy(in, s, "KCCONF_LDAP_LDAP_URI"),
			Consequence: "kopano_server does not find users, or finds the wrong ones: nobody can log in.",
			Remedy:      "Write KCUNCOMMENT_LDAP_1=" + includeOpenLDAP + " and KCCOMMENT_LDAP_1=" + includeAD + "; for Active Directory swap the two.",
		}
		switch {
		case on.Reveal() == off.Reveal():
			f.Message = "KCUNCOMMENT_LDAP_1 and KCCOMMENT_LDAP_1 are the same line, " + quote(on.Reveal()) + "."
			f.Locations = append(off.Locations(), placed(on, finding.Related)...)
		case on.Reveal() != includeOpenLDAP && on.Reveal() != includeAD:
			f.Message = "KCUNCOMMENT_LDAP_1 is " + quote(on.Reveal()) + ", and ldap.cfg has no such line."
			f.Locations = on.Locations()
		case off.Reveal() != includeOpenLDAP && off.Reveal() != includeAD:
			f.Message = "KCCOMMENT_LDAP_1 is " + quote(off.Reveal()) + ", and ldap.cfg has no such line."
			f.Locations = off.Locations()
		default:
			continue
		}
		f.Locations = distinct(f.Locations)
		out = append(out, f)
	}
	return out
}

// startable are the values of SERVICE_TO_START (core/start-service.sh).
var startable = []string{"dagent", "gateway", "grapi", "ical", "kapi", "monitor", "search", "server", "spamd", "spooler"}

func serviceToStart(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		return key == "SERVICE_TO_START" && kopano.ParseImage(s.Image).Is("kopano_core")
	}
	return judge(in, want, func(x sighting) *verdict {
		if slices.Contains(startable, x.text()) {
			return nil
		}
		v := &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ", which the image does not know.",
			consequence: "The container ends at start, again and again.",
			remedy:      "Write one of " + list(startable, 12) + ".",
		}
		if x.text() == "kapid" {
			return kapidFor(x, v)
		}
		if near, ok := nearestOf(x.text(), startable); ok {
			v.remedy, v.write = "Write SERVICE_TO_START="+near, near
		}
		return v
	})
}

// kapidFor judges the old name of kapi: images of August 2019 and later do not
// know it (kopano-docker commit 4878fc9), and earlier ones know no other.
func kapidFor(x sighting, v *verdict) *verdict {
	tag := tagOf(x.service.Image)
	switch {
	case beforeKapi(strings.TrimPrefix(tag, "core-")):
		return nil // pinned to a release of that time
	case tag == "" || strings.HasSuffix(x.service.Image, ":"):
		v.severity, v.stops = finding.Warning, false
		v.consequence = "With an image of today the container ends at start, again and again."
		v.message = x.name() + " is kapid, which images since August 2019 call kapi; which image this is cannot be told."
		v.remedy = "Write SERVICE_TO_START=kapi with an image of today; with one from before that month kapid is right."
		return v
	}
	v.remedy, v.write = "Write SERVICE_TO_START=kapi", "kapi"
	return v
}

// release87 reads a tag such as 8.7.82.165.
var release87 = regexp.MustCompile(`^8\.(\d+)(?:\.(\d+))?`)

// beforeKapi reports whether a release of kopano-core is from the time before
// the name changed: 8.7.84 is the last one of that summer.
func beforeKapi(tag string) bool {
	m := release87.FindStringSubmatch(tag)
	if m == nil {
		return false
	}
	minor, _ := strconv.Atoi(m[1])
	patch, _ := strconv.Atoi(m[2])
	return minor < 7 || minor == 7 && patch <= 84
}
