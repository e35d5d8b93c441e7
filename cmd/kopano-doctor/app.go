package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// Main runs the program and gives its exit code; see docs/json.md for what
// each means. args are those of os.Args, env those of os.Environ. Standard
// output gets the report and nothing else.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	p := &program{
		stdin: stdin, stdout: stdout, stderr: stderr, env: env,
		rules: rules.All(), checks: checks.All(), vantage: doctor.From, engine: doctor.AskEngine, now: time.Now,
	}
	return p.run(args)
}

// program is one call of Main, and all that it works with.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string
	rules          []rules.Rule
	checks         map[string]checks.Check // by the ID of their link
	vantage        func(vantage.Pins, vantage.Mode) doctor.Standing
	engine         func(doctor.EngineOptions) func(context.Context, *deployment.Deployment) doctor.EngineSays
	now            func() time.Time
	code           int             // of a command that ran to its end
	fromVariable   map[string]bool // flags that a variable gave, by their first names
}

func (p *program) run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once

	if len(args) == 0 {
		args = []string{"kopano-doctor"}
	}
	app := p.app()
	if len(args) > 1 && args[1] == completeWord {
		p.complete(app, args[2:])
		return doctor.ExitOK
	}
	err := app.RunContext(ctx, reorder(app, args))
	switch {
	case ctx.Err() != nil:
		p.note("interrupted")
		return doctor.ExitInterrupted
	case err != nil:
		// An error may quote a file or an address.
		p.note("%s", (*secret.Redactor)(nil).Redact(err.Error()))
		var u usageError
		if errors.As(err, &u) {
			p.note("run `kopano-doctor %s` to see what can be given", strings.TrimSpace(u.command+" --help"))
		}
		return doctor.ExitUsage
	}
	return p.code
}

// complain says what went wrong with one thing of several. An error may quote a
// file or an address.
func (p *program) complain(about string, err error) {
	p.note("%s: %s", about, (*secret.Redactor)(nil).Redact(err.Error()))
}

// note writes one line for the person at the terminal.
func (p *program) note(format string, args ...any) {
	fmt.Fprintf(p.stderr, "kopano-doctor: "+format+"\n", args...)
}

// getenv reads the environment that Main was given.
func (p *program) getenv(name string) string {
	value := ""
	for _, e := range p.env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// usageError is a mistake in the command line.
type usageError struct {
	command string // "check", or "" for the program itself
	err     error
}

func (u usageError) Error() string { return u.err.Error() }
func (u usageError) Unwrap() error { return u.err }

func badUsage(command, format string, args ...any) error {
	return usageError{command, fmt.Errorf(format, args...)}
}

// onUsageError takes the place of urfave's own, which prints to standard output.
func onUsageError(c *cli.Context, err error, _ bool) error {
	name := ""
	if c.Command != nil && c.Command.Name != "kopano-doctor" {
		name = c.Command.Name
	}
	return usageError{name, errors.New(tidyFlagError(err.Error()))}
}

// tidyFlagError writes flags with the two dashes that people type, where
// package flag writes one.
func tidyFlagError(s string) string {
	for _, before := range []string{"flag provided but not defined: -", "for flag -", "flag needs an argument: -"} {
		if head, tail, ok := strings.Cut(s, before); ok && len(strings.FieldsFunc(tail, isFlagEnd)) > 0 &&
			len(strings.FieldsFunc(tail, isFlagEnd)[0]) > 1 && !strings.HasPrefix(tail, "-") {
			s = head + before + "-" + tail
		}
	}
	s = strings.Replace(s, "flag provided but not defined:", "there is no flag", 1)
	return strings.Replace(s, "flag needs an argument:", "a value is missing after", 1)
}

func isFlagEnd(r rune) bool { return r == ':' || r == ' ' }

const appHelp = `kopano-doctor finds out what is wrong with a Kopano deployment that runs with
Docker Compose: in its files, and on the links between its services.

Usage:
  kopano-doctor check [DIR]       look at the deployment in DIR (default: here)
  kopano-doctor wait [DIR]        wait until links work
  kopano-doctor lint [PATH...]    look at the files of several deployments
  kopano-doctor map [DIR]         draw the services and the links between them
  kopano-doctor fix [DIR]         show what can be repaired, or repair it
  kopano-doctor explain ID        explain the ID that a report has in brackets
  kopano-doctor rules             list what is looked for in the files
  kopano-doctor checks            list what is asked of the running services
  kopano-doctor config [DIR]      say which settings hold, and why
  kopano-doctor init [DIR]        write a file with settings, all switched off
  kopano-doctor completion SHELL  write a script for bash, zsh or fish
  kopano-doctor version           print the version
  kopano-doctor COMMAND --help    explain a command
`

func (p *program) app() *cli.App {
	commands := []*cli.Command{p.checkCommand(), p.waitCommand(), p.lintCommand(), p.mapCommand(), p.fixCommand(), p.configCommand(), p.explainCommand(), p.rulesCommand(), p.checksCommand(), p.initCommand(), p.completionCommand(), p.versionCommand(), p.manCommand(), p.probeCommand()}
	for _, c := range commands {
		c.Before = p.readVariables
	}
	return &cli.App{
		Name:                  "kopano-doctor",
		HelpName:              "kopano-doctor",
		Usage:                 "find out what is wrong with a Kopano deployment run with Docker Compose",
		CustomAppHelpTemplate: appHelp,
		Version:               buildVersion(),
		HideHelpCommand:       true,
		Reader:                p.stdin,
		Writer:                p.stdout,
		ErrWriter:             p.stderr,
		ExitErrHandler:        func(*cli.Context, error) {}, // urfave's own calls os.Exit
		OnUsageError:          onUsageError,
		// A file name or an address may hold a comma.
		DisableSliceFlagSeparator: true,
		Commands:                  commands,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return badUsage("", "there is no command %q", c.Args().First())
			}
			return badUsage("", "a command is missing; to look at the deployment in this folder, run `kopano-doctor check`")
		},
	}
}

// reorder puts the flags of a subcommand before its other arguments, since
// people type `check DIR --offline` and urfave stops at the first argument
// that is no flag. Everything after "--" is an argument.
func reorder(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	command := app.Command(args[1])
	if command == nil {
		return args
	}
	flags, rest := []string{}, []string{}
	for i := 2; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case len(a) < 2 || a[0] != '-':
			rest = append(rest, a)
		default:
			flags = append(flags, a)
			if strings.Contains(a, "=") || !takesValue(command.Flags, strings.TrimLeft(a, "-")) {
				continue
			}
			if i++; i == len(args) { // its value is missing: nothing may follow that could be taken for it
				return append([]string{args[0], args[1]}, flags...)
			}
			flags = append(flags, args[i])
		}
	}
	out := append([]string{args[0], args[1]}, flags...)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out
}

func takesValue(flags []cli.Flag, name string) bool {
	for _, f := range flags {
		for _, n := range f.Names() {
			if d, ok := f.(cli.DocGenerationFlag); ok && n == name {
				return d.TakesValue()
			}
		}
	}
	return false
}
