package checks

import (
	"context"
	"sync"
)

// Attempts makes sure that one run tries a wrong password only once, however
// many links use it: directories lock an account after a few wrong logins
// (Active Directory's "account lockout threshold", OpenLDAP's ppolicy
// pwdMaxFailure). A nil *Attempts tries every time.
type Attempts struct {
	mu   sync.Mutex
	made map[string]*attempt
}

type attempt struct {
	done chan struct{}
	err  error
}

// Login calls login, unless the same login was refused before: then it gives
// that refusal again. The key names server, account and password; it is never
// printed. Whether an error is a refusal of the password is for refused to
// say. While the first attempt is under way the others wait for it, until ctx
// ends; login is told whether it comes after one that the server let in, so
// that the time of the wait need not count against the server.
func (a *Attempts) Login(ctx context.Context, key string, refused func(error) bool, login func(afterGood bool) error) error {
	if a == nil {
		return login(false)
	}
	a.mu.Lock()
	first, known := a.made[key]
	if !known {
		if a.made == nil {
			a.made = map[string]*attempt{}
		}
		first = &attempt{done: make(chan struct{})}
		a.made[key] = first
	}
	a.mu.Unlock()
	if !known {
		defer close(first.done)
		first.err = login(false)
		return first.err
	}
	select {
	case <-first.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if refused(first.err) {
		return first.err
	}
	return login(first.err == nil)
}
