package main

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

const lintHelp = `Looks at the files of many deployments, as check --offline does for one. It is
made for hooks and CI jobs: PATH may be a folder with a deployment, a folder
above several, or a file that was changed. A file stands for every deployment
that loads it: a compose file, an env file, the settings. Each deployment is
looked at once, in the order of their names. Without PATH, it is the current
folder.

A file that no deployment loads, and deployments that have nothing to do with
Kopano, are named on standard error and left alone.

Examples:
  look at every deployment of a repository
      kopano-doctor lint .
  look at those that a commit changes
      git diff --cached --name-only --diff-filter=d -z |
          xargs -0 -r kopano-doctor lint
  for a CI job: the text in its log, and a report in a file
      kopano-doctor lint --report sarif=kopano.sarif .

Exit code, the worst of all deployments:
  0    nothing is wrong
  1    something is wrong (see --fail-on)
  2    wrong usage, or a deployment cannot be read
  3    nothing wrong was found, but something could not be looked at
  130  interrupted`

// lintFlags holds what the command line says; one per call.
type lintFlags struct {
	format, failOn, color *choice
}

func (p *program) lintCommand() *cli.Command {
	f := &lintFlags{
		format: newChoice(report.Formats()),
		failOn: newChoice(doctor.FailOns()),
		color:  newChoice([]string{"auto", "always", "never"}),
	}
	command := &cli.Command{
		Name:            "lint",
		Usage:           "look at the files of many deployments, for hooks and CI",
		ArgsUsage:       "[PATH...]",
		Description:     lintHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags:           f.flags(),
		Action: func(c *cli.Context) error {
			err := p.lint(c, f)
			var u usageError
			if errors.As(err, &u) {
				u.command = "lint" // what is shared with check
				return u
			}
			return err
		},
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (f *lintFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "format", Value: f.format, Usage: "write the report for people or for programs"},
		&cli.StringFlag{Name: "output", Usage: "write the report to `FILE` instead of the terminal"},
		&cli.StringSliceFlag{Name: "report", Usage: "write one more report: `FORMAT=FILE`, with - for standard output; may be given again"},
		&cli.GenericFlag{Name: "fail-on", Value: f.failOn, Usage: "exit with 1 when there is a finding of this severity or above"},
		&cli.StringSliceFlag{Name: "profile", Usage: "enable the profile `NAME`, as for docker compose; may be given again"},
		&cli.StringFlag{Name: "config", Usage: "`FILE` with settings for all of them, instead of each one's .kopano-doctor.yaml"},
		&cli.BoolFlag{Name: "no-config", Usage: "read no files with settings"},
		&cli.BoolFlag{Name: "no-inline-ignores", Usage: "obey no comments in the files that suppress findings"},
		&cli.GenericFlag{Name: "color", Value: f.color, Usage: "colours; auto means on a terminal"},
	}
}

func (p *program) lint(c *cli.Context, f *lintFlags) error {
	outputs, err := p.destinations(c, "lint", f.format)
	if err != nil {
		return err
	}
	paths := c.Args().Slice()
	if len(paths) == 0 {
		paths = []string{"."}
	}
	found, err := doctor.FindFolders(c.Context, paths, func(dir string) deployment.Options {
		_, load, err := p.lintSettings(c, dir)
		if err != nil { // it is told when the deployment is looked at
			return deployment.Options{Dir: dir, Environ: p.env}
		}
		return load
	})
	if err != nil {
		return err
	}
	p.noteLeftOut(found)
	reports, code, err := p.lintAll(c, found.Dirs)
	if err != nil {
		return err
	}
	if len(found.Cut) > 0 {
		code = worse(code, doctor.ExitIncomplete)
	}
	base, inRepository, err := doctor.TopOfAll(found.Dirs)
	if err != nil {
		return err
	}
	all := report.Join(report.Tool{Name: "kopano-doctor", Version: buildVersion()}, base, inRepository, code, reports)
	p.code = code
	return p.writeJoined(outputs, all, reports, f.color.value)
}

// lintSettings gives what holds for one of the deployments, and how it is loaded.
func (p *program) lintSettings(c *cli.Context, dir string) (*settings, deployment.Options, error) {
	set, err := p.settings(c, dir)
	if err != nil {
		return nil, deployment.Options{}, err
	}
	load, err := p.loadOptions(set, dir)
	return set, load, err
}

// noteLeftOut says what is not looked at, and why.
func (p *program) noteLeftOut(found *doctor.Folders) {
	const most = 5
	list := func(names []string, what string) {
		for i, name := range names {
			if i == most {
				p.note("… and %d more", len(names)-most)
				return
			}
			p.note(what, report.Printable(name))
		}
	}
	list(found.Alone, "%s: no deployment loads this file, so it is not looked at")
	list(found.Other, "%s: nothing in this deployment is of Kopano, so it is not looked at")
	list(found.Cut, "%s: not everything below could be looked through for deployments; name their folders")
	if len(found.Dirs) == 0 && len(found.Cut) == 0 {
		p.note("there is no deployment to look at")
	}
}

// lintAll looks at one deployment after the other. One that cannot be read keeps
// none of the others from being looked at.
func (p *program) lintAll(c *cli.Context, dirs []string) ([]*report.Report, int, error) {
	var reports []*report.Report
	code := doctor.ExitOK
	for _, dir := range dirs {
		r, err := p.lintOne(c, dir)
		switch {
		case c.Context.Err() != nil:
			return nil, 0, c.Context.Err()
		case err != nil:
			p.complain(report.Printable(dir), err)
			code = worse(code, doctor.ExitUsage)
			continue
		}
		reports = append(reports, r)
		code = worse(code, r.ExitCode)
	}
	return reports, code, nil
}

func (p *program) lintOne(c *cli.Context, dir string) (*report.Report, error) {
	set, load, err := p.lintSettings(c, dir)
	if err != nil {
		return nil, err
	}
	options := doctor.Options{
		Deployment: load,
		Offline:    true,
		FailOn:     doctor.FailOn(set.text("fail-on")),
		Version:    buildVersion(),
		Rules:      p.rules,
		Checks:     p.checks,
		Now:        p.now,
	}
	set.apply(&options)
	outcome, err := doctor.Check(c.Context, options)
	if err != nil {
		return nil, err
	}
	return outcome.Report, nil
}

// worse gives the code that says more: 2 beats 1 beats 3 beats 0.
func worse(a, b int) int {
	for _, code := range []int{doctor.ExitUsage, doctor.ExitFound, doctor.ExitIncomplete} {
		if a == code || b == code {
			return code
		}
	}
	return doctor.ExitOK
}

// writeJoined writes the report for people as one after the other, each with the
// name of its folder, and every other form as one over all.
func (p *program) writeJoined(outputs []destination, all *report.Report, each []*report.Report, colour string) error {
	var failed []error
	for _, d := range outputs {
		var text bytes.Buffer
		err := error(nil)
		if d.format == report.FormatText {
			err = p.writeEach(&text, all, each, p.textOptions(colour, d.out))
		} else {
			err = report.Write(&text, all, d.format, p.textOptions(colour, d.out))
		}
		if err == nil {
			err = d.out.write(text.Bytes())
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("the report could not be written: %w", err))
		}
	}
	return errors.Join(failed...)
}

func (p *program) writeEach(text *bytes.Buffer, all *report.Report, each []*report.Report, o report.TextOptions) error {
	for i, r := range each {
		if i > 0 {
			text.WriteString("\n" + strings.Repeat("=", 80) + "\n")
		}
		if err := report.Text(text, r, o); err != nil {
			return err
		}
	}
	if len(each) > 1 {
		fmt.Fprintf(text, "\n%s: %s\n", count(len(each), "deployment"), all.Totals())
		for _, r := range each {
			if r.ExitCode != doctor.ExitOK {
				fmt.Fprintf(text, "  not in order: %s\n", filepath.ToSlash(r.Deployment.Directory))
			}
		}
	}
	return nil
}
