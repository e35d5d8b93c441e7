package lab_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// converse sends lines and gives the last line of each reply, the greeting's first.
func converse(t *testing.T, address string, lines ...string) []string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewScanner(conn)
	read := func() string {
		for in.Scan() {
			if line := in.Text(); len(line) < 4 || line[3] != '-' {
				return line
			}
		}
		t.Fatalf("no reply: %v", in.Err())
		return ""
	}
	replies := []string{read()}
	for _, line := range lines {
		fmt.Fprintf(conn, "%s\r\n", line)
		replies = append(replies, read())
	}
	return replies
}

func TestDovecotTakesOnlyItsUsers(t *testing.T) {
	l := labtest.New(t)
	address := labtest.MustStart(t, l.Dovecot, lab.DovecotOptions{Users: []string{"postmaster@example.org"}})
	got := converse(t, address, "LHLO test", "MAIL FROM:<>", "RCPT TO:<postmaster@example.org>", "RCPT TO:<nobody@example.org>", "QUIT")
	for i, want := range []string{"220 ", "250 ", "250 ", "250 ", "550 ", "221 "} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("reply %d is %q, want %s", i, got[i], want)
		}
	}
}

func TestDagentRepliesAsTheRealOne(t *testing.T) {
	l := labtest.New(t)
	address := labtest.MustStart(t, l.Dagent, lab.DagentOptions{Users: map[string]bool{"postmaster@example.org": true}})
	got := converse(t, address, "EHLO test", "LHLO test", "MAIL FROM:<>", "RCPT TO:<postmaster@example.org>", "RCPT TO:<nobody@example.org>", "RSET", "QUIT")
	want := []string{"220 2.1.5 LMTP server is ready", "555 5.5.4 Command not recognized", "250 SMTPUTF8", "250 2.1.0 Ok",
		"250 2.1.5 Ok", "503 5.1.1 User does not exist", "250 2.1.0 Ok", "221 2.0.0 Bye"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("reply %d is %q, want %q", i, got[i], want[i])
		}
	}
}
