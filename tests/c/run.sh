#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds every test of this directory against an installed brig, found by pkg-config alone, once with the
# shared library and once statically, and runs it. One line for each, then a summary.
set -eu

. tests/lab/stage.sh

work=$(mktemp -d)
# A test that gave up may have left a container.
clean_up() {
    local root id
    for root in "$work"/root-*; do
        [ -d "$root" ] || continue
        brig --root "$root" list --quiet | while read -r id; do
            brig --root "$root" delete --force "$id" || true
        done
    done
    rm -rf "${work:?}"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

export TEST_BUNDLES=$work/bundles
TEST_VERSION=$(pkg-config --modversion brig)
export TEST_VERSION

mkdir "$TEST_BUNDLES"
make_bundle() {
    tests/lab/bundle.sh "$TEST_BUNDLES/$1" "${@:2}"
}
make_bundle true /bin/true
make_bundle exit-7 /bin/sh -c 'exit 7'
make_bundle sleep /bin/sleep 1000
make_bundle read-7 /bin/sh -c 'read word && [ "$word" = yes ] && exit 7'
make_bundle write-1-3 /bin/sh -c 'echo one; echo three >&3'
make_bundle hog /bin/sh -c 'a=x; while :; do a=$a$a$a; done'
make_bundle thrash /bin/sh -c 'dd if=/dev/zero of=/big bs=1M count=64; while :; do cat /big; done > /dev/null'
make_bundle mkdir /bin/sh -c '/bin/mkdir /tmp/x || exit 33'
make_bundle no-program /no/such/program
make_bundle bad-program /bin/bad
printf '#!/no/such/interpreter\n' > "$TEST_BUNDLES/bad-program/rootfs/bin/bad"
chmod 755 "$TEST_BUNDLES/bad-program/rootfs/bin/bad"

# For checkpoint.c, where the one of this machine does not work.
criu=$(scripts/criu.sh target/criu)
PATH=${criu:+$criu:}$PATH

passed=0 failed=0
result() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok      $2"
    else
        failed=$((failed + 1))
        echo "FAILED  $2"
        head -n 12 "$work/log" | sed 's/^/        /'
    fi
}

# try NAME COMMAND...: passes if the command does; what it said is shown if not.
try() {
    local status=0
    "${@:2}" > "$work/log" 2>&1 || status=$?
    result "$status" "$1${3:+: $(tail -n 1 "$work/log")}"
}

compile() {
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -g -pthread -Wall -Wextra -Werror "$@"
}

for link in shared static; do
    flags=()
    [ "$link" = shared ] || flags=(-static)
    for source in tests/c/*.c; do
        name=$(basename "$source" .c)
        program=$work/$name-$link
        # shellcheck disable=SC2046 # pkg-config's words
        if ! compile "${flags[@]}" -o "$program" "$source" $(pkg-config ${flags[0]:+--static} --cflags --libs brig) \
            > "$work/log" 2>&1; then
            result 1 "$name ($link) does not compile"
            continue
        fi
        TEST_ROOT=$work/root-$name-$link try "$name ($link)" timeout 300 "$program"
    done
done

# Whatever the header declares is called in null.c.
for function in $(sed -n 's/^ *\(brig_[a-z_]*\);$/\1/p' abi/brig.map); do
    grep -q "$function(" tests/c/null.c || { echo "$function" > "$work/log"; result 1 "null.c does not call $function"; }
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
