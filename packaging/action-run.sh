#!/usr/bin/env bash
# Part of action.yml: annotates the files, writes the summary of the job, and
# ends as kopano-doctor lint does. Reads LOOK_AT, FAIL_ON and SARIF.
set -euo pipefail

options=(--fail-on "$FAIL_ON" --report github=-)
[ -z "${SARIF:-}" ] || options+=(--report "sarif=$SARIF")
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || options+=(--report "markdown=$GITHUB_STEP_SUMMARY")
paths=()
while IFS= read -r path; do
	[ -z "$path" ] || paths+=("$path")
done <<<"${LOOK_AT:-.}"
exec kopano-doctor lint "${options[@]}" -- "${paths[@]}"
