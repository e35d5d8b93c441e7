package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// output is where a command's text goes.
type output struct {
	stdout io.Writer
	file   string // "" for standard output
}

// openOutput looks at the place before the work starts, so that nobody waits
// a minute to learn of a misspelt folder.
func (p *program) openOutput(command string, set bool, file string) (*output, error) {
	if !set {
		return &output{stdout: p.stdout}, nil
	}
	return p.openFile(command, "output", file)
}

// openFile looks at the place of the file that a flag names.
func (p *program) openFile(command, flag, file string) (*output, error) {
	if file == "" {
		return nil, badUsage(command, "--%s: the name of the file is missing", flag)
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return nil, badUsage(command, "--%s %s: that is a folder; give a file", flag, file)
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return nil, badUsage(command, "--%s %s: the folder %s does not exist", flag, file, filepath.Dir(file))
	}
	return &output{file: file}, nil
}

// write writes everything at once.
func (o *output) write(data []byte) error {
	if o.file == "" {
		_, err := o.stdout.Write(data)
		return err
	}
	return writeFile(o.file, data)
}

// writeFile replaces the file in one step, so that a reader never sees half a
// report. What is no regular file (/dev/stdout, a pipe) is written to as it is.
func writeFile(name string, data []byte) error {
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return os.WriteFile(name, data, 0o666)
		}
		if target, err := filepath.EvalSymlinks(name); err == nil {
			name = target
		}
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".kopano-doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already when all went well
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, bare(err))
	}
	return os.Rename(temp.Name(), name)
}

// textOptions decides about colours and symbols: --color first, then NO_COLOR
// (no-color.org), then CLICOLOR_FORCE, then whether a terminal is listening.
func (p *program) textOptions(choice string, o *output) report.TextOptions {
	colour := false
	switch {
	case choice == "always":
		colour = true
	case choice == "never", p.getenv("NO_COLOR") != "":
	case p.getenv("CLICOLOR_FORCE") != "" && p.getenv("CLICOLOR_FORCE") != "0":
		colour = true
	default:
		colour = o.file == "" && isTerminal(p.stdout) && p.getenv("TERM") != "dumb"
	}
	return report.TextOptions{Color: colour, ASCII: !p.utf8()}
}

// utf8 reports whether the locale is one of UTF-8, by the variables in the
// order in which the C library reads them.
func (p *program) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(p.getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}
