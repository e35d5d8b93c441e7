#!/usr/bin/env bash
# Makes everything that a release consists of in dist/: binaries in archives,
# Debian packages, images for docker load, lists of what is inside, checksums.
# The same commit gives the same bytes, whenever and wherever it is built with
# the same release of Go (and of gzip, tar, zip and dpkg-deb).
# Runs on Debian or Ubuntu. VERSION and DIST may be set.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=${VERSION:-$(git describe --tags --always --dirty)}
VERSION=${VERSION#v}
DIST=${DIST:-dist}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export VERSION SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C
umask 022

rm -rf "$DIST" && mkdir -p "$DIST"
DIST=$(cd "$DIST" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build OS ARCH: the program for one system, in $work/OS_ARCH.
build() {
	local name=kopano-doctor
	[ "$1" != windows ] || name=kopano-doctor.exe
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$work/$1_$2/$name" ./cmd/kopano-doctor
}

# archive OS ARCH: the program and what belongs to it, in order and with one time.
archive() {
	local name=kopano-doctor_${VERSION}_$1_$2
	local in=$work/$name
	mkdir -p "$in"
	cp "$work/$1_$2/"* LICENSE README.md CHANGELOG.md "$in/"
	if [ "$1" != windows ]; then
		cp -r docker-compose.doctor.yml "$work/share/"* "$in/"
	fi
	find "$in" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
	if [ "$1" = windows ]; then
		(cd "$work" && find "$name" | sort | zip -q -X -9 -@ "$DIST/$name.zip")
	else
		packed "$work" "$name" | gzip -n -9 >"$DIST/$name.tar.gz"
	fi
}

# packed DIR NAME: a tar of DIR/NAME that is the same every time.
packed() {
	tar -C "$1" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -c "$2"
}

echo "release: $VERSION of $(date -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)"
for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do
	echo "release: build $target"
	build "${target%/*}" "${target#*/}"
done

# The manual and the scripts for shells are written by the program itself.
mkdir -p "$work/share/completions" "$work/share/man"
own=$work/linux_$(go env GOHOSTARCH)/kopano-doctor
"$own" man >"$work/share/man/kopano-doctor.1"
"$own" completion bash >"$work/share/completions/kopano-doctor.bash"
"$own" completion zsh >"$work/share/completions/_kopano-doctor"
"$own" completion fish >"$work/share/completions/kopano-doctor.fish"

echo "release: archives"
for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do
	archive "${target%/*}" "${target#*/}"
done

for arch in amd64 arm64; do
	echo "release: Debian package and image for $arch"
	packaging/debian.sh "$work/linux_$arch/kopano-doctor" "$work/share" "$arch" "$DIST"
	packaging/image.sh "$work/linux_$arch/kopano-doctor" "$arch" "$DIST/kopano-doctor_${VERSION}_image_$arch.tar"
done

echo "release: list of what is inside"
packaging/sbom.sh "$work/linux_amd64/kopano-doctor" "$DIST/kopano-doctor_$VERSION.cdx.json"

(cd "$DIST" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
ls -l "$DIST"
