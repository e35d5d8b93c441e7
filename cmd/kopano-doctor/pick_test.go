package main

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func theLink(t *testing.T, r *report.Report, id string) report.Link {
	t.Helper()
	for _, l := range r.Links {
		if l.ID == id {
			return l
		}
	}
	t.Fatalf("there is no link %s", id)
	return report.Link{}
}

func theFinding(t *testing.T, r *report.Report, id, subject string) report.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.ID == id && f.Subject == subject {
			return f
		}
	}
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.ID+" "+f.Subject)
	}
	t.Fatalf("there is no %s about %s: %v", id, subject, all)
	return report.Finding{}
}
