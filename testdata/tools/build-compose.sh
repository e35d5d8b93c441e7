#!/bin/sh
# Builds a current Docker Compose as a test tool, so that the loader can be
# compared with the real thing. Needs Go and the Go module proxy, nothing else.
#
#   testdata/tools/build-compose.sh            prints the path of the binary
#
# `go install` refuses the module because of its exclude directives, so the
# module is downloaded, copied and built from the copy. The binary is kept in
# the cache folder; a second call is free.
set -eu

# v5.7.0 exists, but needs github.com/docker/secrets-engine, which the public module
# proxy did not serve (403) when this was written; set COMPOSE_VERSION to try it.
version=${COMPOSE_VERSION:-v5.6.0}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kopano-doctor
binary=$cache/docker-compose-$version

if [ -x "$binary" ]; then
	echo "$binary"
	exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT INT TERM

cd "$work"
# The module may ask for a newer patch release of Go than the one at hand, and
# then `go mod download` says so after it has stored the sources.
go mod download "github.com/docker/compose/v5@$version" >&2 || true
sources=$(go env GOMODCACHE)/github.com/docker/compose/v5@$version
if [ ! -d "$sources" ]; then
	echo "build-compose.sh: cannot download github.com/docker/compose/v5@$version" >&2
	exit 1
fi
cp -r "$sources" compose
chmod -R u+w compose
cd compose
go mod edit -go="$(go env GOVERSION | sed 's/^go//')"
go build -mod=mod -trimpath -ldflags "-s -w -X github.com/docker/compose/v5/internal.Version=$version" -o "$work/docker-compose" ./cmd >&2
mv "$work/docker-compose" "$binary"
echo "$binary"
