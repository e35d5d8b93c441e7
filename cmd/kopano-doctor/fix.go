package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/fix"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

const fixHelp = `Shows what would cure the findings for which there is one right answer, as a
diff with passwords hidden. Nothing is changed without --write. With it, each
file gets a backup beside it (FILE.bak-kopano-doctor); comments, order and
everything else in it stay as they are.

Examples:
  show what can be repaired in this folder
      kopano-doctor fix
  repair it
      kopano-doctor fix --write
  repair one kind of finding
      kopano-doctor fix --write --rule env-file-line-ends /opt/kopano

Exit code:
  0    there is nothing to repair, or all of it is repaired
  1    something can be repaired, and was not, since --write was not given
  2    wrong usage, or there is no deployment to read
  3    something could not be repaired as the findings say
  130  interrupted`

func (p *program) fixCommand() *cli.Command {
	command := &cli.Command{
		Name:            "fix",
		Usage:           "show or make the changes that cure findings",
		ArgsUsage:       "[DIR]",
		Description:     fixHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags:           fixFlags(),
		Action: func(c *cli.Context) error {
			err := p.fix(c)
			var u usageError
			if errors.As(err, &u) {
				u.command = "fix" // what is shared with check
				return u
			}
			return err
		},
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func fixFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Usage: "change nothing; this is so without --write too"},
		&cli.BoolFlag{Name: "write", Usage: "change the files"},
		&cli.StringSliceFlag{Name: "rule", Usage: "repair only the findings of the rule `ID`; may be given again"},
		&cli.StringSliceFlag{Name: "f", Aliases: []string{"file"}, Usage: "compose `FILE`, as for docker compose; may be given again"},
		&cli.StringSliceFlag{Name: "env-file", Usage: "`FILE` to read instead of .env, as for docker compose; may be given again"},
		&cli.StringSliceFlag{Name: "profile", Usage: "enable the profile `NAME`, as for docker compose; may be given again"},
		&cli.StringFlag{Name: "p", Aliases: []string{"project-name"}, Usage: "project `NAME`, as for docker compose"},
	}
	for _, f := range settingsFlags() {
		if !slices.Contains(f.Names(), "write-baseline") {
			flags = append(flags, f)
		}
	}
	return flags
}

func (p *program) fix(c *cli.Context) error {
	switch {
	case c.NArg() > 1:
		return badUsage("fix", "only one folder can be repaired: %q and %q were given", c.Args().Get(0), c.Args().Get(1))
	case c.Bool("write") && c.Bool("dry-run"):
		return badUsage("fix", "--write and --dry-run contradict each other")
	}
	for _, id := range c.StringSlice("rule") {
		if err := p.repairs(id); err != nil {
			return err
		}
	}
	set, load, err := p.settingsAndFiles(c)
	if err != nil {
		return err
	}
	plan, err := fix.Make(c.Context, fix.Options{
		Deployment: load, Rules: p.rules, Only: c.StringSlice("rule"),
		External: set.config.ExternalHosts, Left: p.notSuppressed(set),
	})
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, fix.ErrNoCopy):
		return err
	case err != nil:
		return fmt.Errorf("no deployment to repair: %w", err)
	}
	if err := p.showPlan(plan); err != nil {
		return err
	}
	p.code = p.carryOut(c.Context, plan, c.Bool("write"))
	return nil
}

// repairs says whether a rule of that name can repair anything.
func (p *program) repairs(id string) error {
	var can []string
	for _, r := range p.rules {
		if r.Fixable {
			can = append(can, r.ID)
		} else if r.ID == id {
			return badUsage("fix", "what the rule %s finds has more than one answer, so there is nothing to repair by itself", id)
		}
	}
	if slices.Contains(can, id) {
		return nil
	}
	if near, ok := nearest.Of(id, can); ok {
		return badUsage("fix", "there is no rule %q; did you mean %q?", id, near)
	}
	return badUsage("fix", "there is no rule %q", id)
}

// notSuppressed leaves alone what the deployment's owners know and accept.
func (p *program) notSuppressed(set *settings) func(*deployment.Deployment, []finding.Finding) []finding.Finding {
	return func(d *deployment.Deployment, sealed []finding.Finding) []finding.Finding {
		return suppress.Apply(d, sealed, suppress.Setup{
			Config: set.config, Baseline: set.baseline, NoInline: set.on("no-inline-ignores"), IDs: doctor.IDs(p.rules), Now: p.now(),
		}).Findings
	}
}

// showPlan writes the diffs to standard output, and to standard error what they are for.
func (p *program) showPlan(plan *fix.Plan) error {
	for i := range plan.Files {
		if _, err := fmt.Fprint(p.stdout, plan.Files[i].Diff()); err != nil {
			return err
		}
	}
	hide := (*secret.Redactor)(nil)
	for _, s := range plan.Done {
		p.say("cures", &s.Finding, s.Finding.Message)
	}
	for _, s := range plan.Skipped {
		p.say("does not touch", &s.Finding, s.Finding.Message+" Left as it is: "+hide.Redact(s.Reason)+".")
	}
	return nil
}

func (p *program) say(what string, f *finding.Finding, text string) {
	head := fmt.Sprintf("%s %s (%s)", what, f.ID, f.First())
	fmt.Fprintf(p.stderr, "%s\n%s\n", report.Printable(head), strings.Join(report.Wrap(report.Printable(text), "    ", "    "), "\n"))
}

// carryOut writes the plan, or says how to, and gives the exit code.
func (p *program) carryOut(ctx context.Context, plan *fix.Plan, write bool) int {
	switch {
	case len(plan.Files) == 0 && len(plan.Skipped) == 0:
		p.note("there is nothing to repair")
		return doctor.ExitOK
	case len(plan.Files) == 0:
		p.note("nothing can be repaired by itself")
		return doctor.ExitIncomplete
	case !write:
		p.note("%s would change; nothing is written without --write", files(len(plan.Files)))
		return doctor.ExitFound
	}
	code := doctor.ExitOK
	if len(plan.Skipped) > 0 {
		code = doctor.ExitIncomplete
	}
	for _, w := range (fix.Writer{}).Write(ctx, plan) {
		name := report.Printable(w.File.Name)
		switch {
		case w.Err != nil:
			p.note("%s is not changed: %s", name, w.Err)
			code = doctor.ExitIncomplete
		case w.File.Create:
			p.note("%s is created, empty", name)
		default:
			p.note("%s is changed; what it was is in %s", name, report.Printable(filepath.Base(w.Backup)))
		}
	}
	return code
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// fixable is the mark of a rule in lists.
func fixable(r rules.Rule) string {
	if r.Fixable {
		return ", fix"
	}
	return ""
}
