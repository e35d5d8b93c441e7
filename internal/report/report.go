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
	FailOn     string     `json:"fail_on"`   // error, warning, info, never
	ExitCode   int        `json:"exit_code"` // of this run, decided before the report was made
	Findings   []Finding  `json:"findings"`
	Links      []Link     `json:"links"`
	Services   []Service  `json:"services"`
	Summary    Summary    `json:"summary"`

	Suppressed []Suppressed `json:"suppressed"`

	Rules []Rule `json:"-"` // what is known of the IDs in the report, by ID; for the formats that explain them
}

// Rule explains an ID that findings have.
type Rule struct {
	ID       string
	Title    string // what is wrong, one line
	Why      string // why it matters; may have several lines
	Severity string // that its findings have as a rule
	Source   string // where that can be read; "" where it is plain to see
	Page     string // its place in the documentation, as a URL
}

// Suppressed is a finding that was taken out of the others, and by what.
type Suppressed struct {
	Finding
	By     string `json:"by"`     // comment, settings, severity, baseline
	Reason string `json:"reason"` // why, in the words of whoever did it
	Until  string `json:"until"`  // the last day on which it counts, as 2027-03-31; "" for ever
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

	InRepository string `json:"in_repository"` // the folder as seen from the top of its git working tree; "" when it is the top, or in none
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
	Evidence    []Evidence `json:"evidence"`
	Cause       *string    `json:"cause"` // fingerprint of another finding
	Fingerprint string     `json:"fingerprint"`

	Edits []Edit `json:"-"` // the change that cures it, where there is one right answer and no secret in it
}

// Evidence is a line of a log that bears a finding out.
type Evidence struct {
	Service    string `json:"service"`
	Time       string `json:"time"`        // RFC 3339, in UTC; "" when not known
	AgeSeconds int64  `json:"age_seconds"` // when the run began; 0 when not known
	Line       string `json:"line"`
	Means      string `json:"means"`
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
	Incomplete bool   `json:"incomplete"` // it was to be checked and could not be: the run is incomplete
	Suppressed bool   `json:"suppressed"` // it is broken, and all errors seen on it are suppressed or lowered: it does not count for the exit code

	CertificateEnd string `json:"certificate_end"` // when the certificate that the server showed ends, RFC 3339 in UTC; "" when none was seen
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
