package kopano

import (
	"path"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// roleOf recognises what a service does: by its image, then by the program that
// it starts, then by the settings that it is given, then by the ports that only
// one role has, and by its name last of all, since people rename services and
// put other images under upstream's names.
func roleOf(s *deployment.Service) Role {
	image := ParseImage(s.Image)
	if s.Image != "" {
		if r, decided := roleOfImage(image, s); decided {
			return r
		}
	}
	for _, recognise := range []func(*deployment.Service) Role{roleOfStart, roleOfCommand, roleOfBuild, roleOfSettings, roleOfPorts} {
		if r := recognise(s); r != Unknown {
			return r
		}
	}
	return roleOfName(s, image)
}

// roleOfImage decides by the image alone where it can. It also decides that an
// image plays no role: the all-in-one images of others speak of the same things
// with other settings, and a well-known program is what it is.
func roleOfImage(image Image, s *deployment.Service) (r Role, decided bool) {
	if image.Is(allInOneImages...) {
		// Somebody may keep a copy of kopano_core under such a name.
		return roleOfStart(s), true
	}
	if image.Is(coreImages...) {
		start, ok := s.Get("SERVICE_TO_START")
		if !ok {
			return roleOfCoreCommand(s), true
		}
		r := roleOfStart(s)
		return r, r != Unknown || strings.TrimSpace(start.Reveal()) == ""
	}
	for i := range Systems {
		if image.Is(Systems[i].Images...) {
			return Systems[i].Role, true
		}
	}
	if image.Is(otherImages...) {
		return Unknown, true
	}
	return Unknown, false
}

func roleOfStart(s *deployment.Service) Role {
	v, ok := s.Get("SERVICE_TO_START")
	if !ok {
		return Unknown
	}
	start := strings.TrimSpace(v.Reveal())
	if start == "kapid" { // until August 2019 (kopano-docker commit 4878fc9)
		start = "kapi"
	}
	for i := range Systems {
		if start != "" && Systems[i].Start == start {
			return Systems[i].Role
		}
	}
	return Unknown
}

// roleOfCoreCommand is for kopano_core without SERVICE_TO_START: some forks take
// "start-dagent" as the command; upstream's start script then runs the server
// (core/Dockerfile), whatever the command says.
func roleOfCoreCommand(s *deployment.Service) Role {
	for _, word := range s.Command {
		start := strings.TrimSuffix(strings.TrimPrefix(word, "start-"), "d")
		for i := range Systems {
			if word != start && strings.TrimSuffix(Systems[i].Start, "d") == start && start != "" {
				return Systems[i].Role
			}
		}
	}
	return Server
}

// roleOfCommand looks for a program of Kopano in entrypoint and command.
func roleOfCommand(s *deployment.Service) Role {
	for _, words := range [][]string{s.Entrypoint, s.Command} {
		for _, w := range words {
			for _, word := range strings.Fields(w) {
				if r, ok := programs[path.Base(word)]; ok {
					return r
				}
			}
		}
	}
	return Unknown
}

// roleOfBuild takes the folder of an image that is built on the spot: they bear
// the names of the images in kopano-docker.
func roleOfBuild(s *deployment.Service) Role {
	if s.Build == nil || s.Image != "" && !strings.Contains(strings.ToLower(s.Image), "kopano") {
		return Unknown
	}
	folder := strings.ToLower(path.Base(strings.TrimRight(s.Build.Context, "/")))
	return buildFolders[strings.TrimPrefix(folder, "kopano_")]
}

// roleOfSettings takes the first role all of whose telling settings are there.
func roleOfSettings(s *deployment.Service) Role {
	for _, sig := range signatures {
		if !hasAll(s, sig.keys) {
			continue
		}
		if sig.mount != "" {
			if _, ok := MountAt(s, sig.mount); !ok {
				continue
			}
		}
		return sig.role
	}
	return Unknown
}

func hasAll(s *deployment.Service, patterns []string) bool {
	for _, p := range patterns {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			if !hasPrefix(s, prefix) {
				return false
			}
		} else if _, ok := s.Env[p]; !ok {
			return false
		}
	}
	return true
}

func hasPrefix(s *deployment.Service, prefix string) bool {
	for key := range s.Env {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// roleOfPorts takes ports that no other common program uses.
func roleOfPorts(s *deployment.Service) Role {
	has := map[string]bool{}
	for _, p := range s.Ports {
		has[portKey(p.Target)] = true
	}
	for _, e := range s.Expose {
		has[strings.TrimSuffix(e, "/tcp")] = true
	}
	for _, t := range tellingPorts {
		if has[t.port] {
			return t.role
		}
	}
	return Unknown
}

// roleOfName is the last resort: an image that nobody knows, under a name of
// kopano-docker that is no everyday word, or with no image at all.
func roleOfName(s *deployment.Service, image Image) Role {
	name := strings.ToLower(s.Name)
	name = strings.TrimRight(strings.TrimRight(name, "0123456789"), "_-") // kopano_server_2
	for i := range Systems {
		if name != Systems[i].Service {
			continue
		}
		everyday := !strings.HasPrefix(name, "kopano_") && !strings.Contains(name, "-")
		if everyday && s.Image != "" && !strings.Contains(image.Path, "kopano") {
			return Unknown
		}
		return Systems[i].Role
	}
	return Unknown
}
