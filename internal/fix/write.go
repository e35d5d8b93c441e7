package fix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// backupSuffix is appended to the name of a file for the copy of what it was.
const backupSuffix = ".bak-kopano-doctor"

// Written is what became of one file.
type Written struct {
	File   *File
	Backup string // path of the copy of the old text; "" for a new file
	Err    error  // why the file was not changed; nil when it was
}

// Writer writes the files of a plan.
type Writer struct {
	rename func(from, to string) error // a test's way to stop half-way; nil: os.Rename
}

// Write replaces each file in one step, with the mode and owner it had, after
// it has made a backup. A file that is not what it was when it was read is left
// alone. Files that cannot be written do not keep the others from being
// written; after ctx is done none is begun.
func (w Writer) Write(ctx context.Context, p *Plan) []Written {
	var out []Written
	for i := range p.Files {
		f := &p.Files[i]
		if err := ctx.Err(); err != nil {
			out = append(out, Written{File: f, Err: errors.New("interrupted before its turn")})
			continue
		}
		backup, err := w.file(f)
		out = append(out, Written{File: f, Backup: backup, Err: err})
	}
	return out
}

func (w Writer) file(f *File) (backup string, err error) {
	if f.Create {
		return "", bare(create(f))
	}
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return "", bare(err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", bare(err)
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a regular file")
	}
	if err := unchanged(path, f.Before); err != nil {
		return "", err
	}
	temp, err := writeBeside(path, info, f.After)
	if err != nil {
		return "", err
	}
	defer os.Remove(temp) // gone already when all went well
	if backup, err = keep(path, info, f.Before); err != nil {
		return "", fmt.Errorf("the backup cannot be written: %w", bare(err))
	}
	// Somebody may have saved the file meanwhile.
	if err := unchanged(path, f.Before); err != nil {
		return "", errors.Join(err, os.Remove(backup))
	}
	rename := w.rename
	if rename == nil {
		rename = os.Rename
	}
	if err := rename(temp, path); err != nil {
		return "", errors.Join(bare(err), os.Remove(backup))
	}
	flush(filepath.Dir(path))
	return backup, nil
}

// create makes an empty file that must not exist.
func create(f *File) error {
	file, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, f.After)
	return errors.Join(err, file.Close())
}

// unchanged compares a file with what was read of it.
func unchanged(path, before string) error {
	file, err := os.Open(path)
	if err != nil {
		return bare(err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, int64(len(before))+1))
	if err != nil {
		return bare(err)
	}
	if string(data) != before {
		return errChanged
	}
	return nil
}

// writeBeside writes the new text into a file in the same folder, on the disk
// and with the mode and owner of the old one, and gives its name.
func writeBeside(path string, old fs.FileInfo, text string) (string, error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".kopano-doctor-*")
	if err != nil {
		return "", bare(err)
	}
	if err := fill(temp, old, text); err != nil {
		_ = os.Remove(temp.Name())
		return "", err
	}
	return temp.Name(), nil
}

// fill writes, and gives the file the owner and the mode of another. Owner
// first: changing it may clear bits of the mode.
func fill(file *os.File, like fs.FileInfo, text string) error {
	_, err := io.WriteString(file, text)
	if err == nil {
		err = giveOwner(file, like)
	}
	if err == nil {
		err = file.Chmod(like.Mode().Perm() | like.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
	}
	if err == nil {
		err = file.Sync()
	}
	return bare(errors.Join(err, file.Close()))
}

// keep copies the old text to FILE.bak-kopano-doctor, or to the first free name
// with a number behind it.
func keep(path string, info fs.FileInfo, text string) (string, error) {
	const mostBackups = 1000
	for n := range mostBackups {
		name := path + backupSuffix
		if n > 0 {
			name += "." + strconv.Itoa(n)
		}
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := fill(file, info, text); err != nil {
			_ = os.Remove(name)
			return "", err
		}
		return name, nil
	}
	return "", errors.New("there are too many backups already")
}

// flush makes a rename last; a folder that cannot be flushed is no reason to fail.
func flush(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// bare gives the reason of a file error without its operation and path.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
