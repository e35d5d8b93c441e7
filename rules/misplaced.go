package rules

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// lack is a folder that a service does not mount: where to change it, and what
// to say of a mount that brings the volume to another place.
type lack struct {
	places []finding.Location
	text   string // follows the message; "" when no mount is meant for the folder
	remedy string
}

// unmounted tells what to change when a service mounts nothing at want: the mount
// that brings there what others have at want, or that is named after it; else
// the list of mounts. remedy is for the second case.
func unmounted(in *Input, s *deployment.Service, want, remedy string) lack {
	var stray, maybe []int
	for i, v := range s.Volumes {
		switch {
		case plainTarget(v.Target) == plainTarget(want):
		case mountedElsewhereAt(in, s, v, want):
			stray = append(stray, i)
		case v.Type == types.VolumeTypeVolume && v.Source != "" && !expectedTarget(in, s, v.Target):
			if namedAfter(v.Source, want) {
				stray = append(stray, i)
			}
			maybe = append(maybe, i)
		}
	}
	if len(stray) != 1 {
		l := lack{places: []finding.Location{s.Locate("volumes").As(finding.Fix)}, remedy: remedy}
		if len(stray) == 0 && len(maybe) == 1 { // it may be meant, or be another's
			l.places = append(l.places, s.Locate("volumes", itoa(maybe[0])).As(finding.Related))
		}
		return l
	}
	v := s.Volumes[stray[0]]
	source, options := v.Source, ""
	if v.ReadOnly {
		options = ":ro"
	}
	return lack{
		places: []finding.Location{s.Locate("volumes", itoa(stray[0])).As(finding.Fix)},
		text:   " Instead, " + mountName(&v) + " is mounted at " + v.Target + ".",
		remedy: "Write " + source + ":" + path.Clean(want) + options + " instead of " + source + ":" + v.Target + options + ".",
	}
}

// namedAfter reports whether a volume has its name from a folder: mysql, or
// shop_mysql, belongs at /var/lib/mysql, and zpushstates at /var/lib/z-push.
func namedAfter(volume, folder string) bool {
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
	}
	v, f := letters(volume), letters(path.Base(folder))
	return len(v) > 2 && len(f) > 2 && (strings.Contains(v, f) || strings.Contains(f, v))
}

// plainTarget writes /var/run as /run, to which it is a link in every image.
func plainTarget(p string) string {
	p = path.Clean("/" + p)
	if rest, ok := strings.CutPrefix(p, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return p
}

// mountedElsewhereAt reports whether another service mounts the same source at target.
func mountedElsewhereAt(in *Input, s *deployment.Service, v types.ServiceVolumeConfig, target string) bool {
	return v.Source != "" && slices.ContainsFunc(in.Deployment.Services, func(o *deployment.Service) bool {
		return o != s && slices.ContainsFunc(o.Volumes, func(w types.ServiceVolumeConfig) bool {
			return w.Type == v.Type && w.Source == v.Source && plainTarget(w.Target) == plainTarget(target)
		})
	})
}

// expectedTarget reports whether a service has a use for something at a place:
// its image keeps data there, a setting names it, or others mount it there too.
func expectedTarget(in *Input, s *deployment.Service, target string) bool {
	target = plainTarget(target)
	known := []string{"/run/kopano", sslFolder, "/etc/machine-id", "/var/lib/dbus/machine-id"}
	if in.Topology.Role(s) == kopano.Mail {
		known = append(known, "/var/mail", "/var/log/mail")
	}
	if sys := kopano.SystemOf(in.Topology.Role(s)); sys != nil {
		for _, m := range sys.Volumes {
			known = append(known, m.Path)
		}
	}
	for _, k := range known {
		if plainTarget(k) == target || strings.HasPrefix(target, plainTarget(k)+"/") {
			return true
		}
	}
	for _, key := range s.Keys() {
		v := s.Env[key]
		if text := v.Reveal(); strings.HasPrefix(text, "/") && under(text, target) {
			return true
		}
	}
	return false
}
