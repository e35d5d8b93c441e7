package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
)

const checksHelp = `Lists what is asked of the running services, and what the answers are told
apart by.

Example:
  kopano-doctor checks`

func (p *program) checksCommand() *cli.Command {
	format := newChoice([]string{"text", "markdown"})
	command := &cli.Command{
		Name:            "checks",
		Usage:           "list what is asked of the running services",
		Description:     checksHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags: []cli.Flag{
			&cli.GenericFlag{Name: "format", Value: format, Usage: "text, or the probe reference of the documentation as markdown"},
			&cli.StringFlag{Name: "output", Usage: "write to `FILE` instead of the terminal"},
		},
		Action: func(c *cli.Context) error { return p.showChecks(c, format.value) },
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) showChecks(c *cli.Context, format string) error {
	if c.NArg() > 0 {
		return badUsage("checks", "it takes no argument")
	}
	out, err := p.openOutput("checks", c.IsSet("output"), c.String("output"))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if format == "markdown" {
		err = docgen.Checks(&text, checks.Docs())
	} else {
		listChecks(&text, checks.Docs())
	}
	if err != nil {
		return err
	}
	return out.write(text.Bytes())
}

func listChecks(w io.Writer, docs []checks.Doc) {
	for _, d := range docs {
		fmt.Fprintf(w, "%s\n%s\n", d.Title, lines(d.Asks, "  "))
		if d.Never != "" {
			fmt.Fprintf(w, "%s\n", lines(d.Never, "  "))
		}
		if d.Check != nil {
			fmt.Fprintf(w, "%s\n", lines("links: "+strings.Join(checks.LinksOf(d.Check), ", "), "  "))
		}
		for _, r := range d.Reasons {
			fmt.Fprintf(w, "  %s (%s)\n%s\n", r.Reason, r.Rung, lines(r.Means, "      "))
		}
	}
}
