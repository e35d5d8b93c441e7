package main

import (
	"cmp"
	_ "embed" // for the scripts
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/checks"
)

// The scripts ask this program (see complete) for what can stand at a place, so
// that they need no change when a flag is added. Those that come with urfave/cli
// are not used: its script for bash runs what was typed through eval, and what it
// writes for fish takes --file for a flag of one letter and completes no files.
var (
	//go:embed completion/bash
	bashCompletion string
	//go:embed completion/zsh
	zshCompletion string
	//go:embed completion/fish
	fishCompletion string
)

// completeWord is the first argument of the calls that the scripts make.
const completeWord = "__complete"

const completionHelp = `Writes the script by which a shell completes commands, flags and IDs.

Examples:
  for bash, with the package bash-completion
      kopano-doctor completion bash > /etc/bash_completion.d/kopano-doctor
  for zsh
      kopano-doctor completion zsh > /usr/local/share/zsh/site-functions/_kopano-doctor
  for fish
      kopano-doctor completion fish > ~/.config/fish/completions/kopano-doctor.fish`

func shells() []string { return []string{"bash", "zsh", "fish"} }

func (p *program) completionCommand() *cli.Command {
	command := &cli.Command{
		Name:            "completion",
		Usage:           "write the script that completes what is typed in a shell",
		ArgsUsage:       "bash|zsh|fish",
		Description:     completionHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Action:          p.writeCompletion,
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) writeCompletion(c *cli.Context) error {
	if c.NArg() != 1 {
		return badUsage("completion", "name one shell: %s", strings.Join(shells(), ", "))
	}
	script := ""
	switch c.Args().First() {
	case "bash":
		script = bashCompletion
	case "zsh":
		script = zshCompletion
	case "fish":
		script = fishCompletion
	default:
		return badUsage("completion", "there is no script for %q; choose one of %s", c.Args().First(), strings.Join(shells(), ", "))
	}
	_, err := fmt.Fprint(p.stdout, script)
	return err
}

// complete writes what can stand for the last of the words, one a line; nothing
// where that is the name of a file.
func (p *program) complete(app *cli.App, words []string) {
	if len(words) == 0 {
		return
	}
	last, before := words[len(words)-1], words[:len(words)-1]
	// bash takes the sign of --flag=value for a word.
	if last == "=" {
		last = ""
	} else if n := len(before); n > 0 && before[n-1] == "=" {
		before = before[:n-1]
	}
	head := ""
	if flag, value, ok := strings.Cut(last, "="); ok && strings.HasPrefix(flag, "--") {
		head, last, before = flag+"=", value, append(slices.Clone(before), flag)
	}
	for _, w := range p.candidates(app, before, last) {
		if strings.HasPrefix(w, last) {
			fmt.Fprintln(p.stdout, head+w)
		}
	}
}

// candidates gives what can follow some words, the last begun of which is given.
func (p *program) candidates(app *cli.App, before []string, last string) []string {
	var out []string
	if len(before) == 0 {
		for _, c := range app.VisibleCommands() {
			out = append(out, c.Name)
		}
		return out
	}
	command := app.Command(before[0])
	if command == nil {
		return nil
	}
	if f := flagOf(command, before[len(before)-1]); f != nil {
		if g, ok := f.(*cli.GenericFlag); ok {
			if c, ok := g.Value.(*choice); ok {
				return c.words
			}
		}
		return nil
	}
	if strings.HasPrefix(last, "-") {
		for _, f := range command.Flags {
			out = append(out, "--"+longest(f))
		}
		return append(out, "--help")
	}
	return p.arguments(command.Name)
}

// flagOf gives the flag that a word is, when it takes a value.
func flagOf(command *cli.Command, word string) cli.Flag {
	name := strings.TrimLeft(word, "-")
	if name == word || !takesValue(command.Flags, name) {
		return nil
	}
	i := slices.IndexFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	return command.Flags[i]
}

// arguments gives what a command takes that is no file and no flag.
func (p *program) arguments(command string) []string {
	switch command {
	case "completion":
		return shells()
	case "explain", "rules":
		var ids []string
		for _, r := range p.everyRule() {
			ids = append(ids, r.ID)
		}
		if command == "explain" {
			ids = append(ids, checks.FindingIDs()...)
		}
		slices.SortFunc(ids, cmp.Compare[string])
		return slices.Compact(ids)
	}
	return nil
}
