package report

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

const (
	sarifHome = "https://github.com/kopano-doctor/kopano-doctor"
	// sarifRoot stands for the top of the repository; who reads the file knows where that is.
	sarifRoot = "%SRCROOT%"
	// sarifPrint is the name under which findings carry their fingerprint.
	sarifPrint = "kopanoDoctor/v1"
)

// SARIF writes the report as SARIF 2.1.0 (OASIS, Static Analysis Results
// Interchange Format): a rule for each ID, a result for each finding, suppressed
// ones too, and a notification for each link that was not checked.
func SARIF(w io.Writer, r *Report) error {
	run := sarif.NewRunWithInformationURI(r.Tool.Name, sarifHome)
	run.Tool.Driver.WithVersion(r.Tool.Version)
	run.WithColumnKind("unicodeCodePoints")
	run.WithAutomationDetails(sarif.NewRunAutomationDetails().WithID("kopano-doctor/" + r.Deployment.Project + "/"))
	run.OriginalUriBaseIds = map[string]sarif.ArtifactLocation{
		sarifRoot: *sarif.NewArtifactLocation().WithDescription(sarif.NewTextMessage("the top of the repository")),
	}
	problems := r.problems()
	ids := r.sarifIDs(problems)
	for _, id := range ids {
		run.Tool.Driver.AddRule(r.sarifRule(id))
	}
	for i := range problems {
		run.AddResult(r.sarifResult(&problems[i], ids))
	}
	for i := range r.Suppressed {
		s := &r.Suppressed[i]
		kind := "external"
		if s.By == "comment" {
			kind = "inSource"
		}
		run.AddResult(r.sarifResult(&s.Finding, ids).
			AddSuppression(sarif.NewSuppression().WithKind(kind).WithStatus("accepted").WithJustification(suppressedBecause(s))))
	}
	run.AddInvocation(r.sarifInvocation())
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarif.NewReport().AddRun(run))
}

// sarifIDs gives the IDs that results have, sorted.
func (r *Report) sarifIDs(problems []Finding) []string {
	var ids []string
	for i := range problems {
		ids = append(ids, problems[i].ID)
	}
	for i := range r.Suppressed {
		ids = append(ids, r.Suppressed[i].ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (r *Report) sarifRule(id string) *sarif.ReportingDescriptor {
	known := Rule{ID: id, Title: id, Severity: "error", Page: sarifHome}
	if id == BrokenLink {
		known.Title = "A link between two services does not work"
	}
	for _, k := range r.Rules {
		if k.ID == id {
			known = k
		}
	}
	text, markdown := cmp.Or(known.Why, known.Title), mdLines(cmp.Or(known.Why, known.Title))
	if known.Source != "" {
		text += "\n\nSource: " + known.Source
		markdown += "\n\n**Source:** " + mdLines(known.Source)
	}
	text += "\n\n" + known.Page
	markdown += "\n\n[The whole page](" + known.Page + ")"
	d := sarif.NewReportingDescriptor().WithID(id).WithHelpURI(known.Page).
		WithShortDescription(sarif.NewMultiformatMessageString().WithText(known.Title)).
		WithFullDescription(sarif.NewMultiformatMessageString().WithText(cmp.Or(known.Why, known.Title))).
		WithHelp(sarif.NewMultiformatMessageString().WithText(text).WithMarkdown(markdown))
	return d.WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(sarifLevel(known.Severity)))
}

func sarifLevel(severity string) string {
	if severity == "error" || severity == "warning" {
		return severity
	}
	return "note"
}

func (r *Report) sarifResult(f *Finding, ids []string) *sarif.Result {
	text := strings.Join(append([]string{f.Title}, details(f)...), "\n")
	out := sarif.NewRuleResult(f.ID).WithLevel(sarifLevel(f.Severity)).WithMessage(sarif.NewTextMessage(sarifText(text)))
	out.WithRuleIndex(slices.Index(ids, f.ID))
	out.PartialFingerprints = map[string]string{sarifPrint: f.Fingerprint}
	file, first := r.somePlace(f)
	out.AddLocation(sarifLocation(file, first).AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(cmp.Or(f.Subject, f.ID))))
	for _, l := range f.Locations {
		if p := r.path(l.File); p != "" && l != first {
			out.AddRelatedLocation(sarifLocation(p, l).WithMessage(sarif.NewTextMessage(sarifRole(l.Role))))
		}
	}
	if len(f.Edits) > 0 {
		out.AddFixe(r.sarifFix(f))
	}
	return out
}

func sarifRole(role string) string {
	switch role {
	case "fix":
		return "also to be changed"
	case "origin":
		return "the value comes by way of this"
	case "overridden":
		return "this sets the value too, and loses"
	}
	return "has to do with it"
}

// sarifText keeps "[text](target)" in a message, which may quote a server, from
// becoming a link: SARIF 2.1.0, 3.11.6.
func sarifText(s string) string { return strings.ReplaceAll(printable(s, true), "](", "] (") }

func sarifLocation(file string, l Location) *sarif.Location {
	place := sarif.NewPhysicalLocation().WithArtifactLocation(sarifArtifact(file))
	if l.Line > 0 {
		region := sarif.NewRegion().WithStartLine(l.Line)
		if c := column(l); c > 0 {
			region.WithStartColumn(c)
		}
		if l.Excerpt != "" {
			region.WithSnippet(sarif.NewArtifactContent().WithText(l.Excerpt))
		}
		place.WithRegion(region)
	}
	return sarif.NewLocation().WithPhysicalLocation(place)
}

func sarifArtifact(file string) *sarif.ArtifactLocation {
	// A URL of a path alone: url.URL escapes what is not for URLs.
	return sarif.NewArtifactLocation().WithURI((&url.URL{Path: file}).String()).WithURIBaseID(sarifRoot)
}

// sarifFix gives the change of a finding, file by file.
func (r *Report) sarifFix(f *Finding) *sarif.Fix {
	fix := sarif.NewFix().WithDescription(sarif.NewTextMessage(sarifText(cmp.Or(f.Remedy, f.Title))))
	changes := map[string]*sarif.ArtifactChange{}
	for _, e := range f.Edits {
		c, ok := changes[e.File]
		if !ok {
			c = sarif.NewArtifactChange().WithArtifactLocation(sarifArtifact(r.path(e.File)))
			changes[e.File] = c
			fix.AddArtifactChange(c)
		}
		region := sarif.NewRegion().WithStartLine(1).WithStartColumn(1).WithEndLine(1).WithEndColumn(1)
		if !e.Create {
			region.WithStartLine(e.StartLine).WithStartColumn(e.StartChar).WithEndLine(e.EndLine).WithEndColumn(e.EndChar)
		}
		c.AddReplacement(sarif.NewReplacement().WithDeletedRegion(region).WithInsertedContent(sarif.NewArtifactContent().WithText(e.New)))
	}
	return fix
}

func (r *Report) sarifInvocation() *sarif.Invocation {
	meanings := map[int]string{0: "nothing is wrong", 1: "something is wrong", 3: "something could not be checked"}
	out := sarif.NewInvocation().WithExecutionSuccessful(r.ExitCode != 3).WithExitCode(r.ExitCode).WithExitCodeDescription(meanings[r.ExitCode])
	for i := range r.Links {
		l := &r.Links[i]
		if l.Status != "unchecked" {
			continue
		}
		level := "note"
		if l.Incomplete {
			level = "warning"
		}
		text := "not checked: " + l.From + " → " + l.To + ": " + cmp.Or(l.Message, l.Reason)
		out.AddToolExecutionNotification(sarif.NewNotification().WithLevel(level).WithMessage(sarif.NewTextMessage(sarifText(text))))
	}
	return out
}
