package checks

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
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

// A first try that is cut off says nothing about the password, so the next one
// may be wrong for the first time, and the one after it must not be made.
func TestRefusalAfterACutOffTryIsRemembered(t *testing.T) {
	var a Attempts
	var tries atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_ = a.Login(t.Context(), "k", refusedHere, func(bool) error {
				if tries.Add(1) == 1 {
					time.Sleep(5 * time.Millisecond)
					return errors.New("cut off")
				}
				time.Sleep(5 * time.Millisecond)
				return errRefused
			})
		})
	}
	all.Wait()
	if n := tries.Load(); n != 2 {
		t.Errorf("tried %d times, want 2: once cut off, once refused", n)
	}
}

func TestRefusalStaysInLaterRounds(t *testing.T) {
	var a Attempts
	tries := 0
	login := func() error {
		return a.Login(t.Context(), "k", refusedHere, func(bool) error { tries++; return errRefused })
	}
	if err := login(); NotTriedAgain(err) != "" || NotTriedAgain(login()) != "" {
		t.Error("within one round it was said to be an earlier refusal")
	}
	a.Again()
	if err := login(); !errors.Is(err, errRefused) || NotTriedAgain(err) == "" || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

// A password that was good in one round may be wrong in the next.
func TestPasswordThatTurnsBadIsTriedOnce(t *testing.T) {
	var a Attempts
	var tries atomic.Int32
	answer := error(nil)
	round := func() {
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_ = a.Login(t.Context(), "k", refusedHere, func(bool) error { tries.Add(1); time.Sleep(time.Millisecond); return answer })
			})
		}
		all.Wait()
	}
	round()
	answer = errRefused
	a.Again()
	round()
	if n := tries.Load(); n != 11 {
		t.Errorf("tried %d times, want 10 good ones and 1 bad one", n)
	}
}

func TestLoginsToAnotherContainerAreOthers(t *testing.T) {
	at := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	key := func(id string, age time.Duration) string {
		return Target{
			Edge:   &kopano.Edge{To: &deployment.Service{Name: "db"}},
			Engine: &engine.Snapshot{At: at, Containers: []engine.Container{{ID: id, Service: "db", State: engine.Running, Started: at.Add(-age)}}},
		}.loginKey("account")
	}
	old := key("a", time.Hour)
	if old != key("a", 2*time.Hour) {
		t.Error("the same container is another one later")
	}
	if old == key("b", time.Hour) || old == key("a", 10*time.Second) {
		t.Error("a container that was made anew, or has just been started, is tried no more")
	}
	if (Target{}).loginKey("account") != "account" {
		t.Error("without an engine the account is all there is")
	}
}
