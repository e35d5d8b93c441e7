//go:build linux

// Run starts the lab, or takes it away.
//
//	go run ./internal/lab/bridges/run up|down
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/lab/bridges"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	source, err := os.Getwd()
	if err != nil {
		return err
	}
	b, err := bridges.New(source, filepath.Join(source, "bin", "lab", "deployment"))
	if err != nil {
		return err
	}
	switch strings.Join(args, " ") {
	case "up":
		for _, step := range []func() error{b.Write, b.Images, b.Up} {
			if err := step(); err != nil {
				return err
			}
		}
		fmt.Printf("The lab runs. Look at it with:\n\n    SSL_CERT_FILE=%s bin/kopano-doctor check %s\n", b.Authority(), b.Dir)
		return nil
	case "down":
		return b.Down()
	}
	return fmt.Errorf("usage: run up|down")
}
