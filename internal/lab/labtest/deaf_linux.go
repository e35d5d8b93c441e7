package labtest

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// Deaf gives an address that does not answer attempts to connect.
func Deaf(t testing.TB, l *lab.Lab) string {
	t.Helper()
	address, err := l.Deaf()
	Check(t, err)
	return address
}
