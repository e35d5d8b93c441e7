package kopano

import (
	"path"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// MountAt gives the volume, folder or tmpfs that holds a path inside the
// service's container: the one with the longest target that the path lies in.
// /var/run is /run, as in every image of Debian. Mounts taken over with
// volumes_from are Topology.MountAt's.
func MountAt(s *deployment.Service, at string) (types.ServiceVolumeConfig, bool) {
	if s == nil {
		return types.ServiceVolumeConfig{}, false
	}
	at = cleanPath(at)
	var best types.ServiceVolumeConfig
	longest := -1
	consider := func(v types.ServiceVolumeConfig) {
		target := cleanPath(v.Target)
		// Of two mounts on one target Docker keeps the later one.
		if within(at, target) && len(target) >= longest {
			best, longest = v, len(target)
		}
	}
	for _, t := range s.Tmpfs {
		target, _, _ := strings.Cut(t, ":") // options follow
		consider(types.ServiceVolumeConfig{Type: types.VolumeTypeTmpfs, Target: target})
	}
	for _, v := range s.Volumes {
		consider(v)
	}
	return best, longest >= 0
}

// MountAt is like the function of that name, and follows volumes_from.
func (t *Topology) MountAt(s *deployment.Service, at string) (types.ServiceVolumeConfig, bool) {
	return t.mountAt(s, at, map[string]bool{})
}

func (t *Topology) mountAt(s *deployment.Service, at string, seen map[string]bool) (types.ServiceVolumeConfig, bool) {
	if s == nil || seen[s.Name] {
		return types.ServiceVolumeConfig{}, false
	}
	seen[s.Name] = true
	best, ok := MountAt(s, at)
	for _, from := range s.VolumesFrom {
		name, _, _ := strings.Cut(from, ":") // "service:ro"; "container:name" is none of ours
		other, found := t.Deployment.Service(name)
		if !found {
			continue
		}
		if v, has := t.mountAt(other, at, seen); has && (!ok || len(cleanPath(v.Target)) > len(cleanPath(best.Target))) {
			best, ok = v, true
		}
	}
	return best, ok
}

// SameStorage reports whether a path in one service's container and a path in
// another's are the same place on the host: one volume or one folder, and the
// same place within. Two tmpfs are never the same.
func (t *Topology) SameStorage(a *deployment.Service, pathA string, b *deployment.Service, pathB string) bool {
	placeA, okA := t.place(a, pathA)
	placeB, okB := t.place(b, pathB)
	return okA && okB && placeA == placeB
}

// place names where a path is kept: "volume kopano_kopanosocket /", "bind
// /run/kopano".
func (t *Topology) place(s *deployment.Service, at string) (string, bool) {
	v, ok := t.MountAt(s, at)
	if !ok {
		return "", false
	}
	rest := strings.TrimPrefix(cleanPath(at), cleanPath(v.Target))
	switch v.Type {
	case types.VolumeTypeBind:
		return "bind " + cleanPath(path.Join(v.Source, rest)), true
	case types.VolumeTypeVolume:
		if v.Source == "" { // anonymous: each container has its own
			return "", false
		}
		name := v.Source
		if t.Deployment.Model != nil {
			if c, ok := t.Deployment.Model.Volumes[v.Source]; ok && c.Name != "" {
				name = c.Name
			}
		}
		sub := ""
		if v.Volume != nil {
			sub = v.Volume.Subpath
		}
		return "volume " + name + " " + path.Join("/", sub, rest), true
	default:
		return "", false
	}
}

func cleanPath(p string) string {
	p = path.Clean("/" + strings.TrimSpace(p))
	if rest, ok := strings.CutPrefix(p, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return p
}

// within reports whether a clean path is the folder itself or lies in it.
func within(p, folder string) bool {
	return p == folder || folder == "/" || strings.HasPrefix(p, folder+"/")
}
