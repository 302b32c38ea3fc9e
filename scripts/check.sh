#!/bin/sh
# check.sh TIER BUILD [SUITE...]: set up, build, run the tests, report. TIER: check, check-fast or check-vm.
# The last line is always `N passed, N failed, N skipped`. Exit: 0 all is well, 1 a test failed or none
# ran, 3 this tier cannot run here.
set -u
cd "$(dirname "$0")/.." || exit 3
tier=${1:?usage: check.sh check|check-fast|check-vm BUILD [SUITE...]}
build=${2:-build}
shift 2

case $tier in
check) setup="check vm" kernels=6.1 ;;
check-fast) setup=build kernels= ;;
check-vm)
	setup="check vm" kernels="6.1 6.12"
	[ $# -gt 0 ] || set -- vm
	;;
*)
	echo "check.sh: $tier: no such tier" >&2
	exit 2
	;;
esac

area=
tests=

# Everything a test left behind lies under $area or carries its name in the environment.
cleanup() {
	trap - EXIT INT TERM HUP
	[ -n "$tests" ] && kill "$tests" 2>/dev/null && wait "$tests"
	[ -n "$area" ] || return 0
	for process in /proc/[0-9]*; do
		[ "$process" = "/proc/$$" ] && continue
		grep -qzxF "SLUICE_TEST_DIR=$area" "$process/environ" 2>/dev/null && kill -9 "${process#/proc/}"
	done
	awk -v dir="$area/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r point; do
		umount -l "$point"
	done
	for loop in /sys/block/loop*/loop/backing_file; do
		[ -r "$loop" ] || continue
		case $(cat "$loop") in
		"$area"/*) loop=${loop#/sys/block/} && losetup -d "/dev/${loop%%/*}" ;;
		esac
	done
	rm -rf --one-file-system "$area"
}
trap cleanup EXIT
trap 'cleanup; exit 130' INT
trap 'cleanup; exit 143' TERM HUP

give_up() {
	echo "check: $1"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

scripts/setup.sh $setup || echo "check: going on with what is here; what needs more is skipped"
for tool in cc meson ninja; do
	[ "$tool" != cc ] || tool=${CC:-cc}
	command -v "${tool%% *}" >/dev/null || give_up "$tool is not installed, so nothing can be built or tested"
done
if [ -f "$build/build.ninja" ]; then
	# Finds what was installed since the directory was made.
	meson setup --reconfigure "$build" >"$build/reconfigure.log" 2>&1 || { cat "$build/reconfigure.log"; give_up "meson refused"; }
else
	meson setup "$build" || give_up "meson refused"
fi
ninja -C "$build" || give_up "the build failed"

# The guest's kernels. Without them the tests in a guest are skipped.
[ -z "$kernels" ] || tests/vm/kernel.py "$build" $kernels || echo "check: no guest with such a kernel"

# The browser. Without it the tests in one are skipped.
[ "$tier" != check ] || scripts/unpack-peer.sh "$build" $(sed 's/#.*//' scripts/packages/browser.txt) || echo "check: no browser"

area=$(mktemp -d "$(cd "$build" && pwd)/check.XXXXXX") || give_up "no directory for the tests"
chmod 755 "$area"
for suite; do
	set -- "$@" --suite "$suite"
	shift
done
[ "$tier" = check-vm ] || set -- --no-suite vm-long "$@"
rm -f "$build/meson-logs/testlog.json"
SLUICE_TEST_DIR=$area meson test -C "$build" --no-rebuild --num-processes "$(nproc)" "$@" &
tests=$!
wait "$tests"
tests=
scripts/report.py "$build"
