package lab_test

import (
	"database/sql"
	"fmt"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func TestMariaDB(t *testing.T) {
	l := labtest.New(t)
	m := labtest.MustStart(t, l.StartMariaDB, lab.MariaDBOptions{Password: "it's"})
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s", m.User, m.Password, m.Address, m.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tables, schema int
	if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&tables); err != nil || tables != 25 {
		t.Errorf("%d tables, %v; want Kopano's 25", tables, err)
	}
	if err := db.QueryRow("SELECT MAX(databaserevision) FROM versions").Scan(&schema); err != nil || schema != 118 {
		t.Errorf("schema %d, %v", schema, err)
	}
}
