package doctor

import (
	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Step is what is to be done about one link.
type Step struct {
	Edge   *kopano.Edge
	Check  checks.Check  // nil: nothing is to be run, and Result is the end of it
	Result checks.Result // why nothing is run
}

// Plan says for every link whether it is checked, in the order of the links.
// It knows nothing of the network.
func Plan(edges []*kopano.Edge, table map[string]checks.Check, offline bool) []Step {
	steps := make([]Step, 0, len(edges))
	for _, e := range edges {
		steps = append(steps, plan(e, table[e.Link.ID], offline))
	}
	return steps
}

func plan(e *kopano.Edge, check checks.Check, offline bool) Step {
	switch {
	case offline:
		return skip(e, checks.ReasonOffline, "--offline")
	case check == nil:
		return skip(e, checks.ReasonNoCheck, "this version has no live check for it")
	case e.Addr.Problem != "":
		return skip(e, checks.ReasonConfig, e.Addr.Problem)
	case e.Link.Optional && e.To == nil && !e.Outside && e.Addr.Default:
		return skip(e, checks.ReasonNoCheck, "nothing in this deployment plays the other end, and nothing needs it to")
	}
	return Step{Edge: e, Check: check}
}

func skip(e *kopano.Edge, why checks.Reason, message string) Step {
	return Step{Edge: e, Result: checks.Result{Status: checks.Unchecked, Reason: why, Message: message}}
}
