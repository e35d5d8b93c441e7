package rules

import (
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the doctor's own list of time zones: the host's may be missing

	"golang.org/x/text/language"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// formatRules are about values that must have a certain form, whatever service they are for.
func formatRules() []Rule {
	return []Rule{
		{
			ID: "timezone-invalid", Subject: "values", Severity: finding.Warning,
			Title:  "TZ is not a time zone",
			Why:    "An unknown name counts as UTC without a word (tzset(3)); setup.sh takes whatever was typed. Names are those of the IANA database, such as Europe/Berlin.",
			Source: "tzset(3); IANA time zone database; kopano-docker setup.sh",
			Check:  timezone,
		},
		{
			ID: "ical-timezone", Subject: "values", Severity: finding.Info,
			Title:  "kopano_ical takes its own time zone, not TZ",
			Why:    "ical's server_timezone is Europe/Amsterdam unless it is set (kopano-core, CalDAV.cpp); appointments without a time zone are read in it.",
			Source: "kopano-core caldav/CalDAV.cpp",
			Check:  icalTimezone,
		},
		{
			ID: "locale-invalid", Fixable: true, Subject: "values", Severity: finding.Warning,
			Title:  "A locale is not known to the image",
			Why:    "The image has en_US, de_DE and nl_NL in UTF-8 only (base/Dockerfile). With any other locale the folders of new mailboxes are created in English.",
			Source: "kopano-docker base/Dockerfile",
			Check:  locale,
		},
		{
			ID: "port-setting-invalid", Subject: "values", Severity: finding.Error,
			Title:  "A port is not a number from 1 to 65535",
			Why:    "The programs take the number as it stands, and wait for or connect to nothing.",
			Source: "kopano-server.cfg(5), kopano-spooler.cfg(5); TCP ports are 1 to 65535",
			Check:  portSetting,
		},
	}
}

func timezone(in *Input) []finding.Finding {
	return judge(in, keyed("TZ", "KCCONF_ICAL_SERVER_TIMEZONE"), func(x sighting) *verdict {
		name := strings.TrimPrefix(x.text(), ":")
		if name == "" || isZone(name) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which is no time zone.",
			consequence: "The containers run in UTC: times in logs, jobs and appointments are off by hours.",
			remedy:      "Write a name from the IANA database, for example " + x.name() + "=Europe/Berlin",
		}
	})
}

// isZone accepts the names of the IANA database and POSIX rules such as CET-1CEST (tzset(3)).
func isZone(name string) bool {
	if _, err := time.LoadLocation(name); err == nil && name != "Local" {
		return true
	}
	letters := strings.IndexFunc(name, func(r rune) bool { return r < 'A' || r > 'Z' })
	if letters < 3 {
		return false
	}
	hours, _, _ := strings.Cut(strings.TrimLeft(name[letters:], "+-"), ":")
	digits := strings.IndexFunc(hours, func(r rune) bool { return r < '0' || r > '9' })
	if digits >= 0 {
		hours = hours[:digits]
	}
	n, err := strconv.Atoi(hours)
	return err == nil && n <= 24
}

func icalTimezone(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Ical) {
		tz, ok := s.Get("TZ")
		if !ok || tz.Reveal() == "" || !isZone(tz.Reveal()) || has(s, "KCCONF_ICAL_SERVER_TIMEZONE") || sameClock(tz.Reveal()) {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "KCCONF_ICAL_SERVER_TIMEZONE",
			Message:     "TZ is " + quote(tz.Reveal()) + ", but " + s.Name + " reads appointments without a time zone as Europe/Amsterdam.",
			Consequence: "Such appointments are shifted by the difference.",
			Remedy:      "Set KCCONF_ICAL_SERVER_TIMEZONE=" + shortened(tz.Reveal()) + " on " + s.Name + ".",
			Locations:   append([]finding.Location{s.Locate("environment").As(finding.Fix)}, placed(tz, finding.Related)...),
		})
	}
	return out
}

// sameClock reports whether a zone shows the same time as Amsterdam, in winter and in summer.
func sameClock(name string) bool {
	zone, err := time.LoadLocation(name)
	amsterdam, err2 := time.LoadLocation("Europe/Amsterdam")
	if err != nil || err2 != nil {
		return false
	}
	for _, month := range []time.Month{time.January, time.July} {
		t := time.Date(2024, month, 15, 12, 0, 0, 0, time.UTC)
		_, a := t.In(zone).Zone()
		_, b := t.In(amsterdam).Zone()
		if a != b {
			return false
		}
	}
	return true
}

// imageLocales are the locales that base/Dockerfile generates.
var imageLocales = []string{"en_US.UTF-8", "de_DE.UTF-8", "nl_NL.UTF-8"}

func locale(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		return key == "KCCONF_ADMIN_DEFAULT_STORE_LOCALE" || key == "LANG" && ownImage(in, s)
	}
	return judge(in, want, func(x sighting) *verdict {
		name, _, _ := strings.Cut(x.text(), "@")
		tag, charset, _ := strings.Cut(name, ".")
		charset = strings.ToUpper(strings.ReplaceAll(charset, "-", ""))
		if name == "" || name == "C" || name == "POSIX" || tag == "C" {
			return nil
		}
		v := &verdict{
			consequence: "The folders of new mailboxes get English names; they are not renamed later.",
			remedy:      "Write one of " + list(imageLocales, 3) + ", or build an image with the locale.",
		}
		if _, err := language.Parse(tag); err != nil {
			v.message = x.name() + " is " + x.shown() + ", which is no locale."
			return v
		}
		known := slices.ContainsFunc(imageLocales, func(l string) bool { return strings.HasPrefix(l, tag+".") || tag == l[:2] })
		switch {
		case known && tag != "" && (charset == "UTF8"):
			return nil
		case known:
			v.message = x.name() + " is " + x.shown() + "; the image has that language in UTF-8 only."
			v.remedy, v.write = "Write "+x.name()+"="+tag+".UTF-8", fullLocale(tag)
		default:
			v.message = x.name() + " is " + x.shown() + ", which the image does not have."
		}
		return v
	})
}

// fullLocale gives the locale of the image for a language and country; a
// language alone stands for more than one.
func fullLocale(tag string) string {
	if l := tag + ".UTF-8"; slices.Contains(imageLocales, l) {
		return l
	}
	return ""
}

// ownImage reports whether a service runs one of kopano-docker's images, which share one base.
func ownImage(in *Input, s *deployment.Service) bool {
	switch in.Topology.Role(s) {
	case kopano.Unknown, kopano.Mail, kopano.Database, kopano.LDAP, kopano.LDAPAdmin, kopano.LDAPAccountManager, kopano.PasswordSelf, kopano.SSL, kopano.Scheduler:
		return false
	}
	return true
}

// portKeys: settings that hold a port alone.
var portKeys = []string{"KCCONF_SERVER_MYSQL_PORT", "KCCONF_SPOOLER_SMTP_PORT", "KCCONF_SERVERPORT", "SMTP_PORT"}

func portSetting(in *Input) []finding.Finding {
	return judge(in, keyed(portKeys...), func(x sighting) *verdict {
		// An empty one is the business of the rule about settings that are required.
		if isPort(x.text()) || x.text() == "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which is no port.",
			consequence: "The connection that uses it cannot be made.",
			remedy:      "Write a number from 1 to 65535" + usualPort(x.value.Key) + ".",
		}
	})
}

func usualPort(key string) string {
	switch key {
	case "KCCONF_SERVER_MYSQL_PORT":
		return "; MariaDB listens on 3306"
	case "KCCONF_SPOOLER_SMTP_PORT", "SMTP_PORT":
		return "; mail servers listen on 25"
	case "KCCONF_SERVERPORT":
		return "; kopano_server listens for TLS on 237"
	}
	return ""
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535 && !strings.HasPrefix(s, "+")
}
