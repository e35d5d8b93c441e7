package main

import (
	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// liveChecks gives the live checks by the ID of their link.
func liveChecks() map[string]checks.Check { return nil }

// hostVantage makes the checks dial from this machine.
func hostVantage(pins vantage.Pins) func(*kopano.Topology) doctor.Vantage {
	return nil
}
