package vantage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// Files reads files of containers where this machine can: in bind mounts and
// in the engine's named volumes.
type Files struct {
	host *Host
}

// Files gives the reader of files.
func (h *Host) Files() Files { return Files{h} }

// ErrTooLarge says that a file is larger than its reader allows.
var ErrTooLarge = errors.New("file is larger than expected")

// ReadFile reads a file by its path inside the service's container, at most
// limit bytes. It fails with fs.ErrNotExist, fs.ErrPermission, ErrTooLarge, or
// with a *NoRoute when the file is in no volume that is readable from here.
// Links are followed only inside the volume.
func (f Files) ReadFile(s *deployment.Service, name string, limit int64) ([]byte, error) {
	file, err := f.open(s, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s in %s is not a regular file", name, s.Name)
	}
	data, err := readAtMost(file, limit)
	if errors.Is(err, ErrTooLarge) {
		return nil, fmt.Errorf("%s in %s: %w", name, s.Name, err)
	}
	return data, err
}

// readAtMost reads to the end, or fails with ErrTooLarge when there is more than limit.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, ErrTooLarge
	}
	return data, nil
}

// Stat describes a file by its path inside the service's container. Errors are
// those of ReadFile.
func (f Files) Stat(s *deployment.Service, name string) (FileInfo, error) {
	root, base, err := f.root(s, name)
	if err != nil {
		return FileInfo{}, err
	}
	defer root.Close()
	info, err := root.Stat(base)
	if err != nil {
		return FileInfo{}, explain(err, s, name)
	}
	return FileInfo{Size: info.Size(), Mode: uint32(info.Mode().Perm()), UID: owner(info), Dir: info.IsDir()}, nil
}

func (f Files) open(s *deployment.Service, name string) (*os.File, error) {
	root, base, err := f.root(s, name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Without O_NONBLOCK a named pipe in the volume would hold us for ever.
	file, err := root.OpenFile(base, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, explain(err, s, name)
	}
	return file, nil
}

// root opens the folder on this machine that holds the mount of name, and
// gives the path of the file below it.
func (f Files) root(s *deployment.Service, name string) (*os.Root, string, error) {
	volume, rest, err := mountOf(s, name)
	if err != nil {
		return nil, "", err
	}
	source, err := f.source(s, volume)
	if err != nil {
		return nil, "", err
	}
	if info, err := os.Stat(source); err == nil && !info.IsDir() && rest == "." {
		rest = filepath.Base(source) // the mount is a single file
		source = filepath.Dir(source)
	}
	root, err := os.OpenRoot(source)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, "", noRoute("%s is not readable for this user; run as root to have the files looked at", source)
	case err != nil:
		return nil, "", noRoute("%s, which %s mounts at %s, is not on this machine", source, s.Name, volume.Target)
	}
	return root, rest, nil
}

// mountOf finds the mount that holds a path: the one with the longest target.
func mountOf(s *deployment.Service, name string) (types.ServiceVolumeConfig, string, error) {
	name = containerPath(name)
	var best types.ServiceVolumeConfig
	var rest string
	for _, v := range s.Volumes {
		target := containerPath(v.Target)
		below, ok := pathBelow(target, name)
		if ok && (best.Target == "" || len(target) > len(containerPath(best.Target))) {
			best, rest = v, below
		}
	}
	if best.Target == "" {
		return best, "", noRoute("%s in %s is in no volume, so it is not readable from here", name, s.Name)
	}
	return best, rest, nil
}

// containerPath cleans a path; /var/run is a link to /run in every image that matters here.
func containerPath(p string) string {
	p = path.Clean("/" + p)
	if below, ok := pathBelow("/var/run", p); ok {
		return path.Join("/run", below)
	}
	return p
}

func pathBelow(dir, p string) (string, bool) {
	if p == dir {
		return ".", true
	}
	below, ok := strings.CutPrefix(p, strings.TrimSuffix(dir, "/")+"/")
	return below, ok
}

// source gives the folder or file on this machine behind a mount.
func (f Files) source(s *deployment.Service, v types.ServiceVolumeConfig) (string, error) {
	switch v.Type {
	case types.VolumeTypeBind:
		return v.Source, nil
	case types.VolumeTypeVolume:
	default:
		return "", noRoute("%s mounts %s at %s, which is not readable from here", s.Name, v.Type, v.Target)
	}
	volume, declared := f.host.deployment.Model.Volumes[v.Source]
	if v.Source == "" || !declared {
		return "", noRoute("%s mounts an anonymous volume at %s, which is not readable without a container engine", s.Name, v.Target)
	}
	dir, err := f.volumeDir(v.Source, volume)
	if err != nil {
		return "", err
	}
	if v.Volume != nil && v.Volume.Subpath != "" {
		dir = filepath.Join(dir, filepath.FromSlash(path.Clean("/"+v.Volume.Subpath)))
	}
	return dir, nil
}

func (f Files) volumeDir(key string, volume types.VolumeConfig) (string, error) {
	if volume.Driver != "" && volume.Driver != "local" {
		return "", noRoute("volume %s is kept by the driver %s, which is not readable from here", key, volume.Driver)
	}
	if device := volume.DriverOpts["device"]; device != "" {
		if strings.Contains(volume.DriverOpts["o"], "bind") {
			return device, nil
		}
		return "", noRoute("volume %s is mounted from elsewhere and not readable from here", key)
	}
	name := volume.Name
	if name == "" {
		name = f.host.deployment.Project + "_" + key
	}
	if name != filepath.Base(name) || name == ".." || name == "." {
		return "", noRoute("volume %s has a name that is not a folder's", key)
	}
	return filepath.Join(f.host.volumes, name, "_data"), nil
}

// explain keeps the host's paths and os wording out of the error.
func explain(err error, s *deployment.Service, name string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s in %s: %w", name, s.Name, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return noRoute("%s in %s is not readable for this user; run as root to have it looked at", name, s.Name)
	}
	return fmt.Errorf("%s in %s: %w", name, s.Name, err)
}
