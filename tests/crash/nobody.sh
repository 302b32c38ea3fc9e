#!/bin/sh
# nobody.sh PROGRAM...: run a test as a user without rights who may open /dev/fuse, as desktops let everybody.
# Where the device is root's alone it is replaced, in a private mount namespace, by one for all. Exit: the
# program's, or 77 when this machine cannot.
set -u

skip() {
	echo "1..0 # SKIP $1"
	exit 77
}

if [ "${SLUICE_NOBODY_INSIDE:-}" != 1 ]; then
	[ -c /dev/fuse ] || skip "no /dev/fuse"
	if [ "$(id -u)" != 0 ]; then
		[ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse is root's alone, and this is not root"
		exec "$@"
	fi
	for tool in unshare setpriv mount mknod; do
		command -v "$tool" >/dev/null 2>&1 || skip "no $tool (Debian: util-linux, mount, coreutils)"
	done
	unshare -m true 2>/dev/null || skip "mount namespaces are not permitted here"
	area=$(mktemp -d "${SLUICE_TEST_DIR:-${TMPDIR:-/var/tmp}}/sluice-nobody-XXXXXX") || skip "no directory"
	trap 'rm -rf --one-file-system "$area"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	chmod 0711 "$area"
	mkdir -m 0777 "$area/tests"
	SLUICE_NOBODY_INSIDE=1 SLUICE_TEST_DIR=$area/tests TMPDIR=$area/tests \
		unshare -m --propagation private "$0" "$area" "$@"
	exit $?
fi

area=$1
shift
mknod "$area/fuse" c 10 229 2>/dev/null && chmod 0666 "$area/fuse" || skip "cannot make a device node"
mount --bind "$area/fuse" /dev/fuse || skip "cannot bind a device node"
setpriv --reuid 65534 --regid 65534 --clear-groups sh -c ': <>/dev/fuse' 2>/dev/null ||
	skip "device nodes do not work in $area (nodev?)"
setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'exec "$@"' sh "$@"
