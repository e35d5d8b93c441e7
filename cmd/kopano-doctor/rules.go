package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

const rulesHelp = `Without an ID, lists what is looked for in the files. With the ID that a report
prints in brackets, explains that rule.

Example:
  kopano-doctor rules unset-variable`

func (p *program) rulesCommand() *cli.Command {
	format := newChoice([]string{"text", "markdown"})
	command := &cli.Command{
		Name:            "rules",
		Usage:           "list what is looked for in the files, or explain one rule",
		ArgsUsage:       "[ID]",
		Description:     rulesHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "format", Value: format, Usage: "text, or the rule reference of the documentation as markdown"},
			&cli.StringFlag{Name: "output", Usage: "write to `FILE` instead of the terminal"},
			&cli.StringFlag{Name: "examples", Usage: "`FOLDER` of the rules' examples, for markdown (testdata/rules of the sources)"},
		},
		Action: func(c *cli.Context) error { return p.showRules(c, format.value) },
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) showRules(c *cli.Context, format string) error {
	if c.NArg() > 1 {
		return badUsage("rules", "give one rule at a time")
	}
	out, err := p.openOutput("rules", c.IsSet("output"), c.String("output"))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	switch id := c.Args().First(); {
	case format == "markdown" && (id != "" || !c.IsSet("examples")):
		return badUsage("rules", "--format markdown writes all rules and needs --examples FOLDER")
	case format == "markdown":
		err = docgen.Rules(&text, p.everyRule(), os.DirFS(c.String("examples")))
	case id == "":
		listRules(&text, p.everyRule())
	default:
		err = explainRule(&text, p.everyRule(), id)
	}
	if err != nil {
		return err
	}
	return out.write(text.Bytes())
}

// everyRule gives the rules, and those about suppressions, for reading.
func (p *program) everyRule() []rules.Rule {
	return slices.Concat(p.rules, suppress.Rules(suppress.Setup{}))
}

func listRules(w io.Writer, all []rules.Rule) {
	subject := ""
	for _, r := range all {
		if r.Subject != subject {
			subject = r.Subject
			fmt.Fprintf(w, "%s\n", subject)
		}
		fmt.Fprintf(w, "  %s (%s%s)\n%s\n", r.ID, r.Severity, fixable(r), lines(r.Title, "      "))
	}
}

func explainRule(w io.Writer, all []rules.Rule, id string) error {
	var ids []string
	for _, r := range all {
		if r.ID == id {
			fmt.Fprintf(w, "%s: %s\n\n%s\n", r.Severity, r.Title, lines(r.Why, ""))
			if r.Fixable {
				fmt.Fprintf(w, "\n%s\n", lines("Where there is one right answer, kopano-doctor fix --rule "+r.ID+" shows the change, and makes it with --write.", ""))
			}
			return nil
		}
		ids = append(ids, r.ID)
	}
	if strings.HasPrefix(id, "live-") {
		return badUsage("rules", "%s comes from asking a running server, not from a rule; the report says what was asked and what came back", id)
	}
	if near, ok := nearest.Of(id, ids); ok {
		return badUsage("rules", "there is no rule %q; did you mean %q?", id, near)
	}
	return badUsage("rules", "there is no rule %q", id)
}

// lines breaks text into lines for a terminal.
func lines(text, margin string) string {
	return strings.Join(report.Wrap(text, margin, margin), "\n")
}
