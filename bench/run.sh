#!/bin/sh
# run.sh BUILD: builds and runs every benchmark against its peer, one after the other.
set -eu
build=${1:-build}

failed=0
for source in "$(dirname "$0")"/*.c; do
    name=bench_$(basename "$source" .c)
    ninja -C "$build" "bench/$name" >/dev/null
    printf '%s\n' "== $name"
    "$build/bench/$name" || failed=1
done
exit "$failed"
