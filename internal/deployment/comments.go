package deployment

import (
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Comment is a comment of a compose file or env file, as the programs that
// read the file see it: a "#" inside a value is none.
type Comment struct {
	Text  string           // behind the "#", without the blanks around it
	At    finding.Location // of the "#"
	Alone bool             // nothing else stands on its line
}

// Comments gives the comments of the compose files, then those of the env
// files, in the order of Files and EnvFiles and of their lines.
func (d *Deployment) Comments() []Comment {
	if d.sources == nil {
		return nil
	}
	var out []Comment
	w := d.sources.walker
	for _, src := range w.compose {
		out = append(out, yamlComments(src, w.docs[src])...)
	}
	for _, f := range d.EnvFiles {
		src, ok := d.sources.hide.sources[f.File]
		if !ok || slices.Contains(w.compose, src) {
			continue
		}
		out = append(out, envComments(src, d.takenRaw(src))...)
	}
	return out
}

// takenRaw reports whether a service reads the env file in the raw format,
// where only whole lines are comments.
func (d *Deployment) takenRaw(src *source) bool {
	for _, s := range d.Services {
		if slices.ContainsFunc(s.EnvFiles, func(f types.EnvFile) bool { return f.Path == src.path && f.Format == rawFormat }) {
			return true
		}
	}
	return false
}

// yamlComments finds the "#"s that begin a line or follow a blank (YAML 1.2.2,
// 6.6), outside of quoted texts and block scalars. Where a plain text would
// hold one, it ends before it.
func yamlComments(src *source, docs []*yaml.Node) []Comment {
	skip := textSpans(src, docs)
	var out []Comment
	for at := src.body; at < len(src.text); {
		n := strings.IndexByte(src.text[at:], '#')
		if n < 0 {
			break
		}
		at += n
		for len(skip) > 0 && skip[0].to <= at {
			skip = skip[1:]
		}
		switch {
		case len(skip) > 0 && skip[0].from <= at:
			at = skip[0].to
		case at > src.body && !strings.ContainsRune(" \t\r\n", rune(src.text[at-1])):
			at++
		default:
			var c Comment
			c, at = src.comment(at)
			out = append(out, c)
		}
	}
	return out
}

// textSpans gives the parts of a YAML file in which a "#" is a part of a text, in order.
func textSpans(src *source, docs []*yaml.Node) []span {
	var out []span
	var walk func(*yaml.Node)
	walk = func(y *yaml.Node) {
		if y.Kind == yaml.ScalarNode {
			s := newScalar(src, y)
			switch {
			case s.inner > s.start:
				out = append(out, span{s.inner, quotedEnd(src.text, s.inner, src.text[s.start])})
			case s.isBlock():
				out = append(out, span{nextLine(src.text, s.start), s.blockEnd()})
			}
		}
		for _, c := range y.Content {
			walk(c)
		}
	}
	for _, doc := range docs {
		walk(doc)
	}
	slices.SortFunc(out, func(a, b span) int { return a.from - b.from })
	return out
}

// envComments finds the comments of an env file: lines that begin with "#",
// what follows " #" behind a value without quotes, and what follows a "#"
// behind the closing quote (compose-go, dotenv/parser.go).
func envComments(src *source, raw bool) []Comment {
	statements := scanEnv(src.text, src.body)
	if raw {
		statements = scanRaw(src.text, src.body)
	}
	var out []Comment
	at := src.body
	for i := range statements {
		st := &statements[i]
		out = append(out, src.commentsIn(span{at, st.from})...)
		if st.quote == 0 && !st.fatal && !st.bare && !raw {
			out = append(out, src.commentsIn(span{st.rawTo, st.to})...)
		}
		at = max(at, st.to)
	}
	return append(out, src.commentsIn(span{at, len(src.text)})...)
}

// commentsIn gives the comments of a part of an env file that holds nothing else.
func (s *source) commentsIn(in span) []Comment {
	var out []Comment
	for at := in.from; at < in.to; {
		n := strings.IndexByte(s.text[at:in.to], '#')
		if n < 0 {
			break
		}
		var c Comment
		c, at = s.comment(at + n)
		out = append(out, c)
	}
	return out
}

// comment reads the comment that begins at a "#", and gives the offset of the line's end.
func (s *source) comment(at int) (Comment, int) {
	end := len(s.text)
	if n := strings.IndexByte(s.text[at:], '\n'); n >= 0 {
		end = at + n
	}
	before := s.text[max(s.body, strings.LastIndexByte(s.text[:at], '\n')+1):at]
	return Comment{
		Text:  strings.TrimSpace(s.text[at+1 : end]),
		At:    s.at(at),
		Alone: strings.TrimSpace(before) == "",
	}, end
}
