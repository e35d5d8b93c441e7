package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// wrapperRules are about settings that the start scripts of other images than
// the core's read, and about who may do everything on kopano_server.
func wrapperRules() []Rule {
	return []Rule{
		{
			ID: "wrapper-setting-misspelt", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "A setting of konnect, kwmserver or kwmbridge is misspelt",
			Why:    "Their start scripts ask for each setting by name and see no other; nothing is said about one that nobody asks for.",
			Source: "kopano-docker konnect/wrapper.sh, kwmserver/wrapper.sh, kwmbridge/wrapper.sh",
			Check:  wrapperMisspelt,
		},
		{
			ID: "kwebd-setting-unknown", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "A setting of the web server of an app is unknown",
			Why:    "KCCONF_KWEBD_ settings of kopano_meet and kopano_kapps are written into kwebd.cfg, where kwebd passes over those that it does not know.",
			Source: "kopano-docker meet/start-service.sh; kweb kwebd.cfg",
			Check:  kwebdUnknown,
		},
		{
			ID: "local-admin-missing", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "The services may not act as SYSTEM on kopano_server",
			Why:    "dagent, spooler, monitor, search and spamd run as the user kopano and log in as SYSTEM through the socket. kopano_server allows that to the users in local_admin_users only; the image has root kopano.",
			Source: "kopano-core installer/linux/server.cfg, local_admin_users",
			Check:  localAdmin,
		},
	}
}

// wrapperSettings gives the settings in small letters that a role's start script reads.
func wrapperSettings(role kopano.Role) []string {
	keys := slices.Clone(lowerSettings[role])
	switch role {
	case kopano.Konnect:
		keys = append(keys, "log_level", "eckey", "ecparam")
	case kopano.Kwmserver:
		keys = append(keys, "log_level")
	case kopano.Kwmbridge:
		keys = append(keys, "log_level", "oidc_issuer_identifier", "kwm_server_urls", "use_nat_1to1_ips", "ice_udp_port_range", "ice_interfaces", "ice_network_types")
	}
	for _, key := range settingsRead(role) {
		if key == strings.ToLower(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func wrapperMisspelt(in *Input) []finding.Finding {
	roles := []kopano.Role{kopano.Konnect, kopano.Kwmserver, kopano.Kwmbridge}
	want := func(s *deployment.Service, key string) bool {
		return slices.Contains(roles, in.Topology.Role(s)) && key == strings.ToLower(key) && !strings.HasSuffix(key, "_proxy")
	}
	return judge(in, want, func(x sighting) *verdict {
		known := wrapperSettings(in.Topology.Role(x.service))
		if slices.Contains(known, x.value.Key) {
			return nil
		}
		near, ok := nearestOf(x.value.Key, known)
		if !ok {
			return nil // a setting that is not in the list may be there all the same
		}
		return &verdict{
			key:         true,
			message:     x.value.Key + " is not read; the setting is called " + near + ".",
			consequence: "The setting has no effect, and nothing says so.",
			remedy:      "Write " + near,
			rename:      near,
		}
	})
}

func kwebdUnknown(in *Input) []finding.Finding {
	const prefix = "KCCONF_KWEBD_"
	want := func(s *deployment.Service, key string) bool {
		role := in.Topology.Role(s)
		return (role == kopano.Meet || role == kopano.Kapps) && strings.HasPrefix(key, prefix)
	}
	return judge(in, want, func(x sighting) *verdict {
		name := strings.ToLower(strings.TrimPrefix(x.value.Key, prefix))
		if _, known := kopano.LookupSetting("kwebd", name); known {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     x.value.Key + " sets " + name + " in kwebd.cfg, which kwebd does not know.",
			consequence: "The setting has no effect, and nothing says so.",
			remedy:      "Delete it.",
		}
		if near, ok := kopano.NearestSetting("kwebd", name); ok {
			v.rename = prefix + strings.ToUpper(near)
			v.remedy = "Write " + v.rename
		}
		return v
	})
}

func localAdmin(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Server, "KCCONF_SERVER_LOCAL_ADMIN_USERS"), func(x sighting) *verdict {
		users := strings.FieldsFunc(x.text(), func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' })
		if slices.Contains(users, "kopano") || has(x.service, "KCCONF_SERVER_RUN_AS_USER") {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + "; the user kopano is not among them.",
			consequence: "The services that log in through the socket are refused: mail is neither delivered nor sent, and nothing is indexed.",
			remedy:      "Write " + x.name() + "=" + strings.TrimSpace(strings.Join(append(users, "kopano"), " ")),
		}
		if !strings.ContainsAny(x.text(), ",;") {
			v.write = strings.Join(append(users, "kopano"), " ")
		}
		return v
	})
}
