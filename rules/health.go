package rules

import (
	"regexp"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// healthRules are about health checks, and about those who wait for them.
func healthRules() []Rule {
	return []Rule{
		{
			ID: "health-never-known", Subject: "links", Severity: finding.Error,
			Title: "A service waits for the health of another one that has no health check",
			Why: "With condition: service_healthy Compose waits until the other container calls itself healthy. One without a health check never does: \"has no healthcheck configured\", and the service is not started. " +
				"The images of MariaDB, MySQL and osixia/openldap bring none.",
			Source: "Docker Compose, depends_on; MariaDB, MySQL and osixia/openldap images, Dockerfile",
			Check:  healthUnknown,
		},
		{
			ID: "database-health-login", Subject: "database", Severity: finding.Warning,
			Title:  "The database's health check logs in with a setting that is not there",
			Why:    "A health check sees the settings of its container as they are written. The images take MARIADB_… for MYSQL_…, and passwords from files, in their start script only.",
			Source: "MariaDB and MySQL images, docker-entrypoint.sh; kopano-docker docker-compose.db.yml",
			Check:  databaseHealth,
		},
	}
}

// hasHealthCheck reports whether a container has a health check, and whether
// that can be told.
func hasHealthCheck(in *Input, s *deployment.Service) (has, known bool) {
	switch h := s.HealthCheck; {
	case h != nil && h.Disable, h != nil && len(h.Test) > 0 && h.Test[0] == "NONE":
		return false, true
	case h != nil && len(h.Test) > 0:
		return true, true
	}
	return false, isOfficialDatabase(in, s) || s.Build == nil && kopano.ParseImage(s.Image).Is("osixia/openldap")
}

func healthUnknown(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for _, name := range sorted(s.DependsOn) {
			other, ok := in.Deployment.Service(name)
			if s.DependsOn[name].Condition != "service_healthy" || !s.DependsOn[name].Required || !ok {
				continue
			}
			if has, known := hasHealthCheck(in, other); has || !known {
				continue
			}
			f := finding.Finding{
				Subject: s.Name, Key: name, Links: linksTo(in, s),
				Message:     s.Name + " waits until " + name + " is healthy, but " + name + " has no health check.",
				Consequence: s.Name + " is not started, and who needs it finds nobody.",
				Remedy:      "Give " + name + " a healthcheck, or write condition: service_started on " + s.Name + ".",
				Locations:   []finding.Location{s.Locate("depends_on", name, "condition").As(finding.Fix), other.At.As(finding.Related)},
			}
			if kopano.ParseImage(other.Image).Is("mariadb") {
				f.Remedy = `Give ` + name + ` a healthcheck, test: ["CMD", "healthcheck.sh", "--connect"], or write condition: service_started on ` + s.Name + `.`
			}
			if other.HealthCheck != nil {
				f.Message = s.Name + " waits until " + name + " is healthy, but the health check of " + name + " is switched off."
				f.Locations[1] = other.Locate("healthcheck").As(finding.Related)
			}
			out = append(out, f)
		}
	}
	return out
}

// loginVariable is a setting with which a health check logs in to the database.
var loginVariable = regexp.MustCompile(`\$\{?((?:MYSQL|MARIADB)_(?:ROOT_PASSWORD|PASSWORD|USER|DATABASE))\b`)

func databaseHealth(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		if s.HealthCheck == nil || s.HealthCheck.Disable || lacksEnvFile(in, s) {
			continue
		}
		if strings.Contains(strings.Join(s.HealthCheck.Test, " "), "ping") {
			continue // mysqladmin ping is content with a refused login
		}
		seen := map[string]bool{}
		for _, m := range loginVariable.FindAllStringSubmatch(strings.Join(s.HealthCheck.Test, " "), -1) {
			name := m[1]
			if _, set := s.Get(name); set || seen[name] {
				continue
			}
			seen[name] = true
			f := finding.Finding{
				Subject: s.Name, Key: name,
				Message:     "The health check of " + s.Name + " uses $" + name + ", but " + name + " is not set on " + s.Name + ".",
				Consequence: "The database is never healthy: services that wait for that are not started, and its log fills with refused logins.",
				Remedy:      "Set " + name + " on " + s.Name + ", or use in the health check what is set.",
				Locations:   []finding.Location{s.Locate("healthcheck", "test").As(finding.Fix)},
			}
			if other := otherPrefix(name); has(s, other) {
				f.Remedy = "Write $$" + other + " in place of $$" + name + "."
				f.Locations = append(f.Locations, placed(s.Env[other], finding.Related)...)
			}
			out = append(out, f)
		}
	}
	return out
}

// otherPrefix gives the second name of a setting of MariaDB's image.
func otherPrefix(name string) string {
	if rest, ok := strings.CutPrefix(name, "MYSQL_"); ok {
		return "MARIADB_" + rest
	}
	return "MYSQL_" + strings.TrimPrefix(name, "MARIADB_")
}
