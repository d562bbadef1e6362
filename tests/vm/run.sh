#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What `make test-vm` runs: tests/oci in a guest with systemd and the unified cgroup hierarchy alone. The guest's image
# is made once, in VM_DIR; arguments go to the test program (names of tests, --skip NAME).
set -euo pipefail

if [ "$(id -u)" -ne 0 ]; then
    echo "The guest's image is made by chroot and mknod: run this as root." >&2
    exit 1
fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "skip: test-vm: its guest is an x86-64 one" >&2
    exit 0
fi

part() {
    local name=$1 start=$SECONDS status=0
    shift
    "$@" || status=$?
    echo "test-vm: $name took $((SECONDS - start)) s"
    return "$status"
}

image=${VM_DIR:-target/vm}
job=$(mktemp -d)
trap 'rm -rf "${job:?}"' EXIT

# The test program, and at the path where it looks for the command that command: not the one that was built with it but
# the released one, which is several times as fast in here.
stage() {
    local programs
    programs=$(cargo test --quiet --package brig-cli --test oci --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p') || return
    local program
    for program in $programs; do
        case $(basename "$program") in
            brig) install -D build/brig "$job/tree$program" ;;
            oci-*) strip -g -o "$job/oci" "$program" ;;
        esac
    done
    mkdir -p "$job/tree$PWD/target" target
    cc -std=c11 -D_GNU_SOURCE -O1 -static -pthread -o "$job/tree$PWD/target/checkpoint-worker" \
        tests/oci/checkpoint/worker.c || return
    mkdir -p "$job/tree$PWD/tests/oci" "$job/tree$PWD/cli"
    cp -r tests/oci/plans "$job/tree$PWD/tests/oci/"
    test -x "$job/oci"
}

{
    echo '#!/bin/sh'
    # The kernel patches its scheduler for the first CPU quota, and back after the last one; under emulation another
    # processor may trip over that while it runs the same code. This one stays.
    echo 'mkdir /sys/fs/cgroup/quota && echo 50000 100000 > /sys/fs/cgroup/quota/cpu.max'
    echo 'cp -r /job/tree/. / && cd /tmp && read -r up _ < /proc/uptime && echo "test-vm: the guest was up in $up s"'
    printf 'exec env %s /job/oci --test-threads=%q' "${VM_ENV:-}" "${VM_THREADS:-3}"
    [ $# -eq 0 ] || printf ' %q' "$@"
    echo
} > "$job/run.sh"
chmod +x "$job/run.sh"

part "the image" tests/vm/image.sh "$image"
part "the build" stage
part "the guest" tests/vm/boot.sh "$image" "$job"
