package checks

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// The server's error numbers that matter here (MariaDB, "Error Codes").
const (
	errTooManyConnections = 1040
	errDatabaseDenied     = 1044
	errAccessDenied       = 1045
	errUnknownDatabase    = 1049
	errUnknownColumn      = 1054
	errUserConnections    = 1203
	errHostBlocked        = 1129
	errHostNotAllowed     = 1130
	errTableDenied        = 1142
	errColumnDenied       = 1143
	errAccessDeniedPlugin = 1698
	errUserLimit          = 1226
	errSecureTransport    = 3159
	errAccountLocked      = 4151
)

// maxGreeting is more than any server's first packet has.
const maxGreeting = 1024

// greet reads the server's first packet, and gives it for the driver. The
// client says nothing before it (MariaDB, "Connection Phase").
func (c *mariaClimb) greet(ctx context.Context) ([]byte, *failure) {
	c.peer.rung(ctx, c.target)
	packet, err := readPacket(c.peer)
	if err != nil {
		return nil, c.noGreeting(ctx, err)
	}
	body := packet[4:]
	switch {
	case body[0] == 0xff && len(body) >= 3:
		number := binary.LittleEndian.Uint16(body[1:3])
		text := oneLine(strings.TrimPrefix(string(body[3:]), "#08004"))
		f := &failure{Greet, ReasonLoginRefused, fmt.Sprintf("%s greets with error %d: %s", c.peer.address, number, text), nil}
		return nil, c.greetingRefused(f, number)
	case body[0] == 10:
		version, _, ok := bytes.Cut(body[1:], []byte{0})
		if ok && len(version) > 0 {
			c.server = parseServerVersion(string(version))
			c.hasTLS = offersTLS(body[1+len(version)+1:])
			return packet, nil
		}
	}
	return nil, c.notMySQL(errNotMySQL)
}

// offersTLS reads the capabilities of a greeting: after the version come the
// connection's number (4 bytes), the scramble (8), a zero, and the lower half.
func offersTLS(rest []byte) bool {
	const at, clientSSL = 4 + 8 + 1, 1 << 11
	return len(rest) >= at+2 && binary.LittleEndian.Uint16(rest[at:])&clientSSL != 0
}

var errNotMySQL = errors.New("not MySQL")

// readPacket reads one packet: three bytes of length, one of number, the body.
func readPacket(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if length < 2 || length > maxGreeting || head[3] != 0 {
		// It is text, or whatever: what came along with it says who is there.
		rest := make([]byte, maxFirst)
		_, _ = r.Read(rest)
		return nil, errNotMySQL
	}
	packet := append(head, make([]byte, length)...)
	_, err := io.ReadFull(r, packet[4:])
	return packet, err
}

func (c *mariaClimb) noGreeting(ctx context.Context, err error) *failure {
	first := c.peer.start()
	if errors.Is(err, errNotMySQL) || len(first) > 0 && !isMySQLGreeting(first) {
		return c.notMySQL(err)
	}
	f := readFailure(ctx, err, Greet, c.peer, c.target.timeout())
	if f.Reason == ReasonSilent {
		f.Message += "; a database greets first, so something else may listen there, or the server hangs"
	}
	if f.status() == Broken {
		c.found = append(c.found, c.network(f, c.host, c.port))
	}
	return f
}

func (c *mariaClimb) notMySQL(err error) *failure {
	f := &failure{Greet, ReasonWrongServer, c.peer.address + " is no MySQL or MariaDB server" + answered(c.peer.start()), err}
	c.found = append(c.found, c.network(f, c.host, c.port))
	return f
}

// greetingRefused judges refusals that come before or instead of a login.
func (c *mariaClimb) greetingRefused(f *failure, number uint16) *failure {
	to := c.to(c.host)
	places := valuesLocations(c.target.Edge.From, "KCCONF_SERVER_MYSQL_HOST")
	switch number {
	case errTooManyConnections, errUserConnections, errUserLimit:
		f.Reason = ReasonTooMany
		return c.broke(f, places, to+" has no connection left",
			fmt.Sprintf("Raise max_connections on %s, and look who uses them up (SHOW PROCESSLIST). A restart of %s helps for now.", to, to))
	case errHostBlocked:
		f.Reason = ReasonHostBlocked
		return c.broke(f, places, to+" blocks this client",
			fmt.Sprintf("Run FLUSH HOSTS on %s, and find out which client breaks off its connections.", to))
	case errHostNotAllowed:
		f.Reason = ReasonHostDenied
		return c.broke(f, places, to+" takes no logins from this address",
			fmt.Sprintf("Make the user on %s for every address of the deployment's network: '%s'@'%%'. From elsewhere a check sees this, too; then run it on the Docker host.", to, oneLine(c.setting(mysqlUser))))
	case errAccountLocked:
		return c.broke(f, valuesLocations(c.target.Edge.From, mysqlUser), "The database user is locked",
			fmt.Sprintf("Unlock it on %s: ALTER USER '%s'@'%%' ACCOUNT UNLOCK.", to, oneLine(c.setting(mysqlUser))))
	}
	return c.broke(f, places, to+" refuses the login", fmt.Sprintf("Look what the log of %s says (docker compose logs %s).", to, to))
}

// serverWords is a refusal as one line.
func serverWords(e *mysql.MySQLError) string {
	return oneLine(fmt.Sprintf("error %d, %s", e.Number, e.Message))
}
