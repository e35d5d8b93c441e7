package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
)

const initHelp = `Writes .kopano-doctor.yaml into DIR (default: this folder): every setting, with
an explanation, all of them switched off. A file that is there already is left
as it is.`

func (p *program) initCommand() *cli.Command {
	command := &cli.Command{
		Name:            "init",
		Usage:           "write a file with settings for a deployment",
		ArgsUsage:       "[DIR]",
		Description:     initHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Action:          p.writeExample,
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

func (p *program) writeExample(c *cli.Context) error {
	if c.NArg() > 1 {
		return badUsage("init", "give one folder")
	}
	dir := c.Args().First()
	if dir == "" {
		dir = "."
	}
	for _, name := range config.Names() {
		if file := filepath.Join(dir, name); exists(file) {
			return fmt.Errorf("%s is there already; it was left as it is", file)
		}
	}
	file := filepath.Join(dir, config.Names()[0])
	err := writeNew(file, []byte(config.Example()))
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already; it was left as it is", file)
	case err != nil:
		return fmt.Errorf("%s cannot be written: %w", file, bare(err))
	}
	p.note("%s written; nothing is switched on in it yet", file)
	return nil
}

// writeNew writes a file that must not be there, not even as a link that leads nowhere.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
