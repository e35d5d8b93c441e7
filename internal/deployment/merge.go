package deployment

import (
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/types"
)

// mergeRule says how two values of one path become one (compose-go,
// override/merge.go).
type mergeRule int

const (
	mergeDeep      mergeRule = iota // mappings by key, lists appended, scalars replaced
	mergeKeyValue                   // KEY=VALUE lists and mappings, by key
	mergeSequence                   // a string is a list of one
	mergeNames                      // a list of names is a mapping without values
	mergeReplace                    // the later one
	mergeBuild                      // a string is the context
	mergeLogging                    // only of the same driver
	mergeUlimit                     // mappings by key, else the later one
	mergeSubnets                    // networks.*.ipam.config
	uniqueTarget                    // mergeDeep, then one entry per target
	uniquePort                      // mergeDeep, then one entry per port
	uniqueVerbatim                  // mergeDeep, then one entry per text
)

// ruleOf gives the rule of a path. A "*" step stands for any name.
func ruleOf(path []string) mergeRule {
	switch {
	case len(path) == 3 && (path[0] == "services" || path[0] == "jobs"):
		return serviceRule(path[2])
	case len(path) == 4 && path[0] == "services":
		return nestedRule(path[2], path[3])
	case len(path) == 5 && path[0] == "services" && path[2] == "networks" && path[4] == "aliases":
		return uniqueVerbatim
	case len(path) == 3 && path[2] == "labels":
		return mergeKeyValue
	case len(path) == 4 && path[0] == "networks" && path[2] == "ipam" && path[3] == "config":
		return mergeSubnets
	}
	return mergeDeep
}

func serviceRule(field string) mergeRule {
	switch field {
	case "environment", "labels", "annotations", "sysctls":
		return mergeKeyValue
	case "env_file", "label_file", "dns", "dns_opt", "dns_search", "extra_hosts", "tmpfs":
		return mergeSequence
	case "networks", "depends_on", "models":
		return mergeNames
	case "command", "entrypoint":
		return mergeReplace
	case "build":
		return mergeBuild
	case "logging":
		return mergeLogging
	case "volumes", "devices":
		return uniqueTarget
	case "ports":
		return uniquePort
	case "expose", "cap_add", "cap_drop", "profiles", "links", "secrets", "configs":
		return uniqueVerbatim
	}
	return mergeDeep
}

func nestedRule(field, name string) mergeRule {
	switch {
	case field == "healthcheck" && name == "test":
		return mergeReplace
	case field == "build" && (name == "args" || name == "labels" || name == "additional_contexts"):
		return mergeKeyValue
	case field == "build" && name == "extra_hosts":
		return mergeSequence
	case field == "deploy" && name == "labels":
		return mergeKeyValue
	case field == "ulimits":
		return mergeUlimit
	}
	return mergeDeep
}

// merge lays over on base. Both may be nil.
func merge(base, over *node, path []string) *node {
	if base == nil {
		return over
	}
	if over == nil {
		return base
	}
	rule := ruleOf(path)
	switch rule {
	case mergeKeyValue:
		return mergeMaps(keyed(base), keyed(over), path)
	case mergeReplace:
		return beats(over, base)
	}
	if over.kind == kindNull {
		return base
	}
	switch rule {
	case mergeSequence:
		return unique(appendItems(asList(base), asList(over)), itemKey)
	case mergeNames:
		return mergeMaps(keyed(base), keyed(over), path)
	case mergeBuild:
		return mergeMaps(asBuild(base), asBuild(over), path)
	case mergeLogging:
		if !sameDriver(base, over) {
			return beats(over, base)
		}
	case uniqueTarget:
		return unique(appendItems(asList(base), asList(over)), targetKey)
	case uniquePort:
		return unique(appendItems(asList(base), asList(over)), portKey)
	case uniqueVerbatim:
		return unique(appendItems(asList(base), asList(over)), entryKey)
	case mergeSubnets:
		return mergeSubnetLists(base, over, path)
	}
	switch {
	case base.kind == kindMap && over.kind == kindMap:
		return mergeMaps(base, over, path)
	case base.kind == kindList && over.kind == kindList:
		return appendItems(base, over)
	}
	return beats(over, base)
}

func mergeMaps(base, over *node, path []string) *node {
	if base.kind != kindMap || over.kind != kindMap {
		return beats(over, base)
	}
	out := base.shallow()
	keyValue := ruleOf(path) == mergeKeyValue
	for _, k := range over.keys {
		v := over.fields[k]
		old, ok := out.fields[k]
		switch {
		case !ok:
			out.set(k, v)
		case keyValue:
			out.fields[k] = beats(v, old)
		default:
			out.fields[k] = merge(old, v, append(path[:len(path):len(path)], k))
		}
	}
	return out
}

// keyed turns a list of KEY=VALUE or of names into a mapping; a later entry of
// a key beats an earlier one and takes its position.
func keyed(n *node) *node {
	if n.kind != kindList {
		return n
	}
	out := newMap()
	out.at, out.key, out.file = n.at, n.key, n.file
	for _, it := range n.items {
		if it.kind != kindScalar {
			continue
		}
		name := itemName(it.text)
		out.set(name, beats(it, out.fields[name]))
	}
	return out
}

func asList(n *node) *node {
	switch n.kind {
	case kindScalar:
		return &node{kind: kindList, at: n.at, key: n.key, file: n.file, items: []*node{n}}
	case kindNull:
		return &node{kind: kindList, at: n.at, key: n.key, file: n.file}
	}
	return n
}

func asBuild(n *node) *node {
	if n.kind != kindScalar {
		return n
	}
	out := newMap()
	out.at, out.key, out.file = n.at, n.key, n.file
	out.set("context", n)
	return out
}

func sameDriver(base, over *node) bool {
	a, b := base.field("driver"), over.field("driver")
	return a == nil || b == nil || a.text == b.text
}

// appendItems appends what is not there already.
func appendItems(base, over *node) *node {
	if base.kind != kindList || over.kind != kindList {
		return beats(over, base)
	}
	out := base.shallow()
	seen := map[string]bool{}
	for _, it := range base.items {
		if it.kind == kindScalar {
			seen[it.text] = true
		}
	}
	for _, it := range over.items {
		if it.kind == kindScalar {
			if seen[it.text] {
				continue
			}
			seen[it.text] = true
		} else if containsNode(base.items, it) {
			continue
		}
		out.items = append(out.items, it)
	}
	return out
}

func containsNode(items []*node, n *node) bool {
	for _, it := range items {
		if it.equal(n) {
			return true
		}
	}
	return false
}

// unique keeps one item per key: the last one, at the position of the first
// (compose-go, override/uncity.go).
func unique(n *node, key func(*node) string) *node {
	if n.kind != kindList {
		return n
	}
	out := *n
	out.items = nil
	at := map[string]int{}
	for _, it := range n.items {
		k := key(it)
		if i, ok := at[k]; ok && k != "" {
			out.items[i] = beats(it, out.items[i])
			continue
		}
		at[k] = len(out.items)
		out.items = append(out.items, it)
	}
	return &out
}

func itemKey(n *node) string {
	if p := n.field("path"); p != nil {
		return p.text
	}
	return itemName(n.text)
}

func targetKey(n *node) string {
	if t := n.field("target"); t != nil {
		return t.text
	}
	if n.kind != kindScalar {
		return ""
	}
	v, err := format.ParseVolume(n.text)
	if err != nil {
		return ""
	}
	return v.Target
}

func entryKey(n *node) string {
	if n.kind == kindScalar {
		return n.text
	}
	var b strings.Builder
	for _, f := range []string{"target", "source"} {
		if v := n.field(f); v != nil {
			b.WriteString(f + "=" + v.text + "\x00")
		}
	}
	return b.String()
}

// portKey is what makes two ports the same: all of host address, published
// port, target and protocol.
func portKey(n *node) string {
	if n.kind == kindScalar {
		ports, err := types.ParsePortConfig(n.text)
		if err != nil || len(ports) != 1 {
			return n.text
		}
		p := ports[0]
		return portName(p.HostIP, p.Published, strconv.Itoa(int(p.Target)), p.Protocol)
	}
	text := func(field string) string {
		if v := n.field(field); v != nil {
			return v.text
		}
		return ""
	}
	return portName(text("host_ip"), text("published"), text("target"), text("protocol"))
}

func portName(host, published, target, protocol string) string {
	if host == "" {
		host = "0.0.0.0"
	}
	if protocol == "" {
		protocol = "tcp"
	}
	return host + ":" + published + ":" + target + "/" + protocol
}

func mergeSubnetLists(base, over *node, path []string) *node {
	if base.kind != kindList || over.kind != kindList {
		return over
	}
	out := base.shallow()
next:
	for _, o := range over.items {
		for i, b := range out.items {
			if s, t := b.field("subnet"), o.field("subnet"); s != nil && t != nil && s.text == t.text {
				out.items[i] = mergeMaps(b, o, append(path[:len(path):len(path)], "[]"))
				continue next
			}
		}
		out.items = append(out.items, o)
	}
	return out
}

// portCount gives how many ports of the merged list one written entry becomes:
// "8000-8002:80-82" is three.
func portCount(n *node) int {
	if n.kind != kindScalar {
		return 1
	}
	ports, err := types.ParsePortConfig(n.text)
	if err != nil {
		return 1
	}
	return len(ports)
}
