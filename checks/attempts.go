package checks

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/engine"
)

// Attempts makes sure that a wrong password is tried only once, however many
// links use it and however often they are looked at: directories lock an
// account after a few wrong logins (Active Directory's "account lockout
// threshold", OpenLDAP's ppolicy pwdMaxFailure). A nil *Attempts tries every
// time.
type Attempts struct {
	mu       sync.Mutex
	round    int
	accounts map[string]*account
}

// account is what is known of one login. Whoever holds the gate may read and
// write the rest.
type account struct {
	gate    chan struct{}
	good    int   // the round in which the server let it in last, counted from 1
	refused error // for good
	when    int   // the round in which it was refused
}

// Again begins another round. What was refused stays so; what was let in has to
// prove itself again before many use it at once, since a password may have
// changed in between.
func (a *Attempts) Again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.round++
}

// Login calls login, unless the same login was refused before: then it gives
// that refusal again, see NotTriedAgain. The key names server, account and
// password; it is never printed. Whether an error is a refusal of the password
// is for refused to say. Until the server has let one in, logins go one by one,
// and the others wait, until ctx ends: a first one that got no answer tells
// nothing about the password. login is told whether it comes after one that the
// server let in, so that the time of the wait need not count against the server.
func (a *Attempts) Login(ctx context.Context, key string, refused func(error) bool, login func(afterGood bool) error) error {
	if a == nil {
		return login(false)
	}
	one, round := a.account(key)
	if err := one.enter(ctx); err != nil {
		return err
	}
	switch {
	case one.refused != nil:
		defer one.leave()
		if one.when < round {
			return &notTriedAgain{one.refused}
		}
		return one.refused
	case one.good == round:
		one.leave()
		err := login(true)
		if err != nil && refused(err) {
			// It must be written down even when the time is over.
			_ = one.enter(context.WithoutCancel(ctx))
			one.refused, one.when = err, round
			one.leave()
		}
		return err
	}
	defer one.leave()
	err := login(false)
	switch {
	case err == nil:
		one.good = round
	case refused(err):
		one.refused, one.when = err, round
	}
	return err
}

func (a *Attempts) account(key string) (*account, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accounts == nil {
		a.accounts = map[string]*account{}
	}
	if a.accounts[key] == nil {
		a.accounts[key] = &account{gate: make(chan struct{}, 1)}
	}
	return a.accounts[key], a.round + 1
}

func (one *account) enter(ctx context.Context) error {
	select {
	case one.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (one *account) leave() { <-one.gate }

// notTriedAgain is a refusal of an earlier round.
type notTriedAgain struct{ refusal error }

func (n *notTriedAgain) Error() string { return n.refusal.Error() }
func (n *notTriedAgain) Unwrap() error { return n.refusal }

// NotTriedAgain says, for the end of a message, that err is a refusal of an
// earlier round, and is "" otherwise.
func NotTriedAgain(err error) string {
	var n *notTriedAgain
	if errors.As(err, &n) {
		return "; not tried again, so as not to lock the account"
	}
	return ""
}

// firstMinute is how long a server may take to fill itself after its very first
// start. The images of OpenLDAP and MariaDB make their accounts then, and
// refuse them until they are made.
const firstMinute = time.Minute

// loginKey names a login for Attempts: the account's parts, and the container
// that it is tried on. A container that was made anew may have another
// password, and one in its first minute may not have the account yet, so it is
// tried once more after that.
func (t Target) loginKey(parts ...string) string {
	if t.Edge != nil && t.Edge.To != nil && t.Engine != nil {
		var ids []string
		for _, c := range t.Engine.Of(t.Edge.To.Name) {
			ids = append(ids, c.ID)
			if inFirstMinute(t.Engine, c) {
				ids = append(ids, "new")
			}
		}
		slices.Sort(ids)
		parts = append(parts, ids...)
	}
	return strings.Join(parts, "\x00")
}

// Settling reports whether a container of the service that the link leads to is
// in its first minute: a login that it refuses now may be taken later.
func (t Target) Settling() bool {
	if t.Edge == nil || t.Edge.To == nil || t.Engine == nil {
		return false
	}
	return slices.ContainsFunc(t.Engine.Of(t.Edge.To.Name), func(c engine.Container) bool { return inFirstMinute(t.Engine, c) })
}

func inFirstMinute(s *engine.Snapshot, c engine.Container) bool {
	return c.State == engine.Running && !c.Started.IsZero() && s.At.Sub(c.Started) < firstMinute
}
