package checks

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// How much is read from one peer in all. An honest answer to what the checks
// ask is far below this; a hostile one ends here.
const maxReceived = 4 << 20

// errTooMuch is what a peer that sends without end runs into.
var errTooMuch = errors.New("the other end sent more than 4 MB")

// peer is an open connection that remembers the first bytes it received, to
// tell what really answered, and reads a limited amount.
type peer struct {
	net.Conn
	address string // as a person would write it: "127.0.0.1:3306 (db:3306)"
	stop    func() bool

	mu       sync.Mutex
	received int
	first    []byte
}

// maxFirst is how many of the first bytes are remembered.
const maxFirst = 512

// newPeer ties the connection to the context: when that ends, every read and
// write ends.
func newPeer(ctx context.Context, conn net.Conn, address string) *peer {
	p := &peer{Conn: conn, address: address}
	p.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return p
}

// Read reads, remembers the first bytes and stops at maxReceived.
func (p *peer) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if room := maxFirst - len(p.first); room > 0 {
		p.first = append(p.first, b[:min(n, room)]...)
	}
	if p.received += n; p.received > maxReceived {
		return n, errTooMuch
	}
	return n, err
}

// Close closes the connection.
func (p *peer) Close() error {
	p.stop()
	return p.Conn.Close()
}

// start gives the first bytes that the other end sent, at most 512.
func (p *peer) start() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]byte(nil), p.first...)
}

// rung gives a new rung its time: the deadline of ctx or the target's timeout,
// whichever is earlier.
func (p *peer) rung(ctx context.Context, t Target) {
	deadline := time.Now().Add(t.timeout())
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if ctx.Err() == nil {
		_ = p.SetDeadline(deadline)
	}
}
