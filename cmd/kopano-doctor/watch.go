package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// watch is check --watch. It ends when it is interrupted, or when what it writes
// to is gone.
func (p *program) watch(c *cli.Context, f *checkFlags, reports []destination) error {
	for _, flag := range []string{"login", "write-baseline"} {
		if c.IsSet(flag) {
			return badUsage("check", "--watch and --%s cannot be given together", flag)
		}
	}
	for _, d := range reports {
		if d.out.file == "" && d.format != report.FormatText && d.format != report.FormatJSON {
			return badUsage("check", "--watch writes text or JSON to standard output; for other formats name a file: --report %s=FILE", d.format)
		}
	}
	// Whoever reads the line of a change finds the files as they are then.
	slices.SortStableFunc(reports, func(a, b destination) int { return strings.Compare(b.out.file, a.out.file) })
	w := &watching{p: p, reports: reports, colour: f.color.value, progress: p.newProgress(), options: p.watchOptions(c), first: true}
	watch := doctor.WatchOptions{Options: w.next, Interval: f.interval.value, Told: w.tell, Quiet: w.quiet, Note: p.note}
	if address := c.String("engine"); address != "none" && p.engine != nil && !c.Bool("offline") {
		watch.Events = doctor.EngineEvents(doctor.EngineOptions{Address: address, Getenv: p.getenv})
	}
	err := doctor.Watch(c.Context, watch)
	w.clear()
	var u usageError
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, &u) || !w.first {
		return err
	}
	return fmt.Errorf("no deployment to look at: %w", err)
}

// watchOptions reads the settings anew for each look. What is to be said of the
// command line is said once.
func (p *program) watchOptions(c *cli.Context) func() (doctor.Options, error) {
	speaker := *p
	return func() (doctor.Options, error) {
		set, load, err := speaker.settingsAndFiles(c)
		speaker.stderr = io.Discard
		if err != nil {
			return doctor.Options{}, err
		}
		return speaker.options(set, load, "timeout"), nil
	}
}

// watching writes what a watch tells.
type watching struct {
	p        *program
	reports  []destination
	colour   string
	progress *progress
	options  func() (doctor.Options, error)
	first    bool // nothing was told yet
	shown    bool // a line on the terminal that is to be cleared
}

func (w *watching) next() (doctor.Options, error) {
	o, err := w.options()
	o.Progress = w.progress.show
	return o, err
}

func (w *watching) clear() {
	w.progress.clear()
	if w.shown {
		fmt.Fprint(w.p.stderr, "\r\x1b[K")
		w.shown = false
	}
}

// quiet leaves a sign of life on a terminal.
func (w *watching) quiet(at time.Time) {
	w.clear()
	if isTerminal(w.p.stderr) {
		fmt.Fprintf(w.p.stderr, "looked at %s: nothing has changed; Ctrl-C ends", at.Format(time.TimeOnly))
		w.shown = true
	}
}

func (w *watching) tell(l doctor.Look) error {
	w.clear()
	w.first = false
	if l.Outcome != nil {
		w.p.code = l.Outcome.ExitCode
	}
	for _, d := range w.reports {
		var text bytes.Buffer
		if err := w.write(&text, d, l); err != nil {
			return err
		}
		if text.Len() == 0 {
			continue
		}
		if err := d.out.write(text.Bytes()); err != nil {
			return fmt.Errorf("the report could not be written: %w", err)
		}
	}
	return nil
}

// write writes what a look adds to standard output, or the whole report for a file.
func (w *watching) write(text io.Writer, d destination, l doctor.Look) error {
	options := w.p.textOptions(w.colour, d.out)
	switch {
	case d.out.file != "" && l.Err != nil:
		return nil // the file keeps the last report that there is
	case d.out.file != "" || l.First && d.format == report.FormatText:
		return report.Write(text, l.Outcome.Report, d.format, options)
	case d.format == report.FormatJSON:
		return line(l).Write(text)
	case l.Err != nil:
		_, err := fmt.Fprintf(text, "\n%s  cannot be read now: %s\n", l.At.Format(time.DateTime), harmlessText(l.Err))
		return err
	}
	return report.ChangesText(text, l.At, l.Changes, l.Outcome.Report, options)
}

// line makes the line of JSON of a look.
func line(l doctor.Look) report.WatchLine {
	out := report.WatchLine{At: l.At.Format(time.RFC3339), Event: "change"}
	if l.Err != nil {
		out.Event, out.Error = "error", harmlessText(l.Err)
		return out
	}
	r := l.Outcome.Report
	out.Summary, out.ExitCode = &r.Summary, &r.ExitCode
	if l.First {
		out.Event, out.Report = "report", r
	} else {
		out.Changes = &l.Changes
	}
	return out
}

// harmlessText gives an error, which may quote a file or an address.
func harmlessText(err error) string { return (*secret.Redactor)(nil).Redact(err.Error()) }
