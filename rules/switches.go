package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// switchRules are about yes and no where each reader has words of its own.
func switchRules() []Rule {
	return []Rule{
		{
			ID: "boolean-empty", Subject: "values", Severity: finding.Warning,
			Title:  "An empty switch counts as yes",
			Why:    "Kopano's programs take exactly no, false and 0 for no; nothing at all is yes as well.",
			Source: "kopano-core common/include/kopano/stringutil.h",
			Check:  booleanEmpty,
		},
		{
			ID: "boolean-script", Fixable: true, Subject: "values", Severity: finding.Warning,
			Title:  "A start script does not understand this yes",
			Why:    "The start scripts compare with one word, letter by letter: yes for konnect, kwmserver, grapi and the apps, true for the switches of the core image. Any other word is a no.",
			Source: "kopano-docker konnect/wrapper.sh, kwmserver/wrapper.sh, core/start-service.sh",
			Check:  booleanScript,
		},
		{
			ID: "php-boolean", Fixable: true, Subject: "values", Severity: finding.Warning,
			Title:  "A no counts as yes in PHP",
			Why:    "WebApp and Z-Push know true and false. The words no and off are texts that are not empty, which PHP takes for true.",
			Source: "PHP manual, booleans; kopano-docker php/start-helper.sh",
			Check:  phpBoolean,
		},
		{
			ID: "zpush-setting-misspelt", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "A setting of Z-Push is misspelt",
			Why:    "The start script looks for the name in Z-Push's config.php and ends when it is not there.",
			Source: "kopano-docker zpush/start.sh; Z-Push config.php",
			Check:  zpushMisspelt,
		},
		{
			ID: "webapp-plugin-missing", Subject: "settings", Severity: finding.Warning,
			Title:  "A plugin of WebApp is configured that the image may not have",
			Why:    "The start script looks for the plugin's configuration file and ends without it (\"Plugin not installed?\"). The image of kopano-docker has the plugins only that it was built with.",
			Source: "kopano-docker php/start-helper.sh, webapp/start.sh",
			Check:  pluginMissing,
		},
	}
}

// skipVerifySetting has a rule of its own.
const skipVerifySetting = "KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY"

func booleanEmpty(in *Input) []finding.Finding {
	return judgeSettings(in, func(x sighting, st setting) *verdict {
		s, ok := kopano.LookupSetting(st.section, st.name)
		program := ok && !slices.Contains(pythonFiles, st.section) && st.section != "kapid" && st.section != "grapi"
		if !program || x.text() != "" || x.value.Key == skipVerifySetting || !slices.Contains([]string{"no", "false"}, s.Default) || s.Nonempty || !reads(in, x, st) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is empty, which Kopano takes for yes; the default is " + s.Default + ".",
			consequence: "What nobody asked for may be switched on.",
			remedy:      "Write " + x.name() + "=no, or delete the line.",
		}
	})
}

// scriptSwitch is a setting that a start script compares with one word.
type scriptSwitch struct {
	role kopano.Role // kopano.Unknown: any service of the core image
	key  string
	word string
}

var scriptSwitches = []scriptSwitch{
	{kopano.Konnect, "allow_client_guests", "yes"},
	{kopano.Konnect, "allow_dynamic_client_registration", "yes"},
	{kopano.Konnect, "insecure", "yes"},
	{kopano.Konnect, "external_oidc_provider", "yes"},
	{kopano.Kwmserver, "enable_guest_api", "yes"},
	{kopano.Kwmserver, "enable_mcu_api", "yes"},
	{kopano.Kwmserver, "allow_guest_only_channels", "yes"},
	{kopano.Grapi, "KCCONF_GRAPI_ENABLE_EXPERIMENTAL_ENDPOINTS", "yes"},
	{kopano.Meet, "GRID_KONNECT", "yes"}, {kopano.Meet, "GRID_MEET", "yes"}, {kopano.Meet, "GRID_WEBAPP", "yes"}, {kopano.Meet, "GRID_CALENDAR", "yes"},
	{kopano.Kapps, "GRID_KONNECT", "yes"}, {kopano.Kapps, "GRID_MEET", "yes"}, {kopano.Kapps, "GRID_WEBAPP", "yes"}, {kopano.Kapps, "GRID_CALENDAR", "yes"},
	{kopano.Unknown, "DISABLE_CHECKS", "true"},
	{kopano.Unknown, "DISABLE_CONFIG_CHANGES", "true"},
}

// meansYes are words that people write for yes.
var meansYes = []string{"yes", "true", "on", "1", "y", "enabled", "enable", "ja"}

func switchOf(in *Input, s *deployment.Service, key string) (scriptSwitch, bool) {
	role := in.Topology.Role(s)
	for _, sw := range scriptSwitches {
		if sw.key == key && (sw.role == role || sw.role == kopano.Unknown && isCore(in, s)) {
			return sw, true
		}
	}
	return scriptSwitch{}, false
}

func booleanScript(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		_, ok := switchOf(in, s, key)
		return ok && !spokenElsewhere(in, key)
	}
	return judge(in, want, func(x sighting) *verdict {
		sw, _ := switchOf(in, x.service, x.value.Key)
		if x.text() == sw.word || !slices.Contains(meansYes, strings.ToLower(x.text())) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + "; the start script knows the word " + sw.word + " only.",
			consequence: "What you mean to switch on stays off.",
			remedy:      "Write " + x.name() + "=" + sw.word,
			write:       sw.word,
		}
	})
}

// spokenElsewhere reports whether the rules about guests and bridges speak of a switch.
func spokenElsewhere(in *Input, key string) bool {
	switch key {
	case "allow_client_guests", "enable_guest_api":
		return slices.ContainsFunc(in.Topology.Services(kopano.Meet), func(s *deployment.Service) bool { return isYes(value(s, "KCCONF_MEET_guests_enabled")) })
	case "enable_mcu_api":
		return len(in.Topology.Services(kopano.Kwmbridge)) > 0
	}
	return false
}

// phpSetting accepts the settings that the start scripts write into PHP files.
func phpSetting(in *Input) func(*deployment.Service, string) bool {
	return func(s *deployment.Service, key string) bool {
		switch in.Topology.Role(s) {
		case kopano.Webapp:
			return strings.HasPrefix(key, "KCCONF_WEBAPP_") || strings.HasPrefix(key, "KCCONF_WEBAPPPLUGIN_")
		case kopano.ZPush:
			return strings.HasPrefix(key, "KCCONF_ZPUSH")
		}
		return false
	}
}

func phpBoolean(in *Input) []finding.Finding {
	return judge(in, phpSetting(in), func(x sighting) *verdict {
		if !slices.Contains([]string{"no", "off"}, strings.ToLower(x.text())) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which PHP takes for true.",
			consequence: "What you mean to switch off is on.",
			remedy:      "Write " + x.name() + "=false",
			write:       "false",
		}
	})
}

// zpushSettings are the names of Z-Push's config.php (Z-Push 2.4 to 2.6).
var zpushSettings = []string{
	"ALLOW_WEBSERVICE_USERS_ACCESS", "BACKEND_PROVIDER", "BASE_PATH", "FILEAS_ORDER", "IPC_PROVIDER",
	"KOE_CAPABILITY_GAB", "KOE_CAPABILITY_IMPERSONATE", "KOE_CAPABILITY_NOTES", "KOE_CAPABILITY_OOF", "KOE_CAPABILITY_OOFTIMES",
	"KOE_CAPABILITY_RECEIVEFLAGS", "KOE_CAPABILITY_SECONDARYCONTACTS", "KOE_CAPABILITY_SENDAS", "KOE_CAPABILITY_SENDFLAGS",
	"KOE_CAPABILITY_SHAREDFOLDER", "KOE_CAPABILITY_SIGNATURES", "KOE_GAB_FOLDERID", "KOE_GAB_NAME", "KOE_GAB_STORE",
	"LOGAUTHFAIL", "LOGBACKEND", "LOGERRORFILE", "LOGFILE", "LOGFILEDIR", "LOGLEVEL", "LOGUSERLEVEL", "LOG_MEMORY_PROFILER", "LOG_MEMORY_PROFILER_FILE",
	"LOG_SYSLOG_FACILITY", "LOG_SYSLOG_HOST", "LOG_SYSLOG_PORT", "LOG_SYSLOG_PROGRAM", "LOOSE_PROVISIONING",
	"MAX_EMBEDDED_SIZE", "PING_HIGHER_BOUND_LIFETIME", "PING_INTERVAL", "PING_LOWER_BOUND_LIFETIME", "PROVISIONING", "PROVISIONING_POLICYFILE",
	"READ_ONLY_NOTIFY_BODY", "READ_ONLY_NOTIFY_DATE_FORMAT", "READ_ONLY_NOTIFY_LOST_DATA", "READ_ONLY_NOTIFY_SUBJECT", "READ_ONLY_NOTIFY_YOURDATA",
	"RETRY_AFTER_DELAY", "SCRIPT_TIMEOUT", "SEARCH_MAXRESULTS", "SEARCH_PROVIDER", "SEARCH_WAIT", "SINK_FORCERECHECK",
	"STATE_DIR", "STATE_MACHINE", "SYNC_CONFLICT_DEFAULT", "SYNC_CONTACTS_MAXPICTURESIZE", "SYNC_FILTERTIME_MAX", "SYNC_MAX_ITEMS",
	"SYNC_TIMEOUT_LONG_DEVICETYPES", "SYNC_TIMEOUT_MEDIUM_DEVICETYPES", "TIMEZONE", "UNSET_UNDEFINED_PROPERTIES",
	"USE_CUSTOM_REMOTE_IP_HEADER", "USE_FULLEMAIL_FOR_LOGIN", "USE_PARTIAL_FOLDERSYNC", "USE_X_FORWARDED_FOR_HEADER",
}

func zpushMisspelt(in *Input) []finding.Finding {
	const prefix = "KCCONF_ZPUSH_"
	want := func(s *deployment.Service, key string) bool {
		return in.Topology.Role(s) == kopano.ZPush && strings.HasPrefix(key, prefix)
	}
	return judge(in, want, func(x sighting) *verdict {
		name := strings.TrimPrefix(x.value.Key, prefix)
		if slices.Contains(zpushSettings, name) {
			return nil
		}
		// Other releases may have names that are not in the list; only what is nearly one that is gets reported.
		near, ok := nearestOf(name, zpushSettings)
		if !ok {
			return nil
		}
		return &verdict{
			key:         true,
			message:     x.value.Key + " is no setting of Z-Push; " + near + " is.",
			consequence: "The container ends at start: no mail on phones.",
			remedy:      "Write " + prefix + near,
			rename:      prefix + near,
		}
	})
}

// extraPlugins are the plugins of WebApp that come as packages of their own, by
// the name that their settings have.
var extraPlugins = map[string]string{
	"DESKTOPNOTIFICATIONS": "kopano-webapp-plugin-desktopnotifications", "FETCHMAIL": "kopano-webapp-plugin-fetchmail", "FILES": "kopano-webapp-plugin-files",
	"FILEPREVIEWER": "kopano-webapp-plugin-filepreviewer", "INTRANET": "kopano-webapp-plugin-intranet", "MATTERMOST": "kopano-webapp-plugin-mattermost",
	"MDM": "kopano-webapp-plugin-mdm", "MEET": "kopano-webapp-plugin-meet", "PASSWD": "kopano-webapp-plugin-passwd", "SMIME": "kopano-webapp-plugin-smime",
}

var pluginKey = regexp.MustCompile(`^KCCONF_WEBAPPPLUGIN_([A-Z0-9]+)_`)

func pluginMissing(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Webapp) {
		if kopano.ParseImage(s.Image).Two != "zokradonh/kopano_webapp" || s.Build != nil {
			continue // somebody's own image may have what it wants
		}
		seen := map[string]bool{}
		for _, key := range s.Keys() {
			m := pluginKey.FindStringSubmatch(key)
			if m == nil || seen[m[1]] || extraPlugins[m[1]] == "" || strings.Contains(value(s, "ADDITIONAL_KOPANO_WEBAPP_PLUGINS"), extraPlugins[m[1]]) || mountsPlugin(s, m[1]) {
				continue
			}
			seen[m[1]] = true
			out = append(out, finding.Finding{
				Subject: s.Name, Key: m[1],
				Message:     key + " configures the plugin " + strings.ToLower(m[1]) + ", which nothing installs.",
				Consequence: "If the image does not have it, the container ends at start: nobody gets into WebApp.",
				Remedy:      "Add " + extraPlugins[m[1]] + " to ADDITIONAL_KOPANO_WEBAPP_PLUGINS with read_only: false, build an image with it, or delete the setting.",
				Locations:   placed(s.Env[key], finding.Fix)[:1],
			})
		}
	}
	return out
}

// mountsPlugin reports whether something of the plugin's name is mounted.
func mountsPlugin(s *deployment.Service, plugin string) bool {
	for _, v := range s.Volumes {
		if strings.Contains(strings.ToLower(v.Target), strings.ToLower(plugin)) {
			return true
		}
	}
	return false
}
