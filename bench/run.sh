#!/bin/sh
# run.sh BUILD: builds and runs every benchmark against its peer, one after the other; files go to BUILD.
set -eu
build=${1:-build}

if [ -x "$build/peers/run" ]; then
    BENCH_PEER=$build/peers/run
    export BENCH_PEER
fi
ninja -C "$build" bench/bench_ring_nop bench/bench_cached_read bench/bench_direct_read bench/bench_wal >/dev/null
failed=0
"$build/bench/bench_ring_nop" || failed=1
"$build/bench/bench_cached_read" "$build" || failed=1
"$build/bench/bench_direct_read" "$build" || failed=1
"$build/bench/bench_wal" "$build" || failed=1
exit "$failed"
