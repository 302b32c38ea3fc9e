#!/bin/sh
# tidy.sh: clang-tidy (.clang-tidy has the checks) and cppcheck over the library and the command.
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh tidy || exit 3
[ -f build-tidy/build.ninja ] || CC=clang meson setup build-tidy
ninja -C build-tidy product
files=$(git ls-files 'src/*.c' 'tools/*.c' 'examples/*.c')
code=0
echo "$files" | xargs -n 1 -P "$(nproc)" clang-tidy -p build-tidy --quiet || code=1
# It reads no system header but this one, whose loops it would take for unknown words.
queue=$(echo '#include <sys/queue.h>' | ${CC:-cc} -E -x c - | sed -n 's|^# 1 "\(.*/sys/queue.h\)".*|\1|p')
cppcheck --quiet --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
	--suppress=missingIncludeSystem --include="$queue" --std=c11 -I include -I src -I . $files || code=1
exit $code
