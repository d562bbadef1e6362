#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# boot.sh DIR JOB RESULTS: boots the guest that image.sh made in DIR, has it run JOB/run.sh as root, shows what that prints,
# and ends with its status. JOB is a directory, of which the guest has a copy at /job. What the job leaves in /results is
# in the directory RESULTS afterwards; nothing else of the guest stays.
#
# VM_ACCEL    how to run its code: tcg, which works everywhere, or kvm (default: tcg)
# VM_MEMORY   its memory in MB (default: 3072)
# VM_PATIENCE how many seconds it may run (default: 2400)
set -euo pipefail

directory=${1:?usage: boot.sh DIR JOB RESULTS}
job=${2:?usage: boot.sh DIR JOB RESULTS}
results=${3:?usage: boot.sh DIR JOB RESULTS}
accel=${VM_ACCEL:-tcg}
[ "$accel" != tcg ] || accel=tcg,thread=multi,tb-size=512

work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT
tar -C "$job" -cf "$work/job.tar" .
# A tar of the results is written to it.
truncate -s 16M "$work/results.tar"

append="console=ttyS0 quiet loglevel=3 panic=-1 nokaslr mitigations=off tsc=reliable no_timer_check"
append+=" random.trust_cpu=on cryptomgr.notests net.ifnames=0"
append+=" systemd.show_status=0 systemd.log_level=warning systemd.tty.term.ttyS0=dumb systemd.tty.term.console=dumb"
[ ! -e "$directory/append" ] || append+=" $(cat "$directory/append")"

# Of what the guest says, this is for us alone.
noise='^guest-status: \|sysrq: Power Off\|reboot: Power down'

set +e
# What the guest writes to its image stays in a temporary file of QEMU's (snapshot=on).
timeout -k 5 "${VM_PATIENCE:-2400}" qemu-system-x86_64 -accel "$accel" -machine q35 -cpu max \
    -smp "$(nproc)" -m "${VM_MEMORY:-3072}" -nodefaults -no-user-config -display none -no-reboot -serial stdio \
    -kernel "$directory/vmlinuz" -initrd "$directory/initrd" -append "$append" \
    -drive "if=none,id=root,file=$directory/root.ext4,format=raw,snapshot=on,cache=unsafe" \
    -device virtio-blk-pci,drive=root \
    -drive "if=none,id=job,file=$work/job.tar,format=raw,readonly=on" \
    -device virtio-blk-pci,drive=job \
    -drive "if=none,id=results,file=$work/results.tar,format=raw,cache=unsafe" \
    -device virtio-blk-pci,drive=results \
    < /dev/null | tee "$work/console" | grep --line-buffered -v "$noise"
ended=${PIPESTATUS[0]}
set -e

mkdir -p "$results"
tar -C "$results" -xf "$work/results.tar" 2> /dev/null || true
status=$(sed -n 's/^guest-status: \([0-9]*\)\r*$/\1/p' "$work/console" | tail -n 1)
if [ -z "$status" ]; then
    echo "test-vm: the guest ended without a result (QEMU's status is $ended; 124 means that time was up)" >&2
    exit 125
fi
exit "$status"
