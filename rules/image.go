package rules

import (
	"fmt"
	"maps"
	"regexp"
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
			Why: "latest, stable or edge is whatever was pushed last: the next pull is an upgrade, and kopano_server changes the database's tables for good when it starts (kopano-core, ECDatabaseMySQL.cpp). " +
				"setup-update-tag.sh writes the releases of today into .env.",
			Source: "kopano-docker docker-compose.yml and setup-update-tag.sh; kopano-core provider/libserver/ECDatabaseMySQL.cpp",
			Check:  imageLatest,
		},
		{
			ID: "core-version-skew", Subject: "images", Severity: finding.Warning,
			Title:  "Services of Kopano's core run different releases",
			Why:    "Ten services share one image and one protocol; kapi and grapi are a pair. kopano-docker gives all of them CORE_VERSION.",
			Source: "kopano-docker docker-compose.yml",
			Check:  coreSkew,
		},
		{
			ID: "image-version-swapped", Subject: "images", Severity: finding.Warning,
			Title:  "An image takes the release of another one",
			Why:    "Each image of kopano-docker has releases of its own, in a variable of its own: WEBAPP_VERSION, ZPUSH_VERSION and so on. A release of one is mostly no tag of the other.",
			Source: "kopano-docker docker-compose.yml and setup-update-tag.sh",
			Check:  versionSwapped,
		},
		{
			ID: "image-registries-mixed", Subject: "images", Severity: finding.Info,
			Title:  "Kopano's images come from two places",
			Why:    "kopano-docker builds all its images together and takes them from one place, docker_repo (zokradonh unless set). Their start scripts, ports and folders change together.",
			Source: "kopano-docker docker-compose.yml, docker_repo",
			Check:  registriesMixed,
		},
		{
			ID: "image-base-old", Subject: "images", Severity: finding.Info,
			Title:  "An image is built on a system that gets no more fixes",
			Why:    "The tag says on what the image is built. Security fixes have ended for Debian 10 and older (June 2024), Ubuntu 20.04 and older (May 2025), and Alpine 3.20 and older (April 2026).",
			Source: "Debian LTS, Ubuntu and Alpine release schedules",
			Check:  baseOld,
		},
		{
			ID: "image-gone", Subject: "images", Severity: finding.Warning,
			Title:  "An image cannot be pulled any more",
			Why:    "Bitnami took its images with a release in their tag away from Docker Hub in September 2025. They are under bitnamilegacy for the time being, without fixes.",
			Source: "bitnami/containers issue 83267",
			Check:  imageGone,
		},
		{
			ID: "mail-image-old", Subject: "images", Severity: finding.Info,
			Title: "The mail server is a release that gets no more fixes",
			Why: "docker-mailserver fixes its newest release only. Releases before 10.4 are built on Debian 10, those before 14 on Debian 11, whose security fixes ended in June 2024 and August 2026. " +
				"Each release in between changes settings; kopano-doctor check names those that do not fit once the tag is changed.",
			Source: "docker-mailserver CHANGELOG 10.4.0 and 14.0.0; Debian LTS schedule",
			Check:  mailImageOld,
		},
		{
			ID: "mariadb-old", Subject: "database", Severity: finding.Warning,
			Title: "The database is a release that gets no more fixes",
			Why: "MariaDB maintains a long-term release for three to five years: 10.3 until May 2023, 10.4 until June 2024, 10.5 until June 2025, 10.6 until July 2026; the releases in between for a year or less. " +
				"MySQL 5.7 ended in October 2023, 8.0 in April 2026.",
			Source: "mariadb.org maintenance policy; Oracle lifetime support policy for MySQL",
			Check:  mariadbOld,
		},
		{
			ID: "mariadb-jumps", Subject: "database", Severity: finding.Warning,
			Title: "The next pull may bring another major release of the database",
			Why: "latest and lts of the official image move to the next major release. Its tables must then be upgraded (mariadb-upgrade, or MARIADB_AUTO_UPGRADE), a database that was not shut down cleanly does not start at all " +
				"(\"Upgrade after a crash is not supported\"), and no release starts on the files of a newer one.",
			Source: "MariaDB/mariadb-docker docker-entrypoint.sh; MariaDB documentation, upgrading",
			Check:  mariadbJumps,
		},
		{
			ID: "mariadb-client-renamed", Fixable: true, Subject: "database", Severity: finding.Error,
			Title:  "The database's health check calls a program that the image does not have",
			Why:    "The official images of MariaDB from 11 on have mariadb instead of mysql. The check fails for ever, and services that wait for a healthy database do not start.",
			Source: "MariaDB/mariadb-docker, images 11.0 and later", Since: "MariaDB 11",
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

// floats reports whether a tag moves from release to release.
func floats(tag string) bool {
	return slices.Contains([]string{"latest", "edge", "stable", "nightly", "master", "main", "lts", "testing", "develop"}, strings.ToLower(tag))
}

func imageLatest(in *Input) []finding.Finding {
	var names []string
	var places []finding.Location
	for _, s := range in.Deployment.Services {
		if s.Image == "" || s.Build != nil || !floats(tagOf(s.Image)) || in.Topology.Role(s) == kopano.Unknown || jumps(s) {
			continue
		}
		role := finding.Related
		if len(places) == 0 {
			role = finding.Fix
		}
		names = append(names, s.Name)
		if l := floatingTag(in, s); l != nil {
			places = append(places, l.ValueAt.As(role), s.Locate("image").As(finding.Origin))
			continue
		}
		places = append(places, s.Locate("image").As(role))
	}
	if len(names) == 0 {
		return nil
	}
	return []finding.Finding{{
		Subject: "images", Key: "latest",
		Message:     counted(len(names), "service runs", "services run") + " whatever image was pushed last: " + list(names, 6) + ".",
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

// floatingTag gives the line of an env file that makes the tag of an image a floating one.
func floatingTag(in *Input, s *deployment.Service) *deployment.EnvLine {
	for _, m := range variableName.FindAllStringSubmatch(textAt(in, s.Locate("image")), -1) {
		if l := definition(in, m[1]); l != nil && floats(l.Reveal()) && l.Reveal() != "" {
			return l
		}
	}
	return nil
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
	if !officialImage(kopano.ParseImage(s.Image), "mariadb") {
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

// ended gives until when a release of a database got fixes, "" when it still does.
func ended(major, minor int) string {
	switch {
	case major < 10 || major == 10 && minor < 3 && minor >= 0:
		return "May 2022 or earlier"
	case major == 10:
		return map[int]string{
			3: "May 2023", 4: "June 2024", 5: "June 2025", 6: "July 2026",
			7: "February 2023", 8: "May 2023", 9: "August 2023", 10: "November 2023",
		}[minor]
	case major == 11:
		return map[int]string{0: "June 2024", 1: "August 2024", 2: "November 2024", 3: "2025", 5: "2025 or earlier", 6: "2025 or earlier", 7: "2025 or earlier"}[minor]
	}
	return ""
}

func mariadbOld(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		name, until := "", ""
		if major, minor, ok := mariadbRelease(s); ok && minor >= 0 {
			name, until = fmt.Sprintf("MariaDB %d.%d", major, minor), ended(major, minor)
		} else if image := kopano.ParseImage(s.Image); officialImage(image, "mysql") {
			until = map[string]string{"5.5": "December 2018", "5.6": "February 2021", "5.7": "October 2023", "8.0": "April 2026"}[firstTwo(image.Tag)]
			name = "MySQL " + firstTwo(image.Tag)
		}
		if until == "" {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "image",
			Message:     "The database is " + name + ", which got its last fixes in " + until + ".",
			Consequence: "Faults and security holes stay open. Nothing stops working today.",
			Remedy:      upgradePath(name),
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
		})
	}
	return out
}

// upgradePath gives the releases to go through, none of which is older than the one in use.
func upgradePath(name string) string {
	steps := map[string]string{"MariaDB 10.6": "mariadb:10.11", "MariaDB 11.5": "mariadb:11.8", "MariaDB 11.6": "mariadb:11.8", "MariaDB 11.7": "mariadb:11.8"}[name]
	switch {
	case strings.HasPrefix(name, "MySQL"):
		return "Plan the move: dump all databases, start mariadb:10.11 or mysql:8.4 on a new, empty volume, and load the dump there."
	case steps != "":
	case strings.HasPrefix(name, "MariaDB 11."):
		steps = "mariadb:11.4"
	case slices.Contains([]string{"MariaDB 10.7", "MariaDB 10.8", "MariaDB 10.9", "MariaDB 10.10"}, name):
		steps = "mariadb:10.11"
	default:
		steps = "mariadb:10.6 and after it mariadb:10.11"
	}
	return "Plan the upgrade: dump, stop the database cleanly, then " + steps + ", with MARIADB_AUTO_UPGRADE=1. Never go back on the same volume."
}

// firstTwo gives the first two numbers of a release: "5.7" of "5.7.44-debian".
func firstTwo(tag string) string {
	tag, _, _ = strings.Cut(tag, "-")
	parts := strings.SplitN(tag, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// jumps reports whether a service is an official MariaDB whose tag moves to the
// next major release and which does not upgrade its tables by itself.
func jumps(s *deployment.Service) bool {
	if !officialImage(kopano.ParseImage(s.Image), "mariadb") || !floats(tagOf(s.Image)) {
		return false
	}
	_, kept := mountedAt(s, "/var/lib/mysql")
	return kept && !has(s, "MARIADB_AUTO_UPGRADE")
}

func mariadbJumps(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Database) {
		if !jumps(s) {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "image",
			Message:     s.Name + " runs " + quote(s.Image) + ", whatever major release of MariaDB that is at the next pull, and nothing upgrades its tables.",
			Consequence: "After a pull the database may not start, or fail at single questions; nobody gets mail, and the old release does not start any more either.",
			Remedy:      "Write the release that runs now, for example image: mariadb:10.11 (docker compose exec " + s.Name + " mariadb --version tells it).",
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
		})
	}
	return out
}

// officialImage reports whether an image is Docker Hub's own of that name.
func officialImage(image kopano.Image, name string) bool {
	for _, prefix := range []string{"", "library/", "docker.io/", "docker.io/library/"} {
		if image.Path == prefix+name {
			return true
		}
	}
	return false
}

// versionVariables: the variable that holds the release of an image of kopano-docker.
var versionVariables = map[string]string{
	"kopano_core": "CORE_VERSION", "kopano_webapp": "WEBAPP_VERSION", "kopano_zpush": "ZPUSH_VERSION", "kopano_konnect": "KONNECT_VERSION",
	"kopano_kwmserver": "KWM_VERSION", "kopano_kwmbridge": "KWMBRIDGE_VERSION", "kopano_meet": "MEET_VERSION", "kopano_kdav": "KDAV_VERSION",
	"kopano_kapps": "KAPPS_VERSION", "kopano_web": "KWEB_VERSION", "kopano_ssl": "SSL_VERSION", "kopano_scheduler": "SCHEDULER_VERSION", "kopano_ldap": "LDAP_VERSION",
}

// tagVariable finds the variable that is all of an image's tag.
var tagVariable = regexp.MustCompile(`([a-z0-9_.-]+):\$\{?([A-Z0-9_]+)(?::?[-?][^}]*)?\}?$`)

func versionSwapped(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, sc := range in.Deployment.Scalars() {
		p := sc.Path
		if len(p) != 3 || p[0] != "services" || p[2] != "image" {
			continue
		}
		m := tagVariable.FindStringSubmatch(sc.Text)
		s, ok := in.Deployment.Service(p[1])
		if m == nil || !ok {
			continue
		}
		own := versionVariables[m[1]]
		if own == "" || m[2] == own || !slices.Contains(slices.Collect(maps.Values(versionVariables)), m[2]) || floats(tagOf(s.Image)) || tagOf(s.Image) == "" {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: m[2],
			Message:     "The image " + m[1] + " takes its release from " + m[2] + ", which is that of another image.",
			Consequence: "The image may not exist under that release, and " + s.Name + " does not start; or it stays old when the others are updated.",
			Remedy:      "Write " + own + " in place of " + m[2] + ", and " + own + "=… in .env.",
			Locations:   []finding.Location{sc.At.As(finding.Fix)},
		}
		if slices.ContainsFunc(in.Deployment.EnvFiles, func(e *deployment.EnvFile) bool {
			return e.Project && slices.ContainsFunc(e.Lines, func(l deployment.EnvLine) bool { return l.Key == own && l.Reveal() != "" })
		}) {
			f.Remedy = "Write " + own + " in place of " + m[2] + "."
		}
		out = append(out, f)
	}
	return out
}

func registriesMixed(in *Input) []finding.Finding {
	byPlace := map[string][]*deployment.Service{}
	for _, s := range in.Deployment.Services {
		image := kopano.ParseImage(s.Image)
		if place, _, ok := strings.Cut(image.Two, "/"); ok && versionVariables[image.Name] != "" && (place == "kopano" || place == "zokradonh") {
			byPlace[place] = append(byPlace[place], s)
		}
	}
	if len(byPlace) < 2 {
		return nil
	}
	few, many := "kopano", "zokradonh"
	if len(byPlace[few]) > len(byPlace[many]) {
		few, many = many, few
	}
	var names []string
	var places []finding.Location
	for _, s := range byPlace[few] {
		names = append(names, s.Name)
		places = append(places, s.Locate("image").As(finding.Related))
	}
	places[0] = places[0].As(finding.Fix)
	verb := " takes its image"
	if len(names) > 1 {
		verb = " take their images"
	}
	return []finding.Finding{{
		Subject: "images", Key: "registries",
		Message:     list(names, 6) + verb + " from " + few + ", the other services of kopano-docker from " + many + ".",
		Consequence: "After an update the parts may not fit together, and the administrator looks for the fault in the settings.",
		Remedy:      "Write ${docker_repo:-" + many + "}/ in front of all of them.",
		Locations:   distinct(append(places, byPlace[many][0].Locate("image").As(finding.Related))),
	}}
}

// oldBase finds the name of a system without fixes in a tag.
var (
	oldBase   = regexp.MustCompile(`(?i)(?:^|[-._])(wheezy|jessie|stretch|buster|trusty|xenial|bionic|focal)(?:$|[-._])`)
	alpineTag = regexp.MustCompile(`(?i)(?:^|[-._])alpine-?3\.(\d+)(?:$|[-._])`)
	baseNames = map[string]string{
		"wheezy": "Debian 7", "jessie": "Debian 8", "stretch": "Debian 9", "buster": "Debian 10",
		"trusty": "Ubuntu 14.04", "xenial": "Ubuntu 16.04", "bionic": "Ubuntu 18.04", "focal": "Ubuntu 20.04",
	}
)

// baseOf gives the system without fixes that a tag names, "" when there is none.
func baseOf(tag string) string {
	if m := oldBase.FindStringSubmatch(tag); m != nil {
		return baseNames[strings.ToLower(m[1])]
	}
	if m := alpineTag.FindStringSubmatch(tag); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n <= 20 {
			return "Alpine 3." + m[1]
		}
	}
	return ""
}

func baseOld(in *Input) []finding.Finding {
	outdated := map[string]bool{} // their release has been found fault with
	for _, f := range mariadbOld(in) {
		outdated[f.Subject] = true
	}
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		base := baseOf(tagOf(s.Image))
		if base == "" || outdated[s.Name] {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "image",
			Message:     s.Name + " runs " + quote(s.Image) + ", which is built on " + base + ".",
			Consequence: "Security holes in that system stay open, for whoever reaches the service.",
			Remedy:      "Take a tag of the same release on a newer system, or a newer release.",
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
		})
	}
	return out
}

func imageGone(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		path := strings.TrimPrefix(kopano.ParseImage(s.Image).Path, "docker.io/")
		name, ok := strings.CutPrefix(path, "bitnami/")
		if tag := tagOf(s.Image); !ok || tag == "" || floats(tag) || s.Build != nil {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "image",
			Message:     s.Name + " runs " + quote(s.Image) + ", which Docker Hub no longer has.",
			Consequence: s.Name + " runs as long as the image lies on this host; on a new host, or after docker image prune, it does not start (\"not found\").",
			Remedy:      "Write bitnamilegacy/" + name + ":" + tagOf(s.Image) + " for now, and plan to move to an image that gets fixes.",
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
		})
	}
	return out
}

func mailImageOld(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		image := kopano.ParseImage(s.Image)
		major, ok := image.Major()
		if !ok || major > 13 || !image.Is("mailserver/docker-mailserver", "docker-mailserver/docker-mailserver") {
			continue // one that was renamed is old anyway: mail-image-renamed
		}
		base := "Debian 11, which got its last security fixes in August 2026"
		if minor, err := strconv.Atoi(strings.TrimPrefix(firstTwo(image.Tag), "10.")); major < 10 || major == 10 && err == nil && minor < 4 {
			base = "Debian 10, which got its last security fixes in June 2024"
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "image",
			Message:     s.Name + " runs docker-mailserver " + image.Tag + ", built on " + base + ".",
			Consequence: "The one service that strangers talk to keeps its security holes.",
			Remedy:      "Plan the upgrade of the mail server by itself, one major release after the other; run kopano-doctor check after each change of the tag, it names the settings that have changed.",
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
