package checks

import (
	"context"
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// When the memory for a database is told to be small. MariaDB keeps 128 MB
// when nobody sets it, whatever the size of the data ("InnoDB System Variables",
// innodb_buffer_pool_size). What is in daily use of a mailbox, its newest mails
// and the lists of its folders, is a part of it; an eighth is a low guess, so
// that nobody is told who would not notice.
const (
	largeDatabase = 1 << 30 // bytes
	memoryShare   = 8
)

// sizes compares the tables with the memory that the server has for them.
func (q *questions) sizes(ctx context.Context) error {
	pool, ok := number(q.have["innodb_buffer_pool_size"])
	if !ok || pool <= 0 {
		return nil
	}
	var size int64
	err := q.conn.QueryRowContext(ctx, "SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS SIGNED) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&size)
	if err != nil || size < largeDatabase || size/memoryShare < pool {
		return err
	}
	q.note(finding.Info, ReasonMemory, q.serverPlaces(), "The database has little memory for its size",
		fmt.Sprintf("the tables take %s, and innodb_buffer_pool_size of %s is %s", inMegabytes(size), q.to(), inMegabytes(pool)),
		"Opening folders and searching is slow, since the database reads from the disk again and again.",
		q.startWith("innodb_buffer_pool_size", fmt.Sprintf("%dM", size/4>>20))+" That is a quarter of the data; the machine must have as much memory free.")
	return nil
}

func inMegabytes(n int64) string { return fmt.Sprintf("%d MB", n>>20) }

// numbers looks whether a table runs out of numbers for its rows. Kopano numbers
// objects and changes with 32 bits (ECDBDef.h) and gives no number twice.
func (q *questions) numbers(ctx context.Context) error {
	short, err := q.strings(ctx, fmt.Sprintf(`SELECT t.table_name FROM information_schema.tables t
JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE t.table_schema = DATABASE() AND c.extra LIKE '%%auto_increment%%' AND c.data_type = 'int'
AND t.auto_increment > IF(c.column_type LIKE '%%unsigned%%', 4294967295, 2147483647) / 100 * %d ORDER BY t.table_name`, nearlyAll))
	if err != nil || len(short) == 0 {
		return err
	}
	q.warn(ReasonNumbers, "A table runs out of numbers",
		fmt.Sprintf("nine tenths of the numbers that rows can have are used up in %s", someOf(short)),
		"When the last one is used, nothing new is stored: mail is not delivered.",
		"Plan a move of the mailboxes into a new database (kopano-backup), which counts from the beginning.")
	return nil
}
