package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// settingValueRules are about the kind of a value: number, size, word, path,
// list. What kind a setting wants is told by its default.
func settingValueRules() []Rule {
	return []Rule{
		{
			ID: "number-invalid", Subject: "values", Severity: finding.Warning,
			Title:  "A setting that counts is not a number",
			Why:    "Kopano's programs read the digits at the beginning and nothing else: 30d is 30 of whatever unit the setting has, and a word is 0.",
			Source: "kopano-server.cfg(5) and the manual pages beside it; atoi(3)",
			Check:  numberInvalid,
		},
		{
			ID: "size-invalid", Fixable: true, Subject: "values", Severity: finding.Warning,
			Title:  "A size is not a number with k, m or g",
			Why:    "Kopano's programs take a number of bytes, or one with k, m or g as its last letter; MB and GiB are not known, so that 256MB can become 256 bytes.",
			Source: "kopano-core common/ECConfigImpl.cpp",
			Check:  sizeInvalid,
		},
		{
			ID: "setting-word-unknown", Fixable: true, Subject: "values", Severity: finding.Warning,
			Title:  "A setting has a word that its program does not know",
			Why:    "Some settings take one of a few words, in small letters. Another one ends the program or leaves the setting at its default.",
			Source: "kopano-server.cfg(5), kopano-ldap.cfg(5)",
			Check:  wordUnknown,
		},
		{
			ID: "path-relative", Subject: "values", Severity: finding.Warning,
			Title:  "A file or folder is given without a / at its beginning",
			Why:    "A path that does not begin with / starts from whatever folder the program happens to run in, not from the folder of the compose file.",
			Source: "path_resolution(7)",
			Check:  pathRelative,
		},
		{
			ID: "list-separator", Fixable: true, Subject: "values", Severity: finding.Warning,
			Title:  "The parts of a list are separated by the wrong character",
			Why:    "Kopano's lists have blanks between their parts. With commas the whole list is one part that nobody knows: disabled_features = imap,pop3 switches nothing off.",
			Source: "kopano-server.cfg(5); apt-get(8); Compose documentation, COMPOSE_PROFILES",
			Check:  listSeparator,
		},
		{
			ID: "kcconf-empty-refused", Subject: "settings", Severity: finding.Error,
			Title:  "A setting is empty that must not be",
			Why:    "Some settings are marked as not empty; their program ends with an error where the line has no value (kopano-core, CONFIGSETTING_NONEMPTY).",
			Source: "kopano-core common/ECConfigImpl.cpp",
			Check:  emptyRefused,
		},
		{
			ID: "kcconf-switched-off", Subject: "settings", Severity: finding.Warning,
			Title:  "The settings of a service are not written into its configuration",
			Why:    "With DISABLE_CONFIG_CHANGES=true or AUTOCONFIGURE=false the start script leaves the *.cfg files as they are, and KCCONF_ settings do nothing.",
			Source: "kopano-docker core/start-service.sh",
			Check:  switchedOff,
		},
		{
			ID: "kcconf-setting-too-new", Subject: "settings", Severity: finding.Error,
			Title:  "A setting is newer than the release in use",
			Why:    "A program of release 8.7 does not start with a setting that came later (\"Unknown option\").",
			Source: "kopano-core 8.7, 9.1, 10.0 and 11.0: tables of settings",
			Since:  "kopano-core 8.7",
			Check:  tooNew,
		},
	}
}

// digits and sizes are what Kopano's programs take.
var (
	wholeNumber = regexp.MustCompile(`^-?[0-9]+$`)
	sizeNumber  = regexp.MustCompile(`^[0-9]+[kKmMgG]?$`)
	longSize    = regexp.MustCompile(`^([0-9]+) ?([kKmMgG])(?:[bB]|i[bB])?$`)
)

// isSize reports whether a setting is a size in bytes.
func isSize(st setting) bool {
	return slices.Contains([]string{"server", "ldap", "gateway"}, st.section) &&
		(strings.HasPrefix(st.name, "cache_") && strings.HasSuffix(st.name, "_size") ||
			st.name == "ldap_membership_cache_size" || st.name == "imap_max_messagesize")
}

// isNumber reports whether a setting counts something, judged by its default.
// Ports, log levels and switches that are written as 0 and 1 have rules of their own.
func isNumber(st setting) bool {
	s, ok := kopano.LookupSetting(st.section, st.name)
	return ok && s.State == kopano.StateOK && wholeNumber.MatchString(s.Default) && !isSize(st) &&
		!strings.HasSuffix(st.name, "_port") && !strings.HasSuffix(st.name, "log_level") && !strings.HasSuffix(st.name, "log_timestamp") &&
		st.name != "log_buffer_size" && st.name != "term_cache_size"
}

// reads reports whether a service's program reads the file that a setting is for.
func reads(in *Input, x sighting, st setting) bool {
	return slices.Contains(coreRoles[in.Topology.Role(x.service)], st.section)
}

// leftOver reports whether another rule speaks of the value: it has a character
// too many, or blanks at its ends.
func leftOver(text string) bool {
	_, stray := strayIn(text)
	return text == "" || stray != "" || strings.TrimSpace(text) != text || inQuotes(text)
}

func numberInvalid(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		text := x.text()
		if !isNumber(st) || text != "" && leftOver(text) || !reads(in, x, st) {
			return nil
		}
		s, _ := kopano.LookupSetting(st.section, st.name)
		switch {
		case text == "" && (s.Default == "0" || s.Nonempty):
			return nil // nothing is 0, or another rule speaks of it
		case text == "":
			return &verdict{
				message:     x.name() + " is empty, which the program reads as 0; the default is " + s.Default + ".",
				consequence: "The program works with 0, or does not start.",
				remedy:      "Delete the line, or write " + x.name() + "=" + s.Default,
			}
		case wholeNumber.MatchString(text):
			return outOfRange(x, st)
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + "; only a plain number is read" + inUnits(st.name) + ".",
			consequence: "The program takes the digits at the beginning, or 0 where there are none, or does not start.",
			remedy:      "Write a number without unit, such as " + x.name() + "=" + s.Default + ", which is the default.",
		}
	})
}

// outOfRange says when a number is larger than its setting allows.
func outOfRange(x sighting, st setting) *verdict {
	n, err := strconv.Atoi(x.text())
	if st.section != "server" || st.name != "attachment_compression" || err == nil && n >= 0 && n <= 9 {
		return nil
	}
	return &verdict{
		message:     x.name() + " is " + x.shown() + "; compression goes from 0 (none) to 9.",
		consequence: "Attachments are not compressed as you want, or cannot be written.",
		remedy:      "Write " + x.name() + "=6",
	}
}

// inUnits names the unit of a setting, where its manual page gives one.
func inUnits(name string) string {
	switch name {
	case "softdelete_lifetime", "sync_lifetime", "mailquota_resend_interval":
		return ", and it means days"
	case "session_timeout", "server_read_timeout", "server_send_timeout", "server_recv_timeout", "search_timeout", "kcoidc_initialize_timeout", "ldap_network_timeout":
		return ", and it means seconds"
	case "cache_quota_lifetime", "cache_userdetails_lifetime", "cache_server_lifetime", "quota_check_interval", "ldap_membership_cache_lifetime":
		return ", and it means minutes"
	case "quota_warn", "quota_soft", "quota_hard", "companyquota_warn", "embedded_attachment_limit":
		return ""
	}
	return ""
}

func sizeInvalid(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		text := x.text()
		if !isSize(st) || leftOver(text) || sizeNumber.MatchString(text) || !reads(in, x, st) {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + "; a size is a number of bytes, or a number with k, m or g behind it.",
			consequence: "The program takes another size: a cache of a few bytes makes everything slow.",
			remedy:      "Write a size such as " + x.name() + "=256M",
		}
		if m := longSize.FindStringSubmatch(text); m != nil {
			v.write = m[1] + strings.ToUpper(m[2])
			v.remedy = "Write " + x.name() + "=" + v.write
		}
		return v
	})
}

// settingWords are the words that settings take, by section and name (manual pages of kopano-core).
var settingWords = map[string][]string{
	"server attachment_storage":               {"auto", "files", "files_v2", "database", "s3"},
	"server attachment_s3_protocol":           {"http", "https"},
	"server attachment_s3_uristyle":           {"virtualhost", "path"},
	"server user_plugin":                      {"ldap", "db", "unix", "ldapms"},
	"server auth_method":                      {"plugin", "pam", "kerberos"},
	"server database_engine":                  {"mysql"},
	"ldap ldap_user_unique_attribute_type":    {"text", "binary"},
	"ldap ldap_group_unique_attribute_type":   {"text", "binary"},
	"ldap ldap_company_unique_attribute_type": {"text", "binary"},
	"ldap ldap_groupmembers_attribute_type":   {"dn", "text", "name"},
	"ldap ldap_sendas_attribute_type":         {"dn", "text", "binary"},
	"ldap ldap_group_security_attribute_type": {"boolean", "ads"},
}

func wordsOf(st setting) []string {
	if st.name == "log_method" && !slices.Contains(pythonFiles, st.section) {
		return []string{"auto", "file", "syslog"}
	}
	return settingWords[st.section+" "+st.name]
}

// features are what can be switched off for everybody (kopano-server.cfg(5), disabled_features).
var features = []string{"imap", "pop3", "mobile", "outlook", "webapp"}

// featureMisspelt looks at the words of the list of features.
func featureMisspelt(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Server, "KCCONF_SERVER_DISABLED_FEATURES"), func(x sighting) *verdict {
		if leftOver(x.text()) || strings.ContainsAny(x.text(), ",;") {
			return nil
		}
		words := strings.Fields(x.text())
		for i, w := range words {
			near, ok := nearestOf(w, features)
			if !ok || slices.Contains(features, w) {
				continue
			}
			words[i] = near
			better := strings.Join(words, " ")
			return &verdict{
				message:     x.name() + " is " + x.shown() + "; there is no " + w + ", but " + near + ".",
				consequence: "What you mean to switch off stays on.",
				remedy:      "Write " + x.name() + "=" + better,
				write:       better,
			}
		}
		return nil
	})
}

func wordUnknown(in *Input) []finding.Finding {
	return append(featureMisspelt(in), settingWordUnknown(in)...)
}

func settingWordUnknown(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		words, text := wordsOf(st), x.text()
		if words == nil || leftOver(text) || slices.Contains(words, text) || !reads(in, x, st) {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + "; the program knows " + list(words, 6) + ".",
			consequence: "The program does not start, or works as if the setting were not there.",
			remedy:      "Write one of " + list(words, 6) + ".",
		}
		if near, ok := nearestOf(text, words); ok {
			v.remedy, v.write = "Write "+x.name()+"="+near, near
		}
		return v
	})
}

// isPathSetting reports whether a setting names a file or a folder in the container.
func isPathSetting(st setting) bool {
	s, ok := kopano.LookupSetting(st.section, st.name)
	if !ok || slices.Contains([]string{"kapid", "grapi", "kwebd"}, st.section) && st.name != "persistency_path" {
		return false
	}
	for _, end := range []string{"_path", "_file", "_dir"} {
		if strings.HasSuffix(st.name, end) {
			return true
		}
	}
	return st.name == "user_plugin_config" || strings.HasPrefix(s.Default, "/etc/")
}

func pathRelative(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		text := x.text()
		// "-" is standard output, a scheme is no path, $NAME and %u are replaced by the program.
		if !isPathSetting(st) || leftOver(text) || !reads(in, x, st) || strings.HasPrefix(text, "/") || text == "-" ||
			strings.Contains(text, ":") || strings.HasPrefix(text, "$") || strings.HasPrefix(text, "%") {
			return nil
		}
		if st.name == "attachment_path" && value(x.service, "KCCONF_SERVER_ATTACHMENT_STORAGE") == "s3" {
			return nil // the beginning of the names in the bucket
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which does not begin with a /.",
			consequence: "The program looks for it in another folder; what it writes there is lost with the container.",
			remedy:      "Write the whole path as it is inside of the container, such as /kopano/….",
		}
	})
}

// blankLists are settings that are lists with blanks between their parts.
var blankLists = []string{"KCCONF_SERVER_DISABLED_FEATURES", "KCCONF_SERVER_LOCAL_ADMIN_USERS", "ADDITIONAL_KOPANO_PACKAGES", "ADDITIONAL_KOPANO_WEBAPP_PLUGINS"}

// manySeparators are what people write between the parts of a list.
var manySeparators = regexp.MustCompile(`\s*[,;]\s*`)

func listSeparator(in *Input) []finding.Finding {
	out := judge(in, keyed(blankLists...), func(x sighting) *verdict {
		text := x.text()
		if !strings.ContainsAny(text, ",;") {
			return nil
		}
		better := strings.TrimSpace(manySeparators.ReplaceAllString(text, " "))
		return &verdict{
			message:     x.name() + " is " + x.shown() + "; the parts of this list are separated by blanks.",
			consequence: "The whole list counts as one part, which does not exist, and the setting does nothing.",
			remedy:      "Write " + x.name() + "=" + better,
			write:       better,
		}
	})
	return append(out, profilesSeparator(in)...)
}

// profilesSeparator looks at COMPOSE_PROFILES, which has commas.
func profilesSeparator(in *Input) []finding.Finding {
	l := definition(in, "COMPOSE_PROFILES")
	if l == nil || !strings.ContainsAny(strings.TrimSpace(l.Reveal()), " ;:") {
		return nil
	}
	if manySeparators.ReplaceAllString(l.Reveal(), ",") == strings.ReplaceAll(l.Reveal(), " ", "") {
		return nil // a blank beside a comma does no harm
	}
	parts := strings.FieldsFunc(l.Reveal(), func(r rune) bool { return strings.ContainsRune(" ;:,", r) })
	better := strings.Join(parts, ",")
	return []finding.Finding{{
		Subject: l.Key, Key: l.Key,
		Message:     l.Key + " is " + quote(l.String()) + "; the names of profiles are separated by commas.",
		Consequence: "Compose looks for one profile of that name, finds none, and leaves out the services of all of them.",
		Remedy:      "Write " + l.Key + "=" + better,
		Locations:   []finding.Location{l.ValueAt.As(finding.Fix)},
		Edits:       in.Deployment.SetValue(l.ValueAt, l.Reveal(), better),
	}}
}

func emptyRefused(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		s, ok := kopano.LookupSetting(st.section, st.name)
		if !ok || !s.Nonempty || strings.TrimSpace(x.text()) != "" || !reads(in, x, st) {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is empty, and its program insists on a value.",
			consequence: "The program does not start (\"cannot be empty\").",
			remedy:      "Delete the line, so that the default holds, or give it a value.",
		}
		if s.Default != "" {
			v.remedy = "Write " + x.name() + "=" + s.Default + ", the default, or delete the line."
		}
		if st.section == "ldap" {
			v.consequence = unknownConsequence(x, st)
		}
		if v.stops = fatal(in, x, st); !v.stops {
			v.severity = finding.Warning
		}
		return v
	})
}

func switchedOff(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		if !isCore(in, s) {
			continue
		}
		off, ok := s.Get("DISABLE_CONFIG_CHANGES")
		if !ok || off.Reveal() != "true" {
			if off, ok = s.Get("AUTOCONFIGURE"); !ok || off.Reveal() != "false" {
				continue
			}
		}
		var keys []string
		for _, key := range s.Keys() {
			if _, well := settingOf(key); well {
				keys = append(keys, key)
			}
		}
		if len(keys) == 0 {
			continue
		}
		places := off.Locations()
		if v, ok := s.Get(keys[0]); ok {
			places = append(places, v.At.As(finding.Related))
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: off.Key,
			Message:     off.Key + " is " + off.Reveal() + " on " + s.Name + ", so nothing writes " + list(keys, 4) + " into its configuration.",
			Consequence: "The program runs with the *.cfg files of the image or of a volume, whatever the settings say.",
			Remedy:      "Delete " + off.Key + ", or delete the settings and write them into the mounted *.cfg files.",
			Locations:   distinct(places),
		})
	}
	return out
}

func tooNew(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		s, ok := kopano.LookupSetting(st.section, st.name)
		if !ok || !oldCore(x.service) || len(s.Versions) == 0 || slices.Contains(s.Versions, "8.7") || !reads(in, x, st) {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     x.value.Key + " sets " + st.name + ", which came with release " + s.Versions[0] + "; the image is " + tagOf(x.service.Image) + ".",
			consequence: unknownConsequence(x, st),
			remedy:      "Delete it, or update the image first.",
		}
		if v.stops = fatal(in, x, st); !v.stops {
			v.severity = finding.Warning
		}
		return v
	})
}
