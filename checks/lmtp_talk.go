package checks

import (
	"context"
	"crypto/tls"
	"strings"
	"sync"
	"time"
)

// talk is the conversation: a connection whose deadlines end with the context,
// and that knows which command was sent last.
type talk struct {
	*peer
	ctx context.Context

	mu   sync.Mutex
	sent []string // the first word of each command
}

// SetDeadline keeps the deadline within the context.
func (t *talk) SetDeadline(at time.Time) error {
	if t.ctx.Err() != nil {
		at = time.Unix(1, 0)
	}
	if d, ok := t.ctx.Deadline(); ok && (at.IsZero() || d.Before(at)) {
		at = d
	}
	return t.peer.SetDeadline(at)
}

// Write notes the command.
func (t *talk) Write(b []byte) (int, error) {
	verb, _, _ := strings.Cut(string(b[:min(len(b), 8)]), " ")
	t.mu.Lock()
	t.sent = append(t.sent, strings.TrimSpace(verb))
	t.mu.Unlock()
	return t.peer.Write(b)
}

func (t *talk) hasSent(verb string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.sent {
		if s == verb {
			return true
		}
	}
	return false
}

// leave takes its leave. The library's own Quit says LHLO once more after RSET.
func (c *lmtpClimb) leave(ctx context.Context) {
	t := c.target
	t.Timeout = min(t.timeout(), time.Second)
	c.talk.rung(ctx, t)
	if _, err := c.talk.Write([]byte("QUIT\r\n")); err == nil {
		_, _ = c.talk.Read(make([]byte, maxFirst))
	}
}

// nudge finds out who is silent: a server that waits to be spoken to answers
// a line that it does not know with its own kind of complaint. kopano_dagent
// that waits for kopano_server stays silent.
func (c *lmtpClimb) nudge(ctx context.Context) []byte {
	t := c.target
	t.Timeout = min(t.timeout()/4, time.Second)
	p, f := dial(ctx, t, c.host, c.port)
	if f != nil {
		return nil
	}
	defer p.Close()
	p.rung(ctx, t)
	if _, err := p.Write([]byte("LHLO " + userAgent + "\r\n\r\n")); err != nil {
		return nil
	}
	buffer := make([]byte, maxFirst)
	n, err := p.Read(buffer)
	if n == 0 && err != nil && isClosed(err) && c.speaksTLS(ctx, t) {
		return []byte{0x15, 3, 3} // some say so with an alert, some only hang up
	}
	return buffer[:n]
}

func (c *lmtpClimb) speaksTLS(ctx context.Context, t Target) bool {
	p, f := dial(ctx, t, c.host, c.port)
	if f != nil {
		return false
	}
	defer p.Close()
	_, f = handshake(ctx, t, p, &tls.Config{ServerName: c.host, InsecureSkipVerify: true})
	return f == nil
}
