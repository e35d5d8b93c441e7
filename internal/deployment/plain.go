package deployment

import "strings"

// plain turns a node into the maps and lists that compose-go works on. Dollars
// are doubled, since the variables are expanded already and compose-go expands
// once more. Relative paths in parts that come from another folder, by extends
// or include, are made absolute.
func (n *node) plain(workDir string) any {
	return n.plainAt(nil, workDir)
}

func (n *node) plainAt(path []string, workDir string) any {
	if n == nil {
		return nil
	}
	next := func(step string) []string { return append(path[:len(path):len(path)], step) }
	switch n.kind {
	case kindMap:
		out := map[string]any{}
		for _, k := range n.keys {
			v := n.fields[k]
			switch {
			case !v.item:
				out[k] = v.plainAt(next(k), workDir)
			case len(path) == 3 && ruleOf(path) == mergeKeyValue:
				return n.plainEntries()
			default: // a name that a list gave to a mapping
				out[k] = plainName(path)
			}
		}
		return out
	case kindList:
		out := []any{}
		for _, it := range n.items {
			out = append(out, it.plainAt(next("[]"), workDir))
		}
		return out
	case kindNull:
		return nil
	}
	if n.value != nil {
		return n.value
	}
	text := n.text
	if len(path) == 4 && path[2] == "environment" && n.item {
		text = n.inherit(text)
	}
	if n.dir != workDir && n.dir != "" {
		text = absolutePath(path, text, n.dir)
	}
	return strings.ReplaceAll(text, "$", "$$")
}

// inherit gives an entry without value the one that its file's variables hold:
// those of an included file are not known once it is merged.
func (n *node) inherit(entry string) string {
	if n.scope == nil || strings.Contains(entry, "=") {
		return entry
	}
	if d, ok := n.scope.find(entry); ok {
		return entry + "=" + d.value
	}
	return entry
}

// plainName is what the item of a list of names means in a mapping.
func plainName(path []string) any {
	if len(path) == 3 && path[2] == "depends_on" {
		return map[string]any{"condition": "service_started", "required": true}
	}
	return nil
}

// plainEntries writes a merged environment as a list.
func (n *node) plainEntries() any {
	out := []any{}
	for _, k := range n.keys {
		v := n.fields[k]
		text := v.text
		switch {
		case v.item:
			text = v.inherit(text)
		case v.kind == kindScalar:
			text = k + "=" + v.text
		default:
			text = v.inherit(k)
		}
		out = append(out, strings.ReplaceAll(text, "$", "$$"))
	}
	return out
}

// absolutePath makes the paths of a service absolute that compose-go resolves
// (compose-go, paths/resolve.go).
func absolutePath(path []string, text, dir string) string {
	if len(path) < 3 || path[0] != "services" {
		return text
	}
	switch path[2] {
	case "env_file", "label_file":
		last := path[len(path)-1]
		if last == "required" || last == "format" {
			return text
		}
		return resolve(dir, text)
	case "volumes":
		if strings.HasPrefix(text, ".") && path[len(path)-1] != "target" {
			source, rest, ok := strings.Cut(text, ":")
			if ok {
				return resolve(dir, source) + ":" + rest
			}
			return resolve(dir, source)
		}
	case "build":
		if len(path) == 3 || path[len(path)-1] == "context" {
			if strings.HasPrefix(text, ".") {
				return resolve(dir, text)
			}
		}
	}
	return text
}
