#!/usr/bin/env bash
# Makes the Debian package: packaging/debian.sh BINARY SHARE ARCH INTO. SHARE has
# the manual and the scripts for shells. Called by release.sh, which sets VERSION
# and SOURCE_DATE_EPOCH. dpkg-deb takes the times from the latter.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1 share=$2 arch=$3 into=$4

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
doc=$root/usr/share/doc/kopano-doctor

# A version of Debian begins with a digit; what git describes may not.
: "${VERSION:?}"
version=${VERSION//-/+}
[[ $version =~ ^[0-9] ]] || version=0~$version

install -D -m 755 "$binary" "$root/usr/bin/kopano-doctor"
install -D -m 644 "$share/man/kopano-doctor.1" "$root/usr/share/man/man1/kopano-doctor.1"
install -D -m 644 "$share/completions/kopano-doctor.bash" "$root/usr/share/bash-completion/completions/kopano-doctor"
install -D -m 644 "$share/completions/_kopano-doctor" "$root/usr/share/zsh/vendor-completions/_kopano-doctor"
install -D -m 644 "$share/completions/kopano-doctor.fish" "$root/usr/share/fish/vendor_completions.d/kopano-doctor.fish"
install -D -m 644 packaging/lintian-overrides "$root/usr/share/lintian/overrides/kopano-doctor"
install -D -m 644 packaging/copyright "$doc/copyright"
install -D -m 644 CHANGELOG.md "$doc/changelog"
cat >"$root/changelog.Debian" <<END
kopano-doctor ($version) unstable; urgency=medium

  * See changelog.gz.

 -- The authors of kopano-doctor <kopano-doctor@users.noreply.github.com>  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END
install -m 644 "$root/changelog.Debian" "$doc/changelog.Debian" && rm "$root/changelog.Debian"
gzip -n -9 "$root/usr/share/man/man1/kopano-doctor.1" "$doc/changelog"
# A package without a Debian revision is a native one, which has one changelog.
mv "$doc/changelog.gz" "$doc/NEWS.gz" && gzip -n -9 "$doc/changelog.Debian" && mv "$doc/changelog.Debian.gz" "$doc/changelog.gz"

mkdir -m 755 "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<END
Package: kopano-doctor
Version: $version
Architecture: $arch
Maintainer: The authors of kopano-doctor <kopano-doctor@users.noreply.github.com>
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)
Recommends: ca-certificates
Section: admin
Priority: optional
Homepage: https://github.com/kopano-doctor/kopano-doctor
Description: find out what is wrong with a Kopano deployment run with Docker Compose
 kopano-doctor reads the compose and env files of a Kopano groupware deployment
 as Docker Compose does, tests them with static rules, and tries the links
 between the services: directory, database, certificates, mail, sign-in.
 .
 It says which link is broken, why, where the wrong value is written, and what
 to change. It only reads, and prints no secret.
END
(cd "$root" && find usr -type f | sort | xargs md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group -Zxz --build "$root" "$into/kopano-doctor_${version}_$arch.deb" >/dev/null
