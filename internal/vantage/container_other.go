//go:build !linux

package vantage

import (
	"context"
	"net"
)

type inside struct{}

func enter(string, int) (inside, error) {
	return inside{}, noRoute("containers can only be entered on Linux, on the machine that runs them")
}

var errNoInside = noRoute("this machine cannot enter containers")

func (inside) dial(context.Context, string, string) (net.Conn, error) { return nil, errNoInside }
func (inside) socket(context.Context, string) (net.Conn, error)       { return nil, errNoInside }
func (inside) read(string, int64) ([]byte, error)                     { return nil, errNoInside }
func (inside) stat(string) (FileInfo, error)                          { return FileInfo{}, errNoInside }

// Close does nothing.
func (inside) Close() error { return nil }

func pathError(err error, _, _ string) error { return err }
