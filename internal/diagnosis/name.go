package diagnosis

import "github.com/kopano-doctor/kopano-doctor/internal/kopano"

// Name gives a link as people write it: "kopano_server → db".
func Name(e *kopano.Edge) string { return From(e) + " → " + To(e) }

// From gives the name of the calling end: its service, or its role when it
// stands outside ("client").
func From(e *kopano.Edge) string {
	if e.From != nil {
		return e.From.Name
	}
	return string(e.Link.From)
}

// To gives the name of the end that is called: its service, the host outside
// the deployment, or its role when nothing plays it.
func To(e *kopano.Edge) string {
	switch {
	case e.To != nil:
		return e.To.Name
	case e.Addr.Host != "":
		return e.Addr.Host
	}
	return string(e.Link.To)
}
