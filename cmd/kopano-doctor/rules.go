package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
)

func (p *program) rulesCommand() *cli.Command {
	command := &cli.Command{
		Name:      "rules",
		Usage:     "list what is looked for in the files, or explain one rule",
		ArgsUsage: "[ID]",
		Description: "Without an ID, lists every rule; with the ID that a report prints in brackets,\n" +
			"explains that rule.\n\n   kopano-doctor rules ldap-uri-scheme",
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Action: func(c *cli.Context) error {
			switch c.NArg() {
			case 0:
				return p.listRules()
			case 1:
				return p.explainRule(c.Args().First())
			}
			return badUsage("rules", "give one rule at a time")
		},
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) listRules() error {
	var b strings.Builder
	subject := ""
	for _, r := range p.rules {
		if r.Subject != subject {
			subject = r.Subject
			fmt.Fprintf(&b, "%s\n", subject)
		}
		fmt.Fprintf(&b, "  %-36s %-8s %s\n", r.ID, r.Severity, r.Title)
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}

func (p *program) explainRule(id string) error {
	var ids []string
	for _, r := range p.rules {
		if r.ID == id {
			_, err := fmt.Fprintf(p.stdout, "%s (%s)\n%s\n\n%s\n", r.ID, r.Severity, r.Title, r.Why)
			return err
		}
		ids = append(ids, r.ID)
	}
	if near, ok := nearest.Of(id, ids); ok {
		return badUsage("rules", "there is no rule %q; did you mean %q?", id, near)
	}
	return badUsage("rules", "there is no rule %q", id)
}
