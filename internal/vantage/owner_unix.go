//go:build unix

package vantage

import (
	"io/fs"
	"syscall"
)

// nonBlocking keeps the opening of a pipe from waiting.
const nonBlocking = syscall.O_NONBLOCK

// owner gives the file's user number, -1 when it is not known.
func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
