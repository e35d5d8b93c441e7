package report

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// textWidth is the width of the text report in columns: that of a plain
// terminal, a mail or a ticket.
const textWidth = 80

// cells measures text as a terminal shows it. It has no state of its own and
// does not look at the environment, unlike runewidth.DefaultCondition.
func cells(s string) int {
	c := runewidth.Condition{StrictEmojiNeutral: true}
	return c.StringWidth(s)
}

// Wrap breaks s into lines of the report's width, for other texts that are
// printed in a terminal. The first line starts with first, the others with rest.
func Wrap(s, first, rest string) []string { return wrap(s, first, rest, textWidth) }

// tie stands for a blank at which no line is broken.
const tie = "\u00a0"

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

// wrap breaks s into lines of at most width columns. The first line starts
// with first, the others with rest. A word that is longer than a line stays
// whole, so that addresses and commands can be copied. Line breaks in s stay.
func wrap(s, first, rest string, width int) []string {
	var lines []string
	prefix := first
	for _, paragraph := range strings.Split(strings.TrimRight(s, "\n"), "\n") {
		line, used := prefix, cells(prefix)
		empty := true
		for _, word := range strings.FieldsFunc(paragraph, isBlank) {
			word = strings.ReplaceAll(word, tie, " ")
			n := cells(word)
			if !empty && used+1+n > width {
				lines = append(lines, line)
				line, used, empty = rest, cells(rest), true
			}
			if !empty {
				line, used = line+" ", used+1
			}
			line, used, empty = line+word, used+n, false
		}
		lines = append(lines, strings.TrimRight(line, " "))
		prefix = rest
	}
	return lines
}

// crop cuts a source line to width columns around the byte column col (from 1,
// 0 when not known), and gives the column of cells at which a caret stands, -1
// when there is none. Each tab counts as one blank, so that the caret stays in
// its place whatever a terminal makes of tabs.
//
// The mark stands for what is cut off.
func crop(line string, col, width int, mark string) (string, int) {
	line = strings.ReplaceAll(strings.TrimRight(line, " \t\r\n"), "\t", " ")
	caret := -1
	if col >= 1 && col-1 <= len(line) {
		caret = cells(line[:col-1])
	}
	c := runewidth.Condition{StrictEmojiNeutral: true}
	if cells(line) > width && caret > width*2/3 {
		skip := caret - width/2
		line = c.TruncateLeft(line, skip, mark)
		caret += cells(mark) - skip
	}
	if cells(line) > width {
		line = c.Truncate(line, width, mark)
	}
	return line, caret
}
