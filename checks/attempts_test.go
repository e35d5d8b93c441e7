package checks

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var errRefused = errors.New("refused")

func refusedHere(err error) bool { return errors.Is(err, errRefused) }

func TestWrongPasswordIsTriedOnce(t *testing.T) {
	var a Attempts
	var tries atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			err := a.Login(t.Context(), "server dn password", refusedHere, func(bool) error {
				tries.Add(1)
				time.Sleep(5 * time.Millisecond)
				return errRefused
			})
			if !errors.Is(err, errRefused) {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if n := tries.Load(); n != 1 {
		t.Errorf("tried %d times", n)
	}
}

func TestGoodPasswordIsUsedByEveryLink(t *testing.T) {
	var a Attempts
	tries := 0
	for range 3 {
		if err := a.Login(t.Context(), "k", refusedHere, func(bool) error { tries++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if tries != 3 {
		t.Errorf("logged in %d times, want 3: every link has a connection of its own", tries)
	}
}

func TestWaitingForTheFirstAttemptEnds(t *testing.T) {
	var a Attempts
	release, started := make(chan struct{}), make(chan struct{})
	go func() {
		_ = a.Login(t.Context(), "k", refusedHere, func(bool) error { close(started); <-release; return nil })
	}()
	<-started
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := a.Login(ctx, "k", refusedHere, func(bool) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
