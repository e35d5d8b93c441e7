package checks

import (
	"regexp"
	"strings"
	"time"
)

// serverVersion is what a database says it is.
type serverVersion struct {
	Text    string // "10.11.19"
	Series  string // "10.11"
	MariaDB bool
}

func (v serverVersion) String() string {
	if v.MariaDB {
		return "MariaDB " + v.Text
	}
	return "MySQL " + v.Text
}

var versionNumber = regexp.MustCompile(`^(\d+\.\d+)(\.\d+)?`)

// parseServerVersion reads the version of a greeting. MariaDB 10 puts 5.5.5-
// before its own, for clients that know no two-digit number.
func parseServerVersion(s string) serverVersion {
	s = oneLine(s)
	v := serverVersion{MariaDB: strings.Contains(strings.ToLower(s), "mariadb")}
	if v.MariaDB {
		s = strings.TrimPrefix(s, "5.5.5-")
	}
	v.Text = s
	if m := versionNumber.FindStringSubmatch(s); m != nil {
		v.Text, v.Series = m[0], m[1]
	}
	return v
}

// When maintenance ends: mariadb.org, "Maintenance policy"; mysql.com,
// "Oracle Lifetime Support" (the end of extended support).
var (
	mariaEnds = map[string]string{
		"5.5": "2020-04-11", "10.0": "2019-03-31", "10.1": "2020-10-17", "10.2": "2022-05-23", "10.3": "2023-05-25",
		"10.4": "2024-06-18", "10.5": "2025-06-24", "10.6": "2026-07-06", "10.7": "2023-02-09", "10.8": "2023-05-20",
		"10.9": "2023-08-22", "10.10": "2023-11-17", "10.11": "2028-02-16", "11.0": "2024-06-06", "11.1": "2024-08-21",
		"11.2": "2024-11-21", "11.3": "2024-05-29", "11.4": "2029-05-29", "11.5": "2024-11-21", "11.6": "2025-02-13",
		"11.7": "2025-05-12", "11.8": "2028-06-04", "12.0": "2025-11-18", "12.1": "2026-02-13", "12.2": "2026-05-13",
		"12.3": "2029-06-30",
	}
	mysqlEnds = map[string]string{"5.5": "2018-12-31", "5.6": "2021-02-28", "5.7": "2023-10-31", "8.0": "2026-04-30", "8.4": "2032-04-30"}
)

func (v serverVersion) endOfLife() (time.Time, bool) {
	ends := mysqlEnds
	if v.MariaDB {
		ends = mariaEnds
	}
	day, err := time.Parse("2006-01-02", ends[v.Series])
	return day, err == nil
}
