#!/bin/sh
# images.sh NAME PROGRAM...: run a test program on a file system made for it, and leave nothing behind.
# NAME: ext4-512, ext4-4096, ext4-journal, xfs-512, xfs-4096, btrfs-512, btrfs-4096, tmpfs, overlay, or device (a
# raw one whose size is no multiple of 4096); the number is the sector size of the loop device. All mounts are in a private namespace, so they end with it; the loop
# device lets go of its image with the last mount. Exit: the program's, or 77 when this machine cannot.
set -u
name=${1:?usage: images.sh NAME PROGRAM...}

skip() {
	echo "1..0 # SKIP $1"
	exit 77
}

need() {
	for tool; do
		command -v "$tool" >/dev/null 2>&1 || skip "no $tool (Debian: e2fsprogs, xfsprogs, btrfs-progs, mount, util-linux)"
	done
}

# Outside the namespace: check what is needed, make the directory, enter.
if [ "${SLUICE_IMAGES_INSIDE:-}" != 1 ]; then
	PATH=$PATH:/usr/sbin:/sbin
	[ "$(id -u)" = 0 ] || skip "mounting $name needs root"
	need unshare mount umount losetup
	area=$(mktemp -d "${SLUICE_TEST_DIR:-${TMPDIR:-/var/tmp}}/sluice-image-XXXXXX") || skip "no directory for an image"
	trap 'rm -rf --one-file-system "$area"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	unshare -m true 2>/dev/null || skip "mount namespaces are not permitted here"
	SLUICE_IMAGES_INSIDE=1 SLUICE_IMAGES_AREA=$area unshare -m --propagation private "$0" "$@"
	exit $?
fi

area=$SLUICE_IMAGES_AREA
mnt=$area/mnt
mkdir -p "$mnt"

# The loop device with the sector size asked for, set to let go by itself once it is mounted.
attach() {
	loop=$(losetup --find --show --direct-io=on --sector-size "$1" "$area/image" 2>/dev/null) ||
		loop=$(losetup --find --show --sector-size "$1" "$area/image" 2>"$area/why") ||
		skip "no loop device with sectors of $1 bytes: $(cat "$area/why")"
	trap 'losetup -d "$loop" 2>/dev/null' EXIT INT TERM HUP PIPE
}

mounted() {
	mount -t "$1" -o "$2" "$loop" "$mnt" 2>"$area/why" || skip "cannot mount $1: $(cat "$area/why")"
	losetup -d "$loop"
	trap - EXIT INT TERM HUP PIPE
}

format() {
	"$@" >"$area/why" 2>&1 || skip "$1 cannot make this image: $(tail -n 1 "$area/why")"
}

case $name in
ext4-*)
	need mkfs.ext4
	truncate -s 96M "$area/image"
	sector=${name#ext4-}
	options=rw
	[ "$sector" = journal ] && sector=512 && options=data=journal
	attach "$sector"
	format mkfs.ext4 -q -b 4096 "$loop"
	mounted ext4 "$options"
	;;
xfs-*)
	need mkfs.xfs
	truncate -s 320M "$area/image"
	attach "${name#xfs-}"
	format mkfs.xfs -q "$loop"
	mounted xfs rw
	;;
btrfs-*)
	need mkfs.btrfs
	truncate -s 256M "$area/image"
	attach "${name#btrfs-}"
	format mkfs.btrfs -q "$loop"
	mounted btrfs rw
	;;
tmpfs)
	mount -t tmpfs -o size=64M sluice-test "$mnt" || skip "cannot mount tmpfs"
	;;
overlay)
	need mkfs.ext4
	truncate -s 96M "$area/image"
	attach 512
	format mkfs.ext4 -q -b 4096 "$loop"
	mounted ext4 rw
	mkdir "$mnt/lower" "$mnt/upper" "$mnt/work" "$mnt/merged"
	mount -t overlay -o "lowerdir=$mnt/lower,upperdir=$mnt/upper,workdir=$mnt/work" sluice-test "$mnt/merged" 2>"$area/why" ||
		skip "cannot mount overlay: $(cat "$area/why")"
	lower=$mnt
	mnt=$mnt/merged
	;;
device)
	truncate -s 1050112 "$area/image"
	attach 512
	shift
	SLUICE_TEST_DEVICE=$loop SLUICE_TEST_DIR=$area "$@"
	status=$?
	losetup -d "$loop"
	exit $status
	;;
*)
	echo "images.sh: $name: no such file system here" >&2
	exit 2
	;;
esac

shift
SLUICE_TEST_FS=$name SLUICE_TEST_DIR=$mnt "$@"
status=$?
# The kernel ends a ring some time after its program has closed it, and only then lets go of its files.
let_go() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
		umount "$1" 2>/dev/null && return 0
		sleep 0.5
	done
	umount "$1"
}

let_go "$mnt" || status=1
[ -n "${lower:-}" ] && { let_go "$lower" || status=1; }
exit $status
