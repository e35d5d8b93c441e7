package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

const checkHelp = `Reads the deployment in DIR (default: this folder) as Docker Compose reads it,
says what is wrong in the files, then tries the links between the services.
Nothing is changed, no mail is sent, and nobody is signed in unless --login
names a test user.

Examples:
  look at the deployment in this folder
      kopano-doctor check
  look at the files only, without any connection
      kopano-doctor check --offline /opt/kopano
  reach a service whose port is not published
      kopano-doctor check --resolve db:3306=172.18.0.5:3306
  sign a test user in as people do; test.env has USERNAME= and PASSWORD=
      kopano-doctor check --login test.env
  keep an eye on it while you change it; Ctrl-C ends that
      kopano-doctor check --watch
  for a script
      kopano-doctor check --format json --output report.json
  for a CI job: the text in its log, and two reports in files
      kopano-doctor check --report sarif=kopano.sarif --report junit=kopano.xml

Exit code:
  0    nothing is wrong
  1    something is wrong (see --fail-on)
  2    wrong usage, or there is no deployment to read
  3    nothing wrong was found, but something could not be checked
  130  interrupted; --watch always ends so`

// checkFlags holds what the command line says; one per call.
type checkFlags struct {
	format, failOn, from, color *choice
	timeout, deadline, interval *span
}

func newCheckFlags() *checkFlags {
	return &checkFlags{
		format:   newChoice(report.Formats()),
		failOn:   newChoice(doctor.FailOns()),
		from:     newChoice(vantage.Modes()),
		color:    newChoice([]string{"auto", "always", "never"}),
		timeout:  &span{doctor.DefaultTimeout},
		deadline: &span{doctor.DefaultDeadline},
		interval: &span{doctor.DefaultInterval},
	}
}

func (p *program) checkCommand() *cli.Command {
	f := newCheckFlags()
	command := &cli.Command{
		Name:            "check",
		Usage:           "look at a deployment: the files, then the links between the services",
		ArgsUsage:       "[DIR]",
		Description:     checkHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags:           f.flags(),
		Action:          func(c *cli.Context) error { return p.check(c, f) },
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (f *checkFlags) flags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		&cli.BoolFlag{Name: "offline", Usage: "look at the files only; open no connection"},
		&cli.GenericFlag{Name: "format", Value: f.format, Usage: "write the report for people or for programs"},
		&cli.StringFlag{Name: "output", Usage: "write the report to `FILE` instead of the terminal"},
		&cli.StringSliceFlag{Name: "report", Usage: "write one more report: `FORMAT=FILE`, with - for standard output; may be given again"},
		&cli.GenericFlag{Name: "fail-on", Value: f.failOn, Usage: "exit with 1 when there is a finding of this severity or above"},
		&cli.BoolFlag{Name: "verbose", Usage: "in the text, show every link that works, with what proved it"},
	}, f.liveFlags(), []cli.Flag{
		&cli.StringFlag{Name: "login", Usage: "sign a test user in everywhere a person does; `FILE` has username and password, - is standard input"},
		&cli.BoolFlag{Name: "login-shared", Usage: "take the file of --login although other users of this machine may read it"},
		&cli.BoolFlag{Name: "watch", Usage: "look again when files or containers change, and say what is different"},
		&cli.GenericFlag{Name: "interval", Value: f.interval, Usage: "with --watch: look again after this `TIME` in any case"},
	}, deploymentFlags(), f.looks(), settingsFlags())
}

// liveFlags say how the links are tried.
func (f *checkFlags) liveFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "resolve", Usage: "pin an address: `NAME:PORT=ADDR:PORT` connects to ADDR:PORT where the files say NAME:PORT; may be given again"},
		&cli.GenericFlag{Name: "from", Value: f.from, Usage: "where to connect from: container is the calling service's own, helper one beside it, host this machine, auto the best there is"},
		&cli.StringFlag{Name: "engine", Usage: "`ADDRESS` of the container engine, as in DOCKER_HOST, instead of the one that docker uses; none asks nobody"},
		&cli.StringFlag{Name: "helper-image", Value: engine.DefaultHelperImage, Usage: "`IMAGE` with this program, for helpers; make image makes it, and nothing is pulled"},
		&cli.GenericFlag{Name: "timeout", Value: f.timeout, Usage: "how much `TIME` to give each answer"},
		&cli.GenericFlag{Name: "deadline", Value: f.deadline, Usage: "how much `TIME` to give all connections together"},
	}
}

// deploymentFlags say what is read, as those of docker compose.
func deploymentFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "f", Aliases: []string{"file"}, Usage: "compose `FILE`, as for docker compose; may be given again"},
		&cli.StringSliceFlag{Name: "env-file", Usage: "`FILE` to read instead of .env, as for docker compose; may be given again"},
		&cli.StringSliceFlag{Name: "profile", Usage: "enable the profile `NAME`, as for docker compose; may be given again"},
		&cli.StringFlag{Name: "p", Aliases: []string{"project-name"}, Usage: "project `NAME`, as for docker compose"},
	}
}

// looks are the flags of how a text looks.
func (f *checkFlags) looks() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "color", Value: f.color, Usage: "colours; auto means on a terminal"},
	}
}

func (p *program) check(c *cli.Context, f *checkFlags) error {
	if c.NArg() > 1 {
		return badUsage("check", "only one folder can be looked at: %q and %q were given", c.Args().Get(0), c.Args().Get(1))
	}
	reports, err := p.destinations(c, "check", f.format)
	if err != nil {
		return err
	}
	if c.Bool("watch") {
		return p.watch(c, f, reports)
	}
	set, load, err := p.settingsAndFiles(c)
	if err != nil {
		return err
	}
	var login *checks.Trip
	if c.IsSet("login") {
		if c.Bool("offline") {
			return badUsage("check", "--login signs in over the network, and --offline opens no connection")
		}
		if login, err = p.readLogin(c.String("login"), c.Bool("login-shared")); err != nil {
			return err
		}
	}
	progress := p.newProgress()
	options := p.options(set, load, "timeout")
	options.Login, options.Progress = login, progress.show
	outcome, err := doctor.Check(c.Context, options)
	progress.clear()
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		return fmt.Errorf("no deployment to look at: %w", err)
	}
	if err := p.writeReports(reports, outcome.Report, f.color.value, c.Bool("verbose")); err != nil {
		return err
	}
	if login != nil && !slices.ContainsFunc(outcome.Report.Links, func(l report.Link) bool { return strings.HasPrefix(l.ID, "login-") }) {
		p.note("--login: nothing in this deployment takes a login that could be tried from here")
	}
	p.code = outcome.ExitCode
	if set.write != nil {
		p.code = doctor.ExitOK
		return p.writeBaseline(set.write, outcome.Report)
	}
	return nil
}

// options gives what the command line and the settings come to. The flag named
// gives the time for each answer.
func (p *program) options(set *settings, load deployment.Options, timeout string) doctor.Options {
	options := doctor.Options{
		Deployment: load,
		Offline:    set.on("offline"),
		FailOn:     doctor.FailOn(set.text("fail-on")),
		Timeout:    set.span(timeout),
		Deadline:   set.span("deadline"),
		Version:    buildVersion(),
		Rules:      p.rules,
		Checks:     p.checks,
		Vantage:    p.vantage(set.pins, vantage.Mode(set.text("from"))),
		Engine:     p.askEngine(set.context.String("engine"), set.context.String("helper-image")),
		Now:        p.now,
	}
	set.apply(&options)
	return options
}

// askEngine gives the way to ask the engine; nil where nobody is to be asked.
func (p *program) askEngine(address, image string) func(context.Context, *deployment.Deployment) doctor.EngineSays {
	if address == "none" || p.engine == nil {
		return nil
	}
	return p.engine(doctor.EngineOptions{Address: address, Image: image, Getenv: p.getenv})
}

// settingsAndFiles gives what holds for the deployment of the command line, and
// how it is loaded.
func (p *program) settingsAndFiles(c *cli.Context) (*settings, deployment.Options, error) {
	dir := c.Args().First()
	if dir == "" {
		dir = "."
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, deployment.Options{}, fmt.Errorf("the folder %s cannot be read: %w", dir, bare(err))
	case !info.IsDir():
		return nil, deployment.Options{}, badUsage("check", "%s is a file; give its folder, or the file with -f", dir)
	}
	set, err := p.settings(c, dir)
	if err != nil {
		return nil, deployment.Options{}, err
	}
	load, err := p.loadOptions(set, dir)
	if err == nil && c.IsSet("f") {
		p.noteFolder(c, load.Files)
	}
	return set, load, err
}

// loadOptions gives the loader's options. Files are named as for docker
// compose, from the current folder, or from DIR where only that has them; in the
// file with settings, from DIR.
func (p *program) loadOptions(set *settings, dir string) (deployment.Options, error) {
	o := deployment.Options{Dir: dir, Profiles: set.list("profile"), ProjectName: set.text("p"), Environ: p.env}
	locate := func(flag, file string) string {
		if set.inFile(flag) {
			return file // the loader starts from Dir
		}
		return fromHereOr(dir, file)
	}
	for _, f := range set.list("f") {
		if f == "-" {
			return o, badUsage("check", "-f -: a compose file cannot be read from standard input; give its name")
		}
		o.Files = append(o.Files, locate("f", f))
	}
	for _, f := range set.list("env-file") {
		o.EnvFiles = append(o.EnvFiles, locate("env-file", f))
	}
	return o, nil
}

// noteFolder warns of a difference to docker compose, which takes the folder of
// the first -f for that of the deployment, where we take the current one.
func (p *program) noteFolder(c *cli.Context, files []string) {
	here, err := os.Getwd()
	if err != nil || c.Args().Present() || len(files) == 0 || filepath.Dir(files[0]) == here {
		return
	}
	p.note("the folder looked at is %s; docker compose -f would take %s: give that as DIR if it is meant", here, filepath.Dir(files[0]))
}

func fromHereOr(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	here, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	there := filepath.Join(dir, file)
	if !exists(here) && exists(there) {
		if abs, err := filepath.Abs(there); err == nil {
			return abs
		}
	}
	return here
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// bare gives the reason of a file error without its operation and path.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
