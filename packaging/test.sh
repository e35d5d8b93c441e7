#!/usr/bin/env bash
# Tries what release.sh made, with the programs that people use it with:
# packaging/test.sh [STEP...]. Without steps it makes the release twice, in two
# folders, compares both, and tries everything. Runs as root on Debian; needs
# the packages lintian mmdebstrap man-db bash-completion zsh fish jq unzip curl
# and shellcheck, and a container engine for the image.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
export VERSION=${VERSION:-0.0.0-test}
DIST=${DIST:-$top/dist}
ENGINE=${ENGINE:-docker}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
arch=$(dpkg --print-architecture)

fail() {
	echo "release-test: $*" >&2
	exit 1
}
# has FILE TEXT: a file has a text in it.
has() { grep -qF -- "$2" "$1" || fail "$1 lacks: $2 $(printf '\n'; head -n 20 "$1")"; }

# The second time in another folder: no path may get into what is made.
twice() {
	DIST=$DIST packaging/release.sh >"$work/first.log" 2>&1 || fail "$(tail -n 20 "$work/first.log")"
	git worktree add --quiet --detach "$work/elsewhere/copy" HEAD
	local clean=0
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) DIST=$work/again "$work/elsewhere/copy/packaging/release.sh" >"$work/second.log" 2>&1 || clean=1
	git worktree remove --force "$work/elsewhere/copy"
	[ $clean = 0 ] || fail "$(tail -n 20 "$work/second.log")"
	diff "$DIST/SHA256SUMS" "$work/again/SHA256SUMS" || fail "two builds of one commit differ (or something is not committed)"
	echo "twice the same: $(wc -l <"$DIST/SHA256SUMS") files"
}

archives() {
	(cd "$DIST" && sha256sum --quiet -c SHA256SUMS)
	mkdir "$work/archive"
	tar -xzf "$DIST/kopano-doctor_${VERSION}_linux_$arch.tar.gz" -C "$work/archive" --strip-components=1
	[ "$("$work/archive/kopano-doctor" version)" = "kopano-doctor version $VERSION" ] || fail "the program says another version"
	for f in LICENSE README.md CHANGELOG.md man/kopano-doctor.1 completions/kopano-doctor.bash; do
		[ -s "$work/archive/$f" ] || fail "the archive lacks $f"
	done
	if readelf -d "$work/archive/kopano-doctor" | grep NEEDED; then fail "the program is not static"; fi
	unzip -l "$DIST/kopano-doctor_${VERSION}_windows_amd64.zip" | grep '/kopano-doctor\.exe$' >/dev/null || fail "the zip lacks the program"
	echo "archives: fine"
}

sbom() {
	local file=$DIST/kopano-doctor_$VERSION.cdx.json
	[ "$(jq -r .bomFormat "$file")" = CycloneDX ] || fail "$file is no CycloneDX"
	tar -xzOf "$DIST/kopano-doctor_${VERSION}_linux_amd64.tar.gz" --wildcards '*/kopano-doctor' >"$work/inside"
	go version -m "$work/inside" | awk '$1 == "dep" { print $2 "@" $3 }' | sort >"$work/linked"
	jq -r '.components[] | select(.name != "std") | .name + "@" + .version' "$file" | sort >"$work/listed"
	diff "$work/linked" "$work/listed" || fail "the list is not what is linked"
	jq -e '[.components[] | select(.name != "std" and ((.evidence.licenses // .licenses // []) | length == 0))] | length == 0' "$file" >/dev/null ||
		fail "modules without a licence: $(jq -r '[.components[] | select(.name != "std" and ((.evidence.licenses // .licenses // []) | length == 0)) | .name] | join(" ")' "$file")"
	echo "list of modules: $(wc -l <"$work/linked"), all with a licence"
}

debian() {
	local deb
	deb=$(ls "$DIST"/kopano-doctor_*_"$arch".deb)
	lintian --fail-on warning,error --allow-root "$DIST"/kopano-doctor_*.deb || fail "lintian complains"
	mmdebstrap --quiet --variant=apt --include=man-db "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" "$work/root" >"$work/root.log" 2>&1 || fail "$(tail -n 5 "$work/root.log")"
	(cd "$work/root" && find . -xdev -type f -o -type l | grep -vE '^./(var/(lib/dpkg|log|cache)|proc|sys|dev)' | sort) >"$work/before"
	cp "$deb" "$work/root/tmp/k.deb"
	chroot "$work/root" dpkg --install /tmp/k.deb >"$work/install.log" 2>&1 || fail "$(cat "$work/install.log")"
	rm "$work/root/tmp/k.deb"
	chroot "$work/root" kopano-doctor version | grep " $VERSION\$" || fail "the installed program says another version"
	chroot "$work/root" dpkg --verify kopano-doctor | grep . && fail "files of the package are not as they should be"
	[ -s "$work/root/usr/share/man/man1/kopano-doctor.1.gz" ] || [ -e "$work/root/etc/dpkg/dpkg.cfg.d/excludes" ] || fail "there is no manual"
	chroot "$work/root" dpkg --purge kopano-doctor >"$work/purge.log" 2>&1 || fail "$(cat "$work/purge.log")"
	(cd "$work/root" && find . -xdev -type f -o -type l | grep -vE '^./(var/(lib/dpkg|log|cache)|proc|sys|dev)' | sort) >"$work/after"
	diff "$work/before" "$work/after" || fail "the package leaves something behind"
	echo "Debian package: lintian has nothing to say; installed and removed in a clean root"
}

manual() {
	man --warnings --local-file "$work/archive/man/kopano-doctor.1" >"$work/man.txt" 2>"$work/man.err"
	[ ! -s "$work/man.err" ] || fail "man complains: $(cat "$work/man.err")"
	has "$work/man.txt" "lint [flags] [PATH...]"
	has "$work/man.txt" "KOPANO_DOCTOR_FAIL_ON"
	echo "manual: man has nothing to say"
}

# shells asks each shell, with its script loaded, what it would complete.
shells() {
	local c=$work/archive/completions
	export PATH=$work/archive:$PATH
	bash -c '
		. /usr/share/bash-completion/bash_completion; . "$1"
		ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kopano_doctor; printf "%s\n" "${COMPREPLY[@]}"; }
		ask kopano-doctor ex; ask kopano-doctor check --fail-on wa; ask kopano-doctor check --fail-on = wa; ask kopano-doctor explain unset-va; ask kopano-doctor lint --rep
	' bash "$c/kopano-doctor.bash" >"$work/bash.out"
	printf '%s\n' explain warning warning unset-variable --report | diff - "$work/bash.out" || fail "bash completes something else"

	mkdir "$work/zsh"
	cp "$c/_kopano-doctor" "$work/zsh/"
	# compadd works within a completion only, so its place is taken.
	zsh -f -c '
		fpath=($1 $fpath); autoload -Uz compinit; compinit -u -d $1/dump
		print "registered: $_comps[kopano-doctor]"
		autoload +X _kopano-doctor
		compadd() { print -l $found }; _files() { print files }
		words=(kopano-doctor check --fail-on wa); CURRENT=4; _kopano-doctor
		words=(kopano-doctor check ""); CURRENT=3; _kopano_doctor
	' zsh "$work/zsh" >"$work/zsh.out" 2>&1
	printf '%s\n' 'registered: _kopano-doctor' warning files | diff - "$work/zsh.out" || fail "zsh completes something else"

	mkdir "$work/here"
	touch "$work/here/a-file"
	# shellcheck disable=SC2016 # it is for fish to expand
	(cd "$work/here" && HOME=$work/here fish --no-config -c '
		source $argv[1]
		complete -C "kopano-doctor ex"; complete -C "kopano-doctor check --fail-on wa"; complete -C "kopano-doctor explain unset-va"; complete -C "kopano-doctor check a-f"
	' "$c/kopano-doctor.fish") >"$work/fish.out" 2>&1
	printf '%s\n' explain warning unset-variable a-file | diff - "$work/fish.out" || fail "fish completes something else"
	echo "shells: bash, zsh and fish complete"
}

image() {
	local latest # somebody may use it: it is put back
	latest=$("$ENGINE" image inspect --format '{{.Id}}' kopano-doctor:latest 2>/dev/null || true)
	"$ENGINE" load --input "$DIST/kopano-doctor_${VERSION}_image_$arch.tar" >"$work/load.log" || fail "$(cat "$work/load.log")"
	[ "$("$ENGINE" run --rm --network none --read-only --cap-drop ALL "kopano-doctor:$VERSION" version)" = "kopano-doctor version $VERSION" ] || fail "the image says another version"
	"$ENGINE" run --rm --network none --read-only --cap-drop ALL --volume "$top/testdata/deployments/full:/site:ro" "kopano-doctor:$VERSION" check --offline /site >"$work/image.out" || fail "$(tail -n 5 "$work/image.out")"
	has "$work/image.out" "No error was found in the files"
	"$ENGINE" rmi "kopano-doctor:$VERSION" kopano-doctor:latest >/dev/null
	[ -z "$latest" ] || "$ENGINE" tag "$latest" kopano-doctor:latest
	echo "image: loads and runs"
}

# action runs the scripts of action.yml as a runner would, with the release in a
# folder in place of GitHub's.
action() {
	local releases=$work/releases runner=X64
	[ "$arch" != arm64 ] || runner=ARM64
	mkdir -p "$releases/download" "$work/runner" "$work/repository"
	ln -s "$DIST" "$releases/download/v$VERSION"
	mkdir -p "$releases/latest"
	ln -s "$DIST" "$releases/latest/download"
	cp -r testdata/deployments/full "$work/repository/site"
	git -C "$work/repository" init --quiet
	local action=$work/_actions/kopano-doctor/kopano-doctor/v$VERSION
	mkdir -p "$action"
	cp -r packaging "$action/"
	install() { # with the version that is asked for
		: >"$work/runner/path"
		VERSION=$1 KOPANO_DOCTOR_RELEASES=file://$releases RUNNER_OS=Linux RUNNER_ARCH=$runner RUNNER_TEMP=$work/runner \
			GITHUB_PATH=$work/runner/path GITHUB_ACTION_PATH=$action "$action/packaging/action-install.sh" >"$work/action.log" 2>&1
	}
	for version in "$VERSION" "v$VERSION" ""; do
		install "$version" || fail "$(cat "$work/action.log")"
	done
	installed=$(cat "$work/runner/path")
	if install 99.0.0; then fail "a release that is not there is taken"; fi
	look() { # with the severity that is asked for
		: >"$work/runner/summary"
		(cd "$work/repository" && PATH=$installed:$PATH LOOK_AT=$'.\n' FAIL_ON=$1 SARIF=k.sarif GITHUB_STEP_SUMMARY=$work/runner/summary \
			"$action/packaging/action-run.sh") >"$work/action.out" 2>"$work/action.err"
	}
	look error || fail "$(cat "$work/action.out" "$work/action.err")"
	has "$work/action.out" "::warning file=site/docker-compose"
	has "$work/runner/summary" "# kopano-doctor"
	[ "$(jq -r '.runs[0].tool.driver.name' "$work/repository/k.sarif")" = kopano-doctor ] || fail "there is no SARIF report"
	if look warning; then fail "fail-on has no effect"; fi
	# A changed byte must be seen.
	rm "$releases/latest/download" && cp -r "$DIST" "$releases/latest/download"
	printf x >>"$releases/latest/download/kopano-doctor_${VERSION}_linux_$arch.tar.gz"
	mv "$action" "$work/_actions/kopano-doctor/kopano-doctor/main" # taken from a branch: the newest release
	action=$work/_actions/kopano-doctor/kopano-doctor/main
	if install ""; then fail "an archive that was changed is taken"; fi
	echo "action: installs, annotates, fails where it should"
}

# workflow holds action.yml and the workflow of docs/ci.md against what GitHub takes.
workflow() {
	mkdir -p "$work/flow/.github/workflows"
	git -C "$work/flow" init --quiet
	cp action.yml "$work/flow/"
	awk '/^name: deployment$/ { on = 1 } /^```$/ { on = 0 } on' docs/ci.md | sed 's|kopano-doctor/kopano-doctor@v[0-9.]*|./|' >"$work/flow/.github/workflows/kopano.yml"
	has "$work/flow/.github/workflows/kopano.yml" "uses: ./"
	(cd "$work/flow" && go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12) || fail "actionlint complains"
	shellcheck packaging/*.sh || fail "shellcheck complains"
	echo "workflow: actionlint has nothing to say"
}

steps=("$@")
[ $# -gt 0 ] || steps=(twice archives sbom debian manual shells image action workflow)
for step in "${steps[@]}"; do
	"$step"
done
