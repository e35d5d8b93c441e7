package report_test

import (
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// sample is a report that has one of everything.
func sample() *report.Report {
	cause := "1111111111111111"
	r := &report.Report{
		Schema: report.Schema,
		Tool:   report.Tool{Name: "kopano-doctor", Version: "1.2.3"},
		Engine: report.Engine{Name: "Docker 28.2.2 at unix:///var/run/docker.sock", Project: "kopano", Containers: 3, Note: "entering a container needs root"},
		Deployment: report.Deployment{
			Directory: "/opt/kopano", Project: "kopano",
			Files:    []string{"docker-compose.yml", "docker-compose.ports.yml"},
			EnvFiles: []string{".env", "db.env"},
			Config:   "../.kopano-doctor.yaml", InRepository: "deploy/mail server",
		},
		DurationMS: 2345, FailOn: "error", ExitCode: 1,
		Findings: []report.Finding{
			{
				ID: "database-password-differs", Severity: "error", Kind: "static",
				Title:   "kopano_server and db use different database passwords",
				Message: "KCCONF_SERVER_MYSQL_PASSWORD of kopano_server and MYSQL_PASSWORD of db are not the same password.",
				Subject: "kopano_server → db",
				Locations: []report.Location{
					{File: "db.env", Line: 4, Column: 16, Role: "fix", Excerpt: "MYSQL_PASSWORD=«hidden»"},
					{File: "docker-compose.yml", Line: 120, Column: 9, Role: "related", Excerpt: "      - KCCONF_SERVER_MYSQL_PASSWORD=${MYSQL_PASSWORD}"},
					{File: ".env", Line: 12, Column: 1, Role: "overridden", Excerpt: "MYSQL_PASSWORD=«hidden»"},
				},
				Consequence: "kopano_server cannot open its database: nobody can log in, and mail is not delivered.",
				Remedy:      "Write the same password in db.env:4 and .env:12, or remove the line from db.env.",
				Fingerprint: cause,
			},
			{
				ID: "live-mariadb-access-denied", Severity: "error", Kind: "live",
				Title:   "The database refuses the password",
				Message: "Access denied for user 'kopano'@'172.18.0.1' (1045).",
				Subject: "kopano_server → db", Locations: []report.Location{},
				Evidence: []report.Evidence{{Service: "kopano_server", Time: "2026-03-01T10:00:00Z", AgeSeconds: 130,
					Line: "[error] Access denied for user 'kopano'@'172.18.0.5' (using password: YES)", Means: "The database refuses the user or the password."}},
				Remedy: "Set the right password.", Cause: &cause, Fingerprint: "2222222222222222",
			},
			{
				ID: "yaml-tab", Severity: "warning", Kind: "static", Title: "A tab stands before a value",
				Message: "A tab stands before a value", Subject: "docker-compose.yml",
				Locations:   []report.Location{{File: "docker-compose.yml", Line: 7, Column: 9, Role: "fix", Excerpt: "\timage:\tkopano"}},
				Remedy:      "Use blanks.\nThen run:\ndocker compose config",
				Edits:       []report.Edit{{File: "docker-compose.yml", StartLine: 7, StartChar: 8, EndLine: 7, EndChar: 9, New: " "}},
				Fingerprint: "3333333333333333",
			},
			{
				ID: "compose-version-obsolete", Severity: "info", Kind: "static", Title: "version: does nothing any more",
				Subject:     "docker-compose.yml",
				Locations:   []report.Location{{File: "docker-compose.yml", Line: 1, Role: "fix", Excerpt: `version: "3.5"`}},
				Fingerprint: "4444444444444444",
			},
		},
		Links: sampleLinks(cause),
		Services: []report.Service{
			{Name: "db", Role: "database", Image: "mariadb:11"}, {Name: "kopano_server", Role: "server", Image: "kopano/kopano_core"},
			{Name: "redis", Role: "", Image: "redis:7"},
		},
	}
	r.Findings = append(r.Findings, manyUnset()...)
	for i := range r.Findings {
		if r.Findings[i].Evidence == nil {
			r.Findings[i].Evidence = []report.Evidence{}
		}
	}
	r.Summary = report.Summarise(r.Findings, r.Links)
	r.Suppressed = []report.Suppressed{
		{Finding: suppressedSample("image-latest", "6666666666666666"), By: "comment", Reason: "tried out first", Until: "2027-03-31"},
		{Finding: suppressedSample("image-latest", "6666666666666666-2"), By: "settings", Reason: "it is a test"},
		{Finding: suppressedSample("root-password-weak", "7777777777777777"), By: "baseline"},
	}
	for i := range r.Suppressed {
		r.Suppressed[i].Evidence = []report.Evidence{}
	}
	r.Summary.Suppressed = len(r.Suppressed)
	r.Rules = []report.Rule{{
		ID: "yaml-tab", Title: "A tab stands before a value", Why: "YAML forbids tabs for indentation, and some readers take them elsewhere.", Severity: "warning",
		Source: "YAML 1.2.2, 6.1", Page: "https://example.org/docs/rules/compose.md#yaml-tab",
	}}
	return r
}

func suppressedSample(id, fingerprint string) report.Finding {
	return report.Finding{
		ID: id, Severity: "warning", Kind: "static", Title: "Something that is known", Message: "It is known.", Subject: "db",
		Locations: []report.Location{{File: "docker-compose.yml", Line: 40, Column: 5, Role: "fix", Excerpt: "    image: mariadb"}}, Fingerprint: fingerprint,
	}
}

// manyUnset is one and the same thing in many places.
func manyUnset() []report.Finding {
	var out []report.Finding
	for i, name := range []string{"LDAP_DOMAIN", "LDAP_BASE_DN", "MYSQL_USER", "FQDN"} {
		out = append(out, report.Finding{
			ID: "unset-variable", Severity: "warning", Kind: "static", Title: "A variable is defined nowhere",
			Message: "Nothing defines ${" + name + "}.", Subject: name,
			Locations: []report.Location{
				{File: "docker-compose.yml", Line: 31 + i, Column: 21, Role: "fix", Excerpt: "      - " + name + "=${" + name + "}"},
				{File: "docker-compose.yml", Line: 58 + i, Column: 17, Role: "related", Excerpt: "    domainname: ${" + name + "}"},
			},
			Consequence: "The setting is empty.", Remedy: "Define it in .env: " + name + "=…", Fingerprint: fmt.Sprintf("555555555555555%d", i),
		})
	}
	return out
}

func sampleLinks(cause string) []report.Link {
	links := []report.Link{
		{
			ID: "server-database@kopano_server", From: "kopano_server", To: "db", Protocol: "mysql", Address: "127.0.0.1:3306 (db:3306)",
			Vantage: "resolve", Status: "broken", Rung: "authenticate", DurationMS: 12, Reason: "bad-credentials",
			Findings: []string{cause, "2222222222222222"}, Message: "Access denied for user 'kopano'@'172.18.0.1' (1045)",
		},
		{
			ID: "server-ldap@kopano_server", From: "kopano_server", To: "ldap", Protocol: "ldap", Address: "127.0.0.1:389 (ldap:389)",
			Vantage: "host", Status: "ok", Rung: "ask", DurationMS: 1234, Findings: []string{}, Message: "bind as cn=readonly,dc=example,dc=org, 12 users found",
			CertificateEnd: "2027-01-31T12:00:00Z",
		},
		{
			ID: "mail-ldap@mail", From: "mail", To: "ldap", Protocol: "ldap", Address: "ldap:389", Status: "unchecked", Reason: "no-route",
			Incomplete: true, Findings: []string{}, Message: "no container engine is used and the port is not published; run on the Docker host or pass --resolve ldap:389=ADDR:PORT",
		},
	}
	links = append(links, report.Link{
		ID: "mail-dagent@mail", From: "mail", To: "kopano_dagent", Protocol: "lmtp", Address: "127.0.0.1:2003 (kopano_dagent:2003)", Vantage: "resolve",
		Status: "broken", Rung: "dial", DurationMS: 1, Reason: "refused", Findings: []string{}, Message: "connection refused", Suppressed: true,
	})
	for _, app := range []string{"kopano_webapp", "kopano_zpush", "kopano_kdav", "kopano_gateway", "kopano_ical"} {
		links = append(links, report.Link{
			ID: "soap@" + app, From: app, To: "kopano_server", Protocol: "soap", Address: "kopano_server:236", Status: "unchecked",
			Reason: "blocked", Findings: []string{cause}, Message: "cannot work before kopano_server → db does",
		})
	}
	return links
}
