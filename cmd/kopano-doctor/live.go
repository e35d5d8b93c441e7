package main

import "github.com/kopano-doctor/kopano-doctor/checks"

// liveChecks gives the live checks by the ID of their link.
func liveChecks() map[string]checks.Check { return nil }
