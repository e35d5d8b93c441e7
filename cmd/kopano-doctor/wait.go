package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

const waitHelp = `Waits until links between services work: tries them again and again, as check
does, until all of them answer as they should. For scripts that start a
deployment. Without --for, all links are waited for that can be looked at.

A service is ready when those that call it reach it and what it needs itself
answers. A name may be a service (kopano_server), a role (server), a kind of
link (server-database), or a link (server-database@kopano_server); the JSON
report of check names them.

It gives up early when waiting cures nothing: a mistake in the files, or a
password that is refused. No password is tried again that was refused, so as
not to lock an account, unless the container of the server is a new one, or was
in its first minute, when directories and databases make their accounts.

Examples:
  start a deployment, and go on when mail can be read
      docker compose up -d && kopano-doctor wait --for kopano_server
  no longer than two minutes, for the database and the directory
      kopano-doctor wait --for server-database --for server-ldap --timeout 2m

Exit code:
  0    everything that was waited for works
  1    something does not; the report says why
  2    wrong usage, or there is no deployment to read
  3    something that was waited for could not be looked at
  130  interrupted`

func (p *program) waitCommand() *cli.Command {
	f := newCheckFlags()
	f.format = newChoice([]report.Format{report.FormatText, report.FormatJSON})
	whole := &span{doctor.DefaultWait}
	command := &cli.Command{
		Name:            "wait",
		Usage:           "wait until links between services work",
		ArgsUsage:       "[DIR]",
		Description:     waitHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags:           f.waitFlags(whole),
		Action: func(c *cli.Context) error {
			err := p.wait(c, f, whole.value)
			var u usageError
			if errors.As(err, &u) {
				u.command = "wait" // what is shared with check
				return u
			}
			return err
		},
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (f *checkFlags) waitFlags(whole *span) []cli.Flag {
	without := func(flags []cli.Flag, names ...string) []cli.Flag {
		return slices.DeleteFunc(flags, func(f cli.Flag) bool { return slices.Contains(names, f.Names()[0]) })
	}
	return slices.Concat([]cli.Flag{
		&cli.StringSliceFlag{Name: "for", Usage: "wait for the `LINK` or service of this name; may be given again"},
		&cli.GenericFlag{Name: "timeout", Value: whole, Usage: "how much `TIME` to wait in all"},
		&cli.GenericFlag{Name: "answer-timeout", Value: f.timeout, Usage: "how much `TIME` to give each answer"},
		&cli.GenericFlag{Name: "format", Value: f.format, Usage: "write the report for people or for programs"},
		&cli.StringFlag{Name: "output", Usage: "write the report to `FILE` instead of the terminal"},
	}, without(f.liveFlags(), "timeout", "deadline"), deploymentFlags(), f.looks(), without(settingsFlags(), "baseline", "write-baseline"))
}

func (p *program) wait(c *cli.Context, f *checkFlags, whole time.Duration) error {
	if c.NArg() > 1 {
		return badUsage("wait", "only one folder can be looked at: %q and %q were given", c.Args().Get(0), c.Args().Get(1))
	}
	reports, err := p.destinations(c, "wait", f.format)
	if err != nil {
		return err
	}
	set, load, err := p.settingsAndFiles(c)
	if err != nil {
		return err
	}
	options := p.options(set, load, "answer-timeout")
	options.Offline = false
	show := p.newWaitProgress(whole)
	waited, err := doctor.Wait(c.Context, options, doctor.WaitOptions{For: c.StringSlice("for"), Time: whole, Told: show.round})
	show.clear()
	var unknown doctor.UnknownName
	switch {
	case errors.As(err, &unknown):
		return badUsage("wait", "--for: %w", err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, doctor.ErrNoLook):
		p.note("%s", err)
		p.code = doctor.ExitIncomplete
		return nil
	case err != nil:
		return fmt.Errorf("no deployment to look at: %w", err)
	}
	if err := p.writeReports(reports, waited.Report, f.color.value, false); err != nil {
		return err
	}
	if waited.Skipped > 0 {
		p.note("not waited for: %s that cannot be looked at from here or whose caller does not run; kopano-doctor check says more", count(waited.Skipped, "link"))
	}
	if waited.Why != "" {
		p.note("%s", p.plain(waited.Why))
	}
	p.code = waited.ExitCode
	return nil
}

// plain gives a text as the terminal can show it.
func (p *program) plain(s string) string {
	if p.utf8() {
		return s
	}
	return strings.ReplaceAll(s, "→", "->")
}

// waitProgress tells how far a wait is: on a terminal in one line that is
// rewritten, else in a line for each link that changes.
type waitProgress struct {
	p        *program
	whole    time.Duration
	terminal io.Writer // nil: none
	shown    bool
}

func (p *program) newWaitProgress(whole time.Duration) *waitProgress {
	w := &waitProgress{p: p, whole: whole}
	if isTerminal(p.stderr) {
		w.terminal = p.stderr
	}
	return w
}

func (w *waitProgress) round(r doctor.Round) {
	elapsed := r.Elapsed.Round(time.Second)
	if w.terminal == nil {
		for _, l := range r.Changed {
			if l.Reason != "blocked" { // what blocks it is told
				w.p.note("%s: %s", elapsed, w.p.plain(linkState(l)))
			}
		}
		if len(r.Changed) > 0 {
			w.p.note("%s: %d of %s", elapsed, r.OK, works(r.Total))
		}
		return
	}
	text := fmt.Sprintf("waited %s of %s: %d of %s", elapsed, w.whole, r.OK, works(r.Total))
	if len(r.Open) > 0 {
		text += "; " + linkState(r.Open[0])
	}
	c := runewidth.Condition{StrictEmojiNeutral: true}
	fmt.Fprintf(w.terminal, "\r\x1b[K%s", c.Truncate(w.p.plain(text), 79, "..."))
	w.shown = true
}

func (w *waitProgress) clear() {
	if w.shown {
		fmt.Fprint(w.terminal, "\r\x1b[K")
	}
}

func works(total int) string {
	if total == 1 {
		return "1 link works"
	}
	return fmt.Sprintf("%d links work", total)
}

// linkState gives a link and what became of it, in a few words. The reports have
// made them printable.
func linkState(l report.Link) string {
	text := fmt.Sprintf("%s → %s (%s): ", l.From, l.To, l.ID)
	switch l.Status {
	case "ok":
		return text + "works"
	case "broken":
		return text + l.Message
	}
	return text + "not checked: " + l.Message
}
