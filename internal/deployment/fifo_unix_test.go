//go:build unix

package deployment_test

import (
	"syscall"
	"testing"
)

// fifo makes a named pipe.
func fifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
}
