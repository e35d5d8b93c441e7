#!/usr/bin/env bash
# Writes an image for `docker load`: packaging/image.sh BINARY ARCH FILE. It
# holds the program, the certificates of known authorities, and nothing else.
# The form is that of docker save (Docker Image Specification 1.2), written by
# hand since an engine stamps the time into what it imports. Called by
# release.sh, which sets VERSION and SOURCE_DATE_EPOCH.
set -euo pipefail
binary=$1 arch=$2 file=$3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packed() {
	tar -C "$1" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -c "${@:2}"
}

mkdir -p "$work/root/etc/ssl/certs" "$work/root/run" "$work/root/var" "$work/image"
ln -s /run "$work/root/var/run" # as in the images of Kopano: settings name sockets by either path
install -m 755 "$binary" "$work/root/kopano-doctor"
install -m 644 "${CA_CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}" "$work/root/etc/ssl/certs/ca-certificates.crt"
packed "$work/root" . >"$work/image/layer.tar"
layer=$(sha256sum "$work/image/layer.tar" | cut -d' ' -f1)
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)
cat >"$work/image/config.json" <<END
{"architecture":"$arch","os":"linux","created":"$created","config":{"Entrypoint":["/kopano-doctor"],"Labels":{"org.opencontainers.image.title":"kopano-doctor","org.opencontainers.image.version":"$VERSION","org.opencontainers.image.source":"https://github.com/kopano-doctor/kopano-doctor","org.opencontainers.image.licenses":"Apache-2.0"}},"rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},"history":[{"created":"$created","created_by":"packaging/image.sh"}]}
END
cat >"$work/image/manifest.json" <<END
[{"Config":"config.json","RepoTags":["kopano-doctor:${VERSION//+/-}","kopano-doctor:latest"],"Layers":["layer.tar"]}]
END
packed "$work/image" manifest.json config.json layer.tar >"$file"
