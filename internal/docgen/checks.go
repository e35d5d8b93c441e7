package docgen

import (
	"fmt"
	"io"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Checks writes the probe reference as markdown.
func Checks(w io.Writer, docs []checks.Doc) error {
	var b strings.Builder
	b.WriteString(`<!-- Written by "make docs" from the checks themselves; change checks/docs.go instead. -->

# Live checks

A check climbs a ladder: resolve the name, dial, TLS, greet, authenticate, ask a harmless question whose answer proves that the link works. The report names the rung where it broke and the reason, a word from the tables below. All checks run at once; each rung has its own time (` + "`--timeout`" + `), the whole run a deadline (` + "`--deadline`" + `). Where the deployment's containers run on this machine and the doctor runs as root, a link is tried from inside the container of the calling service: with its network, its names and its files (` + "`container`" + `). Without root, or with the engine on another machine, a container of the doctor's own beside it does that, where the engine has the image that ` + "`make image`" + ` makes (` + "`helper`" + `). Else it is tried from this machine (` + "`host`" + `), by the port that a service publishes or by its container's address. ` + "`--resolve`" + ` pins an address and beats both; what cannot be reached is reported as not checked, with the reason.

`)
	for _, d := range docs {
		fmt.Fprintf(&b, "- [%s](#%s)\n", d.Title, Anchor(d.Title))
	}
	for _, d := range docs {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", d.Title, d.Asks)
		if d.Never != "" {
			fmt.Fprintf(&b, "\n%s\n", d.Never)
		}
		fmt.Fprintf(&b, "\nIDs of its findings: `live-%s-` and the reason.\n", d.ID)
		if d.Check != nil {
			b.WriteString("\nLinks:\n\n")
		}
		for _, id := range checks.LinksOf(d.Check) {
			fmt.Fprintf(&b, "- `%s`", id)
			if l := kopano.LinkByID(id); l != nil {
				fmt.Fprintf(&b, ": without it, %s", LowerFirst(l.Loses))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n| reason | rung | what it means |\n|---|---|---|\n")
		for _, r := range d.Reasons {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Reason, r.Rung, r.Means)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Anchor gives the fragment that GitHub makes of a heading.
func Anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ' || r == '-':
			b.WriteByte('-')
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// LowerFirst makes a sentence the tail of another, unless it begins with a name.
func LowerFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if word == "" || word != strings.ToUpper(word[:1])+strings.ToLower(word[1:]) || strings.HasPrefix(word, "Kopano") || word == "Meet" || word == "Konnect" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
