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

// misplaced finds the mounts of a service that bring to another place what it
// should have at want: what others mount there, or a volume that is mounted where
// its image keeps nothing. The text tells of it where there is no doubt.
func misplaced(in *Input, s *deployment.Service, want string) (places []finding.Location, text string) {
	var sure, maybe []int
	for i, v := range s.Volumes {
		switch {
		case plainTarget(v.Target) == plainTarget(want):
		case mountedElsewhereAt(in, s, v, want):
			sure = append(sure, i)
		case v.Type == types.VolumeTypeVolume && v.Source != "" && !expectedTarget(in, s, v.Target):
			maybe = append(maybe, i)
		}
	}
	if len(sure) == 0 && len(maybe) == 1 {
		sure = maybe
	}
	for _, i := range append(slices.Clone(sure), maybe...) {
		places = append(places, s.Locate("volumes", itoa(i)).As(finding.Related))
	}
	if len(sure) > 0 {
		v := s.Volumes[sure[0]]
		text = " " + mountName(&v) + " is mounted at " + v.Target + " instead."
	}
	return distinct(places), text
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
