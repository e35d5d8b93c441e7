package rules

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// volumeRules are about volumes that do not keep what is put on them, and
// mounts that are not what they look like.
func volumeRules() []Rule {
	return []Rule{
		{
			ID: "data-on-tmpfs", Subject: "storage", Severity: finding.Error,
			Title:  "Data is kept in memory",
			Why:    "A tmpfs is empty whenever its container starts, and the host's /tmp and /run whenever the host does.",
			Source: "Docker documentation, tmpfs mounts; file-hierarchy(7)",
			Check:  dataOnTmpfs,
		},
		{
			ID: "data-volume-nameless", Subject: "storage", Severity: finding.Warning,
			Title:  "Data is kept on a volume without a name",
			Why:    "A volume entry that has a path of the container alone makes a nameless volume. docker compose down leaves it behind, and the next start makes a new, empty one.",
			Source: "Compose specification, volumes; docker compose down",
			Check:  dataNameless,
		},
		{
			ID: "database-volume-shared", Subject: "storage", Severity: finding.Error,
			Title:  "A database or directory shares its files with another program",
			Why:    "MariaDB and slapd want a folder for themselves: two of them on the same files destroy them, and with files of others in it they do not start.",
			Source: "MariaDB documentation, datadir; osixia/openldap startup.sh",
			Check:  databaseShared,
		},
		{
			ID: "mount-backslash", Fixable: true, Subject: "storage", Severity: finding.Warning,
			Title:  "The target of a mount ends with a backslash",
			Why:    "In YAML a backslash at the end of a plain line is a character like any other; the file is mounted under a name with a backslash.",
			Source: "YAML 1.2, plain scalars; kopano-docker issue 371",
			Check:  mountBackslash,
		},
		{
			ID: "bind-file-missing", Subject: "storage", Severity: finding.Warning,
			Title:  "A file that is to be mounted does not exist",
			Why:    "Where the source of a mount is missing Docker creates a folder of that name. The program then finds a folder in place of its file, and the folder stays when the mistake is mended.",
			Source: "Docker documentation, Bind mounts",
			Check:  bindFileMissing,
		},
		{
			ID: "mail-logs-not-kept", Subject: "storage", Severity: finding.Info,
			Title:  "Reports are wanted about a mail log that is not kept",
			Why:    "docker-mailserver's reports are made of /var/log/mail. Inside the container the log begins anew with each update.",
			Source: "docker-mailserver environment.md, LOGROTATE_INTERVAL; kopano-docker docker-compose.mail.yml",
			Check:  mailLogs,
		},
		{
			ID: "read-only-image", Subject: "storage", Severity: finding.Error,
			Title:  "An image cannot run read-only",
			Why:    "docker-mailserver and osixia/openldap write their configuration below /etc and elsewhere at each start. MariaDB makes its socket in /run/mysqld and temporary files in /tmp, which must be a tmpfs then.",
			Source: "docker-mailserver target/scripts; osixia/openldap startup.sh; mariadb docker-entrypoint.sh",
			Check:  readOnlyImage,
		},
		{
			ID: "capabilities-dropped", Subject: "storage", Severity: finding.Warning,
			Title:  "A container may not give its files to its own user",
			Why:    "The start scripts run as root, give the data to the program's user and change to that user. Without the capabilities CHOWN, SETUID and SETGID they cannot.",
			Source: "capabilities(7); kopano-docker core/start-service.sh; mariadb docker-entrypoint.sh",
			Check:  capabilitiesDropped,
		},
	}
}

// keptState calls look for each folder in which a service really keeps data,
// with the mount that holds it.
func keptState(in *Input, look func(s *deployment.Service, sys *kopano.System, at kopano.Mount, m types.ServiceVolumeConfig)) {
	for _, s := range in.Deployment.Services {
		sys := kopano.SystemOf(in.Topology.Role(s))
		if sys == nil || fragment(s) {
			continue
		}
		for _, at := range sys.Volumes {
			if m, ok := kopano.MountAt(s, at.Path); ok && keepsAt(in, s, at.Path) {
				look(s, sys, at, m)
			}
		}
	}
}

// lossOf is how bad it is to lose the data of a system.
func lossOf(sys *kopano.System) finding.Severity {
	switch sys.Role {
	case kopano.Server, kopano.Database, kopano.LDAP:
		return finding.Error
	}
	return finding.Warning // can be had again, with some trouble
}

func dataOnTmpfs(in *Input) []finding.Finding {
	var out []finding.Finding
	keptState(in, func(s *deployment.Service, sys *kopano.System, at kopano.Mount, m types.ServiceVolumeConfig) {
		message := ""
		switch volume := in.Deployment.Model.Volumes[m.Source]; {
		case m.Type == "tmpfs":
			message = "A tmpfs is mounted at " + m.Target + "."
		case m.Type == "volume" && volume.DriverOpts["type"] == "tmpfs":
			message = "The volume " + quote(m.Source) + " at " + m.Target + " is a tmpfs."
		case m.Type == "bind" && passing(m.Source) && !strings.HasPrefix(m.Source, in.Deployment.Dir):
			message = m.Source + " of the host is mounted at " + m.Target + "."
		default:
			return
		}
		consequence := "Whenever the container starts anew, this is gone: " + at.Holds + "."
		if m.Type == "bind" {
			consequence = "When the host starts anew, this is gone: " + at.Holds + "."
		}
		out = append(out, finding.Finding{
			Severity: lossOf(sys), Subject: s.Name, Key: at.Path,
			Message: message, Consequence: consequence,
			Remedy:    "Mount a named volume at " + at.Path + " instead.",
			Locations: []finding.Location{targetPlace(s, m.Target)},
		})
	})
	return out
}

// passing reports whether the host empties a folder by itself.
func passing(source string) bool {
	for _, dir := range []string{"/tmp", "/run", "/var/run", "/dev/shm"} {
		if source == dir || strings.HasPrefix(source, dir+"/") {
			return true
		}
	}
	return false
}

// targetPlace gives the place of the mount or tmpfs with a target.
func targetPlace(s *deployment.Service, target string) finding.Location {
	clean := path.Clean("/" + target)
	for i, v := range s.Volumes {
		if path.Clean("/"+v.Target) == clean {
			return volumePlace(s, i)
		}
	}
	for i, t := range s.Tmpfs {
		if name, _, _ := strings.Cut(t, ":"); path.Clean("/"+name) == clean {
			return s.Locate("tmpfs", itoa(i)).As(finding.Fix)
		}
	}
	return s.Locate("volumes").As(finding.Fix)
}

func dataNameless(in *Input) []finding.Finding {
	var out []finding.Finding
	keptState(in, func(s *deployment.Service, _ *kopano.System, at kopano.Mount, m types.ServiceVolumeConfig) {
		if m.Type != "volume" || m.Source != "" {
			return
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: at.Path,
			Message:     "The volume at " + m.Target + " has no name.",
			Consequence: "After docker compose down and up this is gone: " + at.Holds + ".",
			Remedy:      "Give it a name and declare it below volumes: " + strings.TrimPrefix(s.Name, "kopano_") + "data:" + m.Target,
			Locations:   []finding.Location{targetPlace(s, m.Target)},
		})
	})
	return out
}

func databaseShared(in *Input) []finding.Finding {
	type use struct {
		service *deployment.Service
		role    kopano.Role
		path    string
		target  string
	}
	uses := map[string][]use{}
	keptState(in, func(s *deployment.Service, sys *kopano.System, at kopano.Mount, m types.ServiceVolumeConfig) {
		if m.Source != "" && (m.Volume == nil || m.Volume.Subpath == "") && path.Clean("/"+m.Target) == at.Path {
			uses[m.Source] = append(uses[m.Source], use{s, sys.Role, at.Path, m.Target})
		}
	})
	var out []finding.Finding
	for _, source := range sorted(uses) {
		us := uses[source]
		// The one that suffers comes first.
		i := slices.IndexFunc(us, func(u use) bool { return u.role == kopano.Database || u.role == kopano.LDAP })
		if i < 0 || len(us) < 2 {
			continue
		}
		first := us[i]
		places := []finding.Location{targetPlace(first.service, first.target)}
		var others []string
		for j, u := range us {
			if j != i {
				others = append(others, u.path+" of "+u.service.Name)
				places = append(places, targetPlace(u.service, u.target).As(finding.Related))
			}
		}
		out = append(out, finding.Finding{
			Subject: first.service.Name, Key: first.path,
			Message:     quote(source) + " is mounted at " + first.path + " of " + first.service.Name + ", and also at " + list(others, 4) + ".",
			Consequence: "One of them does not start, or they destroy each other's files: mail or users are lost.",
			Remedy:      "Give each folder a volume of its own.",
			Locations:   distinct(places),
		})
	}
	return out
}

func mountBackslash(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for i, v := range s.Volumes {
			if !strings.HasSuffix(v.Target, `\`) {
				continue
			}
			place := volumePlace(s, i)
			out = append(out, finding.Finding{
				Severity: withoutMount(in, s, strings.TrimRight(v.Target, `\`)),
				Subject:  s.Name, Key: v.Target,
				Message:     "The target " + quote(v.Target) + " ends with a backslash.",
				Consequence: s.Name + " does not find what is mounted there, and may not start.",
				Remedy:      "Delete the backslash at the end of the line.",
				Locations:   []finding.Location{place},
				Edits:       in.Deployment.ReplaceEnd(place, `\`, ""),
			})
		}
	}
	return merged(out, "mounts")
}

// withoutMount is how bad it is when nothing is mounted at a path.
func withoutMount(in *Input, s *deployment.Service, target string) finding.Severity {
	sys := kopano.SystemOf(in.Topology.Role(s))
	if sys == nil {
		return finding.Warning
	}
	kept := slices.ContainsFunc(sys.Volumes, func(m kopano.Mount) bool { return m.Path == path.Clean(target) })
	if kept || sys.MachineID && path.Base(target) == "machine-id" {
		return finding.Error
	}
	return finding.Warning
}

func bindFileMissing(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for i, v := range s.Volumes {
			// What has an ending on either side is a file; anything else may well be a folder that Docker is to make.
			if v.Type != "bind" || !slices.Contains(in.Deployment.Missing, v.Source) || !endsLikeFile(v.Source) && !endsLikeFile(v.Target) {
				continue
			}
			name, err := filepath.Rel(in.Deployment.Dir, v.Source)
			if err != nil {
				name = v.Source
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: name,
				Message:     "./" + name + " is mounted at " + v.Target + ", but there is no such file.",
				Consequence: "Docker makes an empty folder of it, and " + s.Name + " starts without what it needs, or not at all.",
				Remedy:      "Put the file there before the start, or correct its name. If Docker has made the folder already, delete it first.",
				Locations:   []finding.Location{volumePlace(s, i)},
			})
		}
	}
	return out
}

// fileEndings are those of files that people mount.
var fileEndings = []string{".pem", ".crt", ".cer", ".key", ".cfg", ".conf", ".cnf", ".ini", ".php", ".json", ".yml", ".yaml", ".toml", ".sh", ".env", ".ldif", ".sql", ".txt", ".cf", ".xml"}

func endsLikeFile(name string) bool {
	return slices.Contains(fileEndings, strings.ToLower(path.Ext(name)))
}

func mailLogs(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "PFLOGSUMM_TRIGGER", "LOGWATCH_INTERVAL"), func(x sighting) *verdict {
		if x.text() == "" || x.text() == "none" || mountOver(x.service, "/var/log/mail") != "" || len(x.service.VolumesFrom) > 0 {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", but nothing is mounted at /var/log/mail.",
			consequence: "After an update the administrator gets a report about nothing, and cannot look up what became of a mail.",
			remedy:      "Add to the volumes of " + x.service.Name + ": maillogs:/var/log/mail, and declare maillogs below volumes.",
			here:        true,
		}
	})
}

func readOnlyImage(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		if !s.ReadOnly || !changesUser(in, s) || isCore(in, s) {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "read_only", Links: linksTo(in, s),
			Message:     "The container is read-only, and its image writes below /etc at each start.",
			Consequence: s.Name + " stops at start, and what needs it does not work.",
			Remedy:      "Delete the line read_only: true of " + s.Name + ".",
			Locations:   []finding.Location{s.Locate("read_only").As(finding.Fix)},
		}
		if in.Topology.Role(s) == kopano.Database {
			var lacks []string
			for _, p := range []string{"/run/mysqld", "/tmp"} {
				if _, ok := kopano.MountAt(s, p); !ok {
					lacks = append(lacks, p)
				}
			}
			if len(lacks) == 0 {
				continue
			}
			f.Message = "The container is read-only and has no tmpfs at " + list(lacks, 2) + "."
			f.Remedy = "Add tmpfs: [" + strings.Join(lacks, ", ") + "] to " + s.Name + "."
		}
		out = append(out, f)
	}
	return out
}

func capabilitiesDropped(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		all := slices.ContainsFunc(s.CapDrop, func(c string) bool { return strings.EqualFold(c, "ALL") })
		if !all || s.User != "" || !changesUser(in, s) {
			continue
		}
		var lacks []string
		for _, c := range []string{"CHOWN", "SETUID", "SETGID"} {
			if !may(s, c) {
				lacks = append(lacks, c)
			}
		}
		if len(lacks) == 0 {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "cap_drop",
			Message:     "cap_drop takes all capabilities away, and cap_add does not give back " + list(lacks, 3) + ".",
			Consequence: s.Name + " cannot change to its own user and stops at start (\"Operation not permitted\").",
			Remedy:      "Add to " + s.Name + ": cap_add: [" + strings.Join(lacks, ", ") + "], or delete cap_drop.",
			Locations:   []finding.Location{s.Locate("cap_drop").As(finding.Fix)},
		})
	}
	return out
}

// changesUser reports whether the image starts as root and changes to another user.
func changesUser(in *Input, s *deployment.Service) bool {
	image := kopano.ParseImage(s.Image)
	switch in.Topology.Role(s) {
	case kopano.Database:
		return image.Is("mariadb", "mysql", "percona") && !strings.Contains(image.Path, "bitnami")
	case kopano.LDAP:
		return osixia(image)
	case kopano.Mail:
		return isMailserver(in, s)
	}
	return isCore(in, s) && image.Is("kopano_core")
}
