// Package report holds the report of a run and its formats. Nothing is decided
// here: the exit code and every status are settled before.
package report

// Schema names the version of the JSON form.
const Schema = "kopano-doctor/report/v1"

// Report is everything that a run found; its JSON form is the contract of docs/json.md.
type Report struct {
	Schema     string     `json:"schema"`
	Tool       Tool       `json:"tool"`
	Deployment Deployment `json:"deployment"`
	Engine     Engine     `json:"engine"`
	DurationMS int64      `json:"duration_ms"`
	Findings   []Finding  `json:"findings"`
	Links      []Link     `json:"links"`
	Services   []Service  `json:"services"`
	Summary    Summary    `json:"summary"`
}

// Tool is the program that made the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Deployment is what was looked at.
type Deployment struct {
	Directory string   `json:"directory"`
	Project   string   `json:"project"`
	Files     []string `json:"files"`
	EnvFiles  []string `json:"env_files"`
	Config    string   `json:"config"` // .kopano-doctor.yaml that was obeyed; "" for none
}

// Engine is the container engine that was asked what runs.
type Engine struct {
	Name       string `json:"name"`       // "Docker 28.2.2 at unix:///var/run/docker.sock"; "" when none was asked
	Project    string `json:"project"`    // as it runs there
	Containers int    `json:"containers"` // of the project
	Note       string `json:"note"`       // what could not be done, and why; "" when all could
}

// Finding is a finding.Finding with everything printable and every secret hidden.
type Finding struct {
	ID          string     `json:"id"`
	Severity    string     `json:"severity"` // error, warning, info
	Kind        string     `json:"kind"`     // static, live
	Title       string     `json:"title"`
	Message     string     `json:"message"`
	Subject     string     `json:"subject"`
	Locations   []Location `json:"locations"`
	Consequence string     `json:"consequence"`
	Remedy      string     `json:"remedy"`
	Cause       *string    `json:"cause"` // fingerprint of another finding
	Fingerprint string     `json:"fingerprint"`
}

// Location is a place in a file; line and column count from 1, 0 when not known.
type Location struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Role    string `json:"role"` // fix, origin, overridden, related
	Excerpt string `json:"excerpt"`
}

// Link is a connection and what became of it.
type Link struct {
	ID         string   `json:"id"`
	From       string   `json:"from"`
	To         string   `json:"to"`
	Protocol   string   `json:"protocol"`
	Address    string   `json:"address"`
	Vantage    string   `json:"vantage"`
	Status     string   `json:"status"` // ok, broken, unchecked
	Rung       string   `json:"rung"`
	DurationMS int64    `json:"duration_ms"`
	Reason     string   `json:"reason"`
	Findings   []string `json:"findings"` // fingerprints

	Message    string `json:"message"`    // one line for a person
	Suppressed bool   `json:"suppressed"` // it is broken, and all errors seen on it are suppressed or lowered: it does not count for the exit code
}

// Service is a service and the role that it plays.
type Service struct {
	Name  string `json:"name"`
	Role  string `json:"role"` // "" when the catalogue does not know it
	Image string `json:"image"`
}

// Summary counts.
type Summary struct {
	Errors         int `json:"errors"`
	Warnings       int `json:"warnings"`
	Infos          int `json:"infos"`
	Suppressed     int `json:"suppressed"`
	LinksOK        int `json:"links_ok"`
	LinksBroken    int `json:"links_broken"`
	LinksUnchecked int `json:"links_unchecked"`

	LinksSuppressed int `json:"links_suppressed"` // those of LinksBroken that do not count
}
