package checks

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What kopano-core wants of the server's settings.
const (
	minThreadStack = 262144   // it ends at start below this (ECServer.cpp)
	minPacket      = 16776192 // it warns below this (database.hpp)
)

// InnoDB takes no changes from this innodb_force_recovery on: as MariaDB 10.11
// answers; MySQL, "Forcing InnoDB Recovery".
const (
	mariaRecoveryReadOnly = 5
	mysqlRecoveryReadOnly = 1
)

// nearlyAll is how much of a supply may be used before it is told, in percent.
const nearlyAll = 90

// variables reads the server's settings that matter.
func (q *questions) variables(ctx context.Context) error {
	have, err := q.pairs(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'thread_stack', 'read_only', 'innodb_read_only', 'innodb_force_recovery', 'innodb_buffer_pool_size', 'max_connections')")
	if err != nil {
		return err
	}
	q.have = have
	q.judgeChanges()
	q.judgeSizes()
	return nil
}

// pairs reads an answer of names and values; the names are in small letters.
func (q *questions) pairs(ctx context.Context, query string) (map[string]string, error) {
	rows, err := q.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := map[string]string{}
	for rows.Next() && len(have) < maxRows {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		have[strings.ToLower(name)] = value
	}
	return have, rows.Err()
}

// judgeChanges: does the server take changes?
func (q *questions) judgeChanges() {
	to := q.to()
	level, _ := number(q.have["innodb_force_recovery"])
	switch {
	case level > 0:
		q.recovery(level)
	case turnedOn(q.have["innodb_read_only"]):
		q.broke(ReasonReadOnly, q.serverPlaces(), "The database takes no changes",
			"innodb_read_only is on at "+to, fmt.Sprintf("Take innodb_read_only out of the settings of %s and restart it.", to))
	case turnedOn(q.have["read_only"]):
		q.broke(ReasonReadOnly, q.serverPlaces(), "The database takes no changes",
			fmt.Sprintf("read_only is on at %s: it is a replica, or was set so by hand", to),
			"Write the address of the primary server into KCCONF_SERVER_MYSQL_HOST, or run SET GLOBAL read_only=OFF if this is the one.")
	}
}

func turnedOn(v string) bool {
	v = strings.ToUpper(v)
	return v != "" && v != "OFF" && v != "0"
}

// recovery: the setting with which a damaged database is made to start once,
// for a dump; it is easily forgotten.
func (q *questions) recovery(level int64) {
	to := q.to()
	message := fmt.Sprintf("innodb_force_recovery is %d on %s, which is for saving what can be saved of a damaged database", level, to)
	remedy := fmt.Sprintf("Dump the database now if that was not done. Then take innodb_force_recovery out of the settings of %s and restart it; if it does not start without, restore the dump into a new database.", to)
	const title = "The database runs in its emergency mode"
	limit := int64(mysqlRecoveryReadOnly)
	if q.climb.server.MariaDB {
		limit = mariaRecoveryReadOnly
	}
	if level >= limit {
		q.broke(ReasonRecovery, q.serverPlaces(), title, message+": it takes no changes", remedy)
		return
	}
	q.warn(ReasonRecovery, title, message, "Damage spreads without being noticed, and mail may be lost.", remedy)
}

// judgeSizes: stack and packets.
func (q *questions) judgeSizes() {
	c, to := q.climb, q.to()
	if n, ok := number(q.have["thread_stack"]); ok && n < minThreadStack && c.usesProcedures() {
		q.broke(ReasonThreadStack, q.serverPlaces(), "thread_stack of the database is too small",
			fmt.Sprintf("thread_stack is %d on %s; kopano_server wants at least %d and does not start", n, to, minThreadStack), q.startWith("thread_stack", fmt.Sprint(minThreadStack)))
	}
	if n, ok := number(q.have["max_allowed_packet"]); ok && n < minPacket {
		q.warn(ReasonPacket, "max_allowed_packet of the database is small",
			fmt.Sprintf("max_allowed_packet is %d on %s; kopano_server wants at least %d", n, to, minPacket),
			"Large mails and contacts may not be saved.", q.startWith("max_allowed_packet", fmt.Sprint(16<<20)))
	}
}

// startWith is the remedy for a setting of the server.
func (q *questions) startWith(setting, value string) string {
	return fmt.Sprintf("Start %s with --%s=%s (command: in the compose file), or write it below [mysqld] into a .cnf file of the server.", q.to(), setting, value)
}

// usesProcedures: the size of thread_stack matters only with stored
// procedures, which are on unless turned off (ECServer.cpp).
func (c *mariaClimb) usesProcedures() bool {
	value := c.setting("KCCONF_SERVER_ENABLE_SQL_PROCEDURES")
	return value == "" || switchedOn(value)
}

// counters asks whether there are connections enough: each thread of
// kopano_server keeps one of its own. The servers' own counter of clients
// turned away stays 0 in MariaDB; the most that were open at once do not.
func (q *questions) counters(ctx context.Context) error {
	have, err := q.pairs(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Max_used_connections', 'Threads_connected', 'Uptime')")
	if err != nil {
		return err
	}
	limit, ok := number(q.have["max_connections"])
	if !ok || limit <= 0 {
		return nil
	}
	most, _ := number(have["max_used_connections"])
	open, _ := number(have["threads_connected"])
	uptime, _ := number(have["uptime"])
	const consequence = "kopano_server gets no connection at busy times: mail is late, and users see errors."
	remedy := q.startWith("max_connections", fmt.Sprint(2*limit)) + " If other programs use the server too, look who holds the connections: SHOW PROCESSLIST."
	switch {
	case most >= limit:
		q.warn(ReasonConnections, "The connections to the database ran out",
			fmt.Sprintf("all %d connections to %s were in use at once in the last %s, since it was started; others are turned away then", limit, q.to(), since(uptime)), consequence, remedy)
	case open*100 >= limit*nearlyAll:
		q.warn(ReasonConnections, "The database has hardly a connection left",
			fmt.Sprintf("%d of %d connections to %s are in use", open, limit, q.to()), consequence, remedy)
	}
	return nil
}

// since puts a time in seconds into words, roughly.
func since(seconds int64) string {
	switch d := time.Duration(seconds) * time.Second; {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	default:
		return fmt.Sprintf("%d minutes", int(d.Minutes())+1)
	}
}

func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
