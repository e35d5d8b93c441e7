package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"time"

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

	context *cli.Context // what the command line and the variables say
}

// key gives what the file with settings says of a flag that neither the command
// line nor a variable gives.
func (s *settings) key(flag string) (config.Key, bool) {
	if s.context.IsSet(flag) {
		return config.Key{}, false
	}
	if long, ok := map[string]string{"f": "file", "p": "project-name", "answer-timeout": "timeout"}[flag]; ok {
		flag = long // also where a command has no such flag
	}
	k, ok := s.config.Keys[flag]
	return k, ok && len(k.Values) > 0
}

func (s *settings) inFile(flag string) bool {
	_, ok := s.key(flag)
	return ok
}

// list gives what holds for a flag that may be given again.
func (s *settings) list(flag string) []string {
	if k, ok := s.key(flag); ok {
		return k.Values
	}
	return s.context.StringSlice(flag)
}

// text gives what holds for any other flag, as it would be written.
func (s *settings) text(flag string) string {
	if k, ok := s.key(flag); ok {
		return k.Values[0]
	}
	if v := s.context.Value(flag); v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// on reports whether a flag holds.
func (s *settings) on(flag string) bool { return s.text(flag) == "true" }

// span gives the time that holds. Flags and file take only times that can be read.
func (s *settings) span(flag string) time.Duration {
	d, _ := time.ParseDuration(s.text(flag))
	return d
}

func (p *program) settings(c *cli.Context, dir string) (*settings, error) {
	s := &settings{config: &config.Config{}, context: c}
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
	if err := s.readBaseline(c); err != nil {
		return nil, fmt.Errorf("the baseline cannot be read: %w", err)
	}
	return s, s.resolve(c)
}

// readBaseline reads what the command line names, else what the file does, from
// the file's own folder. A run that writes a baseline anew obeys none.
func (s *settings) readBaseline(c *cli.Context) (err error) {
	file := ""
	if k, ok := s.key("baseline"); ok && s.write == nil {
		file = k.Values[0]
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(s.config.File), file)
		}
	} else if c.IsSet("baseline") {
		file = c.String("baseline")
	} else {
		return nil
	}
	s.baseline, err = suppress.ReadBaseline(file)
	return err
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
	loaded, err := config.Load(file, dir, doctor.IDs(p.rules))
	switch {
	case err == nil:
		s.config = loaded
	case !c.IsSet("config") && !exists(file): // it was taken away after it was found
		return p.readConfig(c, s, dir)
	default:
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
	if s.pins, err = vantage.ParsePins(s.config.Keys["resolve"].Values); err != nil {
		return err
	}
	maps.Copy(s.pins, flags)
	return nil
}

// apply says what suppresses findings.
func (s *settings) apply(o *doctor.Options) {
	o.Config, o.Baseline, o.NoInline = s.config, s.baseline, s.on("no-inline-ignores")
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
