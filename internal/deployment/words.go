package deployment

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

func nearestOf(word string, known []string) (string, bool) { return nearest.Of(word, known) }

// nearestFile finds a file beside path with nearly the same name.
func nearestFile(path string) (string, bool) {
	const most = 1000
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", false
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(most)
	slices.Sort(names)
	name, ok := nearest.Of(filepath.Base(path), names)
	return filepath.Join(filepath.Dir(path), name), ok
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
