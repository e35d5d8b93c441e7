package deployment

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// yamlErrorPlace gives the byte that a parse error of the YAML library is
// about. Its error types are internal, and count differently: scanner errors
// have lines from 1 and columns from 0, parser errors both from 0, unknown
// anchors both from 1 (go.yaml.in/yaml, internal/libyaml/errors.go, composer.go).
func yamlErrorPlace(src *source, err error) int {
	v := reflect.ValueOf(err)
	pointer := v.Kind() == reflect.Pointer
	if pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return src.body
	}
	if off := v.FieldByName("Offset"); off.IsValid() && off.CanInt() {
		return src.body + int(off.Int())
	}
	mark := v.FieldByName("Mark")
	if !mark.IsValid() {
		return src.body
	}
	line, column := int(mark.FieldByName("Line").Int()), int(mark.FieldByName("Column").Int())
	switch {
	case pointer:
	case strings.HasSuffix(v.Type().Name(), "ParserError"):
		line, column = line+1, column+1
	default:
		column++
	}
	return src.offset(line, max(column, 1))
}

// yamlErrorStart gives the byte where the broken construct begins, such as the
// opening quote, when the library says so.
func yamlErrorStart(src *source, err error) (int, bool) {
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Struct {
		return 0, false
	}
	mark := v.FieldByName("ContextMark")
	if !mark.IsValid() || !strings.Contains(err.Error(), "scanning a quoted scalar") {
		return 0, false
	}
	return src.offset(int(mark.FieldByName("Line").Int()), int(mark.FieldByName("Column").Int())+1), true
}

// maxRepairs bounds how many lines are taken out of a file to parse the rest.
const maxRepairs = 25

// repairSyntax reports what makes a file no YAML and parses what is left when
// the lines in question are put aside.
func (w *walker) repairSyntax(src *source, err error) []*yaml.Node {
	lines := strings.SplitAfter(src.text, "\n")
	tabs := w.reportTabs(src, lines)
	text := strings.Join(lines, "")
	if tabs {
		var docs []*yaml.Node
		if docs, err = parseYAML(text); err == nil {
			return docs
		}
	}
	reported := 0
	for range maxRepairs {
		at := yamlErrorPlace(src, err)
		if start, ok := yamlErrorStart(src, err); ok {
			at = start
		}
		line := min(src.at(min(at, len(src.text))).Line, len(lines))
		if reported == 0 {
			w.reportSyntax(src, at, err)
		}
		reported++
		if strings.TrimSpace(lines[line-1]) == "" {
			line = lastWritten(lines, line)
		}
		if line < 1 {
			break
		}
		lines[line-1] = blank(lines[line-1])
		docs, next := parseYAML(strings.Join(lines, ""))
		if next == nil {
			return docs
		}
		err = next
	}
	return nil
}

// lastWritten finds the nearest line above that still has text.
func lastWritten(lines []string, line int) int {
	for line > 0 && strings.TrimSpace(lines[line-1]) == "" {
		line--
	}
	return line
}

// blank keeps a line's length, so that the places of all others stay true.
func blank(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r':
			return r
		case r < 0x80:
			return ' '
		}
		return -1
	}, line)
}

// reportTabs reports the lines that are indented by tabs and puts spaces in
// their place: as many as the line above has, more below a key without value.
func (w *walker) reportTabs(src *source, lines []string) bool {
	off, found, above := 0, 0, ""
	for i, l := range lines {
		indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]
		rest := l[len(indent):]
		text := strings.TrimSpace(rest) != "" && rest[0] != '#'
		if n := strings.IndexByte(indent, '\t'); n >= 0 && text {
			if found++; found <= maxRepairs {
				w.refuse(YAMLSyntax, src.name, fmt.Sprintf("Line %d of %s is indented with a tab. YAML allows only spaces there.", i+1, src.name),
					"Replace the tab by spaces, as many as the lines beside it have.", "tab", src.at(off+n))
			}
			width := indentation(above)
			if strings.HasSuffix(strings.TrimSpace(above), ":") {
				width += 2
			}
			if src.shift == nil {
				src.shift = map[int]int{}
			}
			src.shift[i+1] = width - len(indent)
			lines[i] = strings.Repeat(" ", width) + rest
		}
		if text {
			above = lines[i]
		}
		off += len(l)
	}
	return found > 0
}

func (w *walker) reportSyntax(src *source, at int, err error) {
	message, remedy := plainSyntax(err.Error())
	if strings.Contains(err.Error(), "mapping values are not allowed") {
		at = lineText(src, at)
	}
	place := src.at(at)
	w.refuse(YAMLSyntax, src.name, fmt.Sprintf("%s is no valid YAML in line %d: %s.", src.name, place.Line, message), remedy, message, place)
}

// lineText gives the first byte of a line that is not blank.
func lineText(src *source, at int) int {
	line, ok := src.lineSpan(src.at(at).Line)
	if !ok {
		return at
	}
	text := src.text[line.from:line.to]
	return line.from + len(text) - len(strings.TrimLeft(text, " \t"))
}

// plainSyntax puts the parser's words into an administrator's.
func plainSyntax(err string) (message, remedy string) {
	for _, p := range []struct{ sign, message, remedy string }{
		{"quoted scalar", "a quote is opened here and never closed", "Close the quote."},
		{"mapping values are not allowed", "a \": \" stands where no key can be, or the line is indented differently from the lines above", "Check the indentation; put a value that has \": \" in it into quotes."},
		{"did not find expected key", "the line does not fit the ones above; it is indented too little or too much", "Give it the same indentation as its neighbours."},
		{"did not find expected '-'", "a list is mixed with keys here", "Start every item of a list with \"- \" at the same indentation, and indent keys differently."},
		{"did not find expected ',' or ']'", "a [ is opened and not closed", "Add the missing ] or comma."},
		{"did not find expected ',' or '}'", "a { is opened and not closed", "Add the missing } or comma."},
		{"could not find expected ':'", "a key has no colon", "Write \"key: value\"."},
		{"cannot start any token", "a value begins with a character that has a meaning in YAML, such as @, ` or %", "Put the value into quotes."},
		{"unknown anchor", "an anchor (*name) is used that is not defined above (&name)", "Define the anchor further up, or correct its name."},
		{"control characters", "there is a control character in the file", "Delete it; the file may be damaged or binary."},
		{"UTF-8", "the file is not UTF-8; it was probably saved in an old Windows or Latin-1 encoding", "Save the file as UTF-8."},
		{"UTF-16", "the file is damaged UTF-16", "Save the file as UTF-8."},
	} {
		if strings.Contains(err, p.sign) {
			return p.message, p.remedy
		}
	}
	return "the parser cannot make sense of it", "Compare the line with its neighbours: indentation, quotes, colons, brackets."
}
