package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// address is where an engine is, and how that was found out.
type address struct {
	host    string // "unix:///var/run/docker.sock", "tcp://…", "npipe://…"
	why     string // "DOCKER_HOST", "the context prod" …
	certs   string // folder with ca.pem, cert.pem and key.pem; "" for none
	asked   bool   // somebody named it, so that no other may stand in for it
	version string // DOCKER_API_VERSION
}

// maxSettings bounds the files of Docker's command line that are read.
const maxSettings = 1 << 20

// addresses gives where an engine may be, in the order in which they are
// tried: what the flag says, then what `docker` itself would use, then Podman.
func addresses(flag string, getenv func(string) string) ([]address, error) {
	certs := tlsOf(getenv)
	if flag != "" {
		certs.host, certs.why, certs.asked = flag, "--engine", true
		return []address{certs}, nil
	}
	if host := getenv("DOCKER_HOST"); host != "" {
		certs.host, certs.why, certs.asked = host, "DOCKER_HOST", true
		return []address{certs}, nil
	}
	context, err := currentContext(getenv)
	if err != nil || context != nil {
		return one(context), err
	}
	if host := getenv("CONTAINER_HOST"); host != "" {
		return []address{{host: host, why: "CONTAINER_HOST", asked: true}}, nil
	}
	return wellKnown(getenv), nil
}

func one(a *address) []address {
	if a == nil {
		return nil
	}
	return []address{*a}
}

// tlsOf reads where the certificates are. DOCKER_TLS_VERIFY is not asked: the
// engine's certificate is always checked.
func tlsOf(getenv func(string) string) address {
	return address{certs: getenv("DOCKER_CERT_PATH"), version: getenv("DOCKER_API_VERSION")}
}

// wellKnown gives the sockets that engines listen on unless told otherwise.
func wellKnown(getenv func(string) string) []address {
	if runtime.GOOS == "windows" {
		return []address{{host: "npipe:////./pipe/docker_engine", why: "the default"}}
	}
	places := []string{"/var/run/docker.sock"}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		places = append(places, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman", "podman.sock"))
	}
	places = append(places, "/run/podman/podman.sock")
	var out []address
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && info.Mode().Type() == fs.ModeSocket {
			out = append(out, address{host: "unix://" + p, why: "the default", version: getenv("DOCKER_API_VERSION")})
		}
	}
	return out
}

// currentContext gives the address that Docker's command line was told to use
// by DOCKER_CONTEXT or `docker context use`; nil when that is the default one.
func currentContext(getenv func(string) string) (*address, error) {
	dir := getenv("DOCKER_CONFIG")
	if dir == "" {
		home := getenv("HOME")
		if home == "" {
			home = getenv("USERPROFILE")
		}
		if home == "" {
			return nil, nil
		}
		dir = filepath.Join(home, ".docker")
	}
	name := getenv("DOCKER_CONTEXT")
	if name == "" {
		var config struct{ CurrentContext string }
		if err := readJSON(filepath.Join(dir, "config.json"), &config); err != nil && !unreadable(err) {
			return nil, err
		}
		name = config.CurrentContext
	}
	if name == "" || name == "default" {
		return nil, nil
	}
	return contextNamed(dir, name)
}

// unreadable: files that are no business of ours when they cannot be had.
func unreadable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

// contextNamed reads a context as docker/cli's cli/context/store lays it down:
// in a folder named by the SHA-256 of its name.
func contextNamed(dir, name string) (*address, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	var meta struct {
		Endpoints map[string]struct {
			Host string
		}
	}
	if err := readJSON(filepath.Join(dir, "contexts", "meta", id, "meta.json"), &meta); err != nil {
		return nil, fmt.Errorf("the Docker context %q cannot be read: %w", name, bare(err))
	}
	end, ok := meta.Endpoints["docker"]
	if !ok || end.Host == "" {
		return nil, fmt.Errorf("the Docker context %q names no engine", name)
	}
	a := &address{host: end.Host, why: "the Docker context " + name, asked: true}
	certs := filepath.Join(dir, "contexts", "tls", id, "docker")
	if _, err := os.Stat(filepath.Join(certs, "ca.pem")); err == nil {
		a.certs = certs
	}
	return a, nil
}

func readJSON(name string, into any) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSettings))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is not as docker writes it: %w", name, err)
	}
	return nil
}

// bare gives the reason of a file error without its operation and path.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// supported says what is wrong with an address that cannot be used.
func (a address) supported() error {
	scheme, rest, ok := strings.Cut(a.host, "://")
	switch {
	case !ok:
		return fmt.Errorf("%s: %q is no address of an engine; write unix:///PATH or tcp://HOST:PORT", a.why, a.host)
	case scheme == "ssh":
		return fmt.Errorf("%s: ssh:// is not supported; forward the socket with `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock %s` and pass --engine unix:///tmp/engine.sock", a.why, rest)
	case scheme != "unix" && scheme != "tcp" && scheme != "npipe" && scheme != "http" && scheme != "https":
		return fmt.Errorf("%s: %s:// is no way to reach an engine", a.why, scheme)
	}
	return nil
}

// local reports whether the engine runs on this machine, as far as its address tells.
func (a address) local() bool {
	return strings.HasPrefix(a.host, "unix://") || strings.HasPrefix(a.host, "npipe:////./")
}
