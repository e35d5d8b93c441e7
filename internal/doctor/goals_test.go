package doctor

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

func bundled(t *testing.T) *kopano.Topology {
	t.Helper()
	d, err := deployment.Load(t.Context(), deployment.Options{Dir: "../../testdata/deployments/full"})
	if err != nil {
		t.Fatal(err)
	}
	return kopano.Recognise(d)
}

func TestGoalsByName(t *testing.T) {
	top := bundled(t)
	for name, want := range map[string]map[string]interest{
		"server-database":               {"server-database@kopano_server": named},
		"server-database@kopano_server": {"server-database@kopano_server": named},
		"database":                      {"server-database@kopano_server": calls},
		"db":                            {"server-database@kopano_server": calls},
		"kopano_dagent":                 {"dagent-server@kopano_dagent": needed, "mail-dagent@mail": calls},
	} {
		got, err := findGoals(top, []string{name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for id, why := range want {
			if got[id] != why {
				t.Errorf("%s: %s is %d, want %d in %v", name, id, got[id], why, slices.Sorted(maps.Keys(got)))
			}
		}
		if strings.Contains(name, "database") && len(got) != 1 {
			t.Errorf("%s means %v", name, got)
		}
	}
	all, err := findGoals(top, nil)
	if err != nil || len(all) != len(top.Edges) {
		t.Errorf("%d of %d links, %v", len(all), len(top.Edges), err)
	}
	var unknown UnknownName
	if _, err := findGoals(top, []string{"kopano_servre"}); !errors.As(err, &unknown) || unknown.Near != "kopano_server" {
		t.Errorf("%v", err)
	}
}

func TestNeedsOfALink(t *testing.T) {
	top := bundled(t)
	var ids []string
	for _, e := range diagnosis.WithNeeds(top.Edges, func(e *kopano.Edge) bool { return e.Link.ID == "dagent-server" }) {
		ids = append(ids, e.ID)
	}
	for _, id := range []string{"dagent-server@kopano_dagent", "server-database@kopano_server", "server-ldap@kopano_server"} {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is missing in %v", id, ids)
		}
	}
	if slices.Contains(ids, "mail-dagent@mail") || !slices.IsSorted(ids) {
		t.Errorf("%v", ids)
	}
}

func TestJudge(t *testing.T) {
	e := edge("a-b", "a", "b")
	both := snapshot("a", "b")
	for _, c := range []struct {
		name     string
		why      interest
		status   checks.Status
		reason   checks.Reason
		snapshot *engine.Snapshot
		eased    bool
		want     state
	}{
		{"works", calls, checks.OK, "", both, false, met},
		{"broken", among, checks.Broken, checks.ReasonRefused, both, false, unmet},
		{"broken and accepted", among, checks.Broken, checks.ReasonRefused, both, true, waived},
		{"broken and accepted, and yet named", named, checks.Broken, checks.ReasonRefused, both, true, unmet},
		{"a need of something else", none, checks.Broken, checks.ReasonRefused, both, false, waived},
		{"no check", needed, checks.Unchecked, checks.ReasonNoCheck, both, false, waived},
		{"no check, and yet named", named, checks.Unchecked, checks.ReasonNoCheck, both, false, unseen},
		{"the caller does not run", calls, checks.Unchecked, checks.ReasonBlocked, snapshot("b"), false, waived},
		{"the caller is named and does not run", named, checks.Unchecked, checks.ReasonBlocked, snapshot("b"), false, unmet},
		{"the service does not run", needed, checks.Unchecked, checks.ReasonNoRoute, snapshot("b"), false, unmet},
		{"what it calls does not run", needed, checks.Unchecked, checks.ReasonNoRoute, snapshot("a"), false, unmet},
		{"both run, and nobody gets there", needed, checks.Unchecked, checks.ReasonNoRoute, both, false, unseen},
		{"both run, and nobody gets there, of all", among, checks.Unchecked, checks.ReasonNoRoute, both, false, waived},
		{"a service that has ended well", needed, checks.Unchecked, checks.ReasonNoRoute, ended(snapshot("a"), "b", 0), false, unseen},
		{"a service that has failed", needed, checks.Unchecked, checks.ReasonNoRoute, ended(snapshot("a"), "b", 1), false, unmet},
		{"no engine", calls, checks.Unchecked, checks.ReasonNoRoute, nil, false, unseen},
		{"out of time", calls, checks.Unchecked, checks.ReasonDeadline, both, false, unmet},
	} {
		l := &diagnosis.Link{Edge: e, Checked: true, Result: checks.Result{Status: c.status, Reason: c.reason}}
		if got := (goals{e.ID: c.why}).judge(l, c.snapshot, map[string]bool{e.ID: c.eased}); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func ended(s *engine.Snapshot, service string, code int) *engine.Snapshot {
	s.Containers = append(s.Containers, engine.Container{Service: service, State: engine.Exited, Exit: code})
	return s
}

// snapshot has a running container of each of the services.
func snapshot(services ...string) *engine.Snapshot {
	s := &engine.Snapshot{}
	for _, name := range services {
		s.Containers = append(s.Containers, engine.Container{Service: name, State: engine.Running, PID: 1})
	}
	return s
}
