//go:build !unix

package vantage

import "io/fs"

// owner gives -1: this platform has no user numbers.
func owner(fs.FileInfo) int { return -1 }
