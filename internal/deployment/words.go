package deployment

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

func nearestOf(word string, known []string) (string, bool) { return nearest.Of(word, known) }

// nearestFile finds a file beside path with nearly the same name and the same ending.
func nearestFile(path string) (string, bool) {
	const most = 1000
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", false
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(most)
	slices.Sort(names)
	ending := filepath.Ext(path)
	var stems []string
	for _, n := range names {
		if stem, ok := strings.CutSuffix(n, ending); ok {
			stems = append(stems, stem)
		}
	}
	stem, ok := nearest.Of(strings.TrimSuffix(filepath.Base(path), ending), stems)
	return filepath.Join(filepath.Dir(path), stem+ending), ok
}

var urlPassword = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:)([^\s@/"']+)@`)

func redactURL(s string) string {
	return urlPassword.ReplaceAllString(shorten(s), "${1}"+secret.Hidden+"@")
}

func invalidUTF8(s string) (int, bool) {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return i, true
		}
		i += size
	}
	return 0, false
}
