#!/bin/sh
# run.sh BUILD: builds and runs every benchmark against its peer, one after the other; files go to BUILD.
set -eu
build=${1:-build}
image= mounted=

cleanup() {
    trap - EXIT INT TERM HUP
    [ -z "$mounted" ] || umount "$mounted"
    [ -z "$mounted" ] || rmdir "$mounted"
    [ -z "$image" ] || rm -f "$image"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Durable commits are measured on ext4 with a journal, as users have it: without one, as on some virtual machines, they
# look two to four times too cheap. Sets $mounted; without root it stays empty.
mount_journal() {
    [ "$(id -u)" = 0 ] && command -v mkfs.ext4 >/dev/null || return 0
    image=$(mktemp "$build/bench-ext4.XXXXXX")
    truncate -s 2G "$image"
    mkfs.ext4 -q "$image"
    point=$(mktemp -d "$build/bench-mount.XXXXXX")
    if mount -o loop "$image" "$point"; then mounted=$point; else rmdir "$point"; fi
}

if [ -x "$build/peers/run" ]; then
    BENCH_PEER=$build/peers/run
    export BENCH_PEER
fi
ninja -C "$build" bench/bench_ring_nop bench/bench_sim_ops bench/bench_cached_read bench/bench_direct_read \
    bench/bench_wal >/dev/null
failed=0
"$build/bench/bench_ring_nop" || failed=1
"$build/bench/bench_sim_ops" || failed=1
"$build/bench/bench_cached_read" "$build" || failed=1
"$build/bench/bench_direct_read" "$build" || failed=1
mount_journal
[ -n "$mounted" ] || echo "wal: no loop device with a journal (needs root): on the file system of $build instead"
${BENCH_PEER:-} "$build/bench/bench_wal" "${mounted:-$build}" || failed=1
ninja -C "$build" bench/bench_crash_states bench/bench_crash_record >/dev/null
"$build/bench/bench_crash_states" || failed=1
"$build/bench/bench_crash_record" "$build" || failed=1
if [ "$(id -u)" = 0 ]; then
    ninja -C "$build" sluice bench/bench_serve_client >/dev/null
    python3 "$(dirname "$0")/serve.py" "$build" || failed=1
    ninja -C "$build" bench/bench_proxy_peer >/dev/null
    python3 "$(dirname "$0")/proxy.py" "$build" || failed=1
else
    echo "serve, proxy: needs root, for a network namespace of its own: left out"
fi
exit "$failed"
