package rules

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// imageRules are about the releases that are run together.
func imageRules() []Rule {
	return []Rule{
		{
			ID: "image-latest", Subject: "images", Severity: finding.Info,
			Title: "Images without a fixed release",
			Why:   "latest is whatever was pushed last: the next pull is an upgrade, and kopano_server changes the database's tables for good when it starts (kopano-core, ECDatabaseMySQL.cpp).",
			Check: imageLatest,
		},
		{
			ID: "core-version-skew", Subject: "images", Severity: finding.Warning,
			Title: "Services of Kopano's core run different releases",
			Why:   "Ten services share one image and one protocol; kapi and grapi are a pair. kopano-docker gives all of them CORE_VERSION.",
			Check: coreSkew,
		},
		{
			ID: "mariadb-old", Subject: "database", Severity: finding.Warning,
			Title: "The database is a release that gets no more fixes",
			Why:   "MariaDB maintains a long-term release for about five years (mariadb.org, maintenance policy): 10.3 until May 2023, 10.4 until June 2024, 10.5 until June 2025.",
			Check: mariadbOld,
		},
		{
			ID: "mariadb-client-renamed", Fixable: true, Subject: "database", Severity: finding.Error,
			Title: "The database's health check calls a program that the image does not have",
			Why:   "The official images of MariaDB from 11 on have mariadb instead of mysql (MariaDB/mariadb-docker). The check fails for ever, and services that wait for a healthy database do not start.",
			Check: mariadbClient,
		},
	}
}

// tagOf gives the tag of an image, "latest" when it has none, and "" when a digest fixes it.
func tagOf(image string) string {
	if strings.Contains(image, "@") || strings.Contains(image, "${") {
		return ""
	}
	if tag := kopano.ParseImage(image).Tag; tag != "" {
		return tag
	}
	return "latest"
}

func imageLatest(in *Input) []finding.Finding {
	var names []string
	var places []finding.Location
	for _, s := range in.Deployment.Services {
		if s.Image == "" || s.Build != nil || tagOf(s.Image) != "latest" || in.Topology.Role(s) == kopano.Unknown {
			continue
		}
		role := finding.Related
		if len(places) == 0 {
			role = finding.Fix
		}
		names = append(names, s.Name)
		places = append(places, s.Locate("image").As(role))
	}
	if len(names) == 0 {
		return nil
	}
	return []finding.Finding{{
		Subject: "images", Key: "latest",
		Message:     counted(len(names), "service runs", "services run") + " the image that was pushed last: " + list(names, 6) + ".",
		Consequence: "The next pull is an upgrade that the administrator did not plan, and a database that was upgraded does not go back.",
		Remedy:      "Write the releases you run into .env (CORE_VERSION, WEBAPP_VERSION …), and change them when you mean to upgrade.",
		Locations:   distinct(places),
	}}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func coreSkew(in *Input) []finding.Finding {
	byTag := map[string][]*deployment.Service{}
	for _, s := range in.Deployment.Services {
		if kopano.ParseImage(s.Image).Is("kopano_core") && tagOf(s.Image) != "" {
			tag := tagOf(s.Image)
			byTag[tag] = append(byTag[tag], s)
		}
	}
	if len(byTag) < 2 {
		return nil
	}
	// The tag that most services have is what was meant.
	tags := sorted(byTag)
	slices.SortStableFunc(tags, func(a, b string) int { return len(byTag[b]) - len(byTag[a]) })
	var out []finding.Finding
	for _, tag := range tags[1:] {
		for _, s := range byTag[tag] {
			out = append(out, finding.Finding{
				Subject: s.Name, Key: "image",
				Message:     s.Name + " runs release " + quote(tag) + " of kopano_core, while " + byTag[tags[0]][0].Name + " and others run " + quote(tags[0]) + ".",
				Consequence: "The services may not understand each other; errors come up long after the start.",
				Remedy:      "Give all services of kopano_core one tag (CORE_VERSION).",
				Locations:   []finding.Location{s.Locate("image").As(finding.Fix), byTag[tags[0]][0].Locate("image").As(finding.Related)},
			})
		}
	}
	return out
}

// mariadbRelease gives major and minor of an official mariadb image.
func mariadbRelease(s *deployment.Service) (major, minor int, ok bool) {
	switch kopano.ParseImage(s.Image).Path {
	case "mariadb", "library/mariadb", "docker.io/mariadb", "docker.io/library/mariadb":
	default:
		return 0, 0, false
	}
	version, _, _ := strings.Cut(tagOf(s.Image), "-")
	parts := strings.Split(version, ".")
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return 0, 0, false
	}
	minor = -1
	if len(parts) > 1 {
		if n, err := strconv.Atoi(parts[1]); err == nil {
			minor = n
		}
	}
	return major, minor, true
}

func mariadbOld(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		major, minor, ok := mariadbRelease(s)
		if !ok || major > 10 || major == 10 && (minor < 0 || minor > 5) {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "image",
			Message:     "The database is MariaDB " + strconv.Itoa(major) + "." + strconv.Itoa(max(minor, 0)) + ", which gets no more fixes.",
			Consequence: "Faults and security holes stay open. Nothing stops working today.",
			Remedy:      "Plan the upgrade: dump, stop cleanly, then 10.6, then 10.11, each with mariadb-upgrade. Never go back on the same volume.",
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
		})
	}
	return out
}

func mariadbClient(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		major, _, ok := mariadbRelease(s)
		if !ok || major < 11 || s.HealthCheck == nil || s.HealthCheck.Disable {
			continue
		}
		words := strings.Fields(strings.Join(s.HealthCheck.Test, " "))
		called := ""
		for _, w := range words {
			if w == "mysql" || w == "mysqladmin" || strings.HasSuffix(w, "/mysql") || strings.HasSuffix(w, "/mysqladmin") {
				called = w
				break
			}
		}
		if called == "" {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "healthcheck", Links: linksTo(in, s),
			Message:     "The health check calls " + called + ", which the image " + quote(s.Image) + " does not have.",
			Consequence: "The database counts as unhealthy; services that wait for it do not start.",
			Remedy:      "Call " + newClient(called) + ", or the image's healthcheck.sh --connect --innodb_initialized.",
			Locations:   []finding.Location{s.Locate("healthcheck", "test").As(finding.Fix)},
			Edits:       callNewClient(in, s, called),
		})
	}
	return out
}

// newClient gives the name that a program of MySQL has in MariaDB's images:
// mysqladmin is mariadb-admin, mysql is mariadb.
func newClient(called string) string {
	return strings.Replace(strings.Replace(called, "mysqladmin", "mariadb-admin", 1), "mysql", "mariadb", 1)
}

// callNewClient gives the edit of the health check, written as one text or as a list.
func callNewClient(in *Input, s *deployment.Service, called string) []finding.Edit {
	var out []finding.Edit
	for _, sc := range in.Deployment.Scalars() {
		p := sc.Path
		if len(p) < 4 || p[0] != "services" || p[1] != s.Name || p[2] != "healthcheck" || p[3] != "test" {
			continue
		}
		es := in.Deployment.SetValue(sc.At, called, newClient(called))
		if es == nil {
			es = in.Deployment.ReplaceStart(sc.At, called+" ", newClient(called)+" ")
		}
		out = together(out, es)
	}
	return out
}
