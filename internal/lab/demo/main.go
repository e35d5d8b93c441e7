// Demo shows the doctor at work. It copies the bundled deployment, starts the
// real servers behind it on loopback (OpenLDAP, MariaDB, Postfix, Dovecot's LMTP
// server, an OpenID provider behind TLS, and stand-ins for Kopano's own), plants one fault, runs
// `kopano-doctor check`, and cleans up.
//
//	go run ./internal/lab/demo -doctor bin/kopano-doctor -deployment testdata/deployments/full
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

func main() {
	doctor := flag.String("doctor", "bin/kopano-doctor", "the `program` to run")
	source := flag.String("deployment", "testdata/deployments/full", "the `folder` of the deployment")
	healthy := flag.Bool("healthy", false, "plant no fault")
	flag.Parse()
	if err := run(*doctor, *source, *healthy); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(doctor, source string, healthy bool) (err error) {
	l, err := lab.New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	closeOnInterrupt(l)

	s := &stage{lab: l, folder: filepath.Join(l.Dir, "deployment"), lost: !healthy}
	if err := s.copyDeployment(source); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "demo: starting OpenLDAP, MariaDB, Postfix, Dovecot, an OpenID provider and stand-ins for Kopano on loopback …")
	if err := s.start(); err != nil {
		return err
	}
	want := 1
	if healthy {
		want = 0
	} else if err := s.plantFault(); err != nil {
		return err
	}
	return s.check(doctor, want)
}

// check runs the doctor on the copy, with every address pinned to the server
// that plays it, and expects an exit code.
func (s *stage) check(doctor string, want int) error {
	args := []string{"check", "--engine", "none"}
	shown := "kopano-doctor check --engine none"
	for _, pin := range s.pins {
		args = append(args, "--resolve", pin)
		shown += " \\\n    --resolve " + pin
	}
	fmt.Fprintf(os.Stderr, "\n$ %s %s\n\n", shown, "DIR")
	path, err := filepath.Abs(doctor)
	if err != nil {
		return err
	}
	command := exec.Command(path, append(args, s.folder)...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	// The lab's own authority takes the place of those that the machine trusts.
	command.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(s.lab.Dir, "ca.pem"))
	err = command.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if got := command.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("kopano-doctor ended with %d, not with %d", got, want)
	}
	fmt.Fprintf(os.Stderr, "\ndemo: kopano-doctor ended with %d, as it should; cleaning up\n", want)
	return nil
}

// plantFault is what happens when somebody runs the set-up script a second
// time: .env gets a new database password, the database keeps the old one.
func (s *stage) plantFault() error {
	fmt.Fprintln(os.Stderr, "demo: planting one fault: a new MYSQL_PASSWORD in .env, while the database keeps the old one")
	file := filepath.Join(s.folder, ".env")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "MYSQL_PASSWORD=") {
			lines[i] = "MYSQL_PASSWORD=Nw4cXt8rGk2vPz6yQj9mHs3d"
			return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600)
		}
	}
	return errors.New("there is no MYSQL_PASSWORD in .env")
}

// closeOnInterrupt cleans up also when somebody stops the demonstration, and
// goes on to its end when nobody reads its output any more (`make demo | head`).
func closeOnInterrupt(l *lab.Lab) {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		l.Close()
		os.Exit(130)
	}()
}
