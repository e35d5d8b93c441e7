// Command kopano-doctor finds out what is wrong with a Kopano deployment that
// runs with Docker Compose.
package main

import "os"

func main() {
	os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
