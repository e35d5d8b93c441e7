package kopano

import (
	"strconv"
	"strings"
)

// Image is the name of a container image, cut into its parts.
type Image struct {
	Path string // registry, namespace and name: "docker.io/kopano/kopano_core"
	Name string // last path element: "kopano_core"
	Two  string // last two path elements: "kopano/kopano_core"; the same as Name when there is one only
	Tag  string // "10.3.10-bionic"; "" when none is given
}

// ParseImage cuts an image reference. It never fails: what is no valid
// reference is Compose's business, and still has a last path element.
func ParseImage(reference string) Image {
	path, _, _ := strings.Cut(strings.TrimSpace(reference), "@") // the digest
	var tag string
	// A colon behind the last slash starts the tag; one before it a port.
	if colon := strings.LastIndexByte(path, ':'); colon > strings.LastIndexByte(path, '/') {
		path, tag = path[:colon], path[colon+1:]
	}
	parts := strings.Split(strings.ToLower(path), "/")
	image := Image{Path: strings.ToLower(path), Name: parts[len(parts)-1], Tag: tag}
	image.Two = image.Name
	if n := len(parts); n > 1 && parts[n-2] != "" {
		image.Two = parts[n-2] + "/" + image.Name
	}
	return image
}

// Is reports whether the image has one of the names; a name with a slash is
// compared with the last two path elements.
func (i Image) Is(names ...string) bool {
	for _, n := range names {
		if n == i.Name || strings.Contains(n, "/") && n == i.Two {
			return true
		}
	}
	return false
}

// Major gives the first number of the tag: 10 of "10.5.0", "v10" and
// "release-v10.5.0". A tag that starts with no number has none.
func (i Image) Major() (int, bool) {
	tag := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(i.Tag), "release-"), "v")
	end := 0
	for end < len(tag) && tag[end] >= '0' && tag[end] <= '9' {
		end++
	}
	// A year or a commit is no release.
	if end == 0 || end > 3 || end < len(tag) && tag[end] != '.' && tag[end] != '-' && tag[end] != '_' {
		return 0, false
	}
	major, err := strconv.Atoi(tag[:end])
	return major, err == nil
}
