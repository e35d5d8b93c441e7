package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

const configHelp = `Says which settings hold when the deployment in DIR (default: this folder) is
checked, and where each is from: a flag, a variable, a line of
.kopano-doctor.yaml, or nowhere. It takes the flags of check and opens no
connection.

Examples:
  what holds in this folder
      kopano-doctor config
  what would hold with a flag
      kopano-doctor config --fail-on warning /opt/kopano`

func (p *program) configCommand() *cli.Command {
	command := p.checkCommand()
	command.Name, command.Usage, command.Description = "config", "say which settings hold, and where they are from", configHelp
	command.Action = p.showConfig
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) showConfig(c *cli.Context) error {
	if c.NArg() > 1 {
		return badUsage("config", "give one folder")
	}
	set, load, err := p.settingsAndFiles(c)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	dir, err := filepath.Abs(load.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "# settings for the deployment in %s\n", report.Printable(dir))
	if set.config.File == "" {
		fmt.Fprintln(&b, "# there is no .kopano-doctor.yaml for it, or it is not read")
	}
	var lines [][2]string
	for _, f := range c.Command.Flags {
		if variable(c.Command.Name, f) != "" {
			lines = append(lines, [2]string{longest(f) + ": " + p.holds(c, set, f), p.whence(c, set, f)})
		}
	}
	lines = append(lines, otherKeys(set.config)...)
	slices.SortFunc(lines, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	for _, l := range lines {
		// An address may hold a password.
		text := (*secret.Redactor)(nil).Redact(l[0])
		fmt.Fprintf(&b, "%-42s # %s\n", report.Printable(text), report.Printable(l[1]))
	}
	p.noteStrangers(c)
	_, err = p.stdout.Write(b.Bytes())
	return err
}

// holds gives the value of a flag, "-" for none.
func (p *program) holds(c *cli.Context, set *settings, f cli.Flag) string {
	name := f.Names()[0]
	value := ""
	if _, ok := f.(*cli.StringSliceFlag); ok {
		list := set.list(name)
		if name == "resolve" && c.IsSet(name) { // those of both count
			list = slices.Concat(list, set.config.Keys[name].Values)
		}
		value = strings.Join(list, ", ")
	} else {
		value = set.text(name)
	}
	return cmp.Or(value, "-")
}

// whence says where the value of a flag is from.
func (p *program) whence(c *cli.Context, set *settings, f cli.Flag) string {
	name := f.Names()[0]
	from := "default"
	switch k, ok := set.key(name); {
	case ok:
		return settingsPlace(k.At)
	case p.fromVariable[name]:
		from = "variable " + variable(c.Command.Name, f)
	case c.IsSet(name):
		from = "flag --" + longest(f)
	}
	if k, ok := set.config.Keys[name]; ok && name == "resolve" && c.IsSet(name) {
		from += " and " + settingsPlace(k.At)
	}
	return from
}

// otherKeys gives what the file says that no flag can.
func otherKeys(c *config.Config) [][2]string {
	days := "thresholds.certificate-days: 30"
	out := [][2]string{}
	add := func(key, text string) {
		from := "default"
		if k, ok := c.Keys[key]; ok {
			from = settingsPlace(k.At)
		}
		out = append(out, [2]string{text, from})
	}
	if c.CertificateDays > 0 {
		days = fmt.Sprintf("thresholds.certificate-days: %d", c.CertificateDays)
	}
	add("thresholds", days)
	add("external-hosts", "external-hosts: "+cmp.Or(strings.Join(c.ExternalHosts, ", "), "-"))
	add("ignore", fmt.Sprintf("ignore: %s", count(len(c.Ignores), "kind")+" of findings"))
	var severities []string
	for _, id := range slices.Sorted(maps.Keys(c.Severity)) {
		word := c.Severity[id].String()
		if c.Severity[id] == config.Off {
			word = "off"
		}
		severities = append(severities, id+"="+word)
	}
	add("severity", "severity: "+cmp.Or(strings.Join(severities, ", "), "-"))
	return out
}

// settingsPlace names a line of the file with settings.
func settingsPlace(at finding.Location) string {
	return fmt.Sprintf("%s:%d", report.Printable(at.File), at.Line)
}

// noteStrangers names variables that look like ours and belong to no flag.
func (p *program) noteStrangers(c *cli.Context) {
	known := map[string]bool{}
	for _, command := range c.App.Commands {
		for _, f := range command.Flags {
			known[variable(command.Name, f)] = true
		}
	}
	for _, e := range p.env {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, variablePrefix) && !known[name] {
			p.note("the variable %s belongs to no flag", report.Printable(name))
		}
	}
}
