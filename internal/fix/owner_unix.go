//go:build unix

package fix

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// giveOwner gives a file the user and group of another. A file that would
// change hands is not written at all.
func giveOwner(file *os.File, like fs.FileInfo) error {
	want, ok := like.Sys().(*syscall.Stat_t)
	info, err := file.Stat()
	if err != nil || !ok {
		return err
	}
	if have, ok := info.Sys().(*syscall.Stat_t); ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	if err := file.Chown(int(want.Uid), int(want.Gid)); err != nil {
		return errors.New("it belongs to another user or group; run kopano-doctor fix as that user or with sudo")
	}
	return nil
}
