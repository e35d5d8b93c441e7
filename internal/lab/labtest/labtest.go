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

// MustStart starts a server: MustStart(t, l.StartSlapd, options). A program that is not installed,
// or that only root can start, skips the test, unless KOPANO_DOCTOR_CI=1: there nothing may be skipped.
func MustStart[O, S any](t testing.TB, start func(O) (S, error), options O) S {
	t.Helper()
	made, err := start(options)
	Check(t, err)
	return made
}

// Check ends the test on an error of the lab, as MustStart does.
func Check(t testing.TB, err error) {
	t.Helper()
	var missing *lab.ErrNotInstalled
	switch {
	case err == nil:
	case (errors.As(err, &missing) || errors.Is(err, lab.ErrNeedsRoot)) && os.Getenv("KOPANO_DOCTOR_CI") != "1":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}
