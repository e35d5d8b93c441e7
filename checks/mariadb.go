package checks

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Reasons of the MariaDB check.
const (
	ReasonHostBlocked   Reason = "host-blocked"
	ReasonHostDenied    Reason = "host-not-allowed"
	ReasonDatabase      Reason = "database-denied"
	ReasonNoDatabase    Reason = "no-such-database"
	ReasonNoPrivilege   Reason = "no-privilege"
	ReasonLoginRefused  Reason = "login-refused"
	ReasonEmptyDB       Reason = "empty-database"
	ReasonForeignDB     Reason = "foreign-database"
	ReasonTablesMissing Reason = "tables-missing"
	ReasonSchemaNewer   Reason = "schema-newer"
	ReasonSchemaOlder   Reason = "schema-too-old"
	ReasonDowngrade     Reason = "downgrade"
	ReasonUpgrade       Reason = "upgrade-ahead" // an info
	ReasonTableDamaged  Reason = "table-damaged"
	ReasonEngine        Reason = "wrong-engine"
	ReasonAttachments   Reason = "attachment-storage"
	ReasonThreadStack   Reason = "thread-stack"
	ReasonReadOnly      Reason = "read-only"
	ReasonRecovery      Reason = "force-recovery"     // a warning where the server still takes changes
	ReasonPacket        Reason = "max-allowed-packet" // a warning
	ReasonCharset       Reason = "charset"            // a warning
	ReasonConnections   Reason = "connections-short"  // a warning
	ReasonNumbers       Reason = "numbers-run-out"    // a warning
	ReasonMemory        Reason = "small-buffer-pool"  // an info
	ReasonServerEOL     Reason = "server-eol"         // a warning
	ReasonQueryFailed   Reason = "query-failed"
)

// MariaDBReasons lists what the MariaDB check tells apart.
func MariaDBReasons() []ReasonDoc {
	return append(networkReasons(),
		ReasonDoc{ReasonTooMany, Greet, "Every connection that the server allows is in use."},
		ReasonDoc{ReasonHostBlocked, Greet, "The server blocks this client after too many broken connections."},
		ReasonDoc{ReasonHostDenied, Greet, "The server takes no logins from this client's address."},
		ReasonDoc{ReasonTLSRequired, Authenticate, "The server takes no logins over an unencrypted connection."},
		ReasonDoc{ReasonCredentials, Authenticate, "The user or the password is wrong; the server does not say which."},
		ReasonDoc{ReasonDatabase, Authenticate, "The user may not use the database, or there is none of that name."},
		ReasonDoc{ReasonNoDatabase, Authenticate, "There is no database of that name."},
		ReasonDoc{ReasonLoginRefused, Authenticate, "The login was refused for another reason."},
		ReasonDoc{ReasonEmptyDB, Ask, "The database has no tables: kopano_server has never filled it."},
		ReasonDoc{ReasonForeignDB, Ask, "The database belongs to another program."},
		ReasonDoc{ReasonTablesMissing, Ask, "Some of Kopano's tables are missing."},
		ReasonDoc{ReasonSchemaNewer, Ask, "A newer kopano_server has changed the tables; an older one does not start on them."},
		ReasonDoc{ReasonSchemaOlder, Ask, "The tables are older than any Kopano brings up to date."},
		ReasonDoc{ReasonDowngrade, Ask, "A newer kopano_server than the one of the image has used the database; the older one does not start on it."},
		ReasonDoc{ReasonTableDamaged, Ask, "The server cannot open a table of the database."},
		ReasonDoc{ReasonAttachments, Ask, "attachment_storage is another one than the database says; kopano_server does not start."},
		ReasonDoc{ReasonEngine, Ask, "A table is kept by another engine than InnoDB."},
		ReasonDoc{ReasonThreadStack, Ask, "thread_stack is too small for kopano_server."},
		ReasonDoc{ReasonReadOnly, Ask, "The server takes no changes."},
		ReasonDoc{ReasonRecovery, Ask, "innodb_force_recovery is set; a warning where the server still takes changes."},
		ReasonDoc{ReasonNoPrivilege, Ask, "The user may not read Kopano's tables."},
		ReasonDoc{ReasonQueryFailed, Ask, "A question failed for another reason."},
		ReasonDoc{ReasonPacket, Ask, "max_allowed_packet is smaller than kopano_server wants it; a warning."},
		ReasonDoc{ReasonCharset, Ask, "The tables hold no four-byte characters, such as emoji; a warning."},
		ReasonDoc{ReasonConnections, Ask, "All connections of the server were in use at once, or nearly are; a warning."},
		ReasonDoc{ReasonNumbers, Ask, "A table has used nine tenths of the numbers that its rows can have; a warning."},
		ReasonDoc{ReasonMemory, Ask, "The database is larger than 1 GB and more than eight times the memory for it; an info."},
		ReasonDoc{ReasonUpgrade, Ask, "The image has a newer kopano_server than the last that used the database; an info."},
		ReasonDoc{ReasonServerEOL, Ask, "The server's version gets no security fixes any more; a warning."},
	)
}

// The settings of kopano_server for its database.
const (
	mysqlUser     = "KCCONF_SERVER_MYSQL_USER"
	mysqlPassword = "KCCONF_SERVER_MYSQL_PASSWORD" // #nosec G101 -- the name of a setting
	mysqlDatabase = "KCCONF_SERVER_MYSQL_DATABASE"
)

// CheckMariaDB climbs the ladder of kopano_server to its database: connect,
// read who answers, log in, use the right database, find Kopano's tables in
// the right version, and the server settings that kopano_server needs. It
// sends only SELECT and SHOW.
func CheckMariaDB(ctx context.Context, t Target) Result {
	c := &mariaClimb{climb: newClimb(t, "mariadb"), host: t.Edge.Addr.Host, port: t.Edge.Addr.Port}
	if c.host == "" {
		return c.fail(&failure{Resolve, ReasonNoRoute, "a unix socket is not reachable from this host", nil})
	}
	p, f := dial(ctx, t, c.host, c.port)
	if f != nil {
		if f.status() == Unchecked {
			return c.fail(f)
		}
		return c.fail(f, c.network(f, c.host, c.port))
	}
	defer p.Close()
	c.peer, c.address = p, p.address
	first, f := c.greet(ctx)
	if f != nil {
		return c.fail(f)
	}
	return c.session(ctx, first)
}

type mariaClimb struct {
	*climb
	host   string
	port   int
	peer   *peer
	server serverVersion
	hasTLS bool // the server offers TLS
}

// session logs in over the connection whose greeting was read, and asks.
func (c *mariaClimb) session(ctx context.Context, greeting []byte) Result {
	db, err := c.open(greeting)
	if err != nil {
		return c.fail(&failure{Authenticate, ReasonInternal, "the database driver does not start", err})
	}
	defer db.Close()
	conn, err := c.login(ctx, db)
	if err != nil {
		return c.fail(c.loginFailed(ctx, err))
	}
	defer conn.Close()
	q := &questions{climb: c, conn: conn}
	if f := q.ask(ctx); f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "logged in as %s; %s, Kopano's tables are there (schema %d)", oneLine(c.setting(mysqlUser)), c.server, q.schema)
}

// login logs in, unless this password was refused before. A server that lets
// the user in only with TLS has not refused the password.
func (c *mariaClimb) login(ctx context.Context, db *sql.DB) (conn *sql.Conn, err error) {
	c.peer.rung(ctx, c.target)
	key := c.target.loginKey("mysql", net.JoinHostPort(c.host, strconv.Itoa(c.port)), c.setting(mysqlUser), c.setting(mysqlPassword))
	err = c.target.Logins.Login(ctx, key, accessDenied, func(afterGood bool) error {
		if afterGood {
			c.peer.rung(ctx, c.target)
		}
		conn, err = db.Conn(ctx)
		if accessDenied(err) && c.onlyWithTLS(ctx) {
			return errOnlyWithTLS
		}
		return err
	})
	return conn, err
}

var errOnlyWithTLS = errors.New("the login is refused without TLS and taken with it")

// accessDenied reports a refusal that may count against the account.
func accessDenied(err error) bool {
	var refusal *mysql.MySQLError
	return errors.As(err, &refusal) && (refusal.Number == errAccessDenied || refusal.Number == errAccessDeniedPlugin)
}

// config is the login that kopano_server makes.
func (c *mariaClimb) config() *mysql.Config {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(c.host, strconv.Itoa(c.port))
	config.User, config.Passwd, config.DBName = c.setting(mysqlUser), c.setting(mysqlPassword), c.setting(mysqlDatabase)
	config.Logger = &mysql.NopLogger{}
	config.AllowNativePasswords = true
	config.CheckConnLiveness = false
	return config
}

// open makes a pool of one connection: the one that is open already. When the
// driver wants another, it gets none, so that a lost connection ends the check.
func (c *mariaClimb) open(greeting []byte) (*sql.DB, error) {
	config := c.config()
	used := false
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		if used {
			return nil, errLost
		}
		used = true
		return &replayConn{Conn: c.peer, first: greeting}, nil
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

var errLost = errors.New("the connection is lost")

// onlyWithTLS tries a refused login once more, with TLS: MariaDB refuses a
// login without TLS, where it wants one, in the words of a wrong password. The
// certificate does not matter, since nothing is read.
func (c *mariaClimb) onlyWithTLS(ctx context.Context) bool {
	if !c.hasTLS {
		return false
	}
	config := c.config()
	config.TLS = &tls.Config{InsecureSkipVerify: true} // #nosec G402 -- see above
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		p, f := dial(ctx, c.target, c.host, c.port)
		if f != nil {
			return nil, f
		}
		p.rung(ctx, c.target)
		return &replayConn{Conn: p}, nil
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, c.target.timeout())
	defer cancel()
	conn, err := connector.Connect(ctx)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (c *mariaClimb) setting(key string) string {
	if c.target.Edge.From == nil {
		return ""
	}
	v, _ := c.target.Edge.From.Get(key)
	return v.Reveal()
}

// replayConn gives bytes that were read already once more. Its deadlines are the
// check's, not the driver's.
type replayConn struct {
	net.Conn
	first []byte
}

func (r *replayConn) Read(b []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

func (r *replayConn) SetDeadline(time.Time) error      { return nil }
func (r *replayConn) SetReadDeadline(time.Time) error  { return nil }
func (r *replayConn) SetWriteDeadline(time.Time) error { return nil }

// loginFailed judges a login that was refused.
func (c *mariaClimb) loginFailed(ctx context.Context, err error) *failure {
	if errors.Is(err, errOnlyWithTLS) {
		user := oneLine(c.setting(mysqlUser))
		return c.tlsRequired(&failure{Authenticate, ReasonTLSRequired, fmt.Sprintf("%s refuses the login of %s without TLS, and lets it in with TLS", c.peer.address, user), err})
	}
	var refusal *mysql.MySQLError
	if !errors.As(err, &refusal) {
		return c.lost(ctx, err, Authenticate)
	}
	from := c.target.Edge.From
	user, database := oneLine(c.setting(mysqlUser)), oneLine(c.setting(mysqlDatabase))
	f := &failure{Authenticate, ReasonLoginRefused, fmt.Sprintf("%s refuses the login of %s: %s", c.peer.address, user, serverWords(refusal)), err}
	switch refusal.Number {
	case errAccessDenied, errAccessDeniedPlugin:
		f.Reason, c.final = ReasonCredentials, !c.target.Settling()
		f.Message += NotTriedAgain(err)
		places := append(valuesLocations(from, mysqlPassword, mysqlUser), c.otherEnd(mysqlPassword)...)
		return c.broke(f, places, fmt.Sprintf("%s does not let %s in", c.to(c.host), c.from()), c.credentialsRemedy())
	case errDatabaseDenied:
		f.Reason = ReasonDatabase
		f.Message += "; the server says the same when there is no database of this name"
		places := append(valuesLocations(from, mysqlDatabase, mysqlUser), c.otherEnd(mysqlDatabase)...)
		return c.broke(f, places, fmt.Sprintf("%s may not use the database %s", user, database), c.grantRemedy(database, user))
	case errUnknownDatabase:
		f.Reason = ReasonNoDatabase
		places := append(valuesLocations(from, mysqlDatabase), c.otherEnd(mysqlDatabase)...)
		return c.broke(f, places, fmt.Sprintf("There is no database %s", database), c.grantRemedy(database, user))
	case errSecureTransport:
		return c.tlsRequired(f)
	}
	return c.greetingRefused(f, refusal.Number)
}

// tlsRequired: kopano_server has no setting for TLS to its database.
func (c *mariaClimb) tlsRequired(f *failure) *failure {
	user := oneLine(c.setting(mysqlUser))
	f.Reason = ReasonTLSRequired
	return c.broke(f, valuesLocations(c.target.Edge.From, "KCCONF_SERVER_MYSQL_HOST"), c.to(c.host)+" takes no logins without TLS",
		fmt.Sprintf("kopano_server uses no TLS to its database. Turn require_secure_transport off on %s (SET GLOBAL require_secure_transport=OFF), and the user's own demand (ALTER USER '%s'@'%%' REQUIRE NONE), where the way there is safe.", c.to(c.host), user))
}

// lost says why a conversation broke off.
func (c *mariaClimb) lost(ctx context.Context, err error, at Rung) *failure {
	f := readFailure(ctx, err, at, c.peer, c.target.timeout())
	if errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, errLost) {
		f = &failure{at, ReasonClosed, c.peer.address + " closed the connection", err}
	}
	if f.status() == Broken {
		c.found = append(c.found, c.network(f, c.host, c.port))
	}
	return f
}

// otherEnd gives the places of the setting from which the database's image
// made user, password or database.
func (c *mariaClimb) otherEnd(key string) []finding.Location {
	to := c.target.Edge.To
	if name, ok := c.otherKey(key); ok {
		v, _ := to.Get(name)
		return related(v.Locations())
	}
	return nil
}

func (c *mariaClimb) otherKey(key string) (string, bool) {
	to := c.target.Edge.To
	if to == nil {
		return "", false
	}
	for _, pair := range c.target.Edge.Link.Same {
		root := strings.Contains(pair.To, "ROOT")
		if pair.From != key || root != (c.setting(mysqlUser) == "root") && key == mysqlPassword {
			continue
		}
		for _, name := range []string{pair.To, pair.ToAlso} {
			if _, ok := to.Get(name); ok && name != "" {
				return name, true
			}
		}
	}
	return "", false
}

func (c *mariaClimb) credentialsRemedy() string {
	from := c.target.Edge.From
	mine := written(from, mysqlPassword)
	name, bundled := c.otherKey(mysqlPassword)
	if !bundled {
		return fmt.Sprintf("Correct %s and %s: the server says the same for a wrong user and a wrong password.", mine, written(from, mysqlUser))
	}
	to := c.target.Edge.To
	if v, _ := to.Get(name); v.Reveal() != c.setting(mysqlPassword) {
		return fmt.Sprintf("Give %s and %s the same value: the password that the database had at its first start.", mine, written(to, name))
	}
	return fmt.Sprintf("%s takes its password from the settings only at its first start; its volume still has the old one. Write the old password into %s, or set the new one in the database: docker compose exec %s mariadb -u root -p, then ALTER USER '%s'@'%%' IDENTIFIED BY '…'.",
		to.Name, mine, to.Name, oneLine(c.setting(mysqlUser)))
}

func (c *mariaClimb) grantRemedy(database, user string) string {
	return fmt.Sprintf("Correct %s, or make the database on %s: CREATE DATABASE `%s`; GRANT ALL ON `%s`.* TO '%s'@'%%';",
		written(c.target.Edge.From, mysqlDatabase), c.to(c.host), database, database, user)
}

// broke adds a finding for the failure and gives the failure.
func (c *mariaClimb) broke(f *failure, places []finding.Location, title, remedy string) *failure {
	c.found = append(c.found, c.finding(f.Reason, places, title, f.Message, remedy))
	return f
}
