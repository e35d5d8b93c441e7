//go:build unix

package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
)

func TestWhatIsNoFileIsNotRead(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("# x\n"), 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{pipe: "not a regular file", dir: "is a folder", filepath.Join(dir, "none"): "does not exist", large: "larger than"} {
		if _, err := config.Load(file, dir, ids); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v, want %q", file, err, want)
		}
	}
}
