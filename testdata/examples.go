// Package testdata carries the examples of the rules, for the tests and for
// what the program itself explains.
package testdata

import (
	"embed"
	"io/fs"
)

//go:embed all:rules
var files embed.FS

// Examples gives the folder with a folder for each rule, and in it its bad and
// good examples.
func Examples() fs.FS {
	rules, err := fs.Sub(files, "rules")
	if err != nil {
		panic(err) // the name is that of the line above
	}
	return rules
}
