package deployment

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Scalar is one text of a compose file as it is written, before variables are
// expanded and files are merged.
type Scalar struct {
	Path   []string // keys and list positions from the top of its file; an entry KEY=VALUE of an environment list has KEY in place of its position
	Text   string   // quotes and escapes removed, variables not expanded
	Tag    string   // what YAML takes it for: "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!null" …
	Plain  bool     // without quotes
	InList bool     // an item of a list
	At     finding.Location
	KeyAt  finding.Location // of its key; At for items of a list
}

// Scalars gives every text of the compose files, in the order of the files.
// What an alias (*name) stands for is given once, where it is written.
func (d *Deployment) Scalars() []Scalar {
	if d.sources == nil {
		return nil
	}
	d.sources.scalarsOnce.Do(func() { d.sources.scalars = d.sources.walker.scalars() })
	return d.sources.scalars
}

func (w *walker) scalars() []Scalar {
	var out []Scalar
	for _, src := range w.compose {
		for _, doc := range w.docs[src] {
			out = appendScalars(out, src, doc, nil, pos{}, false)
		}
	}
	return out
}

func appendScalars(out []Scalar, src *source, y *yaml.Node, path []string, key pos, inList bool) []Scalar {
	const deepest = 64 // no compose file is nested like this
	if len(path) > deepest {
		return out
	}
	child := func(step string) []string { return append(slices.Clip(path), step) }
	switch y.Kind {
	case yaml.DocumentNode:
		for _, c := range y.Content {
			out = appendScalars(out, src, c, path, key, false)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(y.Content); i += 2 {
			k, v := y.Content[i], y.Content[i+1]
			out = appendScalars(out, src, v, child(k.Value), pos{src, scalarStart(src, k)}, false)
		}
	case yaml.SequenceNode:
		for i, c := range y.Content {
			step := strconv.Itoa(i)
			if c.Kind == yaml.ScalarNode && len(path) > 0 && path[len(path)-1] == "environment" {
				step = itemName(c.Value)
			}
			out = appendScalars(out, src, c, child(step), pos{}, true)
		}
	case yaml.ScalarNode:
		s := newScalar(src, y)
		at := src.at(s.inner)
		keyAt := at
		if key.src != nil {
			keyAt = key.location()
		}
		out = append(out, Scalar{
			Path: path, Text: y.Value, Tag: y.ShortTag(), InList: inList, At: at, KeyAt: keyAt,
			Plain: y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0,
		})
	}
	return out
}

// notLoaded gives the override files of the folder that Compose would load by
// itself if nothing named the files to load.
func (d *Deployment) notLoaded() []string {
	var out []string
	for _, name := range cli.DefaultOverrideFileNames {
		if info, err := os.Stat(filepath.Join(d.Dir, name)); err == nil && info.Mode().IsRegular() && !slices.Contains(d.Files, name) {
			out = append(out, name)
		}
	}
	return out
}

// envBeside gives the env files of the folder that nothing reads.
func (d *Deployment) envBeside() []string {
	const most = 1000
	dir, err := os.Open(d.Dir)
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(most)
	slices.Sort(names)
	var out []string
	for _, name := range names {
		if !envName(name) || slices.ContainsFunc(d.EnvFiles, func(f *EnvFile) bool { return f.File == name }) {
			continue
		}
		info, err := os.Stat(filepath.Join(d.Dir, name))
		if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			out = append(out, name)
		}
	}
	return out
}

// missingSources gives what services mount from the deployment's own folder,
// and is not there.
func (d *Deployment) missingSources() []string {
	var out []string
	for _, s := range d.Services {
		for _, v := range s.Volumes {
			if v.Type != "bind" || !strings.HasPrefix(v.Source, d.Dir+string(filepath.Separator)) || slices.Contains(out, v.Source) {
				continue
			}
			if _, err := os.Lstat(v.Source); errors.Is(err, fs.ErrNotExist) {
				out = append(out, v.Source)
			}
		}
	}
	slices.Sort(out)
	return out
}

// envName reports whether a file is named as an env file in use is; examples
// and old copies are not.
func envName(name string) bool {
	if name == "env" || name == "env.txt" || name == ".env.txt" {
		return true // what editors of Windows make of .env
	}
	stem, ok := strings.CutSuffix(name, ".env")
	for _, word := range []string{"example", "sample", "template", "dist", "default", "bak", "backup", "old", "copy"} {
		ok = ok && !strings.Contains(strings.ToLower(stem), word)
	}
	return ok
}

// filesLeft gives the compose files of the folder that are not loaded.
func (d *Deployment) filesLeft() []string {
	var out []string
	for _, pattern := range []string{"docker-compose.*.y*ml", "compose.*.y*ml"} {
		names, _ := filepath.Glob(filepath.Join(globLiteral(d.Dir), pattern))
		for _, path := range names {
			if name := filepath.Base(path); !slices.Contains(d.Files, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}
