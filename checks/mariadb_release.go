package checks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// version reads which releases have used the database. kopano_server compares
// its own release with the highest one there, and does not start when that is
// newer, even if the tables are the same (ECDatabase::UpdateDatabase).
func (q *questions) version(ctx context.Context) error {
	var release coreRelease
	err := q.conn.QueryRowContext(ctx, "SELECT major, minor, micro, databaserevision FROM versions ORDER BY major DESC, minor DESC, micro DESC, revision DESC, databaserevision DESC LIMIT 1").
		Scan(&release[0], &release[1], &release[2], &q.schema)
	var refusal *mysql.MySQLError
	switch {
	case errors.Is(err, sql.ErrNoRows):
		q.broke(ReasonTablesMissing, q.databasePlaces(), "The database does not say its version",
			"the table versions is empty", "Restore the database from its backup; a half restored or half made one does not work.")
		return nil
	case errors.As(err, &refusal) && refusal.Number == errUnknownColumn:
		q.tooOld("the tables are older than schema 64") // which brought the column micro
		return nil
	case err != nil:
		return err
	}
	q.judgeRelease(release)
	return nil
}

func (q *questions) judgeRelease(used coreRelease) {
	if q.schema < oldestSchema {
		q.tooOld(fmt.Sprintf("the tables have schema %d, made by release %s", q.schema, used))
		return
	}
	mine, known := q.climb.imageRelease()
	places := append(q.imagePlaces(), related(q.databasePlaces())...)
	switch {
	case known && slices.Compare(used[:], mine[:]) > 0:
		q.broke(ReasonDowngrade, places, fmt.Sprintf("The database is of a newer Kopano than %s", q.climb.from()),
			fmt.Sprintf("kopano_server %s has used the database (schema %d); the image has %s, and does not start on it", used, q.schema, mine),
			fmt.Sprintf("Use an image of kopano_server %s or newer, or restore the backup from before the update.", used))
	case q.schema > newestSchema:
		q.broke(ReasonSchemaNewer, q.databasePlaces(), "The tables are of a newer Kopano",
			fmt.Sprintf("the tables have schema %d, made by release %s; the newest known one is %d", q.schema, used, newestSchema),
			"Use an image of kopano_server that is at least as new as the one that changed the tables, or restore the backup from before.")
	case known && slices.Compare(used[:], mine[:]) < 0:
		q.note(finding.Info, ReasonUpgrade, places, "The next start of Kopano updates the database",
			fmt.Sprintf("kopano_server %s was the last to use the database (schema %d); the image has %s", used, q.schema, mine),
			fmt.Sprintf("After that start there is no way back to %s but the backup.", used),
			fmt.Sprintf("Make a backup of the database before %s starts with the new image.", q.climb.from()))
	}
}

func (q *questions) tooOld(message string) {
	q.broke(ReasonSchemaOlder, q.databasePlaces(), "The tables are too old for this Kopano",
		message+"; kopano_server 8.4 was the last that could bring them up to date",
		"Start kopano_server 8.4 on the database once, after a backup, and then the newer one.")
}

func (q *questions) imagePlaces() []finding.Location {
	if from := q.climb.target.Edge.From; from != nil {
		return []finding.Location{from.Locate("image").As(finding.Fix)}
	}
	return nil
}

// coreRelease is a release of kopano-core: 11, 0, 2.
type coreRelease [3]int

func (r coreRelease) String() string { return fmt.Sprintf("%d.%d.%d", r[0], r[1], r[2]) }

// coreTag is the tag of upstream's images: the version of the packages in it,
// as 11.0.2 or 8.7.85.0.
var coreTag = regexp.MustCompile(`^(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:[.+-].*)?$`)

// imageRelease tells which kopano-core is in the caller's image. Only upstream's
// tags say so; those of a fork may count its own releases.
func (c *climb) imageRelease() (coreRelease, bool) {
	var r coreRelease
	from := c.target.Edge.From
	if from == nil {
		return r, false
	}
	image := kopano.ParseImage(from.Image)
	m := coreTag.FindStringSubmatch(image.Tag)
	if m == nil || !image.Is("kopano/kopano_core", "zokradonh/kopano_core") {
		return r, false
	}
	for i := range r {
		r[i], _ = strconv.Atoi(m[i+1])
	}
	return r, true
}
