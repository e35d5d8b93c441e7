package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
	"github.com/kopano-doctor/kopano-doctor/testdata"
)

const explainHelp = `Explains a rule, by the ID that a report prints in brackets: why it matters,
whom it hurts, a bad and a good example, what to write, and how to suppress it.
IDs that begin with live- are those of the live checks.

Examples:
  kopano-doctor explain unset-variable
  kopano-doctor explain live-ldap-bad-credentials`

func (p *program) explainCommand() *cli.Command {
	color := newChoice([]string{"auto", "always", "never"})
	command := &cli.Command{
		Name:            "explain",
		Usage:           "explain a rule or what a live check found",
		ArgsUsage:       "ID...",
		Description:     explainHelp,
		HideHelpCommand: true,
		OnUsageError:    onUsageError,
		Flags:           []cli.Flag{&cli.GenericFlag{Name: "color", Value: color, Usage: "colours; auto means on a terminal"}},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return badUsage("explain", "name a rule: the ID that a report prints in brackets; `kopano-doctor rules` lists them")
			}
			out := &output{stdout: p.stdout}
			text, err := p.explain("explain", c.Args().Slice(), p.textOptions(color.value, out))
			if err != nil {
				return err
			}
			return out.write(text)
		},
	}
	command.CustomHelpTemplate = commandHelp(command)
	return command
}

// explain gives the pages about some IDs; one that is unknown spoils all.
func (p *program) explain(command string, ids []string, o report.TextOptions) ([]byte, error) {
	page := report.NewPage(o)
	for i, id := range ids {
		if i > 0 {
			page.Heading(strings.Repeat("─", 80))
		}
		if err := p.explainOne(command, page, strings.Trim(id, "[]")); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	_, err := page.WriteTo(&b)
	return b.Bytes(), err
}

func (p *program) explainOne(command string, page *report.Page, id string) error {
	for _, r := range p.everyRule() {
		if r.ID != id {
			continue
		}
		e, err := rulebook.Of(r, testdata.Examples())
		if err == nil {
			explainRule(page, e)
		}
		return err
	}
	if d := liveDocs(id); len(d) > 0 {
		explainLive(page, id, d)
		return nil
	}
	if id == doctor.InternalError {
		page.Title("warning", "kopano-doctor itself failed", id)
		page.Say("", "A rule or check stopped before it was done, so what it looks for was not looked at. This is a fault of kopano-doctor, not of the deployment. Please report it, with the version and the message.")
		return nil
	}
	return p.unknownID(command, id)
}

// unknownID says what may have been meant.
func (p *program) unknownID(command, id string) error {
	if slices.Contains(rules.Retired(), id) {
		return badUsage(command, "the rule %s existed in an older version and is gone", id)
	}
	known := append(checks.FindingIDs(), doctor.InternalError)
	for _, r := range p.everyRule() {
		known = append(known, r.ID)
	}
	if near, ok := nearest.Of(id, known); ok {
		return badUsage(command, "there is no rule %q; did you mean %q?", id, near)
	}
	var alike []string
	for _, k := range known {
		if len(id) > 2 && strings.Contains(k, strings.ToLower(id)) {
			alike = append(alike, k)
		}
	}
	if n := len(alike); n > 0 {
		slices.Sort(alike)
		return badUsage(command, "there is no rule %q; there are %s", id, strings.Join(alike[:min(n, 8)], ", "))
	}
	return badUsage(command, "there is no rule %q; `kopano-doctor rules` lists them", id)
}

func explainRule(page *report.Page, e rulebook.Entry) {
	page.Title(e.Severity, e.Title, e.ID)
	page.Blank()
	page.Say("", e.Why)
	page.Say("Breaks", e.Consequence)
	page.Blank()

	bad, good := e.Examples.Bad, e.Examples.Good
	page.Heading("Bad")
	showExample(page, bad, wrongLines(bad))
	page.Blank()
	page.Heading("kopano-doctor says")
	page.Blank()
	const most = 4 // findings of one example that are told in full
	for _, f := range bad.Says[:min(len(bad.Says), most)] {
		page.Finding(asReported(e, f))
	}
	if n := len(bad.Says) - most; n > 0 {
		page.Say("", fmt.Sprintf("… and the same of %d more.", n))
		page.Blank()
	}
	page.Heading("Good")
	showExample(page, good, rightLines(bad, good))
	page.Blank()

	page.Heading("More")
	if e.Fixable {
		page.Say("Repair", "where there is one right answer, this shows the change, and makes it with --write:")
		page.Verbatim("kopano-doctor fix --rule " + e.ID)
	} else {
		page.Say("Repair", "by hand; kopano-doctor fix leaves it alone")
	}
	sayHowToSuppress(page, e.ID, hasLine(e))
	page.Say("Source", e.Source)
	page.Say("Since", e.Since)
	page.Say("Reference", "docs/rules/"+rulebook.Page(e.Subject)+"#"+e.ID)
}

// hasLine reports whether a comment can suppress a rule: it must be about a
// line, and not about suppressions themselves.
func hasLine(e rulebook.Entry) bool {
	return e.Subject != suppress.Subject && len(wrongLines(e.Examples.Bad)) > 0
}

// sayHowToSuppress gives the lines to copy.
func sayHowToSuppress(page *report.Page, id string, comment bool) {
	if comment {
		page.Say("Suppress", "if it is meant so, write on the line above the place, with your reason:")
		page.Verbatim("# kopano-doctor: ignore=" + id + " because REASON")
		page.Say("", "or, for the whole deployment, in .kopano-doctor.yaml:")
	} else {
		page.Say("Suppress", "if it is meant so, write in .kopano-doctor.yaml, with your reason:")
	}
	page.Verbatim("ignore:", "  - rule: "+id, "    reason: REASON")
}

// marks are the lines of each file that a listing points at.
type marks map[string]map[int]report.Mark

func (m marks) set(file string, line int, mark report.Mark) {
	if m[file] == nil {
		m[file] = map[int]report.Mark{}
	}
	m[file][line] = mark
}

// wrongLines marks the places to change.
func wrongLines(bad rulebook.Example) marks {
	m := marks{}
	for _, f := range bad.Says {
		for _, l := range f.Locations {
			if l.Role == "fix" && l.Line > 0 {
				m.set(l.File, l.Line, report.Wrong)
			}
		}
	}
	return m
}

// rightLines marks the lines of the good example that the bad one lacks.
func rightLines(bad, good rulebook.Example) marks {
	m := marks{}
	for name, text := range good.Files {
		have := map[string]int{}
		for _, l := range rulebook.Lines(bad.Files[name]) {
			have[l]++
		}
		for i, l := range rulebook.Lines(text) {
			if have[l]--; have[l] < 0 && strings.TrimSpace(l) != "" {
				m.set(name, i+1, report.Right)
			}
		}
	}
	return m
}

func showExample(page *report.Page, e rulebook.Example, m marks) {
	for _, name := range slices.Sorted(maps.Keys(e.Files)) {
		var keep []int
		for _, f := range e.Says {
			for _, l := range f.Locations {
				if l.File == name && l.Line > 0 {
					keep = append(keep, l.Line)
				}
			}
		}
		page.Listing(name, rulebook.Lines(e.Files[name]), m[name], keep)
	}
	if len(e.Environment) > 0 {
		page.Say("", "In the shell that runs Docker Compose:")
		page.Verbatim("export " + strings.Join(e.Environment, " "))
	}
}

// asReported gives what is said about an example in the form of a report.
func asReported(e rulebook.Entry, f rulebook.Finding) report.Finding {
	out := report.Finding{
		ID: e.ID, Severity: f.Severity, Title: e.Title, Subject: f.Subject,
		Message: f.Message, Consequence: f.Consequence, Remedy: f.Remedy,
	}
	for _, l := range f.Locations {
		out.Locations = append(out.Locations, report.Location{File: l.File, Line: l.Line, Column: l.Column, Role: l.Role})
	}
	return out
}

// liveDocs gives the checks that may report an ID, each with the one reason.
// An ID without a reason, live-ldap, gives the check with all of them.
func liveDocs(id string) []checks.Doc {
	var out []checks.Doc
	for _, d := range checks.Docs() {
		if id == "live-"+d.ID {
			out = append(out, d)
			continue
		}
		for _, r := range d.Reasons {
			if id == "live-"+d.ID+"-"+string(r.Reason) {
				d.Reasons = []checks.ReasonDoc{r}
				out = append(out, d)
				break
			}
		}
	}
	return out
}

func explainLive(page *report.Page, id string, docs []checks.Doc) {
	one := id != "live-"+docs[0].ID
	if one {
		page.Title("live", strings.TrimSuffix(docs[0].Reasons[0].Means, "."), id)
		page.Say("Seen when", rungDoes(docs[0].Reasons[0].Rung))
		page.Blank()
	}
	for _, d := range docs {
		page.Heading(d.Title)
		page.Say("", d.Asks)
		page.Say("", d.Never)
		page.Blank()
		if !one {
			page.Heading("What it tells apart")
			for _, r := range d.Reasons {
				page.Item(fmt.Sprintf("%s-%s (%s): %s", id, r.Reason, r.Rung, r.Means))
			}
			page.Blank()
		}
		if d.Check != nil {
			page.Heading("Links")
		}
		for _, link := range checks.LinksOf(d.Check) {
			page.Item(link + loses(link))
		}
		page.Blank()
	}
	page.Heading("More")
	page.Say("", "The report says what was sent, what came back, where the setting stands and what to write instead.")
	if one {
		sayHowToSuppress(page, id, true)
	}
	page.Say("Reference", "docs/checks.md#"+docgen.Anchor(docs[0].Title))
}

func loses(link string) string {
	if l := kopano.LinkByID(link); l != nil {
		return ": without it, " + docgen.LowerFirst(l.Loses)
	}
	return ""
}

// rungDoes says what a check does on a rung.
func rungDoes(r checks.Rung) string {
	return cmp.Or(map[checks.Rung]string{
		checks.Runs:         "what runs is compared with the files (container)",
		checks.Resolve:      "the name is looked up (resolve)",
		checks.Dial:         "the connection is made (dial)",
		checks.TLS:          "the connection is encrypted (tls)",
		checks.Greet:        "the server says who it is (greet)",
		checks.Authenticate: "the client logs in (authenticate)",
		checks.Ask:          "a harmless question is asked (ask)",
	}[r], string(r))
}
