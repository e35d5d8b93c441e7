package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// Flags may be given as variables of the environment. urfave/cli has a field for
// that, EnvVars, which is not used: it reads the environment of the process, not
// the one that Main is given; it takes an empty variable for a value; it says
// nothing of where a value is from; and it divides lists at commas, which file
// names may have.

const variablePrefix = "KOPANO_DOCTOR_"

// variable gives the name of the variable of a flag, "" for --help and for a
// command that people do not call. Flags that mean the same have the same variable in every
// command; those of the lists of rules and checks, and the format and file of a map, only
// share names with others, and --timeout of wait is the whole time.
func variable(command string, f cli.Flag) string {
	name := strings.ToUpper(strings.ReplaceAll(longest(f), "-", "_"))
	if command == "probe" || name == "HELP" {
		return ""
	}
	switch command {
	case "wait":
		switch name {
		case "FORMAT", "OUTPUT", "FOR", "TIMEOUT":
			return variablePrefix + "WAIT_" + name
		case "ANSWER_TIMEOUT":
			return variablePrefix + "TIMEOUT"
		}
	case "map":
		if name == "FORMAT" || name == "OUTPUT" {
			return variablePrefix + "MAP_" + name
		}
	case "rules", "checks":
		if name != "COLOR" {
			return variablePrefix + strings.ToUpper(command) + "_" + name
		}
	}
	return variablePrefix + name
}

// longest gives the name of a flag that says most: "file" of -f and --file.
func longest(f cli.Flag) string {
	return slices.MaxFunc(f.Names(), func(a, b string) int { return len(a) - len(b) })
}

// beats lists the flags whose variables count for nothing when the flag itself
// is given on the command line, since they contradict it.
func beats(flag string) []string {
	return map[string][]string{
		"config": {"no-config"}, "no-config": {"config"},
		"baseline": {"write-baseline"}, "write-baseline": {"baseline"},
		"write": {"dry-run"}, "dry-run": {"write"},
		"offline": {"login"}, "login": {"offline"},
	}[flag]
}

// readVariables sets the flags of a command that have a variable and are not on
// the command line. An empty variable is none. A list has one value a line.
func (p *program) readVariables(c *cli.Context) error {
	var given, beaten []string
	for _, f := range c.Command.Flags {
		if name := f.Names()[0]; c.IsSet(name) {
			given = append(given, name)
			beaten = append(beaten, beats(name)...)
		}
	}
	p.fromVariable = map[string]bool{}
	for _, f := range c.Command.Flags {
		name, from := f.Names()[0], variable(c.Command.Name, f)
		value := ""
		if from != "" {
			value = p.getenv(from)
		}
		if value == "" || slices.Contains(given, name) || slices.Contains(beaten, name) {
			continue
		}
		for _, v := range valuesOf(f, value) {
			if err := setFlag(c, f, v); err != nil {
				return badUsage(c.Command.Name, "the variable %s: %w", from, err)
			}
		}
		p.fromVariable[name] = true
	}
	return nil
}

// setFlag sets a flag as the command line would.
func setFlag(c *cli.Context, f cli.Flag, value string) error {
	if _, ok := f.(*cli.BoolFlag); ok {
		on, err := strconv.ParseBool(value)
		if err != nil {
			return badUsage(c.Command.Name, "write true or false")
		}
		value = strconv.FormatBool(on)
	}
	return c.Set(f.Names()[0], value)
}

func valuesOf(f cli.Flag, text string) []string {
	if _, ok := f.(*cli.StringSliceFlag); !ok {
		return []string{text}
	}
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
