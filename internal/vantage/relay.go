package vantage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
)

// The relay is how a container is looked at where it cannot be entered: this
// program runs in a container of its own that shares the network and the
// volumes of the one in question, and passes on what is asked over its standard
// input and output. Each question is one stream of a yamux session: a line of
// JSON, a line of JSON back, then the bytes of the connection or file; of a UDP
// socket the datagrams, each behind its length.

// relayVersion tells programs apart that do not understand each other.
const relayVersion = 1

// maxLine bounds a line of JSON.
const maxLine = 64 << 10

type relayQuestion struct {
	Op      string `json:"op"` // hello, dial, read, stat
	Network string `json:"network,omitempty"`
	Address string `json:"address,omitempty"` // host:port, or a path
	Limit   int64  `json:"limit,omitempty"`
	Time    int64  `json:"time,omitempty"` // milliseconds to dial
}

type relayReply struct {
	Version int           `json:"version,omitempty"`
	Remote  string        `json:"remote,omitempty"` // address that was reached
	Size    int64         `json:"size,omitempty"`   // bytes that follow
	Info    *FileInfo     `json:"info,omitempty"`
	Failure *relayFailure `json:"failure,omitempty"`
}

// failure is an error on its way between two programs.
type relayFailure struct {
	Code     string `json:"code"`
	Text     string `json:"text"`
	Tried    string `json:"tried,omitempty"`
	DNS      bool   `json:"dns,omitempty"`
	Name     string `json:"name,omitempty"`
	NotFound bool   `json:"not_found,omitempty"`
	Late     bool   `json:"late,omitempty"`
}

// codes are the errors that somebody asks for by errors.Is.
var codes = []struct {
	code string
	err  error
}{
	{"no-route", ErrNoRoute}, {"refused", syscall.ECONNREFUSED}, {"reset", syscall.ECONNRESET},
	{"host-unreachable", syscall.EHOSTUNREACH}, {"net-unreachable", syscall.ENETUNREACH}, {"no-address", syscall.EADDRNOTAVAIL},
	{"no-socket", syscall.ENOTSOCK}, {"missing", fs.ErrNotExist}, {"denied", fs.ErrPermission},
	{"too-large", ErrTooLarge}, {"not-regular", errNotRegular}, {"timeout", os.ErrDeadlineExceeded}, {"timeout", context.DeadlineExceeded},
}

func packError(err error) *relayFailure {
	f := &relayFailure{Code: "other", Text: err.Error()}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			f.Code = c.code
			break
		}
	}
	var timeout net.Error
	if f.Code == "other" && errors.As(err, &timeout) && timeout.Timeout() {
		f.Code = "timeout"
	}
	var d *DialError
	if errors.As(err, &d) {
		f.Tried = d.Tried
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		f.DNS, f.Name, f.NotFound, f.Late, f.Text = true, dns.Name, dns.IsNotFound, dns.IsTimeout, dns.Err
	}
	return f
}

func (f *relayFailure) unpack() error {
	var err error = &relayed{f.Text, nil}
	for _, c := range codes {
		if f.Code == c.code {
			err = &relayed{f.Text, c.err}
			break
		}
	}
	switch {
	case f.DNS:
		err = &net.DNSError{Err: f.Text, Name: f.Name, IsNotFound: f.NotFound, IsTimeout: f.Late, IsTemporary: !f.NotFound}
	case f.Code == "no-route":
		return &NoRoute{f.Text}
	}
	return err
}

// relayed is an error that somebody else had.
type relayed struct {
	text string
	err  error
}

func (r *relayed) Error() string { return r.text }
func (r *relayed) Unwrap() error { return r.err }

func relayConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.EnableKeepAlive = false
	c.LogOutput = io.Discard
	c.StreamOpenTimeout = maxDial
	c.StreamCloseTimeout = 10 * time.Second
	return c
}

// Serve answers the questions of a relay until the other end is gone or ctx is
// over. It is what runs in the helper's container.
func Serve(ctx context.Context, conn io.ReadWriteCloser) error {
	session, err := yamux.Server(conn, relayConfig())
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	defer session.Close()
	own := &Container{"the container", here{}}
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return ctx.Err()
		}
		go func() {
			defer stream.Close()
			serve(ctx, own, stream)
		}()
	}
}

func serve(ctx context.Context, own *Container, stream net.Conn) {
	_ = stream.SetReadDeadline(time.Now().Add(maxDial))
	in := bufio.NewReaderSize(stream, maxLine)
	var q relayQuestion
	if readLine(in, &q) != nil {
		return
	}
	_ = stream.SetReadDeadline(time.Time{})
	switch q.Op {
	case "hello":
		_ = writeLine(stream, relayReply{Version: relayVersion})
	case "dial":
		serveDial(ctx, own, q, in, stream)
	case "read":
		data, err := own.read(q.Address, min(q.Limit, 16<<20))
		if err != nil {
			_ = writeLine(stream, relayReply{Failure: packError(err)})
			return
		}
		if writeLine(stream, relayReply{Size: int64(len(data))}) == nil {
			_, _ = stream.Write(data)
		}
	case "stat":
		info, err := own.stat(q.Address)
		if err != nil {
			_ = writeLine(stream, relayReply{Failure: packError(err)})
			return
		}
		_ = writeLine(stream, relayReply{Info: &info})
	default:
		_ = writeLine(stream, relayReply{Failure: &relayFailure{Code: "other", Text: "this version does not know " + q.Op}})
	}
}

func serveDial(ctx context.Context, own *Container, q relayQuestion, in io.Reader, stream net.Conn) {
	dialling, cancel := context.WithTimeout(ctx, time.Duration(q.Time)*time.Millisecond)
	defer cancel()
	var conn net.Conn
	var err error
	if q.Network == "unix" {
		conn, err = own.socket(dialling, q.Address)
	} else {
		conn, err = own.DialContext(dialling, q.Network, q.Address)
	}
	if err != nil {
		_ = writeLine(stream, relayReply{Failure: packError(err)})
		return
	}
	defer conn.Close()
	if writeLine(stream, relayReply{Remote: conn.RemoteAddr().String()}) != nil {
		return
	}
	if protocolOf(q.Network) == "udp" {
		passDatagrams(conn, stream, in)
		return
	}
	// Whichever direction ends first ends the connection, but for what is
	// still on its way to the one who asked.
	go func() {
		_, _ = io.Copy(conn, in)
		_ = conn.Close()
	}()
	_, _ = io.Copy(stream, conn)
}

func readLine(in *bufio.Reader, into any) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, into)
}

func writeLine(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// here is the container in which this program runs itself.
type here struct{}

func (here) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{FallbackDelay: -1}
	return d.DialContext(ctx, network, address)
}

func (here) socket(ctx context.Context, name string) (net.Conn, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return nil, syscall.ENOTSOCK
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", name)
}

func (here) read(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	file, err := os.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAtMost(file, limit)
}

func (here) stat(name string) (FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil {
		return FileInfo{}, err
	}
	return FileInfo{Size: info.Size(), Mode: uint32(info.Mode().Perm()), UID: owner(info), Dir: info.IsDir()}, nil
}

func (here) Close() error { return nil }
