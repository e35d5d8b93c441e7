package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// pathRules hold the paths in settings against what is mounted.
func pathRules() []Rule {
	return []Rule{
		{
			ID: "path-not-on-volume", Subject: "storage", Severity: finding.Error,
			Title:  "A setting keeps data inside the container",
			Why:    "What lies in no volume goes with the container, which is made anew at each update.",
			Source: "kopano-docker docker-compose.yml, core/start-service.sh; docs.docker.com, Volumes",
			Check:  pathNotOnVolume,
		},
		{
			ID: "file-not-mounted", Subject: "storage", Severity: finding.Warning,
			Title:  "A setting names a key or certificate that no volume brings",
			Why:    "The images hold no keys. What a setting names must come from a volume: that of kopano_ssl, or one of your own.",
			Source: "kopano-docker ssl/start.sh, core/start-service.sh, konnect/wrapper.sh",
			Check:  fileNotMounted,
		},
		{
			ID: "ldap-config-not-read", Subject: "directory", Severity: finding.Error,
			Title:  "kopano_server reads another file than the one with the directory's settings",
			Why:    "KCCONF_LDAP_ settings are written to /tmp/kopano/ldap.cfg. KCCONF_SERVER_USER_PLUGIN_CONFIG decides which file kopano_server reads; without a value that is /etc/kopano/ldap.cfg of the image, which knows nothing of them.",
			Source: "kopano-docker base/kcconf.py, docker-compose.yml; kopano-core provider/server/ECServer.cpp, user_plugin_config",
			Check:  ldapConfigNotRead,
		},
		{
			ID: "tmpfs-path-relative", Subject: "storage", Severity: finding.Error,
			Title:  "A tmpfs is given without a / at its beginning",
			Why:    "Compose takes the entry, and Docker refuses to create the container: the path of a mount must be absolute.",
			Source: "moby volume/mounts, \"mount path must be absolute\"",
			Check:  tmpfsRelative,
		},
	}
}

// keptPaths are the settings that say where a program keeps what must last.
var keptPaths = map[string]struct {
	severity finding.Severity
	lost     string
}{
	"KCCONF_SERVER_ATTACHMENT_PATH":         {finding.Error, "the attachments of all mails"},
	"KCCONF_SEARCH_INDEX_PATH":              {finding.Warning, "the search index, which takes hours to make again"},
	"KCCONF_KAPID_PLUGIN_KVS_DB_DATASOURCE": {finding.Warning, "the apps' settings and recent calls"},
	"KCCONF_GRAPI_PERSISTENCY_PATH":         {finding.Warning, "the API's subscriptions"},
}

func pathNotOnVolume(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		_, kept := keptPaths[key]
		return kept && in.Topology.Role(s) != kopano.Unknown && len(s.VolumesFrom) == 0
	}
	return judge(in, want, func(x sighting) *verdict {
		p := x.text()
		if !path.IsAbs(p) || mounted(x.service, p) || losesFolderOf(in, x.service, p) {
			return nil
		}
		if storage := value(x.service, "KCCONF_SERVER_ATTACHMENT_STORAGE"); x.value.Key == "KCCONF_SERVER_ATTACHMENT_PATH" && (storage == "s3" || storage == "database") {
			return nil
		}
		kept := keptPaths[x.value.Key]
		return &verdict{
			severity:    kept.severity,
			message:     x.value.Key + " is " + quote(p) + ", and " + x.service.Name + " mounts no volume there.",
			consequence: "When the container is created anew, at the next update at the latest, this is gone: " + kept.lost + ".",
			remedy:      "Mount a named volume at " + folderOf(p) + ", or name a folder below a volume of " + x.service.Name + ".",
		}
	})
}

// losesFolderOf reports whether the folder in which the image keeps its data is
// not mounted, of which data-not-on-volume tells, and p lies in it.
func losesFolderOf(in *Input, s *deployment.Service, p string) bool {
	sys := kopano.SystemOf(in.Topology.Role(s))
	return sys != nil && slices.ContainsFunc(sys.Volumes, func(m kopano.Mount) bool { return under(p, m.Path) && loses(in, s, m.Path) })
}

// folderOf gives the folder to mount for a file or folder.
func folderOf(p string) string {
	if path.Ext(p) != "" {
		return path.Dir(p)
	}
	return path.Clean(p)
}

// mounted reports whether a path lies in something that is mounted.
func mounted(s *deployment.Service, p string) bool {
	_, ok := kopano.MountAt(s, p) // a tmpfs too
	return ok || mountOver(s, p) != "" || subMounted(s, path.Dir(p)) || strings.HasPrefix(p, "/run/secrets/")
}

func fileNotMounted(in *Input) []finding.Finding {
	keys := map[kopano.Role]map[string]bool{}
	for _, l := range kopano.Links {
		if l.To != kopano.SSL {
			continue
		}
		if keys[l.From] == nil {
			keys[l.From] = map[string]bool{}
		}
		for _, k := range append([]string{l.Address.Setting}, l.FileSettings...) {
			keys[l.From][k] = true
		}
	}
	want := func(s *deployment.Service, key string) bool {
		return keys[in.Topology.Role(s)][key] && len(s.VolumesFrom) == 0 && len(s.Volumes) > 0
	}
	return judge(in, want, func(x sighting) *verdict {
		p := x.text()
		if !path.IsAbs(p) || strings.ContainsAny(p, " ,") || under(p, sslFolder) || mounted(x.service, p) {
			return nil
		}
		return &verdict{
			message:     x.value.Key + " is " + quote(p) + ", and " + x.service.Name + " mounts nothing there.",
			consequence: x.service.Name + " waits for the file and then stops, or runs without its key.",
			remedy:      "Name the file in " + sslFolder + ", where kopano_ssl puts it, or mount a volume at " + path.Dir(p) + ".",
		}
	})
}

// ldapConfig is where the start script writes the directory's settings.
const ldapConfig = "/tmp/kopano/ldap.cfg"

func ldapConfigNotRead(in *Input) []finding.Finding {
	const setting = "KCCONF_SERVER_USER_PLUGIN_CONFIG"
	want := func(s *deployment.Service, key string) bool {
		return key == setting && in.Topology.Role(s) == kopano.Server
	}
	return judge(in, want, func(x sighting) *verdict {
		p := x.text()
		if p == ldapConfig || !has(x.service, "KCCONF_LDAP_LDAP_URI") || p != "" && (!path.IsAbs(p) || mounted(x.service, p)) {
			return nil
		}
		return &verdict{
			message:     x.value.Key + " is " + quote(p) + ", and the directory's settings are written to " + ldapConfig + ".",
			consequence: "kopano_server asks no directory, or another one: nobody can log in.",
			remedy:      "Write " + setting + "=" + ldapConfig,
		}
	})
}

func tmpfsRelative(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for i, t := range s.Tmpfs {
			target, _, _ := strings.Cut(t, ":")
			if fragment(s) || path.IsAbs(target) || target == "" {
				continue
			}
			at := s.Locate("tmpfs", itoa(i))
			out = append(out, finding.Finding{
				Subject: s.Name, Key: target,
				Message:     "The tmpfs " + quote(target) + " of " + s.Name + " does not begin with a slash.",
				Consequence: "Docker refuses to create the container.",
				Remedy:      "Write /" + target,
				Locations:   []finding.Location{at.As(finding.Fix)},
			})
		}
	}
	return out
}
