package checks_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

const databasePassword = "Rw6bUj9tCm3zXe7nKv2yDq5g"

func checkMariaDB(s *scene) checks.Result {
	return s.run(checks.CheckMariaDB, "server-database", "kopano_server")
}

// database starts a MariaDB that fits the bundled deployment.
func database(t *testing.T, l *lab.Lab, o lab.MariaDBOptions) *lab.MariaDB {
	t.Helper()
	if o.Password == "" {
		o.Password = databasePassword
	}
	return labtest.MustStart(t, l.StartMariaDB, o)
}

func mariadbBroken(rung checks.Rung, reason checks.Reason, at, says string) expect {
	return expect{rung: rung, reason: reason, id: "live-mariadb-" + string(reason), at: at, says: says}
}

var kopanoSchema = expect{status: checks.OK, rung: checks.Ask, message: "Kopano's tables are there (schema 118)"}

// One server; each fault is made in it, or in the deployment, and taken back.
func TestMariaDBOneFault(t *testing.T) {
	l := labtest.New(t)
	server := database(t, l, lab.MariaDBOptions{Certificate: serverLeaf(t)})
	exec := func(statements ...string) {
		t.Helper()
		labtest.Check(t, server.Exec(statements...))
	}
	exec("CREATE DATABASE other", "CREATE TABLE other.wp_posts (id INT) ENGINE=InnoDB", "GRANT ALL ON other.* TO 'kopano'@'%'",
		"CREATE DATABASE nothing", "GRANT ALL ON nothing.* TO 'kopano'@'%'",
		"CREATE USER 'global'@'%' IDENTIFIED BY '"+databasePassword+"'", "GRANT ALL ON *.* TO 'global'@'%'",
		"CREATE USER 'reader'@'%' IDENTIFIED BY '"+databasePassword+"'", "GRANT SELECT ON kopano.users TO 'reader'@'%'")
	password := "MYSQL_PASSWORD=" + databasePassword
	name := func(db string) func(*scene) { return set(".env", "MYSQL_DATABASE=kopano", "MYSQL_DATABASE="+db) }
	user := func(u string) func(*scene) { return set(".env", "MYSQL_USER=kopano", "MYSQL_USER="+u) }
	for _, c := range []struct {
		name        string
		edit        func(*scene)
		break_, fix []string
		expect      expect
	}{
		{name: "nothing wrong", expect: kopanoSchema},
		{name: "password", edit: set(".env", password, "MYSQL_PASSWORD=something-else"),
			expect: mariadbBroken(checks.Authenticate, checks.ReasonCredentials, "MYSQL_PASSWORD=", "1045")},
		{name: "unknown user", edit: user("copano"), expect: mariadbBroken(checks.Authenticate, checks.ReasonCredentials, "MYSQL_PASSWORD=", "copano")},
		{name: "a database that the user may not use", edit: name("mysql"),
			expect: mariadbBroken(checks.Authenticate, checks.ReasonDatabase, "MYSQL_DATABASE=", "1044")},
		{name: "no such database, for a user who may see all", edit: both(user("global"), name("kopanodb")),
			expect: mariadbBroken(checks.Authenticate, checks.ReasonNoDatabase, "MYSQL_DATABASE=", "1049")},
		{name: "an empty database", edit: name("nothing"), expect: mariadbBroken(checks.Ask, checks.ReasonEmptyDB, "MYSQL_DATABASE=", "no tables")},
		{name: "another program's database", edit: name("other"), expect: mariadbBroken(checks.Ask, checks.ReasonForeignDB, "MYSQL_DATABASE=", "wp_posts")},
		{name: "a user who may read nearly nothing", edit: user("reader"), expect: mariadbBroken(checks.Ask, checks.ReasonForeignDB, "MYSQL_DATABASE=", "1 tables")},
		{name: "schema of a newer Kopano", edit: set(".env", "CORE_VERSION=11.0.2", "CORE_VERSION=latest"),
			break_: []string{"INSERT INTO kopano.versions VALUES (12, 0, 0, 0, 119, NOW())"},
			fix:    []string{"DELETE FROM kopano.versions WHERE databaserevision = 119"},
			expect: mariadbBroken(checks.Ask, checks.ReasonSchemaNewer, "MYSQL_DATABASE=", "schema 119, made by release 12.0.0")},
		{name: "tables that nothing brings up to date", break_: []string{"RENAME TABLE kopano.versions TO other.versions",
			"CREATE TABLE kopano.versions (major INT, minor INT, revision INT, databaserevision INT, updatetime DATETIME)"},
			fix:    []string{"DROP TABLE kopano.versions", "RENAME TABLE other.versions TO kopano.versions"},
			expect: mariadbBroken(checks.Ask, checks.ReasonSchemaOlder, "MYSQL_DATABASE=", "older than schema 64")},
		{name: "an image older than the database", edit: set(".env", "CORE_VERSION=11.0.2", "CORE_VERSION=10.0.7"),
			expect: mariadbBroken(checks.Ask, checks.ReasonDowngrade, "  image:", "kopano_server 11.0.2 has used the database (schema 118); the image has 10.0.7")},
		{name: "an image newer than the database", edit: set(".env", "CORE_VERSION=11.0.2", "CORE_VERSION=11.1.0"),
			expect: expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-upgrade-ahead", at: "  image:", says: "11.0.2 was the last"}},
		{name: "an image that does not say its release", edit: set(".env", "CORE_VERSION=11.0.2", "CORE_VERSION=latest"), expect: kopanoSchema},
		{name: "attachments kept another way", edit: attachmentStorage("s3"),
			expect: mariadbBroken(checks.Ask, checks.ReasonAttachments, "KCCONF_SERVER_ATTACHMENT_STORAGE=", "kept with files_v2")},
		{name: "attachments kept as before", edit: attachmentStorage("files_v2"), expect: kopanoSchema},
		{name: "attachments as they were", edit: attachmentStorage("auto"), expect: kopanoSchema},
		{name: "restored with a smaller character set", break_: []string{"ALTER TABLE kopano.properties CONVERT TO CHARACTER SET utf8mb3"},
			fix:    []string{"ALTER TABLE kopano.properties CONVERT TO CHARACTER SET utf8mb4"},
			expect: expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-charset", at: "  db:", says: "properties (utf8mb3)"}},
		{name: "numbers used up", break_: []string{"ALTER TABLE kopano.changes AUTO_INCREMENT = 3900000000"}, fix: []string{"ALTER TABLE kopano.changes AUTO_INCREMENT = 1"},
			expect: expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-numbers-run-out", at: "  db:", says: "used up in changes"}},
		{name: "a table of another engine", break_: []string{"ALTER TABLE kopano.acl ENGINE=MyISAM"}, fix: []string{"ALTER TABLE kopano.acl ENGINE=InnoDB"},
			expect: mariadbBroken(checks.Ask, checks.ReasonEngine, "MYSQL_DATABASE=", "acl (MyISAM)")},
		{name: "a missing table", break_: []string{"RENAME TABLE kopano.lob TO other.lob"}, fix: []string{"RENAME TABLE other.lob TO kopano.lob"},
			expect: mariadbBroken(checks.Ask, checks.ReasonTablesMissing, "MYSQL_DATABASE=", "lacks lob")},
		{name: "no version", break_: []string{"CREATE TABLE other.versions AS SELECT * FROM kopano.versions", "DELETE FROM kopano.versions"},
			fix:    []string{"INSERT INTO kopano.versions SELECT * FROM other.versions"},
			expect: mariadbBroken(checks.Ask, checks.ReasonTablesMissing, "MYSQL_DATABASE=", "versions is empty")},
		{name: "read only", break_: []string{"SET GLOBAL read_only=ON"}, fix: []string{"SET GLOBAL read_only=OFF"},
			expect: mariadbBroken(checks.Ask, checks.ReasonReadOnly, "  db:", "read_only")},
		{name: "an old character set", break_: []string{"UPDATE kopano.settings SET value='utf8' WHERE name='charset'"},
			fix:    []string{"UPDATE kopano.settings SET value='utf8mb4' WHERE name='charset'"},
			expect: expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-charset", at: "  db:", says: "utf8 instead of utf8mb4"}},
		{name: "small packets", break_: []string{"SET GLOBAL max_allowed_packet=1048576"}, fix: []string{"SET GLOBAL max_allowed_packet=16777216"},
			expect: expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-max-allowed-packet", at: "  db:", says: "1048576"}},
		{name: "TLS required", break_: []string{"SET GLOBAL require_secure_transport=ON"}, fix: []string{"SET GLOBAL require_secure_transport=OFF"},
			expect: mariadbBroken(checks.Authenticate, checks.ReasonTLSRequired, "MYSQL_HOST=", "lets it in with TLS")},
		{name: "TLS required of this user", break_: []string{"ALTER USER 'kopano'@'%' REQUIRE SSL"}, fix: []string{"ALTER USER 'kopano'@'%' REQUIRE NONE"},
			expect: mariadbBroken(checks.Authenticate, checks.ReasonTLSRequired, "MYSQL_HOST=", "lets it in with TLS")},
		{name: "a locked account", break_: []string{"ALTER USER 'kopano'@'%' ACCOUNT LOCK"}, fix: []string{"ALTER USER 'kopano'@'%' ACCOUNT UNLOCK"},
			expect: mariadbBroken(checks.Authenticate, checks.ReasonLoginRefused, "MYSQL_USER=", "locked")},
		{name: "no connection left for the user", break_: []string{"ALTER USER 'kopano'@'%' WITH MAX_CONNECTIONS_PER_HOUR 1", "FLUSH PRIVILEGES"},
			fix:    []string{"ALTER USER 'kopano'@'%' WITH MAX_CONNECTIONS_PER_HOUR 0", "FLUSH USER_RESOURCES"},
			expect: mariadbBroken(checks.Authenticate, checks.ReasonTooMany, "MYSQL_HOST=", "1226")},
		{name: "once more nothing wrong", expect: kopanoSchema},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.pin("db:3306", server.Address)
			if c.edit != nil {
				c.edit(s)
			}
			exec(c.break_...)
			defer exec(c.fix...)
			if c.expect.reason == checks.ReasonTooMany {
				s.run(checks.CheckMariaDB, "server-database", "kopano_server") // uses up the one that is allowed
			}
			r := checkMariaDB(s)
			s.want(r, c.expect)
			noSecrets(t, r)
		})
	}
}

func attachmentStorage(value string) func(*scene) {
	return serverSetting("KCCONF_SERVER_ATTACHMENT_STORAGE=" + value)
}

func serverLeaf(t *testing.T) *lab.Leaf {
	t.Helper()
	ca, err := lab.NewCA("Lab")
	labtest.Check(t, err)
	leaf, err := ca.Issue(lab.LeafOptions{})
	labtest.Check(t, err)
	return leaf
}

// Faults that need a server of their own.
func TestMariaDBSettingsOfTheServer(t *testing.T) {
	s := newScene(t)
	server := database(t, s.lab, lab.MariaDBOptions{Settings: []string{"thread_stack=196608", "max_connections=10"}})
	s.pin("db:3306", server.Address)
	r := checkMariaDB(s)
	s.want(r, mariadbBroken(checks.Ask, checks.ReasonThreadStack, "  db:", "thread_stack is 196608"))
	s.edit("kopano_server.env", "# Settings", "KCCONF_SERVER_ENABLE_SQL_PROCEDURES=no\n# Settings")
	s.want(checkMariaDB(s), kopanoSchema)

	release := useUpConnections(t, server)
	s.want(checkMariaDB(s), mariadbBroken(checks.Authenticate, checks.ReasonTooMany, "MYSQL_HOST=", "1040"))
	release()
	s.want(checkMariaDB(s), expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-connections-short", at: "  db:", says: "all 10 connections"})

	// Nobody may log in from here any more.
	labtest.Check(t, server.Exec("RENAME USER 'kopano'@'%' TO 'kopano'@'10.%'",
		"DELETE FROM mysql.global_priv WHERE Host NOT IN ('localhost', '10.%')", "FLUSH PRIVILEGES"))
	s.want(checkMariaDB(s), mariadbBroken(checks.Greet, checks.ReasonHostDenied, "MYSQL_HOST=", "1130"))
}

// A server that recovers: it is told apart from one that only reads.
func TestMariaDBRecovery(t *testing.T) {
	for level, want := range map[string]expect{
		"1": {status: checks.OK, rung: checks.Ask, id: "live-mariadb-force-recovery", at: "  db:", says: "innodb_force_recovery is 1"},
		"5": mariadbBroken(checks.Ask, checks.ReasonRecovery, "  db:", "it takes no changes"),
	} {
		t.Run(level, func(t *testing.T) {
			s := newScene(t)
			server := database(t, s.lab, lab.MariaDBOptions{})
			labtest.Check(t, server.Restart("innodb_force_recovery="+level))
			s.pin("db:3306", server.Address)
			s.want(checkMariaDB(s), want)
			_, err := connectTo(t, server).Exec("INSERT INTO stores (user_id) VALUES (9)")
			if (err != nil) != (want.status != checks.OK) {
				t.Errorf("the server says of a change: %v", err)
			}
		})
	}
}

func connectTo(t *testing.T, m *lab.MariaDB) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s", m.User, m.Password, m.Address, m.Database))
	labtest.Check(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// A table whose file is gone, after a restart.
func TestMariaDBDamagedTable(t *testing.T) {
	s := newScene(t)
	server := database(t, s.lab, lab.MariaDBOptions{})
	server.Stop()
	labtest.Check(t, os.Remove(server.TableFile("lob")))
	labtest.Check(t, server.Restart())
	s.pin("db:3306", server.Address)
	s.want(checkMariaDB(s), mariadbBroken(checks.Ask, checks.ReasonTableDamaged, "  db:", "lob"))
}

// The server believes its own statistics, which it reads at its start.
func TestMariaDBMemory(t *testing.T) {
	s := newScene(t)
	server := database(t, s.lab, lab.MariaDBOptions{})
	s.pin("db:3306", server.Address)
	tooSmall := expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-small-buffer-pool", at: "  db:", says: "of db is 32 MB"}
	for _, c := range []struct {
		pages, pool int
		want        expect
	}{{100000, 32, tooSmall}, {60000, 32, kopanoSchema}, {100000, 256, kopanoSchema}} {
		labtest.Check(t, server.Exec(fmt.Sprintf("REPLACE INTO mysql.innodb_table_stats VALUES ('kopano', 'lob', NOW(), 1, %d, 0)", c.pages)))
		labtest.Check(t, server.Restart(fmt.Sprintf("innodb_buffer_pool_size=%dM", c.pool)))
		s.want(checkMariaDB(s), c.want)
	}
}

// Each client counts, also before the last connection is gone.
func TestMariaDBConnectionsNearlyGone(t *testing.T) {
	s := newScene(t)
	server := database(t, s.lab, lab.MariaDBOptions{Settings: []string{"max_connections=10"}})
	s.pin("db:3306", server.Address)
	db := connectTo(t, server)
	for range 8 {
		conn, err := db.Conn(context.Background())
		labtest.Check(t, err)
		defer conn.Close()
	}
	s.want(checkMariaDB(s), expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-connections-short", at: "  db:", says: "9 of 10 connections"})
}

// useUpConnections holds every connection that the server allows: the one more
// that it keeps for its administrator is of no use to others.
func useUpConnections(t *testing.T, m *lab.MariaDB) (release func()) {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s", m.User, m.Password, m.Address, m.Database))
	labtest.Check(t, err)
	var held []*sql.Conn
	refused := 0
	for range 60 {
		conn, err := db.Conn(context.Background())
		if err == nil {
			held, refused = append(held, conn), 0
			continue
		}
		if !strings.Contains(err.Error(), "1040") && !strings.Contains(err.Error(), "Too many") {
			t.Fatal(err)
		}
		// The check before this may not have been seen to leave yet.
		if refused++; refused < 4 {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		return func() {
			for _, conn := range held {
				conn.Close()
			}
			db.Close()
			untilFree(t, m)
		}
	}
	t.Fatal("the server has no end of connections")
	return nil
}

// untilFree waits until the server has noticed that connections are closed.
func untilFree(t *testing.T, m *lab.MariaDB) {
	t.Helper()
	for range 100 {
		again, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s", m.User, m.Password, m.Address, m.Database))
		labtest.Check(t, err)
		err = again.Ping()
		again.Close()
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "1040") {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the connections are still in use")
}

// The clock of the run decides what is out of maintenance.
func TestMariaDBEndOfLife(t *testing.T) {
	s := newScene(t)
	s.pin("db:3306", database(t, s.lab, lab.MariaDBOptions{}).Address)
	s.want(checkMariaDB(s), kopanoSchema)
	s.now = func() time.Time { return time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC) }
	s.want(checkMariaDB(s), expect{status: checks.OK, rung: checks.Ask, id: "live-mariadb-server-eol", at: "  db:", says: "MariaDB 1"})
}

func TestMariaDBVolumeOlderThanPassword(t *testing.T) {
	s := newScene(t)
	s.pin("db:3306", database(t, s.lab, lab.MariaDBOptions{Password: "database-secret"}).Address)
	r := checkMariaDB(s)
	s.want(r, mariadbBroken(checks.Authenticate, checks.ReasonCredentials, "MYSQL_PASSWORD=", "1045"))
	if f := findingOf(r, "live-mariadb-bad-credentials"); !strings.Contains(f.Remedy, "only at its first start") {
		t.Errorf("remedy: %s", f.Remedy)
	}
	s.edit("docker-compose.db.yml", "MYSQL_PASSWORD: ${MYSQL_PASSWORD}", "MYSQL_PASSWORD: database-secret")
	f := findingOf(checkMariaDB(s), "live-mariadb-bad-credentials")
	if f == nil || !strings.Contains(f.Remedy, "Give MYSQL_PASSWORD in .env and MYSQL_PASSWORD of db the same value") {
		t.Errorf("%+v", f)
	}
	var files []string
	for _, l := range f.Locations {
		files = append(files, l.File)
	}
	if !slices.Contains(files, "docker-compose.db.yml") {
		t.Errorf("the other end is not named: %v", files)
	}
}

// The server counts the logins that it refuses.
func TestMariaDBWrongPasswordIsTriedOnce(t *testing.T) {
	s := newScene(t)
	server := database(t, s.lab, lab.MariaDBOptions{Password: "database-secret"})
	s.pin("db:3306", server.Address)
	target := s.target("server-database", "kopano_server")
	target.Logins = &checks.Attempts{}
	for round := range 3 {
		r := checks.CheckMariaDB(t.Context(), target)
		s.want(r, mariadbBroken(checks.Authenticate, checks.ReasonCredentials, "MYSQL_PASSWORD=", "1045"))
		if !r.Final || strings.Contains(r.Findings[0].Message, "not tried again") != (round > 0) {
			t.Errorf("round %d: %+v", round, r)
		}
		target.Logins.Again()
	}
	if n := deniedLogins(t, server); n != 1 {
		t.Errorf("the server refused %d logins, want 1", n)
	}
}

func deniedLogins(t *testing.T, server *lab.MariaDB) (n int) {
	t.Helper()
	db, err := sql.Open("mysql", "kopano:database-secret@tcp("+server.Address+")/kopano")
	labtest.Check(t, err)
	defer db.Close()
	var name string
	labtest.Check(t, db.QueryRow("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'").Scan(&name, &n))
	return n
}

func TestMariaDBIsSomethingElse(t *testing.T) {
	for name, c := range map[string]struct {
		greeting string
		says     string
	}{
		"ssh":         {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "an SSH server answers there"},
		"mail":        {"220 mail.example.org ESMTP Postfix\r\n", "a mail server (SMTP) answers there"},
		"web":         {"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server (HTTP) answers there"},
		"redis":       {"-ERR unknown command\r\n", "Redis"},
		"X protocol":  {"\x05\x00\x00\x00\x0b\x08\x05\x1a\x00", "is no MySQL or MariaDB server"},
		"old version": {"\x06\x00\x00\x00\x093.20\x00", "is no MySQL or MariaDB server"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			address, err := s.lab.Say([]byte(c.greeting))
			labtest.Check(t, err)
			s.pin("db:3306", address)
			s.timeout = time.Second
			s.want(checkMariaDB(s), mariadbBroken(checks.Greet, checks.ReasonWrongServer, "MYSQL_HOST=", c.says))
		})
	}
	t.Run("directory", func(t *testing.T) {
		s := newScene(t)
		s.pin("db:3306", directory(t, s.lab, lab.SlapdOptions{}).Address)
		s.timeout = 500 * time.Millisecond
		s.want(checkMariaDB(s), mariadbBroken(checks.Greet, checks.ReasonSilent, "MYSQL_HOST=", "a database greets first"))
	})
}

// The server's own words of a blocked client; loopback is never blocked by a
// real one.
func TestMariaDBBlocked(t *testing.T) {
	s := newScene(t)
	address, err := s.lab.Say(errorPacket(1129, "Host '172.18.0.5' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'"))
	labtest.Check(t, err)
	s.pin("db:3306", address)
	s.want(checkMariaDB(s), mariadbBroken(checks.Greet, checks.ReasonHostBlocked, "MYSQL_HOST=", "1129"))
}

func errorPacket(number uint16, text string) []byte {
	body := append(binary.LittleEndian.AppendUint16([]byte{0xff}, number), text...)
	return append([]byte{byte(len(body)), byte(len(body) >> 8), 0, 0}, body...)
}

func TestMariaDBUnreachable(t *testing.T) {
	s := newScene(t)
	s.want(checkMariaDB(s), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute, message: "--resolve db:3306=ADDR:PORT"})
	s.pin("db:3306", closedPort(t))
	s.want(checkMariaDB(s), mariadbBroken(checks.Dial, checks.ReasonRefused, "MYSQL_HOST=", "refused"))
	s.edit(".env", "MYSQL_HOST=db", "MYSQL_HOST=sql.nowhere.invalid")
	s.want(checkMariaDB(s), mariadbBroken(checks.Resolve, checks.ReasonNoSuchHost, "MYSQL_HOST=", "sql.nowhere.invalid"))
}

func TestMariaDBBlackHole(t *testing.T) {
	s := newScene(t)
	address, err := s.lab.BlackHole()
	labtest.Check(t, err)
	s.pin("db:3306", address)
	s.timeout = 500 * time.Millisecond
	s.want(bounded(s, checks.CheckMariaDB, "server-database", "kopano_server"), mariadbBroken(checks.Greet, checks.ReasonSilent, "MYSQL_HOST=", "500ms"))
}

func TestMariaDBHostile(t *testing.T) { hostile(t, "db:3306", checkMariaDB) }

// A server that greets well and then misbehaves.
func TestMariaDBMalformedAnswers(t *testing.T) {
	greeting := "\x59\x00\x00\x00\x0a10.11.6-MariaDB\x00\x01\x00\x00\x00abcdefgh\x00\xfe\xf7\x2d\x02\x00\xff\x81\x15" +
		strings.Repeat("\x00", 6) + "\x1d\x00\x00\x00abcdefghijkl\x00mysql_native_password\x00"
	greeting = string([]byte{byte(len(greeting) - 4), 0, 0, 0}) + greeting[4:]
	for name, answer := range map[string]string{
		"nothing":            "",
		"half a packet":      "\x07\x00\x00\x02\x00",
		"out of order":       "\x07\x00\x00\x09\x00\x00\x00\x02\x00\x00\x00",
		"empty packet":       "\x00\x00\x00\x02",
		"ok, then no end":    "\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00",
		"unknown plugin":     "\x0c\x00\x00\x02\xfeno_such_pl",
		"local infile":       "\x08\x00\x00\x02\xfb/etc/pa",
		"clear text, please": "\x18\x00\x00\x02\xfemysql_clear_password\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			leaked := false
			address, err := s.lab.Serve(func(c net.Conn) {
				_, _ = c.Write([]byte(greeting))
				buffer := make([]byte, 4096)
				for {
					n, err := c.Read(buffer)
					leaked = leaked || strings.Contains(string(buffer[:n]), databasePassword)
					if err != nil {
						return
					}
					_, _ = c.Write([]byte(answer))
				}
			})
			labtest.Check(t, err)
			s.pin("db:3306", address)
			s.timeout = 400 * time.Millisecond
			if r := bounded(s, checks.CheckMariaDB, "server-database", "kopano_server"); r.Status != checks.Broken {
				t.Errorf("got %s: %s", r.Status, r.Message)
			}
			labtest.Check(t, s.lab.Close())
			if leaked {
				t.Error("the password was sent in clear")
			}
		})
	}
}
