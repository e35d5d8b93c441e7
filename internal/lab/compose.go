package lab

import (
	"errors"
	"os"
	"path/filepath"
)

// ErrNoCompose says that there is no Docker Compose, and how to get one.
var ErrNoCompose = errors.New("no Docker Compose here: run testdata/tools/build-compose.sh or set KOPANO_DOCTOR_COMPOSE")

// Compose finds the Docker Compose that testdata/tools/build-compose.sh makes,
// or that KOPANO_DOCTOR_COMPOSE names. The error is ErrNoCompose.
func Compose() (string, error) {
	if b := os.Getenv("KOPANO_DOCTOR_COMPOSE"); b != "" {
		return b, nil
	}
	if cache, err := os.UserCacheDir(); err == nil {
		if found, _ := filepath.Glob(filepath.Join(cache, "kopano-doctor", "docker-compose-v*")); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", ErrNoCompose
}
