package main

import (
	"fmt"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/urfave/cli/v2"
)

// manCommand writes the manual page; packages call it when they are built.
func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Hidden: true, HideHelpCommand: true, OnUsageError: onUsageError,
		Usage: "write the manual page",
		Action: func(c *cli.Context) error {
			_, err := p.stdout.Write(manual(c.App))
			return err
		},
	}
}

const manAbout = `kopano-doctor reads a deployment as Docker Compose does, says what is wrong in
its files and where, and then tries the links between its services. It only
reads: no mail is delivered, no row is written, no account is locked, and no
secret is printed.`

const manFiles = `**.kopano-doctor.yaml** in the deployment's folder, or in a folder above within
the same Git repository, holds settings; **kopano-doctor init** writes one with
an explanation of each.`

// manual gives the page in roff. The one that urfave/cli makes has neither the
// descriptions of the commands, nor the words that a flag takes, nor variables.
func manual(app *cli.App) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%% \"KOPANO-DOCTOR\" \"1\" \"\" \"kopano-doctor %s\" \"User Commands\"\n\n", app.Version)
	section := func(title, text string) { fmt.Fprintf(&b, "# %s\n\n%s\n\n", title, text) }
	section("NAME", app.Name+" - "+app.Usage)
	section("SYNOPSIS", "**kopano-doctor** *COMMAND* [*FLAGS*] [*ARGUMENTS*]")
	section("DESCRIPTION", manAbout)
	section("COMMANDS", "")
	for _, c := range app.Commands {
		if !c.Hidden {
			manualOf(&b, c)
		}
	}
	section("FILES", manFiles)
	section("SEE ALSO", "**docker-compose**(1), https://github.com/kopano-doctor/kopano-doctor")
	return md2man.Render([]byte(b.String()))
}

func manualOf(b *strings.Builder, c *cli.Command) {
	usage := c.Name
	if len(c.Flags) > 0 {
		usage += " [flags]"
	}
	fmt.Fprintf(b, "### %s\n\n", manText(strings.TrimSpace(usage+" "+c.ArgsUsage)))
	text := c.Description
	if text == "" {
		text = strings.ToUpper(c.Usage[:1]) + c.Usage[1:] + "."
	}
	for _, block := range strings.Split(text, "\n\n") {
		head, rest, _ := strings.Cut(block, "\n")
		if strings.HasPrefix(rest, "  ") { // examples, exit codes
			fmt.Fprintf(b, "%s\n\n```\n%s\n```\n\n", manText(head), rest)
		} else {
			fmt.Fprintf(b, "%s\n\n", manText(block))
		}
	}
	for _, f := range c.Flags {
		lines := strings.Split(strings.TrimSpace(flagHelp(f)), "\n")
		fmt.Fprintf(b, "**%s**", manText(lines[0]))
		fmt.Fprintf(b, "\n: %s", manText(oneLine(lines[1:])))
		if v := variable(c.Name, f); v != "" {
			fmt.Fprintf(b, " Variable: %s.", manText(v))
		}
		b.WriteString("\n\n")
	}
}

// oneLine joins the lines of a paragraph into sentences.
func oneLine(lines []string) string {
	text := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

var manSigns = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, "`", "\\`", "|", `\|`)

// manText writes text so that it reads as it is.
func manText(s string) string { return manSigns.Replace(s) }
