#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# leftovers.sh before FILE   notes what the machine has
# leftovers.sh after FILE    fails if there is more now: cgroups, mounts, state, processes in namespaces
set -eu

snapshot() {
    find /sys/fs/cgroup -type d -printf 'cgroup %p\n'
    awk '{ print "mount", $5, "of", $(NF - 2) }' /proc/self/mountinfo
    [ ! -d /run/brig ] || find /run/brig -mindepth 1 -maxdepth 1 -printf 'state %p\n'
    local process namespace ours
    ours=$(readlink /proc/self/ns/mnt)
    for process in /proc/[0-9]*; do
        namespace=$(readlink "$process/ns/mnt" 2>/dev/null) || continue
        [ "$namespace" = "$ours" ] || echo "process ${process#/proc/} $(tr '\0' ' ' < "$process/cmdline" 2>/dev/null)"
    done
}

# A cgroup with a process of this mount namespace in it is somebody else's: another login, say.
without_the_living() {
    local line process ours
    ours=$(readlink /proc/self/ns/mnt)
    while read -r line; do
        for process in $(cat "${line#cgroup }/cgroup.procs" 2>/dev/null); do
            [ "$(readlink "/proc/$process/ns/mnt" 2>/dev/null)" != "$ours" ] || continue 2
        done
        echo "$line"
    done
}

file=${2:?usage: leftovers.sh before|after FILE}
case $1 in
    before) snapshot | LC_ALL=C sort > "$file" ;;
    after)
        # A killed orphan is gone only when PID 1 has reaped it, which may take a second or two.
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            new=$(snapshot | LC_ALL=C sort | LC_ALL=C comm -13 "$file" - | without_the_living)
            [ -n "$new" ] || exit 0
            sleep 0.5
        done
        printf 'left behind:\n%s\n' "$new" >&2
        exit 1
        ;;
    *) exit 2 ;;
esac
