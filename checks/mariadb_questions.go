package checks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// What kopano-core knows of its tables.
const (
	newestSchema = 118  // the last schema of the last release, 11.0.2 (ECDBDef.h)
	oldestSchema = 63   // releases after 8.4 bring nothing older up to date (ECDatabaseMySQL.cpp)
	maxRows      = 2000 // no honest answer has more
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
	have   map[string]string // the server's settings, by name
	first  *failure          // the first that breaks the link; further ones only add findings
}

// ask asks everything; the failure is the first thing that breaks the link.
func (q *questions) ask(ctx context.Context) *failure {
	for _, step := range []func(context.Context) error{q.tables, q.version, q.engines, q.attachments, q.variables, q.charset,
		unseen(q.counters), unseen(q.sizes), unseen(q.numbers)} {
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

// unseen makes a question that the server need not answer: Kopano itself does
// without.
func unseen(ask func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := ask(ctx)
		var refusal *mysql.MySQLError
		if errors.As(err, &refusal) {
			return nil
		}
		return err
	}
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
	q.note(finding.Warning, reason, q.serverPlaces(), title, message, consequence, remedy)
}

// note adds a finding that does not break the link.
func (q *questions) note(severity finding.Severity, reason Reason, places []finding.Location, title, message, consequence, remedy string) {
	f := q.climb.finding(reason, places, title, message, remedy)
	f.Consequence = consequence
	q.climb.warn(severity, f)
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

// engines looks who keeps the tables. kopano_server ends at start when it is
// not InnoDB (ECServer.cpp); a table that cannot be opened has no engine, and
// the server's words in place of its comment. Only a question for its length
// makes MariaDB open it.
func (q *questions) engines(ctx context.Context) error {
	damaged, err := q.strings(ctx, "SELECT CONCAT(table_name, ': ', table_comment) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine IS NULL AND data_length IS NULL AND table_comment <> ''")
	if err != nil {
		return err
	}
	if len(damaged) > 0 {
		q.broke(ReasonTableDamaged, q.serverPlaces(), "A table of the database cannot be opened",
			"the server says of the table "+someOf(damaged),
			fmt.Sprintf("Copy the database's files away first. Then look into the log of %s (docker compose logs %s); if it does not start clean, restore the backup.", q.to(), q.to()))
	}
	other, err := q.strings(ctx, "SELECT CONCAT(table_name, ' (', engine, ')') FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'")
	if err != nil || len(other) == 0 {
		return err
	}
	q.broke(ReasonEngine, q.databasePlaces(), "A table is not kept by InnoDB",
		"kopano_server does not start with tables of another engine: "+someOf(other),
		"Convert each of them after a backup: ALTER TABLE … ENGINE=InnoDB.")
	return nil
}

// to is the name of the database's service, or of its host.
func (q *questions) to() string { return q.climb.to(q.climb.host) }

// someOf gives the first few of a list, and how many there are more.
func someOf(list []string) string {
	const few = 3
	shown := make([]string, 0, few)
	for _, s := range list[:min(len(list), few)] {
		shown = append(shown, oneLine(s))
	}
	text := strings.Join(shown, ", ")
	if more := len(list) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// attachments compares where the attachments are with where they shall be.
// kopano_server notes it in the table settings, and does not start with another
// one than auto or the noted one (ECServer.cpp).
func (q *questions) attachments(ctx context.Context) error {
	const key = "KCCONF_SERVER_ATTACHMENT_STORAGE"
	wanted := strings.TrimSpace(q.climb.setting(key))
	if wanted == "" || wanted == "auto" || q.ignoresConflict() {
		return nil
	}
	var noted string
	err := q.conn.QueryRowContext(ctx, "SELECT CONVERT(value USING utf8) FROM settings WHERE name = 'attachment_storage'").Scan(&noted)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if noted = oneLine(noted); noted == "" || noted == wanted {
		return nil
	}
	from := q.climb.target.Edge.From
	q.broke(ReasonAttachments, valuesLocations(from, key), "The attachments are not where the settings say",
		fmt.Sprintf("%s says %s, and the database says that the attachments are kept with %s: kopano_server does not start", key, oneLine(wanted), noted),
		fmt.Sprintf("Set %s back to %s: the attachments do not move by themselves.", written(from, key), noted))
	return nil
}

// ignoresConflict: the option with which kopano_server starts all the same.
func (q *questions) ignoresConflict() bool {
	from := q.climb.target.Edge.From
	return from == nil || strings.Contains(strings.Join(append(slices.Clone(from.Command), from.Entrypoint...), " "), "ignore-attachment-storage-conflict")
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
		q.narrow(fmt.Sprintf("the tables use the character set %s instead of utf8mb4", value))
		return nil
	}
	// A dump that was restored with other settings has tables that differ from what Kopano noted.
	columns, err := q.strings(ctx, "SELECT CONCAT(table_name, ' (', character_set_name, ')') FROM information_schema.columns WHERE table_schema = DATABASE() AND column_name = 'val_string' AND table_name IN ('properties', 'tproperties', 'mvproperties') AND character_set_name <> 'utf8mb4' ORDER BY table_name")
	if err == nil && len(columns) > 0 {
		q.narrow("Kopano noted utf8mb4, and these tables use another character set: " + someOf(columns))
	}
	return err
}

func (q *questions) narrow(message string) {
	q.warn(ReasonCharset, "The database holds no emoji", message,
		"Emoji and rare characters in subjects and names are lost.",
		"Make a backup, then run kopano-dbadm usmp in the container of kopano_server.")
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
