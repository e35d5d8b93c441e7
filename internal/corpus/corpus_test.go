package corpus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/corpus"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"one/docker-compose.yml": "", "one/environ": "A=1\nB=2\n", "one/docker-compose.mail.yml": "", "one/.kopano-doctor.yaml": "",
		"one/.env": "COMPOSE_FILE=x\n", "three/.env": "A=1\nCOMPOSE_FILE=a:b\n", "four/.env": "A=COMPOSE_FILE=\n",
		"two/deep/compose.yaml": "", "two/override.yml-sample": "", "two/README.md": "",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := corpus.Find(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range found {
		got = append(got, fmt.Sprint(d.Name, d.Files, d.Part, d.Environ))
	}
	want := []string{
		"one/docker-compose.mail.yml[docker-compose.mail.yml] true [A=1 B=2]", "one[] false [A=1 B=2]",
		"three[] false []", "two/deep[] false []", "two/override.yml-sample[override.yml-sample] true []",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := corpus.Find(filepath.Join(root, "missing")); err == nil {
		t.Error("a folder that is missing gives no error")
	}
}
