#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds every test of this directory against an installed brig, found by pkg-config alone, once with the
# shared library, once statically and once with the sanitizers, and runs it. One line for each, then a summary.
# An argument is the name of the only test to run.
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

# How to build, and what is said about it. With the sanitizers, memory that is given back twice, never or too early
# is an error on either side of the ABI: the library has the program's malloc.
flags_of() {
    case $1 in
        shared) ;;
        static) echo -static ;;
        sanitized) echo -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer ;;
    esac
}

# build MODE SOURCE PROGRAM
build() {
    local static
    [ "$1" != static ] || static=--static
    # shellcheck disable=SC2046 # words of flags
    ${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -g -pthread -Wall -Wextra -Werror $(flags_of "$1") -o "$3" "$2" \
        $(pkg-config ${static-} --cflags --libs brig)
}

export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
for mode in shared static sanitized; do
    for source in tests/c/${1:-*}.c; do
        name=$(basename "$source" .c)
        program=$work/$name-$mode
        if ! build "$mode" "$source" "$program" > "$work/log" 2>&1; then
            result 1 "$name ($mode) does not compile"
            continue
        fi
        TEST_ROOT=$work/root-$name-$mode try "$name ($mode)" timeout 300 "$program"
    done
done

# By valgrind too, which sees every instruction of the library, what it can follow: a test that starts no process.
if [ -x "$work/outside-shared" ]; then
    TEST_ROOT=$work/root-outside-valgrind try "outside (valgrind)" timeout 300 \
        valgrind --quiet --leak-check=full --error-exitcode=1 --child-silent-after-fork=yes \
        "$work/outside-shared" without-pidfds
fi

# On a hybrid host the unified hierarchy tells of memory pressure; without it version 1 does.
if [ -x "$work/monitor-shared" ] && [ -d /sys/fs/cgroup/unified ]; then
    # shellcheck disable=SC2016 # for the inner shell
    TEST_ROOT=$work/root-monitor-v1 try "monitor (cgroup version 1 alone)" timeout 300 unshare --mount --propagation private \
        sh -c 'umount /sys/fs/cgroup/unified && exec "$1"' sh "$work/monitor-shared"
fi

# Whatever the header declares is called with NULL where it takes a pointer, and really used somewhere.
for function in $(sed -n 's/^ *\(brig_[a-z_]*\);$/\1/p' abi/brig.map); do
    grep -q "$function(" tests/c/null_calls.h tests/c/null.c || { echo "$function" > "$work/log"; result 1 "null.c does not call $function"; }
    grep -q "$function(" $(ls tests/c/*.[ch] c-examples/*.c | grep -v null) ||
        { echo "$function" > "$work/log"; result 1 "no test or example uses $function"; }
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
