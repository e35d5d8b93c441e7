package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// commandHelp lays out the help of a command in 80 columns. urfave's own
// layout puts each flag and its explanation on one line, which a terminal
// breaks anywhere.
func commandHelp(c *cli.Command) string {
	var b strings.Builder
	usage := "kopano-doctor " + c.Name
	if len(c.Flags) > 0 {
		usage += " [flags]"
	}
	b.WriteString("Usage: " + strings.TrimSpace(usage+" "+c.ArgsUsage) + "\n\n")
	if c.Description != "" {
		b.WriteString(c.Description + "\n")
	} else {
		b.WriteString(strings.ToUpper(c.Usage[:1]) + c.Usage[1:] + ".\n")
	}
	if len(c.Flags) > 0 {
		b.WriteString("\nFlags:\n")
		for _, f := range c.Flags {
			b.WriteString(flagHelp(f))
		}
		if v := variable(c.Name, c.Flags[0]); v != "" {
			text := "Each flag has a variable too: --" + longest(c.Flags[0]) + " is " + v + "."
			b.WriteString("\n" + strings.Join(report.Wrap(text, "", ""), "\n") + "\n")
		}
	}
	// The result is a template to urfave.
	return strings.ReplaceAll(b.String(), "{{", "{{`{{`}}")
}

// flagHelp gives the lines of one flag: its names and value, then what it does.
func flagHelp(f cli.Flag) string {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	value, usage := unquote(d.GetUsage())
	if g, ok := f.(*cli.GenericFlag); ok {
		if c, ok := g.Value.(*choice); ok {
			value = strings.Join(c.words, "|")
		}
	}
	var names []string
	for _, n := range f.Names() {
		if len(n) == 1 {
			names = append(names, "-"+n)
		} else {
			names = append(names, "--"+n)
		}
	}
	head := strings.TrimSpace(strings.Join(names, ", ") + " " + value)
	if def := defaultOf(f); def != "" {
		usage += " (default: " + def + ")"
	}
	const indent = "      "
	return brokenAtBars(head) + "\n" + strings.Join(report.Wrap(usage, indent, indent), "\n") + "\n"
}

func defaultOf(f cli.Flag) string {
	if g, ok := f.(*cli.GenericFlag); ok {
		return g.GetDefaultText()
	}
	return ""
}

// unquote takes the name of the value out of a usage text: the word between backquotes.
func unquote(usage string) (value, text string) {
	before, rest, found := strings.Cut(usage, "`")
	if !found {
		return "", usage
	}
	value, after, _ := strings.Cut(rest, "`")
	return value, before + value + after
}

// brokenAtBars indents the head of a flag, and breaks a long list of words where
// one ends.
func brokenAtBars(head string) string {
	const width = 80
	line, out := " ", ""
	for i, word := range strings.SplitAfter(head, "|") {
		if i == 0 {
			word = " " + word
		}
		if len(line)+len(word) > width {
			out, line = out+line+"\n", "     "
		}
		line += word
	}
	return out + line
}
