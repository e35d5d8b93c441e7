package rules

import (
	"encoding/json"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// phpAppRules are about the settings of Z-Push, WebApp and kDAV, which their start scripts write into PHP files.
func phpAppRules() []Rule {
	return []Rule{
		{
			ID: "zpush-broken-prefix", Subject: "values", Severity: finding.Error,
			Title:  "Z-Push's start script cannot take this setting",
			Why:    "zpush/start.sh cuts off the wrong prefix of KCCONF_ZPUSHGABSYNC_ and KCCONF_ZPUSHGATWOCONTACTS_ settings, does not find the option, and ends.",
			Source: "kopano-docker zpush/start.sh",
			Check:  zpushPrefix,
		},
		{
			ID: "zpush-folders-invalid", Subject: "values", Severity: finding.Error,
			Title:  "ZPUSH_ADDITIONAL_FOLDERS is not a list",
			Why:    "zpush/start.sh reads it with jq as a JSON list of objects with name, id, type and flags, and ends when it cannot.",
			Source: "kopano-docker zpush/start.sh",
			Check:  zpushFolders,
		},
		{
			ID: "php-value-broken", Subject: "values", Severity: finding.Warning,
			Title:  "A setting of WebApp or Z-Push has a character that its start script cannot handle",
			Why:    "The values are put into PHP files by sed s#…#…# (php/start-helper.sh): # ends the value, & is replaced, and a quote breaks the PHP text.",
			Source: "kopano-docker php/start-helper.sh",
			Check:  phpValue,
		},
		{
			ID: "kdav-server-port", Fixable: true, Subject: "values", Severity: finding.Error,
			Title:  "kopano_kdav speaks TLS to a port without TLS",
			Why:    "With KCCONF_SERVERHOSTNAME kdav uses https and, unless KCCONF_SERVERPORT says otherwise, port 236, where kopano_server speaks plain text (kdav/start.sh).",
			Source: "kopano-docker kdav/start.sh",
			Check:  kdavPort,
		},
	}
}

func zpushPrefix(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		return in.Topology.Role(s) == kopano.ZPush && (strings.HasPrefix(key, "KCCONF_ZPUSHGABSYNC_") || strings.HasPrefix(key, "KCCONF_ZPUSHGA2CONTACTS_") || strings.HasPrefix(key, "KCCONF_ZPUSHGAB2CONTACTS_"))
	}
	return judge(in, want, func(x sighting) *verdict {
		return &verdict{
			key:         true,
			stops:       true,
			message:     x.value.Key + " is a setting that the start script looks for under a wrong name.",
			consequence: "The container ends at start: no mail on phones.",
			remedy:      "Delete it, and mount a configuration file with the setting instead.",
		}
	})
}

func zpushFolders(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.ZPush, "ZPUSH_ADDITIONAL_FOLDERS"), func(x sighting) *verdict {
		if x.text() == "" {
			return nil // the script leaves out what is not set
		}
		var folders []map[string]any
		why := ""
		if err := json.Unmarshal([]byte(x.text()), &folders); err != nil {
			why = "it is not a JSON list"
		}
		for _, f := range folders {
			for _, field := range []string{"name", "id", "type", "flags"} {
				if _, ok := f[field]; !ok && why == "" {
					why = "a folder in it has no " + field
				}
			}
		}
		if why == "" {
			return nil
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ": " + why + ".",
			consequence: "The container ends at start: no mail on phones.",
			remedy:      "Write [] for none, or [{\"name\":\"…\",\"id\":\"…\",\"type\":\"…\",\"flags\":\"…\"}].",
		}
	})
}

func phpValue(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		switch in.Topology.Role(s) {
		case kopano.Webapp:
			return strings.HasPrefix(key, "KCCONF_WEBAPP")
		case kopano.ZPush:
			return strings.HasPrefix(key, "KCCONF_ZPUSH")
		}
		return false
	}
	return judge(in, want, func(x sighting) *verdict {
		i := strings.IndexAny(x.text(), "#&'\"")
		if i < 0 {
			return nil
		}
		return &verdict{
			message:     x.name() + " has the character " + string(x.text()[i]) + " in its value.",
			consequence: "The program gets another value, or its configuration is broken and it does not start.",
			remedy:      "Use a value without # & ' and \", or mount a configuration file.",
		}
	})
}

func kdavPort(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Kdav, "KCCONF_SERVERHOSTNAME"), func(x sighting) *verdict {
		if x.text() == "" || x.text() == "127.0.0.1" || has(x.service, "KCCONF_SERVERPORT") && value(x.service, "KCCONF_SERVERPORT") != "236" {
			return nil
		}
		return &verdict{
			message:     "KCCONF_SERVERHOSTNAME is " + x.shown() + ", and without KCCONF_SERVERPORT kdav asks port 236 for TLS.",
			consequence: "No calendar and no address book over CalDAV and CardDAV.",
			remedy:      "Set KCCONF_SERVERPORT=237 on " + x.service.Name + ".",
			edits:       settle(in, x.service, "KCCONF_SERVERPORT", "237"),
		}
	})
}
