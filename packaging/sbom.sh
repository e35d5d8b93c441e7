#!/usr/bin/env bash
# Writes the list of modules in a binary, with their versions and licences, as
# CycloneDX: packaging/sbom.sh BINARY FILE. The tool reads what Go wrote into the
# binary, so the list is what is linked, not what go.mod names. Called by
# release.sh, which sets VERSION and SOURCE_DATE_EPOCH.
set -euo pipefail
CYCLONEDX=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

made=$(mktemp)
trap 'rm -f "$made"' EXIT
go run "$CYCLONEDX" bin -json -std -licenses -noserial -version "v${VERSION#v}" -output "$made" "$1" 2>&1 | grep -v ' INF ' >&2 || true
[ -s "$made" ] || { echo "sbom: nothing was written" >&2; exit 1; }
# The time of the run is the one thing in it that is not of the binary, and the
# properties of the file's own hashes say again what SHA256SUMS does.
jq --arg at "$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)" '.metadata.timestamp = $at' "$made" >"$2"
