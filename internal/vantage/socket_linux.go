package vantage

import (
	"fmt"
	"os"
	"path/filepath"
)

// socketPath gives a short way to a socket below a folder: the kernel takes no
// path of more than 107 bytes (unix(7)), and the folders of volumes are long.
func socketPath(root *os.Root, rest string) (path string, done func(), err error) {
	if len(plainSocketPath(root, rest)) < 100 {
		return plainSocketPath(root, rest), func() {}, nil
	}
	dir, err := root.Open(filepath.Dir(rest))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(rest)), func() { dir.Close() }, nil
}
