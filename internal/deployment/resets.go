package deployment

import "strconv"

// removePaths drops what a later file marks !reset or !override (compose-go,
// loader/reset.go, Apply). Items of lists are not dropped, as there.
func removePaths(n *node, paths [][]string) *node {
	for _, p := range paths {
		n = removePath(n, p)
	}
	return n
}

func removePath(n *node, path []string) *node {
	if n == nil || len(path) == 0 {
		return n
	}
	switch n.kind {
	case kindMap:
		child, ok := n.fields[path[0]]
		if !ok {
			return n
		}
		if len(path) == 1 {
			return n.without(path[0])
		}
		if changed := removePath(child, path[1:]); changed != child {
			n = n.shallow()
			n.fields[path[0]] = changed
		}
	case kindList:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(n.items) || len(path) == 1 {
			return n
		}
		if changed := removePath(n.items[i], path[1:]); changed != n.items[i] {
			n = n.shallow()
			n.items[i] = changed
		}
	}
	return n
}
