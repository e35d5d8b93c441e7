package rules

import (
	"net/url"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// legacyRules are about traces of older releases that do nothing any more.
func legacyRules() []Rule {
	return []Rule{
		{
			ID: "autoconfig-renamed", Subject: "settings", Severity: finding.Warning,
			Title:  "AUTOCONFIG is called AUTOCONFIGURE now",
			Why:    "The start scripts ask for AUTOCONFIGURE, true or false, and write the configuration unless it is false; AUTOCONFIG with yes or no is a name of old releases, and nothing reads it.",
			Source: "kopano-docker core/start-service.sh, commit d514ef4",
			Check:  autoconfig,
		},
		{
			ID: "kustomer-left-over", Subject: "images", Severity: finding.Info,
			Title:  "A licence service runs that nothing asks",
			Why:    "kopano-docker ran kopano_kustomer for a while, which hands out licences of the subscription; it was taken out again with its volume kopanolicenses, and the other services run without it.",
			Source: "kopano-docker, commit ccb44dd",
			Check:  kustomer,
		},
		{
			ID: "plugins-switched-off", Subject: "settings", Severity: finding.Warning,
			Title:  "Plugins for delivery or sending are set up, but not switched on",
			Why:    "kopano_dagent and kopano_spooler run plugins only with plugin_enabled=yes; before release 8.7.81 they did so by themselves.",
			Source: "kopano-core RELNOTES 8.7.81", Since: "kopano-core 8.7.81",
			Check: pluginsOff,
		},
		{
			ID: "package-source-gone", Subject: "images", Severity: finding.Warning,
			Title:  "Packages are to come from a place for Debian 9",
			Why:    "The images are built on Debian 10, where packages for Debian 9 do not install; Z-Push moved from repo.z-hub.io to download.kopano.io/zhub.",
			Source: "kopano-docker base/Dockerfile and zpush/Dockerfile, commits 0561a97, b638f48 and 4effa19",
			Check:  packageSource,
		},
		{
			ID: "bridge-url-port", Fixable: true, Subject: "meet", Severity: finding.Warning,
			Title:  "The meeting bridge calls at a door that is shut",
			Why:    "web lets the bridge in on port 8443 only; on port 443 it answers 404 to /api/kwm/v2/mcu/. Releases of kopano-docker before that took it on 443.",
			Source: "kopano-docker web/kweb.cfg, commit 29f06f9; docker-compose.kwmbridge.yml",
			Check:  bridgeURL,
		},
		{
			ID: "extrahosts-left-over", Subject: "env files", Severity: finding.Info,
			Title:  "EXTRAHOSTS does nothing any more",
			Why:    "kopano-docker leads the containers to web by an alias, FQDNCLEANED, instead of an entry in /etc/hosts.",
			Source: "kopano-docker, commit 7680cfc",
			Check:  extraHosts,
		},
		{
			ID: "webapp-plugin-obsolete", Subject: "settings", Severity: finding.Info,
			Title:  "A plugin of WebApp is asked for that there is no more",
			Why:    "WebApp leaves spelling to the browser; the packages kopano-webapp-plugin-spell… were taken out.",
			Source: "kopano-docker webapp/Dockerfile, commit 5f3ee5e",
			Check:  spellPlugin,
		},
		{
			ID: "tmpfs-left-over", Subject: "storage", Severity: finding.Info,
			Title:  "A folder of Apache is kept in memory, but the image has no Apache",
			Why:    "The images of WebApp, Z-Push and kDAV had Apache once, which wanted /run/apache2; they serve with kweb on port 9080 now.",
			Source: "kopano-docker zpush/Dockerfile and kdav/Dockerfile, commits e225103 and 8432396",
			Check:  apacheTmpfs,
		},
	}
}

func autoconfig(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		return key == "AUTOCONFIG" && !oldCore(s) && strings.HasPrefix(kopano.ParseImage(s.Image).Name, "kopano_")
	}
	return judge(in, want, func(x sighting) *verdict {
		if has(x.service, "AUTOCONFIGURE") {
			return nil // it decides
		}
		off := slices.Contains([]string{"no", "false", "0", "off"}, strings.ToLower(x.text()))
		if !off {
			return &verdict{
				severity: finding.Info, key: true,
				message:     x.value.Key + " is not read any more; AUTOCONFIGURE took its place, and true holds without it.",
				consequence: "Nothing breaks; the administrator who changes the line wonders why nothing happens.",
				remedy:      "Delete the line.",
			}
		}
		return &verdict{
			key:         true,
			message:     x.value.Key + " is not read any more; AUTOCONFIGURE took its place.",
			consequence: "The start script writes the configuration although it was told not to, and what the administrator changed in the files is lost at every start.",
			remedy:      "Write AUTOCONFIGURE=false",
		}
	})
}

func kustomer(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		if !kopano.ParseImage(s.Image).Is("kustomerd", "kopano_kustomer") {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "kustomer",
			Message:     s.Name + " hands out licences of a Kopano subscription; kopano-docker no longer has it.",
			Consequence: "It costs the administrator attention and memory. Users notice nothing, with or without it.",
			Remedy:      "Delete the service and its volume, unless you have a subscription that asks for it.",
			Locations:   []finding.Location{s.At.As(finding.Fix)},
		})
	}
	return out
}

func pluginsOff(in *Input) []finding.Finding {
	sections := map[kopano.Role]string{kopano.Dagent: "DAGENT", kopano.Spooler: "SPOOLER"}
	want := func(s *deployment.Service, key string) bool {
		section, ok := sections[in.Topology.Role(s)]
		return ok && (key == "KCCONF_"+section+"_PLUGIN_PATH" || key == "KCCONF_"+section+"_PLUGIN_MANAGER_PATH")
	}
	return judge(in, want, func(x sighting) *verdict {
		enabled := "KCCONF_" + sections[in.Topology.Role(x.service)] + "_PLUGIN_ENABLED"
		if _, ok := x.service.Get(enabled); ok || x.text() == "" || oldCore(x.service) {
			return nil
		}
		return &verdict{
			here:        true,
			message:     x.value.Key + " is set, but " + enabled + " is not, so no plugin runs.",
			consequence: "Mail goes through without what the plugins were to do with it.",
			remedy:      "Add " + enabled + "=yes, or delete " + x.value.Key + ".",
		}
	})
}

func packageSource(in *Input) []finding.Finding {
	var out []finding.Finding
	add := func(name, text string, at finding.Location) {
		if old := oldSource(text); old != "" {
			out = append(out, finding.Finding{
				Subject: name, Key: name,
				Message:     name + " takes packages from " + old + ".",
				Consequence: "The image cannot be built any more, or gets packages that do not install.",
				Remedy:      "Write the address with Debian_10; for Z-Push https://download.kopano.io/zhub/z-push:/final/Debian_10/",
				Locations:   []finding.Location{at.As(finding.Fix)},
			})
		}
	}
	for _, f := range in.Deployment.EnvFiles {
		for i := range f.Lines {
			if l := &f.Lines[i]; f.Project && strings.HasSuffix(l.Key, "_REPOSITORY_URL") {
				add(l.Key, l.Reveal(), l.ValueAt)
			}
		}
	}
	for _, s := range in.Deployment.Services {
		if s.Build == nil {
			continue
		}
		for _, name := range sorted(s.Build.Args) {
			v := s.Build.Args[name]
			// What comes out of .env has been said already.
			if v != nil && strings.HasSuffix(name, "_REPOSITORY_URL") && !slices.ContainsFunc(out, func(f finding.Finding) bool { return f.Key == name }) {
				add(name, *v, s.Locate("build", "args", name))
			}
		}
	}
	return out
}

// oldSource gives what in the address of a package repository is out of date.
func oldSource(address string) string {
	for _, old := range []string{"repo.z-hub.io", "Debian_9", "Debian_8"} {
		if strings.Contains(address, old) {
			return old
		}
	}
	return ""
}

func bridgeURL(in *Input) []finding.Finding {
	web := firstService(in, kopano.Web)
	if web == nil || !has(web, "FQDN") {
		return nil
	}
	host := strings.ToLower(hostOf(value(web, "FQDN")))
	return judge(in, on(in, kopano.Kwmbridge, "kwm_server_urls"), func(x sighting) *verdict {
		for _, address := range strings.Fields(x.text()) {
			u, err := url.Parse(address)
			if err != nil || u.Scheme != "https" || !strings.EqualFold(u.Hostname(), host) || u.Port() != "" && u.Port() != "443" {
				continue
			}
			better := "https://" + u.Hostname() + ":8443"
			v := &verdict{
				here:        true,
				message:     x.value.Key + " sends the bridge to " + quote(address) + ", where web does not let it in.",
				consequence: "The bridge never registers; meetings with more than a few people have neither picture nor sound.",
				remedy:      "Write " + x.value.Key + "=" + better + ", and publish port 8443 of web to the bridge alone.",
			}
			if address == x.text() && len(x.value.Variables) == 0 {
				v.write = better
			}
			return v
		}
		return nil
	})
}

func extraHosts(in *Input) []finding.Finding {
	const name = "EXTRAHOSTS"
	if mentionOf(in, name) != nil {
		return nil
	}
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for i := range f.Lines {
			l := &f.Lines[i]
			if !f.Project || l.Key != name || l.Reveal() == "" {
				continue
			}
			out = append(out, finding.Finding{
				Subject: name, Key: f.File,
				Message:     name + " is set, but no compose file asks for it.",
				Consequence: "The administrator believes that it leads the containers to web; whether they get there hangs on FQDNCLEANED alone.",
				Remedy:      "Delete the line, and write FQDNCLEANED=… (the host name of FQDN) where web itself has the certificate.",
				Locations:   []finding.Location{l.At.As(finding.Fix)},
			})
		}
	}
	return out
}

func spellPlugin(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Webapp, "ADDITIONAL_KOPANO_WEBAPP_PLUGINS"), func(x sighting) *verdict {
		var gone []string
		for _, p := range strings.Fields(x.text()) {
			if strings.HasPrefix(p, "kopano-webapp-plugin-spell") {
				gone = append(gone, p)
			}
		}
		if len(gone) == 0 {
			return nil
		}
		return &verdict{
			message:     x.name() + " asks for " + list(gone, 4) + ", which WebApp no longer has.",
			consequence: "The installation at start says that it cannot find the package, and may leave out the other plugins of the line.",
			remedy:      "Delete " + list(gone, 4) + " from the line; browsers check the spelling.",
		}
	})
}

func apacheTmpfs(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		switch in.Topology.Role(s) {
		case kopano.Webapp, kopano.ZPush, kopano.Kdav:
		default:
			continue
		}
		if tagOf(s.Image) != "latest" {
			continue // an old release may have Apache
		}
		for i, t := range s.Tmpfs {
			if folder, _, _ := strings.Cut(t, ":"); strings.TrimSuffix(folder, "/") != "/run/apache2" && strings.TrimSuffix(folder, "/") != "/var/run/apache2" {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: "apache2",
				Message:     s.Name + " keeps " + t + " in memory, a folder of Apache, which the image no longer has.",
				Consequence: "Nothing breaks; it tells the administrator that this part was taken from an old release and may lack more.",
				Remedy:      "Delete the line.",
				Locations:   []finding.Location{s.Locate("tmpfs", itoa(i)).As(finding.Fix)},
			})
		}
	}
	return merged(out, "tmpfs")
}
