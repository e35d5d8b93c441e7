package lab

import (
	"context"
	"database/sql"
	_ "embed" // for the tables below
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

//go:embed mariadb/kopano.sql
var kopanoSQL string

// MariaDBOptions say what the database is like. The zero value is a good one.
type MariaDBOptions struct {
	Database    string   // default "kopano"
	User        string   // default "kopano"
	Password    string   // of User; default "database-secret"
	NoTables    bool     // the database is empty
	Settings    []string // further settings: "thread_stack=196608"
	Certificate *Leaf    // offers TLS
	Listen      string   // host:port; default a free port on loopback
}

// MariaDB is a running MariaDB server.
type MariaDB struct {
	*Process
	Address  string // host:port
	Database string
	User     string
	Password string

	socket  string
	restart func(settings []string) (*Process, error)
	dir     string
}

// StartMariaDB starts a MariaDB server whose files are new. The error is an
// *ErrNotInstalled when there is none on this machine.
func (l *Lab) StartMariaDB(o MariaDBOptions) (*MariaDB, error) {
	server, err := Find("mariadbd", "mariadb-server-core")
	if err != nil {
		return nil, err
	}
	install, err := Find("mariadb-install-db", "mariadb-server-core")
	if err != nil {
		return nil, err
	}
	dir, err := l.Folder("db")
	if err != nil {
		return nil, err
	}
	fill(&o.Database, "kopano")
	fill(&o.User, "kopano")
	fill(&o.Password, "database-secret")
	common := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M"}
	if os.Getuid() == 0 {
		common = append(common, "--user=root")
	}
	if err := run(dir, install, append(common, "--auth-root-authentication-method=normal", "--skip-test-db")...); err != nil {
		return nil, err
	}
	m, err := l.runMariaDB(server, dir, common, o)
	if err != nil {
		return nil, err
	}
	return m, m.fill(o)
}

func (l *Lab) runMariaDB(server, dir string, common []string, o MariaDBOptions) (*MariaDB, error) {
	address, err := listenAddress(o.Listen)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	m := &MariaDB{Address: address, Database: o.Database, User: o.User, Password: o.Password, socket: filepath.Join(dir, "s")}
	args := append(common, "--bind-address="+host, "--port="+port, "--socket="+m.socket, "--pid-file="+filepath.Join(dir, "pid"),
		"--tmpdir="+dir, "--skip-name-resolve", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF",
		"--character-set-server=utf8mb4")
	if o.Certificate != nil {
		if err := o.Certificate.Write(dir); err != nil {
			return nil, err
		}
		args = append(args, "--ssl-cert="+filepath.Join(dir, "cert.pem"), "--ssl-key="+filepath.Join(dir, "key.pem"))
	}
	for _, s := range o.Settings {
		args = append(args, "--"+s)
	}
	ready := func() error { return m.Exec("SELECT 1") }
	m.dir, m.restart = dir, func(settings []string) (*Process, error) {
		again := slices.Clone(args)
		for _, s := range settings {
			again = append(again, "--"+s)
		}
		return l.Run(dir, nil, ready, server, again...)
	}
	m.Process, err = m.restart(nil)
	return m, err
}

// Restart stops the server and starts it again, with more settings, on the same
// files and the same address.
func (m *MariaDB) Restart(settings ...string) error {
	m.Stop()
	p, err := m.restart(settings)
	if err == nil {
		m.Process = p
	}
	return err
}

// TableFile gives the file that holds a table of the database.
func (m *MariaDB) TableFile(table string) string {
	return filepath.Join(m.dir, "data", m.Database, table+".ibd")
}

func (m *MariaDB) fill(o MariaDBOptions) error {
	// As the official image does at its first start: a user for every host, with all rights in one database.
	statements := []string{
		"CREATE DATABASE `" + o.Database + "`",
		fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", o.User, strings.ReplaceAll(o.Password, "'", "''")),
		fmt.Sprintf("GRANT ALL ON `%s`.* TO '%s'@'%%'", o.Database, o.User),
	}
	if !o.NoTables {
		statements = append(statements, KopanoTables(o.Database)...)
	}
	return m.Exec(statements...)
}

// KopanoTables gives the statements that make Kopano's tables in a database.
func KopanoTables(database string) []string {
	out := []string{"USE `" + database + "`"}
	for statement := range strings.SplitSeq(kopanoSQL, ";\n") {
		if strings.TrimSpace(statement) != "" {
			out = append(out, statement)
		}
	}
	return out
}

// Exec runs statements as the server's root, in one session.
func (m *MariaDB) Exec(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Timeout = "unix", m.socket, "root", time.Second
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	session, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, s := range statements {
		if _, err := session.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%.60s: %w", strings.TrimSpace(s), err)
		}
	}
	return nil
}
