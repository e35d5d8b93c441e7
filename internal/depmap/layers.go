package depmap

import (
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// layer is a row of the map, from the outside in. The order makes nearly all
// calls go down: the mail programs call the store, the store calls the data.
type layer int

const (
	layerOutside layer = iota
	layerWeb
	layerApps
	layerAPI
	layerMail
	layerCore
	layerData
	layerOperation
	layerOther
	layerCount
)

func (l layer) title() string {
	return [...]string{
		"Outside world", "Web", "Applications", "Interfaces and sign-in", "Mail", "Core", "Data and directory", "Operation", "Other services",
	}[l]
}

// layerOf gives the row of a role. The programs of the core that mail passes
// through stand beside the mail transport.
func layerOf(r kopano.Role) layer {
	switch r {
	case kopano.Dagent, kopano.Spooler, kopano.Gateway:
		return layerMail
	}
	s := kopano.SystemOf(r)
	if s == nil {
		return layerOther
	}
	switch s.Layer {
	case kopano.LayerEntry:
		return layerWeb
	case kopano.LayerApps:
		return layerApps
	case kopano.LayerAPI, kopano.LayerIdentity:
		return layerAPI
	case kopano.LayerMail:
		return layerMail
	case kopano.LayerCore:
		return layerCore
	case kopano.LayerData:
		return layerData
	}
	return layerOperation
}

// Groups are the titles of the map's rows, from the outside in.
func Groups() []string {
	out := make([]string, 0, layerCount)
	for l := range layerCount {
		out = append(out, l.title())
	}
	return out
}

// GroupOf gives the title of the row in which services of a role stand; clients
// stand outside.
func GroupOf(r kopano.Role) string {
	if r == kopano.Client {
		return layerOutside.title()
	}
	return layerOf(r).title()
}

func does(r kopano.Role) string {
	if s := kopano.SystemOf(r); s != nil {
		return s.Title
	}
	return "not part of Kopano"
}

const engine = "container engine"

// outside makes a node of an end that is no service.
func outside(name string) (*Node, layer) {
	n := &Node{Service: Service{Name: name}, Outside: true}
	switch bare(name) {
	case string(kopano.Client):
		n.Does = "browsers, phones, mail programs"
		return n, layerOutside
	case string(kopano.Storage):
		n.Does = "volumes and folders"
		return n, layerData
	case engine:
		n.Does = "runs the containers"
		return n, layerOperation
	}
	n.Does = "no service of this deployment"
	return n, layerOutside
}

// bare is a name without the folder that a report over several deployments has
// before it.
func bare(name string) string {
	if i := strings.LastIndex(name, ": "); i >= 0 {
		return name[i+2:]
	}
	return name
}
