// Package vantage knows where a check dials from: this host by published
// ports, or a table of pinned addresses.
package vantage

import (
	"errors"
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// ErrNoRoute says that an address of the configuration cannot be reached from
// where the doctor stands, which is no fault of the deployment.
var ErrNoRoute = errors.New("not reachable from here")

// The names of the vantages, as reports print them.
const (
	FromHost    = "host"    // this machine, by published ports or by its own resolver
	FromResolve = "resolve" // an address pinned by --resolve
)

// Route is where an address of the configuration is dialled.
type Route struct {
	Address string // host:port to dial; the host is an address, or a name that this machine must resolve
	Vantage string // FromHost or FromResolve
}

// NoRoute is the error of an address that cannot be reached from here. Its
// text tells a person what to do about it. It wraps ErrNoRoute.
type NoRoute struct {
	Reason string
}

// Error gives the reason.
func (e *NoRoute) Error() string { return e.Reason }

// Unwrap gives ErrNoRoute.
func (e *NoRoute) Unwrap() error { return ErrNoRoute }

func noRoute(format string, args ...any) error {
	return &NoRoute{fmt.Sprintf(format, args...)}
}

// DialError is a dial that failed, with the address that was tried. It wraps
// the error of package net.
type DialError struct {
	Route Route
	Tried string // the last address literal that was tried; "" when the name did not resolve
	Err   error
}

// Error gives the text of the error beneath, which names the address.
func (e *DialError) Error() string { return e.Err.Error() }

// Unwrap gives the error beneath.
func (e *DialError) Unwrap() error { return e.Err }

// Names finds the service behind a name; *kopano.Topology is one.
type Names interface {
	// LookupHost gives a service that answers to host on any network, nil
	// when none does, and whether it shares a network with from.
	LookupHost(from *deployment.Service, host string) (to *deployment.Service, shared bool)
}

// FileInfo is what matters of a file in a container.
type FileInfo struct {
	Size int64
	Mode uint32 // permission bits
	UID  int    // -1 when the platform has none
	Dir  bool
}
