//go:build !linux

package labtest

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// Deaf skips the test: only Linux drops attempts to connect to a full queue.
func Deaf(t testing.TB, _ *lab.Lab) string {
	t.Helper()
	t.Skip("only Linux drops attempts to connect to a full queue")
	return ""
}
