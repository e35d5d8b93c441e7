//go:build !unix

package deployment_test

import "testing"

// fifo would make a named pipe, which this platform has none of in its file system.
func fifo(t *testing.T, path string) {
	t.Helper()
	t.Skipf("no named pipe can be made at %s on this platform", path)
}
