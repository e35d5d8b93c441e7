package lab_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func TestSlapd(t *testing.T) {
	l := labtest.New(t)
	s := labtest.MustStart(t, l.StartSlapd, lab.SlapdOptions{})
	conn, err := ldap.DialURL("ldap://" + s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(s.BindDN, s.BindPassword); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]int{
		"(objectClass=posixAccount)": 10, "(&(kopanoAccount=1)(mail=*))": 9, "(objectClass=kopano-group)": 2,
		"(objectClass=kopano-company)": 2, "(kopanoAdmin=2)": 1, "(kopanoEnabledFeatures=imap)": 3,
	} {
		r, err := conn.Search(ldap.NewSearchRequest(s.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 10, false, filter, []string{"1.1"}, nil))
		if err != nil || len(r.Entries) != want {
			t.Errorf("%s: %v, %v; want %d entries", filter, r, err, want)
		}
	}
}

// When the lab closes, nothing listens any more and nothing is left on disk,
// also when a process ignores the polite signal and has children.
func TestCloseLeavesNothing(t *testing.T) {
	l, err := lab.New()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := l.Folder("stubborn")
	if err != nil {
		t.Fatal(err)
	}
	script := `trap "" TERM; sleep 300 & echo $! > child; wait; sleep 300`
	ready := func() error { _, err := os.Stat(dir + "/child"); return err }
	p, err := l.Run(dir, nil, ready, "/bin/sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	address, err := l.Say([]byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	open, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	started := time.Now()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 8*time.Second {
		t.Errorf("closing took %s", took)
	}
	p.Stop() // once more does no harm
	if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("something still listens: %v", err)
	}
	if _, err := os.Stat(l.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestFailedStartTellsWhy(t *testing.T) {
	l := labtest.New(t)
	dir, err := l.Folder("bad")
	if err != nil {
		t.Fatal(err)
	}
	never := func() error { return errors.New("not yet") }
	_, err = l.Run(dir, nil, never, "/bin/sh", "-c", "echo the reason is this >&2; exit 3")
	if err == nil || !contains(err, "the reason is this") || !contains(err, "exit status 3") {
		t.Errorf("%v", err)
	}
	var missing *lab.ErrNotInstalled
	if _, err := lab.Find("no-such-program-here", "some-package"); !errors.As(err, &missing) || !contains(err, "apt-get install some-package") {
		t.Errorf("%v", err)
	}
}
