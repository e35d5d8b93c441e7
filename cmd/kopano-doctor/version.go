package main

import (
	"fmt"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set by the Makefile through the linker; nothing else changes it.
var version string

// buildVersion gives the version that the program was built as, else that of
// the module or of the commit, else "unknown".
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "unknown"
}

func (p *program) versionCommand() *cli.Command {
	command := &cli.Command{
		Name:            "version",
		Usage:           "print the version of this program",
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return badUsage("version", "version takes no argument")
			}
			_, err := fmt.Fprintf(p.stdout, "kopano-doctor version %s\n", buildVersion())
			return err
		},
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}
