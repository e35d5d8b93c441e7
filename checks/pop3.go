package checks

import (
	"bufio"
	"context"
	"strings"
)

// POP3Reasons lists what the POP3 check tells apart.
func POP3Reasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonNotPOP3, Greet, "The server that answers does not speak POP3."},
	)
}

// CheckPOP3 reads the greeting of kopano_gateway and takes its leave.
func CheckPOP3(ctx context.Context, t Target) Result {
	c := newMailboxClimb(t, "pop3", "pop3s")
	return c.run(ctx, func(in *bufio.Reader) (string, *failure) {
		greeting, f := c.line(ctx, in, Greet)
		if f != nil {
			return "", f
		}
		if !strings.HasPrefix(greeting, "+OK") {
			f := &failure{Greet, ReasonNotPOP3, c.address + " does not greet as POP3 does" + answered([]byte(greeting)), nil}
			return "", c.broke(f, "Another kind of server answers where POP3 is expected", c.target.Edge.Locations(),
				"Publish port 110 of kopano_gateway, and look what its log says.")
		}
		_, _ = c.wire.Write([]byte("QUIT\r\n"))
		return "POP3 server greets", nil
	})
}
