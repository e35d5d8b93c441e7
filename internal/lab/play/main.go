//go:build linux

// Play is what the containers of the lab run: one program that plays the part
// of one service of the deployment, by the same environment that the real
// image reads. Where Debian has the real server (OpenLDAP, MariaDB, Postfix,
// Dovecot) that is started; what Kopano's own images hold is no Debian package
// and cannot be had as an image everywhere, so a stand-in answers as it does.
//
//	play PART [DOMAIN]
//
// The environment variable LAB_FAULT makes a part behave badly, see fault.go.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// part starts one service. It returns once the service runs, and the service
// ends with the lab.
type part func(*lab.Lab) error

func parts() map[string]part {
	return map[string]part{
		"ldap": directory, "db": database, "mail": mail,
		"ssl": certificates, "server": server, "dagent": dagent, "gateway": gateway, "search": search,
		"spooler": visitor, "monitor": visitor, "scheduler": idle,
		"konnect": konnect, "kwmserver": kwmserver, "grapi": grapi, "kapi": kapi, "web": web,
		"webapp": app(9080), "zpush": app(9080), "kdav": app(9080), "meet": app(9080), "kapps": app(9080),
		"ical": app(8080), "playground": app(8888), "ldap-admin": app(80), "self-service": app(80),
	}
}

// domain is the mail domain of the deployment's users.
func domain() string {
	if len(os.Args) > 2 {
		return os.Args[2]
	}
	return "example.org"
}

func main() {
	log.SetFlags(log.Ldate | log.Ltime | log.LUTC)
	if filepath.Base(os.Args[0]) == "healthcheck.sh" { // as the image of MariaDB has it
		healthcheck()
	}
	if len(os.Args) < 2 || parts()[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: play PART [DOMAIN]")
		os.Exit(2)
	}
	os.Exit(run(os.Args[1]))
}

func run(name string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	if f, err := os.CreateTemp("", ""); err != nil { // web and kopano_ssl have a read-only file system without /tmp
		_ = os.Setenv("TMPDIR", "/dev/shm")
	} else {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
	l, err := lab.New()
	if err != nil {
		log.Print(err)
		return 1
	}
	l.Log = os.Stderr
	defer l.Close()
	started := make(chan error, 1)
	go func() { started <- parts()[name](l) }()
	for {
		select {
		case <-stop:
			return 0
		case err := <-started:
			if err == errDone {
				return 0
			}
			if err != nil {
				log.Print(err)
				return 1
			}
			log.Printf("%s is ready", name)
		}
	}
}
