package report_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// browser starts a real Chromium without a window. Where there is none, the test
// is skipped, unless KOPANO_DOCTOR_CI=1.
func browser(t *testing.T, listener func(event any)) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("KOPANO_DOCTOR_CI") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	if os.Geteuid() == 0 { // Chromium's sandbox refuses root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx, chromedp.WithListener(listener))
	t.Cleanup(stop)
	return ctx
}

// complaints collects what a browser says about a page: errors in its console,
// what the page may not do, and what it wants to load.
type complaints chan string

func (c complaints) hear(event any) {
	said := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		said = e.Entry.Text
	case *runtime.EventConsoleAPICalled:
		said = "console: " + string(e.Type)
	case *runtime.EventExceptionThrown:
		said = e.ExceptionDetails.Text
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "file:") {
			said = "it loads " + e.Request.URL
		}
	}
	if said != "" {
		select {
		case c <- said:
		default:
		}
	}
}

func (c complaints) all() string {
	var out []string
	for len(c) > 0 {
		out = append(out, <-c)
	}
	return strings.Join(out, "\n")
}

// TestABadPageIsFound holds the questions of page.js against a page that has
// what they look for.
func TestABadPageIsFound(t *testing.T) {
	questions, err := os.ReadFile("testdata/page.js")
	if err != nil {
		t.Fatal(err)
	}
	said := make(complaints, 1000)
	ctx := browser(t, said.hear)
	file := filepath.Join(t.TempDir(), "bad.html")
	page := `<!DOCTYPE html><title>x</title><main><h1>a</h1><h3>b</h3><p style="color:#aaa;background:#fff">pale</p>
<div style="width:2000px">wide</div><p style="width:1em;overflow-wrap:anywhere">a column of single letters</p><table><tr><td>1</table><a href="#nowhere">x</a><svg width="9" height="9"></svg><img src="http://127.0.0.1:1/x.png"><script>nothing()</script></main>`
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	wrong, err := open(ctx, "file://"+file, 375, "light", string(questions))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"wider than the screen", "no language", "skips a level", "leads nowhere", "column of letters", "table without", "picture without", "contrast", "is loaded or run"} {
		if !strings.Contains(strings.Join(wrong, "\n"), want) {
			t.Errorf("%q is not found", want)
		}
	}
	heard := said.all()
	for _, want := range []string{"it loads http://127.0.0.1:1/x.png", "Uncaught"} {
		if !strings.Contains(heard, want) {
			t.Errorf("%q is not heard in %q", want, heard)
		}
	}
}

// TestPageInABrowser opens the report as a phone and as a desktop does, light
// and dark, and looks for what keeps people from reading it.
func TestPageInABrowser(t *testing.T) {
	questions, err := os.ReadFile("testdata/page.js")
	if err != nil {
		t.Fatal(err)
	}
	said := make(complaints, 1000)
	ctx := browser(t, said.hear)
	all := samples()
	all["every service"] = everyService(t)
	for name, r := range all {
		file := filepath.Join(t.TempDir(), "report.html")
		if err := os.WriteFile(file, []byte(render(t, r, report.FormatHTML, report.TextOptions{})), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, width := range []int64{375, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				wrong, err := open(ctx, "file://"+file, width, scheme, string(questions))
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range wrong {
					if w == "hardly any text: " && len(r.Links) == 0 {
						continue
					}
					t.Errorf("%s, %d wide, %s: %s", name, width, scheme, w)
				}
			}
		}
	}
	if heard := said.all(); heard != "" {
		t.Errorf("the browser says: %s", heard)
	}
}

// everyService is the report over the deployment that has every system, with its
// links in every state by turns.
func everyService(t *testing.T) *report.Report {
	t.Helper()
	out, err := doctor.Check(t.Context(), doctor.Options{Deployment: deployment.Options{Dir: "../../testdata/deployments/full"}, Offline: true, Rules: rules.All()})
	if err != nil {
		t.Fatal(err)
	}
	r := out.Report
	for i := range r.Links {
		l := &r.Links[i]
		l.Status = []string{"ok", "broken", "unchecked", "unchecked"}[i%4]
		l.Reason = []string{"", "refused", "blocked", "no-route"}[i%4]
		l.Rung = []string{"ask", "dial", "", ""}[i%4]
	}
	r.Summary = report.Summarise(r.Findings, r.Links)
	return r
}

// open shows a page and asks it something, which gives a list.
func open(ctx context.Context, address string, width int64, scheme, question string) ([]string, error) {
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)); err != nil {
		return nil, err
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		return nil, err
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		return nil, err
	}
	like := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, like); err != nil {
		return nil, err
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.Evaluate[[]string](question))
}

// TestPageTellsEverything wants each finding, link, service and suppression.
func TestPageTellsEverything(t *testing.T) {
	r := sample()
	out := render(t, r, report.FormatHTML, report.TextOptions{})
	plain := strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&amp;", "&").Replace(out)
	for _, f := range r.Findings {
		for _, want := range []string{f.Title, f.ID} {
			if !strings.Contains(plain, want) {
				t.Errorf("%q is not told", want)
			}
		}
		if f.Cause == nil && (!strings.Contains(plain, f.Message) || !strings.Contains(plain, f.Remedy)) {
			t.Errorf("message or remedy of %s is not told", f.ID)
		}
		for _, e := range f.Evidence {
			if !strings.Contains(plain, e.Line) {
				t.Errorf("%q is not shown", e.Line)
			}
		}
	}
	for i, l := range r.Links {
		if !strings.Contains(out, fmt.Sprintf(`<tr id="link-%d" role="row"><th scope="row" role="rowheader">%s → %s`, i+1, l.From, l.To)) {
			t.Errorf("%s is not told", l.ID)
		}
	}
	for _, s := range r.Suppressed {
		if s.Reason != "" && !strings.Contains(plain, s.Reason) {
			t.Errorf("%q is not told", s.Reason)
		}
	}
	// What follows from a cause stands below it, and is no story of its own.
	if n := strings.Count(out, `<article class="story error"`); n != 1 {
		t.Errorf("%d causes, want 1", n)
	}
}

var headline = regexp.MustCompile(`<h1[^>]*>([^<]*)</h1>`)

// TestPageIsGreenOnlyWhereAllWasLookedAt holds the headline against the run.
func TestPageIsGreenOnlyWhereAllWasLookedAt(t *testing.T) {
	link := func(status, reason string) report.Link {
		return report.Link{ID: "a", From: "x", To: "y", Status: status, Reason: reason}
	}
	for want, l := range map[string]report.Link{
		`<h1 class="verdict ok">No error was found</h1>`:                                           link("ok", ""),
		`<h1 class="verdict error">This deployment needs repair</h1>`:                              link("broken", "refused"),
		`<h1 class="verdict warning">No error was found, but not everything could be checked</h1>`: link("unchecked", "no-route"),
		`<h1 class="verdict warning">No error was found in the files</h1>`:                         link("unchecked", "offline"),
	} {
		r := &report.Report{FailOn: "error", Links: []report.Link{l}}
		r.Summary = report.Summarise(nil, r.Links)
		if out := render(t, r, report.FormatHTML, report.TextOptions{}); !strings.Contains(out, want) {
			t.Errorf("%s, want %s", headline.FindString(out), want)
		}
	}
}

func TestPageKeepsHostileTextAsText(t *testing.T) {
	out := render(t, hostile(), report.FormatHTML, report.TextOptions{})
	for _, bad := range []string{"<b>&amp;", "<b>&", "<script", "href=\"javascript", "\u202e"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q stands in the page", bad)
		}
	}
}
