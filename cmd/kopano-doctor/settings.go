package main

import (
	"fmt"
	"maps"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// settingsFlags are the flags of what suppresses findings.
func settingsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "`FILE` with settings, instead of the .kopano-doctor.yaml in the deployment's folder or above"},
		&cli.BoolFlag{Name: "no-config", Usage: "read no file with settings"},
		&cli.StringFlag{Name: "baseline", Usage: "leave out the findings that are in `FILE`"},
		&cli.StringFlag{Name: "write-baseline", Usage: "write the findings into `FILE`, for --baseline, and exit with 0"},
		&cli.BoolFlag{Name: "no-inline-ignores", Usage: "obey no comments in the files that suppress findings"},
	}
}

// settings is what the command line and the file with settings come to.
type settings struct {
	config   *config.Config // never nil
	baseline *suppress.Baseline
	write    *output // nil: no baseline is written
	pins     vantage.Pins
}

func (p *program) settings(c *cli.Context, dir string) (*settings, error) {
	s := &settings{config: &config.Config{}}
	var err error
	switch {
	case c.IsSet("config") && c.Bool("no-config"):
		return nil, badUsage("check", "--config and --no-config contradict each other")
	case c.IsSet("baseline") && c.IsSet("write-baseline"):
		return nil, badUsage("check", "--baseline and --write-baseline cannot be given together; to write a baseline anew, --write-baseline is enough")
	}
	if c.IsSet("write-baseline") {
		if s.write, err = p.openFile("check", "write-baseline", c.String("write-baseline")); err != nil {
			return nil, err
		}
	}
	if err := p.readConfig(c, s, dir); err != nil {
		return nil, err
	}
	if c.IsSet("baseline") {
		if s.baseline, err = suppress.ReadBaseline(c.String("baseline")); err != nil {
			return nil, fmt.Errorf("the baseline cannot be read: %w", err)
		}
	}
	return s, s.resolve(c)
}

func (p *program) readConfig(c *cli.Context, s *settings, dir string) error {
	file, err := c.String("config"), error(nil)
	if !c.IsSet("config") && !c.Bool("no-config") {
		if file, err = config.Find(dir); err != nil {
			return fmt.Errorf("the settings cannot be read: %w", err)
		}
	}
	if file == "" {
		if c.IsSet("config") {
			return badUsage("check", "--config: the name of the file is missing")
		}
		return nil
	}
	s.config, err = config.Load(file, dir, doctor.IDs(p.rules))
	if err != nil {
		return fmt.Errorf("the settings cannot be read: %w", err)
	}
	return nil
}

// resolve joins the pinned addresses of the file and of the command line, which wins.
func (s *settings) resolve(c *cli.Context) error {
	flags, err := vantage.ParsePins(c.StringSlice("resolve"))
	if err != nil {
		return badUsage("check", "%w", err)
	}
	// The file's own were looked at when it was read.
	if s.pins, err = vantage.ParsePins(s.config.Resolve); err != nil {
		return err
	}
	maps.Copy(s.pins, flags)
	return nil
}

// apply lets the file speak where the command line does not.
func (s *settings) apply(c *cli.Context, o *doctor.Options) {
	if s.config.FailOn != "" && !c.IsSet("fail-on") {
		o.FailOn = doctor.FailOn(s.config.FailOn)
	}
	if s.config.Timeout > 0 && !c.IsSet("timeout") {
		o.Timeout = s.config.Timeout
	}
	if s.config.Deadline > 0 && !c.IsSet("deadline") {
		o.Deadline = s.config.Deadline
	}
	if s.config.Offline && !c.IsSet("offline") {
		o.Offline = true
	}
	o.Config, o.Baseline, o.NoInline = s.config, s.baseline, c.Bool("no-inline-ignores")
}

// writeBaseline writes the findings of a report. Reports hold no secrets.
func (p *program) writeBaseline(out *output, r *report.Report) error {
	var known []suppress.Known
	for _, f := range r.Findings {
		known = append(known, suppress.Known{Fingerprint: f.Fingerprint, ID: f.ID, Subject: f.Subject})
	}
	data, err := suppress.NewBaseline(known).JSON()
	if err == nil {
		err = out.write(data)
	}
	if err != nil {
		return fmt.Errorf("the baseline could not be written: %w", err)
	}
	p.note("%s written to %s; from now on, run `kopano-doctor check --baseline %s`", count(len(known), "finding"), out.file, filepath.ToSlash(out.file))
	return nil
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
