package lab

import (
	"net/http"
	"sync"
)

// Account is one user of the stand-ins, who all ask it. It counts, as a
// directory does that locks people out.
type Account struct {
	Username, Password string

	mu           sync.Mutex
	right, wrong int
}

// Check looks whether user name and password are right, and counts.
func (a *Account) Check(username, password string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if username == a.Username && password == a.Password {
		a.right++
		return true
	}
	a.wrong++
	return false
}

// Tries gives how often the right and a wrong password was tried.
func (a *Account) Tries() (right, wrong int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.right, a.wrong
}

// Basic lets the account in by HTTP's own login, and asks everybody else for one.
func (a *Account) Basic(realm string, in http.Handler) http.Handler {
	ask := Login(realm)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); ok && a.Check(user, password) {
			in.ServeHTTP(w, r)
			return
		}
		ask.ServeHTTP(w, r)
	})
}
