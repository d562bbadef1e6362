#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [NAME...]: what `make test-vm` runs: tests/oci and tests/table in a guest with systemd, the unified cgroup
# hierarchy alone and AppArmor, and what is about labels in a second one with SELinux. With arguments, which go to the
# test program (names of tests, --skip NAME), only tests/oci in the first guest; with --table, only tests/table in both,
# for the document that is to be written.
#
# The guests' images are made once, in VM_DIR. What the table came to is in VM_DIR/results afterwards.
#
# VM_GUESTS  which guests without such arguments (default: systemd selinux)
# VM_ENV     variables for the tests (NAME=value ...)
# VM_THREADS how many tests at a time (default: 3)
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

images=${VM_DIR:-target/vm}
results=$images/results
work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT
job=$work/job
mkdir "$job"

# The test programs, and at the path where they look for the command that command: not the one that was built with them
# but the released one, which is several times as fast in here.
stage() {
    local programs
    programs=$(cargo test --quiet --package brig-cli --test oci --test table --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p') || return
    local program
    for program in $programs; do
        case $(basename "$program") in
            brig)
                install -D build/brig "$job/tree$program"
                command=$program
                ;;
            oci-*) strip -g -o "$job/oci" "$program" ;;
            table-*) strip -g -o "$job/table" "$program" ;;
        esac
    done
    mkdir -p "$job/tree$PWD/target" target
    cc -std=c11 -D_GNU_SOURCE -O1 -static -pthread -o "$job/tree$PWD/target/checkpoint-worker" \
        tests/oci/checkpoint/worker.c || return
    cc -std=c11 -D_GNU_SOURCE -O1 -static -o "$job/hold" tests/vm/hold.c || return
    mkdir -p "$job/tree$PWD/tests/oci" "$job/tree$PWD/cli" "$job/tree$PWD/docs"
    cp -r tests/oci/plans "$job/tree$PWD/tests/oci/"
    cp -r tests/table "$job/tree$PWD/tests/"
    [ "$1" = --table ] || cp docs/spec.md "$job/tree$PWD/docs/"
    test -x "$job/oci" && test -x "$job/table"
}

# script COMMAND...: writes what the guest is to do, each a line; all of it is done, also after a failure.
script() {
    echo '#!/bin/sh'
    # The kernel patches its scheduler for the first CPU quota, and back after the last one; under emulation another
    # processor may trip over that while it runs the same code. This one stays.
    echo 'mkdir /sys/fs/cgroup/quota && echo 50000 100000 > /sys/fs/cgroup/quota/cpu.max'
    echo '/job/hold &'
    echo 'modprobe -a loop bfq && echo bfq > /sys/block/loop0/queue/scheduler'
    echo 'cp -r /job/tree/. / && cd /tmp && read -r up _ < /proc/uptime && echo "test-vm: the guest was up in $up s"'
    echo 'status=0'
    printf '%s || status=1\n' "$@"
    echo 'exit $status'
}

# boot GUEST IMAGE COMMAND...: has the guest do that.
boot() {
    local guest=$1 image=$2
    shift 2
    script "$@" > "$job/run.sh"
    chmod +x "$job/run.sh"
    rm -rf "${results:?}/$guest"
    tests/vm/boot.sh "$image" "$job" "$results/$guest"
}

# The words of a command that runs tests/oci with these arguments.
oci() {
    printf 'env %s /job/oci --test-threads=%q' "${VM_ENV:-}" "${VM_THREADS:-3}"
    [ $# -eq 0 ] || printf ' %q' "$@"
}

# table GUEST [ROWS]: the same of tests/table.
table() {
    printf 'env BRIG_TABLE=record BRIG_TABLE_GUEST=%q BRIG_TABLE_RESULTS=/results/table.json ' "$1"
    [ $# -eq 1 ] || printf 'BRIG_TABLE_ROWS=%q ' "$2"
    printf '/job/table every_field_is_honoured'
}

# The features that the guests and this machine have, against the schema of the specification.
features() {
    "$command" features > "$results/features.json"
    local file
    for file in "$results/features.json" "$results"/*/features.json; do
        /usr/bin/python3 -W ignore tests/schema/features.py "$images/schema" "$file"
    done
}

part "the image" tests/vm/image.sh "$images"
part "the build" stage "${1:-}"
if [ "${1:-}" != --table ] && [ $# -gt 0 ]; then
    part "the guest" boot systemd "$images" "$(oci "$@")"
    exit
fi
features_of_guest="$command features > /results/features.json"
labels=process.selinuxLabel,linux.mountLabel
mapfile -t tests < <([ $# -gt 0 ] || { oci; echo; })
mapfile -t selinux_tests < <([ $# -gt 0 ] || { oci labels::; echo; })

failed=0
guests=" ${VM_GUESTS:-systemd selinux} "
case $guests in *' systemd '*)
    part "the guest" boot systemd "$images" "${tests[@]}" "$(table systemd)" "$features_of_guest" || failed=1
    ;;
esac
case $guests in *' selinux '*)
    # Its C library is that of Debian 12.
    if getconf GNU_LIBC_VERSION | grep -q ' 2\.\([12][0-9]\|3[0-6]\)$'; then
        part "the image with SELinux" tests/vm/image.sh "$images/selinux" selinux
        part "the guest with SELinux" boot selinux "$images/selinux" \
            "${selinux_tests[@]}" "$(table selinux "$labels")" "$features_of_guest" || failed=1
    else
        echo "skip: test-vm: SELinux: its guest is Debian 12, where programs of this machine's C library do not run" >&2
    fi
    ;;
esac
part "the features against the schema" features || failed=1
exit "$failed"
