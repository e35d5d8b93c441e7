package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
	"github.com/kopano-doctor/kopano-doctor/testdata"
)

const rulesHelp = `Lists what is looked for in the files. With an ID it explains that rule, as
kopano-doctor explain does.

Examples:
  kopano-doctor rules
  kopano-doctor rules --format json`

func (p *program) rulesCommand() *cli.Command {
	format := newChoice([]string{"text", "json", "markdown"})
	color := newChoice([]string{"auto", "always", "never"})
	command := &cli.Command{
		Name:            "rules",
		Usage:           "list what is looked for in the files",
		ArgsUsage:       "[ID...]",
		Description:     rulesHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "format", Value: format, Usage: "a list for people; or all there is to say, with examples, for programs or as one page"},
			&cli.StringFlag{Name: "output", Usage: "write to `FILE` instead of the terminal"},
			&cli.GenericFlag{Name: "color", Value: color, Usage: "colours; auto means on a terminal"},
		},
		Action: func(c *cli.Context) error { return p.showRules(c, format.value, color.value) },
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) showRules(c *cli.Context, format, color string) error {
	out, err := p.openOutput("rules", c.IsSet("output"), c.String("output"))
	if err != nil {
		return err
	}
	ids := c.Args().Slice()
	if format == "text" && len(ids) > 0 {
		text, err := p.explain("rules", ids, p.textOptions(color, out))
		if err != nil {
			return err
		}
		return out.write(text)
	}
	all, err := p.chosenRules(ids)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := writeRules(&text, format, all); err != nil {
		return err
	}
	return out.write(text.Bytes())
}

func writeRules(w io.Writer, format string, all []rules.Rule) error {
	if format == "text" {
		listRules(w, all)
		return nil
	}
	entries, err := rulebook.Read(all, testdata.Examples())
	if err != nil {
		return err
	}
	if format == "markdown" {
		return docgen.Rules(w, entries)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(entries)
}

// everyRule gives the rules, and those about suppressions, for reading.
func (p *program) everyRule() []rules.Rule {
	return slices.Concat(p.rules, suppress.Rules(suppress.Setup{}))
}

// chosenRules gives the rules of some IDs, or all.
func (p *program) chosenRules(ids []string) ([]rules.Rule, error) {
	all := p.everyRule()
	if len(ids) == 0 {
		return all, nil
	}
	var out []rules.Rule
	for _, id := range ids {
		i := slices.IndexFunc(all, func(r rules.Rule) bool { return r.ID == id })
		if i < 0 {
			return nil, p.unknownID("rules", id)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// listRules writes the rules by subject.
func listRules(w io.Writer, all []rules.Rule) {
	for _, s := range rulebook.BySubject(all, func(r rules.Rule) string { return r.Subject }) {
		fmt.Fprintf(w, "%s\n", s.Name)
		for _, r := range s.Rules {
			fmt.Fprintf(w, "  %s (%s%s)\n%s\n", r.ID, r.Severity, fixable(r), lines(r.Title, "      "))
		}
	}
}

// lines breaks text into lines for a terminal.
func lines(text, margin string) string {
	return strings.Join(report.Wrap(text, margin, margin), "\n")
}
