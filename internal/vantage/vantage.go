// Package vantage knows where a check dials from: this host by published
// ports, or a table of pinned addresses.
package vantage

import "errors"

// ErrNoRoute says that an address of the configuration cannot be reached from
// where the doctor stands, which is no fault of the deployment.
var ErrNoRoute = errors.New("not reachable from here")
