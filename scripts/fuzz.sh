#!/bin/sh
# fuzz.sh [SECONDS [TARGET...]]: each parser of untrusted bytes (tests/fuzz) so long under libFuzzer, with sanitizers.
# What was found interesting is kept in build-fuzz/corpus and begun with the next time; an input that fails lies beside it.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-300}
[ $# -eq 0 ] || shift
build=build-fuzz
command -v clang >/dev/null || {
	echo "fuzz.sh: clang: not found; libFuzzer comes with it, try scripts/setup.sh check" >&2
	exit 3
}
[ -f "$build/build.ninja" ] || CC=clang meson setup "$build" -Db_sanitize=address,undefined -Db_lundef=false
[ $# -gt 0 ] || set -- $(ninja -C "$build" -t targets all | sed -n 's|^tests/fuzz/libfuzzer_\([a-z0-9_]*\): .*|\1|p')
[ $# -gt 0 ] || {
	echo "fuzz.sh: this clang has no libFuzzer; try Debian's libclang-rt-14-dev" >&2
	exit 3
}
failed=
for target; do
	ninja -C "$build" "tests/fuzz/libfuzzer_$target"
	mkdir -p "$build/corpus/$target"
	"$build/tests/fuzz/libfuzzer_$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$build/corpus/$target-" "$build/corpus/$target" || failed="$failed $target"
done
[ -z "$failed" ] || {
	echo "fuzz.sh: failed:$failed; the inputs are build-fuzz/corpus/TARGET-*" >&2
	exit 1
}
echo "fuzz.sh: $* ran $seconds s each, nothing found"
