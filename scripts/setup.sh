#!/bin/sh
# setup.sh TIER...: install the Debian packages that tiers need (build, check, tidy, vm) and that are missing.
# Says what and why. Exit: 0 nothing is missing now, 3 something is and cannot be installed here.
set -eu
lists=$(dirname "$0")/packages
: "${1:?usage: setup.sh build|check|tidy|vm...}"
files=$lists/build.txt
for tier; do
	[ -f "$lists/$tier.txt" ] || { echo "setup.sh: $tier: no such tier" >&2; exit 2; }
	[ "$tier" = build ] || files="$files $lists/$tier.txt"
done

if ! command -v dpkg-query >/dev/null; then
	echo "setup: this is no Debian; what is needed is listed in $files" >&2
	exit 3
fi

installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing=
for name in $(sed 's/#.*//' $files); do
	case "$missing " in *" $name "*) continue ;; esac
	installed "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

echo "setup: missing for '$*':"
for name in $missing; do
	sed -n "s/^\($name\) *# */  \1: /p" $files
done

if [ "$(id -u)" = 0 ]; then
	as_root="env"
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	as_root="sudo env"
elif command -v sudo >/dev/null && [ -t 0 ]; then
	as_root="sudo env"
else
	echo "setup: neither root nor sudo; to install it all, run as root:" >&2
	echo "  apt-get install --no-install-recommends -y$missing" >&2
	exit 3
fi

install="$as_root DEBIAN_FRONTEND=noninteractive apt-get"
if $install update -qq && $install install --no-install-recommends -qq -y $missing; then
	exit 0
fi
echo "setup: apt-get could not install:$missing" >&2
exit 3
