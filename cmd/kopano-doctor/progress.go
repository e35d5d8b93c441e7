package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// progress rewrites one line of the terminal while checks run. Where nobody
// watches it does nothing.
type progress struct {
	terminal io.Writer // nil: nobody watches
	ascii    bool
	shown    bool
}

func (p *program) newProgress() *progress {
	if !isTerminal(p.stderr) {
		return &progress{}
	}
	return &progress{terminal: p.stderr, ascii: !p.utf8()}
}

// show tells how many links are done and which one is waited for longest.
func (g *progress) show(done, total int, waits []string) {
	if g.terminal == nil {
		return
	}
	text := fmt.Sprintf("checking %d of %d links", done, total)
	if len(waits) > 0 {
		text += ": waiting for " + waits[0]
	}
	if n := len(waits) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	tail := "…"
	if g.ascii {
		text, tail = strings.ReplaceAll(text, "→", "->"), "..."
	}
	c := runewidth.Condition{StrictEmojiNeutral: true}
	fmt.Fprintf(g.terminal, "\r\x1b[K%s", c.Truncate(text+" "+tail, 79, tail))
	g.shown = true
}

// clear leaves an empty line for the report.
func (g *progress) clear() {
	if g.shown {
		fmt.Fprint(g.terminal, "\r\x1b[K")
	}
}
