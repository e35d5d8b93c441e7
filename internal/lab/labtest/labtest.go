// Package labtest ties the lab to tests.
package labtest

import (
	"errors"
	"os"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// New makes a lab that closes with the test.
func New(t testing.TB) *lab.Lab {
	t.Helper()
	l, err := lab.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("closing the lab: %v", err)
		}
	})
	return l
}

// Must gives what a function of the lab made. A program that is not installed
// skips the test, unless KOPANO_DOCTOR_CI=1: there nothing may be skipped.
func Must[T any](t testing.TB, made T, err error) T {
	t.Helper()
	var missing *lab.ErrNotInstalled
	switch {
	case err == nil:
	case errors.As(err, &missing) && os.Getenv("KOPANO_DOCTOR_CI") != "1":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	return made
}
