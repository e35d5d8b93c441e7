package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// storageRules are about what is mounted, and what is lost when it is not.
func storageRules() []Rule {
	return []Rule{
		{
			ID: "data-not-on-volume", Subject: "storage", Severity: finding.Error,
			Title:  "Data is kept inside the container",
			Why:    "Whatever is not on a volume is deleted with the container, that is at every update and at every change of its settings.",
			Source: "Docker documentation, Storage; VOLUME and paths of the images",
			Check:  dataNotOnVolume,
		},
		{
			ID: "ldap-volumes-half", Subject: "storage", Severity: finding.Error,
			Title:  "Only one of the directory's two folders is kept",
			Why:    "The directory's data (/var/lib/ldap) and its configuration (/etc/ldap/slapd.d) must both be there or both be empty; with one of them the container stops (osixia/openldap, startup.sh).",
			Source: "osixia/openldap 1.3.0 startup.sh",
			Check:  ldapVolumesHalf,
		},
		{
			ID: "read-only-packages", Subject: "storage", Severity: finding.Warning,
			Title:  "Packages are to be installed into a read-only container",
			Why:    "With read_only: true the start script skips the installation and only says so in the log (core/start-service.sh, webapp/start.sh).",
			Source: "kopano-docker core/start-service.sh, webapp/start.sh",
			Check:  readOnlyPackages,
		},
		{
			ID: "machine-id-missing", Subject: "storage", Severity: finding.Error,
			Title:  "The host's machine ID is not mounted",
			Why:    "The start scripts wait for /etc/machine-id and /var/lib/dbus/machine-id before they start the service (core/start-service.sh, web/wrapper.sh, konnect/wrapper.sh), and give up.",
			Source: "kopano-docker core/start-service.sh, web/wrapper.sh, konnect/wrapper.sh",
			Check:  machineID,
		},
		{
			ID: "machine-id-legacy", Fixable: true, Subject: "storage", Severity: finding.Warning,
			Title:  "A machine ID is mounted from a path that many hosts do not have",
			Why:    "/var/lib/dbus/machine-id exists on hosts with an old D-Bus only; elsewhere Docker creates an empty folder in its place and the service does not start. /etc/machine-id is on every host with systemd.",
			Source: "machine-id(5); kopano-docker issue 371",
			Check:  machineIDLegacy,
		},
		{
			ID: "tmpfs-missing", Subject: "storage", Severity: finding.Error,
			Title:  "A read-only container cannot write where it must",
			Why:    "The start scripts write the configuration to /tmp (core/start-service.sh), PHP its sockets and sessions to /run; with read_only: true those folders must be a tmpfs.",
			Source: "kopano-docker core/start-service.sh, webapp/start.sh, ssl/start.sh, docker-compose.yml",
			Check:  tmpfsMissing,
		},
		{
			ID: "one-shot-restart", Fixable: true, Subject: "storage", Severity: finding.Warning,
			Title:  "A container that is meant to end is restarted for ever",
			Why:    "kopano_ssl creates the certificates and ends with success; with a restart policy Docker starts it again and again (ssl/start.sh).",
			Source: "kopano-docker ssl/start.sh",
			Check:  oneShotRestart,
		},
		{
			ID: "unused-volume", Fixable: true, Subject: "storage", Severity: finding.Info,
			Title:  "A declared volume is mounted nowhere",
			Why:    "A left-over, or a misspelt name elsewhere: what was meant to be on it is then somewhere else.",
			Source: "Compose specification, volumes",
			Check:  unusedVolume,
		},
		{
			ID: "unused-network", Fixable: true, Subject: "storage", Severity: finding.Info,
			Title:  "A declared network is used by no service",
			Why:    "A left-over, or a misspelt name elsewhere.",
			Source: "Compose specification, networks",
			Check:  unusedNetwork,
		},
	}
}

// mountedAt gives the mount that covers a path of the container.
func mountedAt(s *deployment.Service, file string) (types.ServiceVolumeConfig, bool) {
	target := mountOver(s, file)
	if target == "" {
		return types.ServiceVolumeConfig{}, false
	}
	for _, v := range s.Volumes {
		if path.Clean("/"+v.Target) == target {
			return v, true
		}
	}
	return types.ServiceVolumeConfig{}, false
}

func dataNotOnVolume(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		sys := kopano.SystemOf(in.Topology.Role(s))
		if sys == nil || fragment(s) {
			continue
		}
		for _, m := range sys.Volumes {
			if !loses(in, s, m.Path) {
				continue
			}
			l := unmounted(in, s, m.Path, "Mount a named volume at "+m.Path+".")
			out = append(out, finding.Finding{
				Severity: lossOf(sys),
				Subject:  s.Name, Key: m.Path,
				Message:     "Nothing is mounted at " + m.Path + ", so it lives inside the container." + l.text,
				Consequence: "When the container is created anew, at the next update at the latest, this is gone: " + m.Holds + ".",
				Remedy:      l.remedy,
				Locations:   l.places,
			})
		}
	}
	return out
}

// loses reports whether a service keeps data at a path at which nothing is mounted.
func loses(in *Input, s *deployment.Service, p string) bool {
	_, ok := kopano.MountAt(s, p)
	return !ok && keepsAt(in, s, p) && len(s.VolumesFrom) == 0 && !subMounted(s, p)
}

// keepsAt reports whether a service really keeps data at the path that the
// image of kopano-docker uses: some follow a setting, and other images have
// other folders.
func keepsAt(in *Input, s *deployment.Service, p string) bool {
	image := kopano.ParseImage(s.Image)
	switch in.Topology.Role(s) {
	case kopano.Server:
		storage := value(s, "KCCONF_SERVER_ATTACHMENT_STORAGE")
		return storage != "s3" && storage != "database" && keptBelow(value(s, "KCCONF_SERVER_ATTACHMENT_PATH"), p)
	case kopano.Search:
		return keptBelow(value(s, "KCCONF_SEARCH_INDEX_PATH"), p)
	case kopano.Grapi:
		return has(s, "KCCONF_GRAPI_PERSISTENCY_PATH") && keptBelow(value(s, "KCCONF_GRAPI_PERSISTENCY_PATH"), p)
	case kopano.Web:
		return certificate(s) == "public" // nothing else of value is there
	case kopano.LDAP:
		// Where only one of the two is missing, that is a rule of its own.
		return osixia(image) && mountOver(s, "/var/lib/ldap") == "" && mountOver(s, "/etc/ldap/slapd.d") == ""
	case kopano.Mail:
		return image.Is("docker-mailserver") && p != "/tmp/docker-mailserver"
	case kopano.Database:
		return image.Is("mariadb", "mysql", "percona", "percona-server") && !strings.Contains(image.Path, "bitnami")
	}
	return true
}

// keptBelow reports whether a setting keeps its files at or below a folder; one that is not set does.
func keptBelow(setting, folder string) bool {
	return setting == "" || strings.HasPrefix(path.Clean(setting)+"/", folder+"/")
}

// osixia reports whether an image is osixia/openldap or kopano-docker's, which is made from it.
func osixia(image kopano.Image) bool {
	return image.Is("osixia/openldap", "kopano_ldap", "kopano_ldap_demo")
}

// fragment reports whether a service is only a part of one, whose own file is not loaded.
func fragment(s *deployment.Service) bool { return s.Image == "" && s.Build == nil }

// subMounted reports whether something is mounted below the path.
func subMounted(s *deployment.Service, p string) bool {
	return slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
		return strings.HasPrefix(path.Clean("/"+v.Target), strings.TrimSuffix(p, "/")+"/")
	})
}

func ldapVolumesHalf(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.LDAP) {
		if !osixia(kopano.ParseImage(s.Image)) {
			continue // other images keep their data elsewhere
		}
		_, data := mountedAt(s, "/var/lib/ldap")
		_, config := mountedAt(s, "/etc/ldap/slapd.d")
		if data == config {
			continue
		}
		have, lack := "/var/lib/ldap", "/etc/ldap/slapd.d"
		if config {
			have, lack = lack, have
		}
		l := unmounted(in, s, lack, "Mount a volume at "+lack+" too.")
		out = append(out, finding.Finding{
			Subject: s.Name, Key: lack,
			Message:     have + " is on a volume, but " + lack + " is not." + l.text,
			Consequence: "When the container is created anew the directory does not start: no login, no mail.",
			Remedy:      l.remedy,
			Locations:   l.places,
		})
	}
	return out
}

func readOnlyPackages(in *Input) []finding.Finding {
	return judge(in, keyed("ADDITIONAL_KOPANO_PACKAGES", "ADDITIONAL_KOPANO_WEBAPP_PLUGINS"), func(x sighting) *verdict {
		if strings.Trim(x.text(), `"' `) == "" || !x.service.ReadOnly {
			return nil
		}
		return &verdict{
			message:     x.name() + " asks for " + x.shown() + ", but the container is read-only.",
			consequence: "Nothing is installed, and only the container's log says so.",
			remedy:      "Set read_only: false on " + x.service.Name + ", or build an image that has the packages.",
		}
	})
}

func machineID(in *Input) []finding.Finding {
	paths := []string{"/etc/machine-id", "/var/lib/dbus/machine-id"}
	var none, some []finding.Finding
	old := true
	for _, s := range in.Deployment.Services {
		sys := kopano.SystemOf(in.Topology.Role(s))
		if sys == nil || !sys.MachineID || fragment(s) || value(s, "DISABLE_CHECKS") == "true" || len(s.VolumesFrom) > 0 {
			continue
		}
		var lacks []string
		for _, p := range paths {
			// Of a stray backslash behind the path another rule speaks.
			if mountOver(s, p) == "" && mountOver(s, p+`\`) == "" {
				lacks = append(lacks, p)
			}
		}
		old = old && len(lacks) == len(paths)
		if len(lacks) == 0 {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "machine-id", Links: linksTo(in, s),
			Message:     "Nothing is mounted at " + list(lacks, 3) + ".",
			Consequence: s.Name + " waits for it and then stops.",
			Remedy:      "Add to volumes: " + "/etc/machine-id:" + strings.Join(lacks, " and /etc/machine-id:"),
			Locations:   []finding.Location{s.Locate("volumes").As(finding.Fix)},
		}
		if len(lacks) == len(paths) {
			none = append(none, f)
		} else {
			some = append(some, f)
		}
	}
	// Where no service has it, the files are from before November 2019, when
	// the images did not wait for it yet; with images of that time all is well.
	if old && len(none) > 1 {
		none = merged(none, "machine-id")
		none[0].Severity = finding.Warning
		none[0].Consequence = "Images of 2020 and later wait for it and then stop; older ones do not need it."
	}
	return append(none, some...)
}

func machineIDLegacy(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for i, v := range s.Volumes {
			if v.Type != "bind" || path.Clean(v.Source) != "/var/lib/dbus/machine-id" {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: "machine-id",
				Message:     "/var/lib/dbus/machine-id of the host is mounted, which many hosts do not have.",
				Consequence: "On such a host " + s.Name + " does not start.",
				Remedy:      "Write /etc/machine-id:" + v.Target,
				Locations:   []finding.Location{volumePlace(s, i)},
				Edits:       machineIDSource(in, s, i),
			})
		}
	}
	return merged(out, "machine-id mounts")
}

// machineIDSource gives the edit that names the host's newer file, in the short
// or the long form of a mount.
func machineIDSource(in *Input, s *deployment.Service, i int) []finding.Edit {
	const old, now = "/var/lib/dbus/machine-id", "/etc/machine-id"
	if es := in.Deployment.ReplaceStart(volumePlace(s, i), old+":", now+":"); es != nil {
		return es
	}
	return in.Deployment.SetValue(s.Locate("volumes", itoa(i), "source"), old, now)
}

// writtenAtStart gives the folders that a start script writes to, and that
// therefore must not be read-only (core/start-service.sh, webapp/start.sh,
// zpush/start.sh, kdav/start.sh, ssl/start.sh).
func writtenAtStart(sys *kopano.System) []string {
	switch {
	case sys.Role == kopano.Webapp || sys.Role == kopano.ZPush || sys.Role == kopano.Kdav:
		return []string{"/tmp", "/run/php", "/run/sessions"}
	case sys.Role == kopano.SSL:
		return []string{"/kopano/easypki"}
	case sys.Start != "":
		return []string{"/tmp"}
	}
	return nil
}

func tmpfsMissing(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		sys := kopano.SystemOf(in.Topology.Role(s))
		if sys == nil || fragment(s) || !s.ReadOnly || value(s, "AUTOCONFIGURE") == "false" {
			continue
		}
		var lacks []string
		for _, p := range writtenAtStart(sys) {
			// With /run/apache2 the image is one of the time before PHP had a socket of its own.
			_, apache := kopano.MountAt(s, "/run/apache2")
			if _, ok := kopano.MountAt(s, p); !ok && !(apache && p == "/run/php") {
				lacks = append(lacks, p)
			}
		}
		if len(lacks) == 0 {
			continue
		}
		what := "write its configuration"
		if sys.Role == kopano.SSL {
			what = "make the keys"
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: lacks[0], Links: linksTo(in, s),
			Message:     "The container is read-only and has no tmpfs at " + list(lacks, 3) + ".",
			Consequence: s.Name + " cannot " + what + " and stops at start.",
			Remedy:      "Add tmpfs: [" + strings.Join(lacks, ", ") + "] to " + s.Name + ".",
			Locations:   []finding.Location{s.Locate("read_only").As(finding.Fix)},
		})
	}
	return out
}

func oneShotRestart(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		sys := kopano.SystemOf(in.Topology.Role(s))
		if sys == nil || !sys.OneShot || s.Restart != "always" && s.Restart != "unless-stopped" {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "restart",
			Message:     "restart is " + quote(s.Restart) + ", but this container ends by design once its files are there.",
			Consequence: "It is started over and over, and the engine's log fills up.",
			Remedy:      "Delete the line restart: " + s.Restart,
			Locations:   []finding.Location{s.Locate("restart").As(finding.Fix)},
			Edits:       deletedField(in, s, "restart"),
		})
	}
	return out
}

func unusedVolume(in *Input) []finding.Finding {
	used := map[string]bool{}
	for _, s := range everyService(in.Deployment.Model) {
		for _, v := range s.Volumes {
			used[v.Source] = true
		}
	}
	var out []finding.Finding
	for _, name := range sorted(in.Deployment.Model.Volumes) {
		if !used[name] {
			out = append(out, finding.Finding{
				Subject: name, Key: name,
				Message:     "The volume " + quote(name) + " is declared, but no service mounts it.",
				Consequence: "Where the name is misspelt elsewhere, a service keeps its data on another volume than the administrator backs up.",
				Remedy:      "Delete it from the file, or mount it where it belongs.",
				Locations:   []finding.Location{declared(in, "volumes", name)},
				Edits:       undeclared(in, "volumes", name),
			})
		}
	}
	return out
}

func unusedNetwork(in *Input) []finding.Finding {
	used := map[string]bool{"default": true}
	for _, s := range everyService(in.Deployment.Model) {
		for n := range s.Networks {
			used[n] = true
		}
	}
	var out []finding.Finding
	for _, name := range sorted(in.Deployment.Model.Networks) {
		if !used[name] {
			out = append(out, finding.Finding{
				Subject: name, Key: name,
				Message:     "The network " + quote(name) + " is declared, but no service uses it.",
				Consequence: "Where the name is misspelt elsewhere, services that need each other are apart, and users find parts of Kopano dead.",
				Remedy:      "Delete it from the file, or add it to the services that belong to it.",
				Locations:   []finding.Location{declared(in, "networks", name)},
				Edits:       undeclared(in, "networks", name),
			})
		}
	}
	return out
}

// declared gives the place of the name of a volume or network.
func declared(in *Input, section, name string) finding.Location {
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) == 2 && sc.Path[0] == section && sc.Path[1] == name {
			return sc.KeyAt.As(finding.Fix)
		}
	}
	return in.Deployment.Locate(section, name).As(finding.Fix)
}

// undeclared gives the edits that take out the declaration of a volume or
// network in every file that has one. One that a file mentions which is not
// loaded today stays.
func undeclared(in *Input, section, name string) []finding.Edit {
	if in.Deployment.MentionedElsewhere(name) {
		return nil
	}
	var places []finding.Location
	for _, f := range in.Deployment.Files {
		if l, ok := in.Deployment.NameAt(f, section, name); ok {
			places = append(places, l)
		}
	}
	return deleted(in, places...)
}

// deletedField gives the edits that take a field out of a service in every file
// that has it.
func deletedField(in *Input, s *deployment.Service, field string) []finding.Edit {
	var places []finding.Location
	for _, f := range in.Deployment.Files {
		if l, ok := in.Deployment.NameAt(f, "services", s.Name, field); ok {
			places = append(places, l)
		}
	}
	return deleted(in, places...)
}

// everyService gives the services of the model, those of profiles that are off too.
func everyService(p *types.Project) []types.ServiceConfig {
	var out []types.ServiceConfig
	for _, s := range p.Services {
		out = append(out, s)
	}
	for _, s := range p.DisabledServices {
		out = append(out, s)
	}
	return out
}
