package deployment

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// maxFileSize bounds what is read of one file. Compose and env files are
// written by hand; one of this size is a mistake (a dump, a device).
const maxFileSize = 8 << 20

// source is the text of one file, with what is needed to name places in it.
type source struct {
	path  string // absolute
	name  string // as findings print it: relative to the deployment's folder, with forward slashes
	text  string // UTF-8, byte order mark included
	body  int    // offset of the first byte after a byte order mark
	utf16 bool   // the file is UTF-16; text is its translation

	starts  []int // offset of each line, lines ending in "\n"
	yaml    []int // offset of each line as YAML counts them, made when first asked for
	ascii   bool
	cursor  cursor      // where the last YAML position was found, so that long lines are not walked again and again
	shift   map[int]int // columns that a line has more for the parser than in the file: tabs that were replaced
	secrets []span      // what Excerpt hides, sorted; filled while loading
}

type span struct{ from, to int }

type cursor struct{ line, column, offset int }

// pos is a byte of a source. The zero value is no place.
type pos struct {
	src *source
	off int
}

func (p pos) location() finding.Location {
	if p.src == nil {
		return finding.Location{}
	}
	return p.src.at(p.off)
}

// unreadable says why a file is not looked at.
type unreadable struct {
	missing bool // it does not exist
	refused bool // Docker Compose cannot read it either
	reason  string
}

func (u *unreadable) Error() string { return u.reason }

// readSource reads a file that must be a regular one of bounded size. It never
// blocks on a FIFO or a device.
func readSource(path, name string) (*source, *unreadable) {
	if path == os.DevNull {
		return newSource(path, name, nil), nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil && (errors.Is(err, os.ErrNotExist) || notDirectory(path)):
		return nil, &unreadable{missing: true, refused: true, reason: "it does not exist"}
	case err != nil:
		return nil, &unreadable{refused: true, reason: bareReason(err)}
	case info.IsDir():
		return nil, &unreadable{refused: true, reason: "it is a folder"}
	case !info.Mode().IsRegular():
		return nil, &unreadable{reason: "it is not a regular file (" + fileType(info.Mode()) + ")"}
	case info.Size() > maxFileSize:
		return nil, tooLarge()
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &unreadable{refused: true, reason: bareReason(err)}
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, &unreadable{refused: true, reason: bareReason(err)}
	}
	if len(data) > maxFileSize {
		return nil, tooLarge()
	}
	return newSource(path, name, data), nil
}

// notDirectory reports whether a part of the path is a file: to Compose the
// file is then as missing as any other.
func notDirectory(path string) bool {
	info, err := os.Stat(filepath.Dir(path))
	return err == nil && !info.IsDir()
}

func tooLarge() *unreadable {
	return &unreadable{reason: fmt.Sprintf("it is larger than %d MB", maxFileSize>>20)}
}

func fileType(m os.FileMode) string {
	switch {
	case m&os.ModeNamedPipe != 0:
		return "a named pipe"
	case m&os.ModeSocket != 0:
		return "a socket"
	case m&os.ModeDevice != 0:
		return "a device"
	}
	return "of a special type"
}

func bareReason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func newSource(path, name string, data []byte) *source {
	s := &source{path: path, name: name}
	s.text, s.utf16 = decodeText(data)
	if strings.HasPrefix(s.text, "\uFEFF") {
		s.body = len("\uFEFF")
	}
	s.starts = []int{0}
	s.ascii = s.body == 0
	for i := 0; i < len(s.text); i++ {
		if s.text[i] == '\n' {
			s.starts = append(s.starts, i+1)
		} else if s.text[i] >= utf8.RuneSelf {
			s.ascii = false
		}
	}
	return s
}

// decodeText turns UTF-16 with a byte order mark, as Windows' Notepad writes
// it, into UTF-8; anything else is left alone.
func decodeText(data []byte) (string, bool) {
	if len(data) < 2 {
		return string(data), false
	}
	var unit func(i int) uint16
	switch {
	case data[0] == 0xFF && data[1] == 0xFE:
		unit = func(i int) uint16 { return uint16(data[i]) | uint16(data[i+1])<<8 }
	case data[0] == 0xFE && data[1] == 0xFF:
		unit = func(i int) uint16 { return uint16(data[i])<<8 | uint16(data[i+1]) }
	default:
		return string(data), false
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		units = append(units, unit(i))
	}
	return string(utf16.Decode(units)), true
}

// at names the place of a byte.
func (s *source) at(off int) finding.Location {
	off = min(max(off, s.body), len(s.text))
	line := sort.SearchInts(s.starts, off+1) - 1
	start := s.starts[line]
	if line == 0 {
		start = s.body
	}
	return finding.Location{File: s.name, Line: line + 1, Column: off - start + 1}
}

// whole names the file without a line.
func (s *source) whole() finding.Location { return finding.Location{File: s.name} }

// lineSpan gives the bytes of a line, counted from 1, without its line end.
func (s *source) lineSpan(line int) (span, bool) {
	if line < 1 || line > len(s.starts) {
		return span{}, false
	}
	from, to := s.starts[line-1], len(s.text)
	if line < len(s.starts) {
		to = s.starts[line] - 1
	}
	if line == 1 {
		from = s.body
	}
	if to > from && s.text[to-1] == '\r' {
		to--
	}
	return span{from, max(from, to)}, true
}

// offset gives the byte of a position as the YAML library counts: lines and
// characters from 1, where every YAML line break counts as one.
func (s *source) offset(line, column int) int {
	if s.yaml == nil {
		s.yaml = yamlLines(s.text, s.body)
	}
	if line < 1 {
		return s.body
	}
	if line > len(s.yaml) {
		return len(s.text)
	}
	column = max(1, column-s.shift[line])
	if s.ascii {
		return min(s.yaml[line-1]+column-1, len(s.text))
	}
	c := cursor{line: line, column: 1, offset: s.yaml[line-1]}
	if s.cursor.line == line && s.cursor.column <= column {
		c = s.cursor
	}
	for c.column < column && c.offset < len(s.text) {
		_, size := utf8.DecodeRuneInString(s.text[c.offset:])
		c.offset += size
		c.column++
	}
	s.cursor = c
	return c.offset
}

// yamlLines gives the offset of each line by YAML 1.1's line breaks: LF, CR,
// CR LF, NEL, LS and PS (go.yaml.in/yaml, internal/libyaml/yamlprivate.go).
func yamlLines(text string, body int) []int {
	starts := []int{body}
	for i := body; i < len(text); {
		size := 0
		switch {
		case text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n':
			size = 2
		case text[i] == '\r' || text[i] == '\n':
			size = 1
		case strings.HasPrefix(text[i:], "\u0085"):
			size = 2
		case text[i] == 0xE2 && (strings.HasPrefix(text[i:], "\u2028") || strings.HasPrefix(text[i:], "\u2029")):
			size = 3
		}
		if size == 0 {
			i++
			continue
		}
		i += size
		starts = append(starts, i)
	}
	return starts
}
