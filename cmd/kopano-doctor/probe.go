package main

import (
	"context"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// probeCommand is what runs in a helper's container; people do not call it.
func (p *program) probeCommand() *cli.Command {
	return &cli.Command{
		Name: "probe", Hidden: true, HideHelpCommand: true, OnUsageError: onUsageError,
		Usage:  "answer over standard input and output what can be reached from here",
		Flags:  []cli.Flag{&cli.DurationFlag{Name: "for", Value: time.Minute, Usage: "end after this `TIME`, whatever is asked"}},
		Action: p.probe,
	}
}

func (p *program) probe(c *cli.Context) error {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("for"))
	defer cancel()
	return vantage.Serve(ctx, standardStreams{p.stdin, p.stdout})
}

// standardStreams is a connection over standard input and output.
type standardStreams struct {
	io.Reader
	io.Writer
}

// Close closes standard input, so that nobody waits for it any more.
func (s standardStreams) Close() error {
	if c, ok := s.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
