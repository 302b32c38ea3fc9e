#!/bin/sh
# sanitize.sh asan|tsan: build in a directory of its own and run the tests of the library and the command there.
set -eu
cd "$(dirname "$0")/.."
case ${1:?usage: sanitize.sh asan|tsan} in
asan) sanitizers=address,undefined ;;
tsan) sanitizers=thread ;;
*) echo "sanitize.sh: $1: want asan or tsan" >&2; exit 2 ;;
esac
build=build-$1
scripts/setup.sh check || true
[ -f "$build/build.ninja" ] ||
	meson setup "$build" -Db_sanitize=$sanitizers -Db_lundef=false -Dbuildtype=debugoptimized
ninja -C "$build"

export ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
suites=
for suite in unit contract file sim net wal durability crash serve proxy cli; do
	[ ! -f "tests/$suite/meson.build" ] || suites="$suites --suite $suite"
done
# Programs of others link the library in these two, and would need the sanitizer's own first.
tests=$(meson test -C "$build" --list $suites 2>/dev/null | sed -n 's|.* / ||p' | grep -vx -e readme -e install)
# The thread sanitizer of gcc 12 and clang 14 cannot map its shadow under the address randomisation of
# newer kernels, so it is switched off for the tests.
rm -f "$build/meson-logs/testlog.json"
setarch -R meson test -C "$build" --no-rebuild --timeout-multiplier 5 $suites $tests || true
scripts/report.py "$build"
