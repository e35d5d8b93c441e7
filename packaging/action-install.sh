#!/usr/bin/env bash
# Part of action.yml: fetches a release, holds it against its checksum, and puts
# the program on the PATH of the steps that follow. Reads VERSION and the
# variables that GitHub's runner sets.
set -euo pipefail

releases=${KOPANO_DOCTOR_RELEASES:-https://github.com/kopano-doctor/kopano-doctor/releases}
version=${VERSION:-}
# The action's own release, where it is taken from one and not from a branch.
# The runner lays it into a folder of that name; GITHUB_ACTION_REF is not set in
# the steps of composite actions (actions/runner#2473).
own=${GITHUB_ACTION_PATH##*/}
if [ -z "$version" ] && [[ $own =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]]; then
	version=$own
fi
if [ -n "$version" ]; then
	from=$releases/download/v${version#v}
else
	from=$releases/latest/download
fi

case ${RUNNER_OS:-}/${RUNNER_ARCH:-} in
Linux/X64) system=linux_amd64.tar.gz ;;
Linux/ARM64) system=linux_arm64.tar.gz ;;
macOS/ARM64) system=darwin_arm64.tar.gz ;;
Windows/X64) system=windows_amd64.zip ;;
*)
	echo "::error::there is no release of kopano-doctor for ${RUNNER_OS:-?} on ${RUNNER_ARCH:-?}"
	exit 2
	;;
esac

into=$RUNNER_TEMP/kopano-doctor
mkdir -p "$into"
cd "$into"
fetch() { curl --fail --silent --show-error --location --retry 3 --max-time 300 --output "$2" "$1"; }
fetch "$from/SHA256SUMS" SHA256SUMS
line=$(grep -E "^[0-9a-f]{64}  kopano-doctor_[^/ ]*_${system//./\\.}\$" SHA256SUMS | head -n 1) || {
	echo "::error::the release at $from has no archive for $system"
	exit 2
}
archive=${line#*  }
fetch "$from/$archive" "$archive"
if command -v sha256sum >/dev/null; then check=(sha256sum -c -); else check=(shasum -a 256 -c -); fi
printf '%s\n' "$line" | "${check[@]}"
case $archive in
*.zip) unzip -q -o -j "$archive" '*/kopano-doctor.exe' ;;
*) tar -xzf "$archive" --strip-components=1 ;;
esac
echo "$into" >>"$GITHUB_PATH"
