package lab_test

import (
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func TestPostfixTrustsOnlyWhenTold(t *testing.T) {
	l := labtest.New(t)
	for _, trusts := range []bool{false, true} {
		address := labtest.MustStart(t, l.Postfix, lab.PostfixOptions{Users: []string{"postmaster@example.org"}, Trusts: trusts})
		got := converse(t, address, "EHLO test", "MAIL FROM:<>", "RCPT TO:<postmaster@example.org>", "RCPT TO:<nobody@example.org>", "RCPT TO:<x@example.net>", "QUIT")
		want := []string{"220 mail.example.org", "250 ", "250 ", "250 ", "550 ", "554 ", "221 "}
		if trusts {
			want[5] = "250 "
		}
		for i, w := range want {
			if !strings.HasPrefix(got[i], w) {
				t.Errorf("trusts %v: reply %d is %q, want %s", trusts, i, got[i], w)
			}
		}
	}
}
