package rules_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// nasty are values that nobody means and somebody writes.
var nasty = []string{
	"", " ", "-", ":", "::", "/", "//", "://", "@", "=", ",", "(", ")", "(&", "%", "%s", "%%", "\\", "'", "\"", "#", "$$", "null", "[", "[]", "[{}]", "{", "[::", "[::]:", "*", "**", "*:*",
	"0", "-1", "99999999999999999999", "0x", "1e400", "NaN", "a.b.", ".a", "..", "\u00e4\u00f6\u00fc", "\u202e", "\x7f", "ldap://", "ldap://[", "http://%zz", "turn:", "turn:[", "yes no", "* * * * *", "@", "@every", "docker exec", "docker run -v",
	"0 0 * * * docker exec -u", "0 0 * * * docker run --volumes-from", strings.Repeat("(", 500), strings.Repeat("a", 5000), strings.Repeat("a.", 3000), strings.Repeat("dc=a,", 2000),
}

// TestNastyValues sets every setting of the full deployment to each nasty value
// and wants every rule to come back, quickly and with well-formed findings.
func TestNastyValues(t *testing.T) {
	full := load(t, deployment.Options{Dir: "../testdata/deployments/full"})
	for i, value := range nasty {
		var b strings.Builder
		b.WriteString("services:\n")
		for _, s := range full.Deployment.Services {
			b.WriteString("  " + s.Name + ":\n    image: " + s.Image + "\n    hostname: mail\n    environment:\n")
			for _, key := range s.Keys() {
				text := value
				if key == "SERVICE_TO_START" || s.Env[key].IsSecret() {
					text = s.Env[key].Reveal()
				}
				b.WriteString("      " + key + ": " + yamlText(text) + "\n")
			}
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		in := load(t, deployment.Options{Dir: dir})
		if len(in.Deployment.Services) != len(full.Deployment.Services) {
			t.Fatalf("value %d (%.20q): %d services loaded, want %d", i, value, len(in.Deployment.Services), len(full.Deployment.Services))
		}
		start := time.Now()
		fs := finding.Seal(rules.Run(rules.All(), in))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("value %d (%.20q): the rules took %v", i, value, took)
		}
		for _, f := range fs {
			checkFinding(t, in.Deployment, f)
			if len(f.Message) > 4000 {
				t.Errorf("%s: message of %d bytes", f.ID, len(f.Message))
			}
		}
	}
}

// yamlText writes a text in double quotes, as YAML and JSON share them; $ is doubled for Compose.
func yamlText(s string) string {
	q := strconv.QuoteToASCII(strings.ReplaceAll(s, "$", "$$"))
	return strings.ReplaceAll(q, `\x7f`, `\u007f`)
}
