package checks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// What kopano-core wants of its database.
const (
	newestSchema   = 118      // the last schema of the last release, 11.0.2 (ECDBDef.h)
	minThreadStack = 262144   // the server ends at start below this (ECServer.cpp)
	minPacket      = 16776192 // it warns below this (database.hpp)
	maxRows        = 2000     // no honest answer has more
)

// kopanoTables are the tables of every schema (ECDatabaseMySQL.cpp).
var kopanoTables = []string{
	"abchanges", "acl", "changes", "deferredupdate", "hierarchy", "indexedproperties", "lob", "mvproperties", "names",
	"object", "objectmvproperty", "objectproperty", "objectrelation", "outgoingqueue", "properties", "receivefolder",
	"searchresults", "settings", "singleinstances", "stores", "syncedmessages", "syncs", "tproperties", "users", "versions",
}

// questions are what is asked after the login.
type questions struct {
	climb  *mariaClimb
	conn   *sql.Conn
	ours   bool // the tables are Kopano's
	schema int
	first  *failure // the first that breaks the link; further ones only add findings
}

// ask asks everything; the failure is the first thing that breaks the link.
func (q *questions) ask(ctx context.Context) *failure {
	for _, step := range []func(context.Context) error{q.tables, q.version, q.engines, q.variables, q.charset} {
		q.climb.peer.rung(ctx, q.climb.target)
		if err := step(ctx); err != nil {
			return q.failed(ctx, err)
		}
		if !q.ours {
			return q.first // nothing more to ask
		}
	}
	q.life()
	return q.first
}

func (q *questions) failed(ctx context.Context, err error) *failure {
	c := q.climb
	var refusal *mysql.MySQLError
	if !errors.As(err, &refusal) {
		return c.lost(ctx, err, Ask)
	}
	f := &failure{Ask, ReasonQueryFailed, fmt.Sprintf("%s answers a question with %s", c.peer.address, serverWords(refusal)), err}
	user, database := oneLine(c.setting(mysqlUser)), oneLine(c.setting(mysqlDatabase))
	places := valuesLocations(c.target.Edge.From, mysqlUser, mysqlDatabase)
	if refusal.Number == errTableDenied || refusal.Number == errColumnDenied {
		f.Reason = ReasonNoPrivilege
		return c.broke(f, places, user+" may not read Kopano's tables",
			fmt.Sprintf("Give it the rights on %s: GRANT ALL ON `%s`.* TO '%s'@'%%';", c.to(c.host), database, user))
	}
	return c.broke(f, places, "The database does not answer a simple question", fmt.Sprintf("Look what the log of %s says (docker compose logs %s).", c.to(c.host), c.to(c.host)))
}

// broke notes what breaks the link.
func (q *questions) broke(reason Reason, places []finding.Location, title, message, remedy string) {
	f := &failure{Ask, reason, message, nil}
	q.climb.broke(f, places, title, remedy)
	if q.first == nil {
		q.first = f
	}
}

// warn notes what will bite.
func (q *questions) warn(reason Reason, title, message, consequence, remedy string) {
	f := q.climb.finding(reason, q.serverPlaces(), title, message, remedy)
	f.Consequence = consequence
	q.climb.warn(finding.Warning, f)
}

// serverPlaces: a server's own settings are made where the service is.
func (q *questions) serverPlaces() []finding.Location {
	e := q.climb.target.Edge
	if e.To != nil {
		return append([]finding.Location{e.To.At.As(finding.Fix)}, related(e.Locations())...)
	}
	return e.Locations()
}

func (q *questions) databasePlaces() []finding.Location {
	return append(valuesLocations(q.climb.target.Edge.From, mysqlDatabase), q.climb.otherEnd(mysqlDatabase)...)
}

func (q *questions) strings(ctx context.Context, query string) ([]string, error) {
	rows, err := q.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() && len(out) < maxRows {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// tables looks whether the database is Kopano's.
func (q *questions) tables(ctx context.Context) error {
	c := q.climb
	have, err := q.strings(ctx, "SELECT LOWER(table_name) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'")
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range kopanoTables {
		if !slices.Contains(have, name) {
			missing = append(missing, name)
		}
	}
	database := oneLine(c.setting(mysqlDatabase))
	switch {
	case len(have) == 0:
		q.broke(ReasonEmptyDB, q.databasePlaces(), fmt.Sprintf("The database %s is empty", database),
			fmt.Sprintf("the login works, and %s has no tables: kopano_server makes them at its first start, or they are in another database", database),
			fmt.Sprintf("If the deployment was never started, start it: docker compose up -d. If it was, look whether %s names the right database and %s still mounts its old volume.", written(c.target.Edge.From, mysqlDatabase), c.to(c.host)))
	case len(missing) > len(kopanoTables)/2:
		q.broke(ReasonForeignDB, q.databasePlaces(), fmt.Sprintf("The database %s belongs to another program", database),
			fmt.Sprintf("%s has %d tables (%s …), and %d of Kopano's %d are missing", database, len(have), oneLine(have[0]), len(missing), len(kopanoTables)),
			fmt.Sprintf("Write the name of Kopano's database into %s; Kopano needs one of its own.", written(c.target.Edge.From, mysqlDatabase)))
	case len(missing) > 0:
		q.broke(ReasonTablesMissing, q.databasePlaces(), "Some of Kopano's tables are missing",
			fmt.Sprintf("%s lacks %s", database, strings.Join(missing, ", ")), "Restore the database from its backup; a half restored or half made one does not work.")
		q.ours = !slices.Contains(missing, "versions") && !slices.Contains(missing, "settings")
	default:
		q.ours = true
	}
	return nil
}

// version reads who last changed the tables.
func (q *questions) version(ctx context.Context) error {
	var release string
	var schema int
	// Tables older than schema 64 have no column micro; they are far too old for every image.
	err := q.conn.QueryRowContext(ctx, "SELECT CONCAT_WS('.', major, minor, micro), databaserevision FROM versions ORDER BY databaserevision DESC LIMIT 1").Scan(&release, &schema)
	if errors.Is(err, sql.ErrNoRows) {
		q.broke(ReasonTablesMissing, q.databasePlaces(), "The database does not say its version",
			"the table versions is empty", "Restore the database from its backup; a half restored or half made one does not work.")
		return nil
	}
	if err != nil {
		return err
	}
	q.schema = schema
	if schema > newestSchema {
		q.broke(ReasonSchemaNewer, q.databasePlaces(), "The tables are of a newer Kopano",
			fmt.Sprintf("the tables have schema %d, made by release %s; the newest known one is %d", schema, oneLine(release), newestSchema),
			"Use an image of kopano_server that is at least as new as the one that changed the tables, or restore the backup from before.")
	}
	return nil
}

// engines: kopano_server ends at start when a table is not InnoDB's (ECServer.cpp).
func (q *questions) engines(ctx context.Context) error {
	other, err := q.strings(ctx, "SELECT CONCAT(table_name, ' (', engine, ')') FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'")
	if err != nil || len(other) == 0 {
		return err
	}
	q.broke(ReasonEngine, q.databasePlaces(), "A table is not kept by InnoDB",
		"kopano_server does not start with tables of another engine: "+strings.Join(other[:min(len(other), 3)], ", "),
		"Convert each of them after a backup: ALTER TABLE … ENGINE=InnoDB.")
	return nil
}

// variables reads the server's settings that matter.
func (q *questions) variables(ctx context.Context) error {
	rows, err := q.conn.QueryContext(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'thread_stack', 'read_only')")
	if err != nil {
		return err
	}
	defer rows.Close()
	have := map[string]string{}
	for rows.Next() && len(have) < maxRows {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return err
		}
		have[strings.ToLower(name)] = value
	}
	q.judge(have)
	return rows.Err()
}

func (q *questions) judge(have map[string]string) {
	c := q.climb
	to := c.to(c.host)
	how := fmt.Sprintf("Start %s with --%%s=%%d (command: in the compose file), or write it below [mysqld] into a .cnf file of the server.", to)
	if n, ok := number(have["thread_stack"]); ok && n < minThreadStack && c.usesProcedures() {
		q.broke(ReasonThreadStack, q.serverPlaces(), "thread_stack of the database is too small",
			fmt.Sprintf("thread_stack is %d on %s; kopano_server wants at least %d and does not start", n, to, minThreadStack), fmt.Sprintf(how, "thread_stack", minThreadStack))
	}
	if v := strings.ToUpper(have["read_only"]); v != "" && v != "OFF" && v != "0" {
		q.broke(ReasonReadOnly, q.serverPlaces(), "The database takes no changes",
			fmt.Sprintf("read_only is on at %s: it is a replica, or was set so by hand", to),
			"Write the address of the primary server into KCCONF_SERVER_MYSQL_HOST, or run SET GLOBAL read_only=OFF if this is the one.")
	}
	if n, ok := number(have["max_allowed_packet"]); ok && n < minPacket {
		q.warn(ReasonPacket, "max_allowed_packet of the database is small",
			fmt.Sprintf("max_allowed_packet is %d on %s; kopano_server wants at least %d", n, to, minPacket),
			"Large mails and contacts may not be saved.", fmt.Sprintf(how, "max_allowed_packet", 16<<20))
	}
}

// usesProcedures: the size of thread_stack matters only with stored
// procedures, which are on unless turned off (ECServer.cpp).
func (c *mariaClimb) usesProcedures() bool {
	value := c.setting("KCCONF_SERVER_ENABLE_SQL_PROCEDURES")
	return value == "" || switchedOn(value)
}

func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// charset reads in which character set Kopano made its tables.
func (q *questions) charset(ctx context.Context) error {
	var value string
	err := q.conn.QueryRowContext(ctx, "SELECT CONVERT(value USING utf8) FROM settings WHERE name = 'charset'").Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		value = "utf8"
	} else if err != nil {
		return err
	}
	if value = oneLine(value); value != "utf8mb4" {
		q.warn(ReasonCharset, "The database holds no emoji",
			fmt.Sprintf("the tables use the character set %s instead of utf8mb4", value),
			"Emoji and rare characters in subjects and names are lost.",
			"Make a backup, then run kopano-dbadm usmp in the container of kopano_server.")
	}
	return nil
}

// life warns of a server without security fixes.
func (q *questions) life() {
	c := q.climb
	end, known := c.server.endOfLife()
	if known && c.target.now().After(end) {
		q.warn(ReasonServerEOL, fmt.Sprintf("%s gets no security fixes any more", c.server),
			fmt.Sprintf("%s runs %s; its maintenance ended on %s", c.to(c.host), c.server, end.Format("2006-01-02")),
			"Holes that become known stay open.",
			"Make a backup, shut the database down cleanly, and go to the next maintained release step by step, with mariadb-upgrade after each.")
	}
}
