#!/bin/sh
# Makes the lab's image on the container engine and gives it the names in the
# arguments. No image is pulled: the root file system comes from this system's
# own packages (Debian or Ubuntu, by mmdebstrap), and is kept in the user's
# cache folder. Needs root, since mmdebstrap does here.
#
#   images.sh PLAY NAME…    PLAY is the program of internal/lab/play, for Linux
set -eu
play=$1
shift
base=kopano-doctor-lab/base:2
packages=slapd,mariadb-server-core,mariadb-client-core,dovecot-core,dovecot-imapd,dovecot-lmtpd,postfix,postfix-ldap,sasl2-bin,libsasl2-modules
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kopano-doctor
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$cache/lab-root-$suite-2.tar

if ! docker image inspect "$base" >/dev/null 2>&1; then
	if [ ! -e "$root" ]; then
		command -v mmdebstrap >/dev/null || env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >&2
		mkdir -p "$cache"
		echo "lab: making the root file system of the lab's containers …" >&2
		mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" \
			--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
			"$suite" "$root.part.tar" >&2
		mv "$root.part.tar" "$root"
	fi
	docker import "$root" "$base" >/dev/null
fi
before=$(docker image inspect -f '{{.Id}}' kopano-doctor-lab/play:1 2>/dev/null || true)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$play" "$context/play"
printf '#!/bin/sh\n' >"$context/kopano-autorespond"
cat >"$context/Dockerfile" <<END
FROM $base
COPY play /play
COPY kopano-autorespond /usr/local/bin/kopano-autorespond
RUN chmod 755 /play /usr/local/bin/kopano-autorespond && ln -sf /play /usr/local/bin/healthcheck.sh && touch /etc/ssl/certs/ca-certificates.crt
END
# The old builder needs nothing but the engine; it says on standard error that it is old.
DOCKER_BUILDKIT=0 docker build -q -t kopano-doctor-lab/play:1 "$context" >/dev/null 2>"$context/errors" || { cat "$context/errors" >&2; exit 1; }
for name in "$@"; do
	docker tag kopano-doctor-lab/play:1 "$name"
done
now=$(docker image inspect -f '{{.Id}}' kopano-doctor-lab/play:1)
if [ -n "$before" ] && [ "$before" != "$now" ]; then
	docker rmi "$before" >/dev/null 2>&1 || true # kept while a container uses it
fi
