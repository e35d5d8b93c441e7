// Package formats writes the page of docs/ that shows a report in every format.
// It is a package of its own since it runs the doctor, and the doctor points at
// pages that docgen writes.
package formats

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// example has one fault, and one more that its owner knows of.
const example = `name: kopano
services:
  # kopano-doctor: ignore=machine-id-missing because this is only an example
  kopano_server:
    image: zokradonh/kopano_core:8.7.84
    environment:
      SERVICE_TO_START: server
      KCCONF_LDAP_LDAP_URI: ldap://ldapp:389
  ldap:
    image: osixia/openldap:1.5.0
`

// asked are the rules of the example, so that the page stays short.
var asked = []string{"link-host-unknown", "machine-id-missing"}

// about says what a format is for, what is not in it, and where it is specified.
var about = []struct {
	format     report.Format
	highlight  string // language of the code block
	file, text string
}{
	{report.FormatText, "text", "-", "For a person at a terminal, and the only one with colours. The default."},
	{report.FormatJSON, "json", "kopano.json", "For programs: everything, with a promise to stay as it is. [json.md](json.md) says what each field means, [report.schema.json](report.schema.json) is the schema."},
	{report.FormatHTML, "", "kopano.html", "One page for a browser, to read, to send and to print: the verdict and the causes, the [map](map.md) with the state of each link, each finding with its place, its cure and what follows from it, then links, services and what was not checked. Point at a service or a line of the map to see what it is about, or follow it to its row. The page is one file, loads nothing, runs no script, and follows the light or dark theme of its reader. Text from files and servers stays text."},
	{report.FormatMarkdown, "markdown", "kopano.md", "For a ticket, or for the summary of a job in GitHub Actions: `--report markdown=\"$GITHUB_STEP_SUMMARY\"`. It stays below the 1 MiB at which GitHub drops a summary; findings that do not fit are counted. Text from files and servers cannot become markup or call a person."},
	{report.FormatSARIF, "json", "kopano.sarif", "SARIF 2.1.0, for GitHub code scanning (`github/codeql-action/upload-sarif`) and editors. Each rule comes with its explanation and its page, each finding with its fingerprint, related places and, where there is one right answer without a secret in it, the change that cures it. Suppressed findings are in it as such; links that were not checked are notifications of the invocation."},
	{report.FormatJUnit, "xml", "kopano.xml", "JUnit XML for Jenkins, GitLab and others. One test for the run, one for each finding, one for each link. A test fails where it makes the run fail (`--fail-on`). What was to be checked and could not be is an error; what is suppressed, blocked, or was not asked for is skipped. So the tests are red exactly when the exit code is not 0."},
	{report.FormatGitHub, "text", "-", "Workflow commands, which GitHub Actions turns into annotations: `kopano-doctor check --report github=-`. GitHub shows ten errors, ten warnings and ten notices of a step; causes come first, the rest is in the log. The first notice counts everything and names the links that were not checked."},
	{report.FormatGitLab, "json", "gl-code-quality-report.json", "GitLab Code Quality, for `artifacts: reports: codequality`. It has findings only: for links that were not checked, look at the exit code or at another format."},
	{report.FormatCheckstyle, "xml", "checkstyle.xml", "Checkstyle's XML, which many tools read (reviewdog, Jenkins' warnings plugin). It has findings only; the comment counts the rest."},
	{report.FormatPrometheus, "text", "kopano_doctor.prom", "For the textfile collector of Prometheus' node exporter, from a timer: `--report prometheus=/var/lib/node_exporter/kopano_doctor.prom`. The file is replaced in one step, so the exporter never reads half of one. A link that was checked has `kopano_doctor_link_up` (1 or 0), `kopano_doctor_link_duration_seconds` and, where a certificate was looked at, `kopano_doctor_certificate_end_timestamp_seconds`: `(kopano_doctor_certificate_end_timestamp_seconds - time()) / 86400` are the days left, also when the file is old. Alert on `node_textfile_mtime_seconds` too: a run that does not happen finds nothing."},
}

// pictures show what the page looks like.
const pictures = `
![A page whose headline is "This deployment needs repair", with three causes, and the map with the broken links in red](img/report-three-causes.png)

The same deployment when all is well:

![A page whose headline is "No error was found", and the map with all links in green](img/report-healthy.png)
`

// Page writes the page, with a real report over the example in each format.
func Page(ctx context.Context) ([]byte, error) {
	r, err := exampleReport(ctx)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`<!-- Written by "make docs"; change internal/docgen/formats instead. -->

# Report formats

` + "`kopano-doctor check --format FORMAT`" + ` writes the report in another format, and ` + "`--report FORMAT=FILE`" + ` writes one more; it may be given as often as needed, and ` + "`-`" + ` is standard output. One run gives them all:

    kopano-doctor check --report sarif=kopano.sarif --report junit=kopano.xml

The text still goes to standard output, unless ` + "`--report FORMAT=-`" + ` takes its place or ` + "`--output`" + ` sends it to a file. The exit code is the same for every format and is decided before any of them is written ([json.md](json.md#exit-codes)). Secrets are in none of them. A file that is there is replaced in one step. When one report cannot be written, the others still are, and the exit code is 2.

Code hosts go by paths from the top of the repository, so SARIF, GitHub, GitLab and Checkstyle name files that way when the deployment is in a git working tree. A finding that is about no file in particular stands at the compose file where the format wants one.

All examples are of this deployment, looked at by two rules with ` + "`--offline`" + `:

` + "```yaml\n" + example + "```\n")
	for _, f := range about {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n    kopano-doctor check --report %s=%s\n", f.format, f.text, f.format, f.file)
		if f.format == report.FormatHTML { // most of it is the style sheet
			b.WriteString(pictures)
			continue
		}
		var text bytes.Buffer
		if err := report.Write(&text, r, f.format, report.TextOptions{}); err != nil {
			return nil, err
		}
		fence := "```"
		if strings.Contains(text.String(), fence) {
			fence = "````"
		}
		fmt.Fprintf(&b, "\n%s%s\n%s%s\n", fence, f.highlight, strings.TrimRight(text.String(), "\n")+"\n", fence)
	}
	return b.Bytes(), nil
}

// exampleReport runs the doctor. What differs from run to run is set afterwards.
func exampleReport(ctx context.Context) (*report.Report, error) {
	dir, err := os.MkdirTemp("", "kopano-doctor-example-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte(example), 0o600); err != nil {
		return nil, err
	}
	var some []rules.Rule
	for _, r := range rules.All() {
		for _, id := range asked {
			if r.ID == id {
				some = append(some, r)
			}
		}
	}
	out, err := doctor.Check(ctx, doctor.Options{Deployment: deployment.Options{Dir: dir}, Offline: true, Rules: some, Version: "1.0.0"})
	if err != nil {
		return nil, err
	}
	r := out.Report
	r.Deployment.Directory, r.Deployment.InRepository, r.DurationMS = "/opt/kopano", "", 40
	return r, nil
}
