#!/bin/sh
# Installs the real servers that the tests and the demo talk to, from Debian's
# or Ubuntu's packages, and only those that are missing: where all are there it
# asks for nothing. Installing needs root or sudo; nothing else here does. With
# the word podman it also installs Podman, which only the tests need.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
need() { # program package
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need slapd slapd
need mariadbd mariadb-server-core
need mariadb-install-db mariadb-server-core
need my_print_defaults mariadb-client-core # mariadb-install-db calls it, and does not depend on it
need dovecot dovecot-core
need postfix postfix
need turnserver coturn
need dot graphviz
# Ubuntu's chromium is a snap: there the tests that need a browser are skipped.
! grep -qs '^ID=debian' /etc/os-release || need chromium chromium
[ -e /usr/lib/postfix/postfix-ldap.so ] || missing="$missing postfix-ldap"
[ -e /usr/lib/dovecot/lmtp ] || missing="$missing dovecot-lmtpd"
[ -e /usr/lib/dovecot/imap ] || missing="$missing dovecot-imapd"
[ -e /usr/lib/dovecot/pop3 ] || missing="$missing dovecot-pop3d"
[ "${1:-}" != podman ] || need podman podman

[ -n "$missing" ] || exit 0
# each name once
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')

if ! command -v apt-get >/dev/null 2>&1; then
	echo "install.sh: these packages are missing, and there is no apt-get here: $missing" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "install.sh: run this as root, there is no sudo: apt-get install $missing" >&2
		exit 1
	fi
	as_root=sudo
fi
echo "installing: $missing" >&2
# The packages would start servers of their own; a policy file keeps them down
# while we install, and an existing one is left alone.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
	$as_root chmod 755 "$policy"
	made_policy=yes
fi
clean_up() { [ -z "$made_policy" ] || $as_root rm -f "$policy"; }
trap clean_up EXIT
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086 # a list of package names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
