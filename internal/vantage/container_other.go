//go:build !linux

package vantage

func enter(string, int) (place, error) {
	return nil, noRoute("containers can only be entered on Linux, on the machine that runs them")
}
