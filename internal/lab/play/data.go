//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// errDone ends a part that has nothing more to do.
var errDone = errors.New("done")

// firstStart gives what a part was told at its first start, which its volume
// remembers: the images of the directory and of the database read their
// passwords only when they make the data.
func firstStart(volume string, now map[string]string) (map[string]string, error) {
	file := filepath.Join(volume, "lab-first-start.json")
	if text, err := os.ReadFile(file); err == nil {
		first := map[string]string{}
		return first, json.Unmarshal(text, &first)
	}
	text, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	return now, os.WriteFile(file, text, 0o600)
}

func environment(names ...string) map[string]string {
	out := map[string]string{}
	for _, n := range names {
		out[n] = os.Getenv(n)
	}
	return out
}

// directory is OpenLDAP with Kopano's schema and users, as the image of ldap.
func directory(l *lab.Lab) error {
	if bad, err := faulty(l, ":389"); bad {
		return err
	}
	first, err := firstStart("/var/lib/ldap", environment("LDAP_BASE_DN", "LDAP_ADMIN_PASSWORD", "LDAP_READONLY_USER_PASSWORD"))
	if err != nil {
		return err
	}
	_, err = l.StartSlapd(lab.SlapdOptions{
		Base: first["LDAP_BASE_DN"], AdminPassword: first["LDAP_ADMIN_PASSWORD"], ReadonlyPassword: first["LDAP_READONLY_USER_PASSWORD"],
		Listen: "0.0.0.0:389", NoUsers: os.Getenv("LAB_FAULT") == "no-users", HideTree: os.Getenv("LAB_FAULT") == "hidden",
	})
	return err
}

// database is MariaDB, as its image makes it.
func database(l *lab.Lab) error {
	if bad, err := faulty(l, ":3306"); bad {
		return err
	}
	first, err := firstStart("/var/lib/mysql", environment("MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD"))
	if err != nil {
		return err
	}
	o := lab.MariaDBOptions{Database: first["MYSQL_DATABASE"], User: first["MYSQL_USER"], Password: first["MYSQL_PASSWORD"], Listen: "0.0.0.0:3306"}
	o.NoTables = os.Getenv("LAB_FAULT") == "no-tables"
	_, err = l.StartMariaDB(o)
	return err
}

// healthcheck is what the image of MariaDB calls so: does the server answer?
func healthcheck() {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:3306", time.Second)
	if err != nil {
		log.Print(err)
		os.Exit(1)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if n, err := conn.Read(make([]byte, 64)); n < 5 {
		log.Print("no greeting: ", err)
		os.Exit(1)
	}
	os.Exit(0)
}
