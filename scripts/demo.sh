#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What `make demo` shows: the same container, once from C through the library, once through the command.
set -eu

if [ "$(id -u)" -ne 0 ]; then
    echo "The demo makes cgroups and mounts: run it as root." >&2
    exit 1
fi

. tests/lab/stage.sh

work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT
trap 'exit 130' INT TERM

tests/lab/bundle.sh "$work/bundle" /bin/sh -c \
    'echo "Hello from $(hostname): I am process $$ and user $(id -u)."; echo "/ has" $(ls /)'
make --silent --no-print-directory -C c-examples clean run

# show NAME COMMAND...: runs it, keeps what it prints, and says how long it took.
show() {
    name=$1
    shift
    echo
    echo "\$ $*" | sed "s|$work/||g; s|$PWD/||g"
    before=$(date +%s%N)
    "$@" > "$work/$name"
    after=$(date +%s%N)
    sed 's/^/  /' "$work/$name"
    echo "  (created, run, waited for and deleted in $(((after - before) / 1000000)) ms)"
}

echo "A bundle is a directory with a config.json and a root filesystem. Here is one with busybox,"
echo "run once by c-examples/run.c, built with nothing but \`pkg-config --cflags --libs brig\`,"
echo "and once by the brig command."

show library c-examples/run "$work/bundle" "demo-c-$$"
show command brig run --bundle "$work/bundle" "demo-cli-$$"

echo
if ! cmp -s "$work/library" "$work/command"; then
    echo "The two differ: that is a bug." >&2
    exit 1
fi
size() {
    ls -lL "$1" | awk '{ printf "%.1f MB", $5 / 1e6 }'
}
echo "Both printed the same. libbrig.so is $(size build/libbrig.so), the static command $(size build/brig)."
