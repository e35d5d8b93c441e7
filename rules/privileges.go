package rules

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// privilegeRules are about what a container may do to its host. They look at
// containers whose program is known, so that it is known that it needs none of it.
func privilegeRules() []Rule {
	return []Rule{
		{
			ID: "docker-socket-exposed", Subject: "security", Severity: finding.Warning,
			Title: "A container that strangers reach may steer Docker",
			Why: "Who can talk to Docker's socket can start a container with the host's whole disk in it; that the socket is mounted with :ro only keeps its file from being replaced. " +
				"kopano_scheduler needs the socket for its jobs and publishes no port.",
			Source: "Docker documentation, Docker daemon attack surface; kopano-docker docker-compose.yml, kopano_scheduler",
			Check:  dockerSocketExposed,
		},
		{
			ID: "container-privileged", Subject: "security", Severity: finding.Warning,
			Title:  "A container has the rights of the host's root",
			Why:    "With privileged, or with a capability such as SYS_ADMIN, nothing stands between the container and the host any more. None of the images of a Kopano deployment asks for it; fail2ban in the mail server wants NET_ADMIN, debugging SYS_PTRACE.",
			Source: "Docker documentation, runtime privilege; kopano-docker docker-compose*.yml",
			Check:  containerPrivileged,
		},
		{
			ID: "container-unconfined", Subject: "security", Severity: finding.Info,
			Title:  "A container runs without Docker's filter of system calls",
			Why:    "Docker's seccomp and AppArmor profiles keep a container from system calls that it never needs. They are switched off to get new images to start on an old Docker or libseccomp (pthread_create: Operation not permitted); that is cured by updating Docker.",
			Source: "Docker documentation, seccomp security profiles",
			Check:  containerUnconfined,
		},
		{
			ID: "container-host-namespace", Subject: "security", Severity: finding.Warning,
			Title:  "A container sees the processes of the host",
			Why:    "With pid: host or ipc: host a container sees every process of the host, its arguments and its environment with all passwords, and may end those of the same user. With userns_mode: host its root is the host's root. No image of a Kopano deployment asks for it.",
			Source: "Compose specification, pid, ipc and userns_mode",
			Check:  hostNamespace,
		},
		{
			ID: "host-folder-mounted", Subject: "security", Severity: finding.Warning,
			Title:  "A container has a system folder of the host",
			Why:    "Whoever takes over the container can change the host through it: /etc holds its users, /var/run the socket of Docker, /var/lib/docker the data of all containers.",
			Source: "Docker documentation, Docker daemon attack surface",
			Check:  hostFolder,
		},
		{
			ID: "watchtower-updates-all", Subject: "images", Severity: finding.Warning,
			Title:  "Watchtower updates the mail store or the database by itself",
			Why:    "Watchtower pulls the tag of every container and restarts it when the tag has moved. kopano_server changes its tables when a newer release starts and refuses to start with a newer database than its own (kopano-core, ECDatabaseMySQL.cpp); a database that is upgraded cannot go back either.",
			Source: "watchtower documentation, container selection; kopano-core provider/libserver/ECDatabaseMySQL.cpp",
			Check:  watchtower,
		},
	}
}

// openPort gives the first port of a service that others than the host reach.
func openPort(s *deployment.Service) (string, bool) {
	if s.NetworkMode == "host" {
		return "it uses the network of the host", true
	}
	for _, p := range s.Ports {
		if p.Published != "" && !hostAddr(p.HostIP).IsLoopback() {
			return "its port " + p.Published + " is open", true
		}
	}
	return "", false
}

// isEngineSocket reports whether a mount is the socket of Docker or Podman.
func isEngineSocket(v types.ServiceVolumeConfig) bool {
	return v.Type == types.VolumeTypeBind && slices.Contains([]string{"docker.sock", "podman.sock"}, path.Base(v.Source))
}

func dockerSocketExposed(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		i := slices.IndexFunc(s.Volumes, isEngineSocket)
		if i < 0 {
			continue
		}
		role := in.Topology.Role(s)
		how, open := openPort(s)
		f := finding.Finding{
			Subject: s.Name, Key: s.Volumes[i].Target,
			Consequence: "Whoever finds a hole in " + s.Name + " is root on this host, and reads all mail; :ro in the mount does not change that.",
			Locations:   []finding.Location{volumePlace(s, i)},
		}
		switch {
		case role != kopano.Unknown && role != kopano.Scheduler:
			f.Message = s.Name + " can steer Docker through " + s.Volumes[i].Source + ", and has no use for it."
			f.Remedy = "Delete the mount."
		case open:
			f.Message = s.Name + " can steer Docker through " + s.Volumes[i].Source + ", and " + how + " to others than this host."
			f.Remedy = "Put a filter such as tecnativa/docker-socket-proxy in between, which lets through only the calls that " + s.Name + " needs, or open the port on 127.0.0.1 only."
			if len(s.Ports) > 0 && s.NetworkMode == "" {
				f.Locations = append(f.Locations, s.Locate("ports").As(finding.Related))
			}
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

// rootlike are the capabilities that are as good as root on the host.
var rootlike = []string{"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH"}

func containerPrivileged(in *Input) []finding.Finding {
	var out []finding.Finding
	add := func(s *deployment.Service, key, message, remedy string, at finding.Location) {
		out = append(out, finding.Finding{
			Subject: s.Name, Key: key, Message: message, Remedy: remedy,
			Consequence: "Whoever finds a hole in " + s.Name + " is root on this host.",
			Locations:   []finding.Location{at.As(finding.Fix)},
		})
	}
	for _, s := range in.Deployment.Services {
		if in.Topology.Role(s) == kopano.Unknown {
			continue
		}
		if s.Privileged {
			add(s, "privileged", s.Name+" runs with all rights of the host (privileged: true), and needs none of them.", "Delete privileged: true.", s.Locate("privileged"))
			continue
		}
		for i, c := range s.CapAdd {
			if name := strings.TrimPrefix(strings.ToUpper(c), "CAP_"); slices.Contains(rootlike, name) {
				add(s, name, s.Name+" has the capability "+c+", which is as good as root on this host, and does not need it.", "Delete "+c+" from cap_add.", s.Locate("cap_add", strconv.Itoa(i)))
			}
		}
	}
	return out
}

func containerUnconfined(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		if in.Topology.Role(s) == kopano.Unknown || s.Privileged {
			continue
		}
		for i, o := range s.SecurityOpt {
			name, value, _ := strings.Cut(strings.Replace(o, "=", ":", 1), ":")
			if value != "unconfined" || name != "seccomp" && name != "apparmor" {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: name,
				Message:     s.Name + " runs without Docker's " + name + " profile.",
				Consequence: "Whoever finds a hole in " + s.Name + " gets out of the container more easily.",
				Remedy:      "Delete " + o + " from security_opt. If the container does not start without it, update Docker and libseccomp on the host.",
				Locations:   []finding.Location{s.Locate("security_opt", strconv.Itoa(i)).As(finding.Fix)},
			})
		}
	}
	return out
}

func hostNamespace(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		if in.Topology.Role(s) == kopano.Unknown || s.Privileged {
			continue
		}
		for _, n := range []struct{ field, value, sees string }{
			{"pid", s.Pid, "every process of this host, with its environment and the passwords in it"},
			{"ipc", s.Ipc, "the shared memory of all programs of this host"},
			{"userns_mode", s.UserNSMode, "this host as its root, though Docker was told to keep them apart"},
		} {
			if n.value != "host" {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: n.field,
				Message:     s.Name + " has " + n.field + ": host, and does not need it.",
				Consequence: "Whoever finds a hole in " + s.Name + " sees " + n.sees + ".",
				Remedy:      "Delete " + n.field + ": host.",
				Locations:   []finding.Location{s.Locate(n.field).As(finding.Fix)},
			})
		}
	}
	return out
}

// systemFolders of the host, with whether reading them alone is too much.
var systemFolders = map[string]bool{
	"/": true, "/root": true, "/etc": true, "/var/lib/docker": true,
	"/boot": false, "/dev": false, "/proc": false, "/sys": false, "/usr": false, "/var": false,
	"/run": true, "/var/run": true, // a socket that can be read can be talked to
}

func hostFolder(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		if in.Topology.Role(s) == kopano.Unknown {
			continue
		}
		for i, v := range s.Volumes {
			reading, system := systemFolders[path.Clean(v.Source)]
			if v.Type != types.VolumeTypeBind || !system || v.ReadOnly && !reading {
				continue
			}
			can := "change what the host itself is made of."
			if v.ReadOnly {
				can = "read the host's keys and passwords, or talk to its programs."
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: v.Source,
				Message:     s.Name + " has the folder " + v.Source + " of this host, at " + v.Target + ".",
				Consequence: "Whoever finds a hole in " + s.Name + " can " + can,
				Remedy:      "Mount only the file or folder that " + s.Name + " needs, such as /etc/machine-id:/etc/machine-id, with :ro where it only reads.",
				Locations:   []finding.Location{volumePlace(s, i)},
			})
		}
	}
	return out
}

func watchtower(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, w := range in.Deployment.Services {
		if kopano.ParseImage(w.Image).Name != "watchtower" || watchtowerChooses(w) {
			continue
		}
		var names []string
		places := []finding.Location{w.Locate("image").As(finding.Fix)}
		for _, s := range in.Deployment.Services {
			switch in.Topology.Role(s) {
			case kopano.Server, kopano.Database, kopano.LDAP:
			default:
				continue
			}
			if s.Image == "" || s.Build != nil || !floats(tagOf(s.Image)) || s.Labels["com.centurylinklabs.watchtower.enable"] == "false" {
				continue
			}
			names = append(names, s.Name)
			places = append(places, s.Locate("image").As(finding.Related))
		}
		if len(names) == 0 {
			continue
		}
		out = append(out, finding.Finding{
			Subject: w.Name, Key: "all",
			Message:     w.Name + " updates every container by itself, also " + list(names, 4) + ", whose tag moves to new releases.",
			Consequence: "One night the mail store is upgraded without anybody there and without a backup; if it goes wrong nobody gets mail, and there is no way back to the old release.",
			Remedy:      "Set WATCHTOWER_LABEL_ENABLE=true on " + w.Name + " and the label com.centurylinklabs.watchtower.enable=true on what may be updated; or give " + list(names, 4) + " a fixed release.",
			Locations:   places,
		})
	}
	return out
}

// watchtowerChooses reports whether watchtower is told which containers to
// update, or only to report.
func watchtowerChooses(w *deployment.Service) bool {
	for _, key := range []string{"WATCHTOWER_LABEL_ENABLE", "WATCHTOWER_MONITOR_ONLY", "WATCHTOWER_NO_PULL", "WATCHTOWER_SCOPE", "WATCHTOWER_DISABLE_CONTAINERS"} {
		if v := value(w, key); v != "" && v != "false" && v != "0" {
			return true
		}
	}
	for _, word := range w.Command {
		flag, _, _ := strings.Cut(word, "=")
		switch flag {
		case "--label-enable", "-e", "--monitor-only", "-m", "--no-pull", "--scope", "--disable-containers", "-x":
			return true
		}
		// Names of containers stand between the flags; so do values of flags, and
		// which of the two a word is need not be known to stay silent.
		if word != "" && (word[0] >= 'a' && word[0] <= 'z' || word[0] >= 'A' && word[0] <= 'Z') {
			return true
		}
	}
	return false
}
