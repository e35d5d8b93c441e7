package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/depmap"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

const mapHelp = `Draws the deployment in DIR (default: this folder): its services in layers, from
the outside world to the operation, and which of them calls which, and where.
The files alone are read for that; with --status the links are tried as check
does it, and the map shows which of them work.

Examples:
  look at the deployment in this folder
      kopano-doctor map
  what one service needs, and who needs it
      kopano-doctor map --focus kopano_server
  a page with the picture, and what works
      kopano-doctor map --status --format html --output map.html
  a diagram for a wiki or a README
      kopano-doctor map --format mermaid

Exit code: 0 when the map was drawn, 2 for wrong usage or when there is no
deployment to read; with --status that of check.`

// mapFormats write a map, the default first.
var mapFormats = []struct {
	name  string
	write func(io.Writer, *depmap.Map, depmap.TextOptions) error
}{
	{"text", depmap.Text},
	{"mermaid", func(w io.Writer, m *depmap.Map, _ depmap.TextOptions) error { return depmap.Mermaid(w, m) }},
	{"dot", func(w io.Writer, m *depmap.Map, _ depmap.TextOptions) error { return depmap.Dot(w, m) }},
	{"svg", func(w io.Writer, m *depmap.Map, _ depmap.TextOptions) error { return depmap.SVG(w, m, false) }},
	{"html", func(w io.Writer, m *depmap.Map, _ depmap.TextOptions) error { return depmap.HTML(w, m) }},
}

func (p *program) mapCommand() *cli.Command {
	var names []string
	for _, f := range mapFormats {
		names = append(names, f.name)
	}
	format, f := newChoice(names), newCheckFlags()
	command := &cli.Command{
		Name:            "map",
		Usage:           "draw the deployment: its services and the links between them",
		ArgsUsage:       "[DIR]",
		Description:     mapHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags: slices.Concat([]cli.Flag{
			&cli.GenericFlag{Name: "format", Value: format, Usage: "write the map for people, as a diagram, or as a picture"},
			&cli.StringFlag{Name: "output", Usage: "write the map to `FILE` instead of the terminal"},
			&cli.StringFlag{Name: "focus", Usage: "only `SERVICE`, what it calls and what calls it"},
			&cli.BoolFlag{Name: "status", Usage: "try the links, as check does, and show which of them work"},
		}, f.liveFlags(), deploymentFlags(), f.looks(), settingsFlags()[:2]),
		Action: func(c *cli.Context) error {
			err := p.drawMap(c, f, format.value)
			var u usageError
			if errors.As(err, &u) {
				u.command = "map" // what is shared with check
				return u
			}
			return err
		},
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) drawMap(c *cli.Context, f *checkFlags, format string) error {
	if c.NArg() > 1 {
		return badUsage("map", "only one folder can be looked at: %q and %q were given", c.Args().Get(0), c.Args().Get(1))
	}
	out, err := p.openOutput("map", c.IsSet("output"), c.String("output"))
	if err != nil {
		return err
	}
	r, code, err := p.reportForMap(c)
	if err != nil {
		return err
	}
	m := r.Map(c.Bool("status"))
	if c.IsSet("focus") {
		if m, err = focus(m, c.String("focus")); err != nil {
			return err
		}
	}
	text := p.textOptions(f.color.value, out)
	var b bytes.Buffer
	for _, known := range mapFormats {
		if known.name == format {
			err = known.write(&b, m, depmap.TextOptions{Color: text.Color, ASCII: text.ASCII})
		}
	}
	if err != nil {
		return err
	}
	p.code = code
	return out.write(b.Bytes())
}

// reportForMap makes the report that the map is drawn from. Without --status
// nothing is looked for in the files, and no connection is opened.
func (p *program) reportForMap(c *cli.Context) (*report.Report, int, error) {
	set, load, err := p.settingsAndFiles(c)
	if err != nil {
		return nil, 0, err
	}
	progress := p.newProgress()
	options := doctor.Options{Deployment: load, Offline: true, Version: buildVersion(), Now: p.now}
	if c.Bool("status") {
		options.Offline, options.FailOn = set.on("offline"), doctor.FailOn(set.text("fail-on"))
		options.Timeout, options.Deadline = set.span("timeout"), set.span("deadline")
		options.Rules, options.Checks, options.Progress = p.rules, p.checks, progress.show
		options.Vantage = p.vantage(set.pins, vantage.Mode(set.text("from")))
		options.Engine = p.askEngine(c.String("engine"), c.String("helper-image"))
	}
	set.apply(&options)
	outcome, err := doctor.Check(c.Context, options)
	progress.clear()
	switch {
	case errors.Is(err, context.Canceled):
		return nil, 0, err
	case err != nil:
		return nil, 0, fmt.Errorf("no deployment to look at: %w", err)
	case !c.Bool("status"):
		return outcome.Report, doctor.ExitOK, nil
	}
	return outcome.Report, outcome.ExitCode, nil
}

func focus(m *depmap.Map, name string) (*depmap.Map, error) {
	if part := m.Focus(name); part != nil {
		return part, nil
	}
	var known []string
	for _, n := range m.Nodes() {
		known = append(known, n.Name)
	}
	if near, ok := nearest.Of(name, known); ok {
		return nil, badUsage("map", "--focus %s: there is no such service; did you mean %s?", name, near)
	}
	return nil, badUsage("map", "--focus %s: there is no such service", name)
}
