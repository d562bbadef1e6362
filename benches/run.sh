#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What `make bench` runs: brig against a hand-written floor, crun and runc, in one interleaved run a table.
# It reports; it fails only if something does not work. BENCH_ROUNDS says how many rounds (default 100).
parent=brig-bench-$$
end() {
    local directory
    for directory in /sys/fs/cgroup/*/"${parent:?}"; do
        [ ! -d "$directory" ] || find "$directory" -depth -type d -exec rmdir {} +
    done
}
. benches/common.sh

# --- what is measured -----------------------------------------------------------------------------

compile bench
compile bpf -lseccomp
compile floor -static
compile true -static
# shellcheck disable=SC2046 # pkg-config's words
compile inprocess $(pkg-config --cflags --libs brig)

mkdir -p "$work/rootfs"/{bin,dev,proc,sys}
cp "$work/true" "$work/rootfs/bin/true"
for bundle in plain seccomp limits; do
    mkdir "$work/$bundle"
    cp -a "$work/rootfs" "$work/$bundle/rootfs"
    tests/lab/bundle.sh "$work/$bundle" /bin/true
done
awk -v profile="$(cat benches/seccomp.json)" '{ print } /^    "linux": \{/ { print "\"seccomp\":", profile, "," }' \
    "$work/plain/config.json" > "$work/seccomp/config.json"
"$work/bpf" benches/seccomp.json > "$work/filter"

# What clients ask for, with values that do not slow the program down: measured is how long it takes to set them.
cpus=$(cat /sys/fs/cgroup/cpuset/cpuset.cpus)
sed -i 's|"resources": {|&\
    "memory": { "limit": 67108864, "reservation": 33554432, "swap": 134217728 },\
    "cpu": { "shares": 1024, "quota": 400000, "period": 100000, "cpus": "'"$cpus"'", "mems": "0" },\
    "pids": { "limit": 100 },\
    "blockIO": { "weight": 300 },|' "$work/limits/config.json"
cat > "$work/limits/list" << LIST
memory memory.limit_in_bytes 67108864
memory memory.memsw.limit_in_bytes 134217728
memory memory.soft_limit_in_bytes 33554432
cpu cpu.shares 1024
cpu cpu.cfs_quota_us 400000
cpu cpu.cfs_period_us 100000
pids pids.max 100
blkio blkio.bfq.weight 300
cpuset cpuset.cpus $cpus
cpuset cpuset.mems 0
LIST

for hierarchy in /sys/fs/cgroup/*/; do
    mkdir "$hierarchy$parent"
done
for file in cpuset.cpus cpuset.mems; do
    cat "/sys/fs/cgroup/cpuset/$file" > "/sys/fs/cgroup/cpuset/$parent/$file"
done

floor_plain="$work/floor $parent/@N@ $work/plain/rootfs - - /bin/true"
floor_seccomp="$work/floor $parent/@N@ $work/seccomp/rootfs $work/filter - /bin/true"
floor_limits="$work/floor $parent/@N@ $work/limits/rootfs - $work/limits/list /bin/true"

# measure FILE GAP_MS BUNDLE FLOOR: one table's worth.
measure() {
    "$work/bench" "$rounds" "$2" \
        "floor=$4" \
        "library=inside:$work/inprocess $state/library $work/$3 16 all" \
        "brig=$brig --root $state/brig run --bundle $work/$3 bench-$$-@N@" \
        "crun=pure-v1:$crun --root $state/crun run --bundle $work/$3 bench-$$-@N@" \
        "runc=$runc --root $state/runc run --bundle $work/$3 bench-$$-@N@" \
        < /dev/null > "$work/$1"
}

# --- how it is shown ------------------------------------------------------------------------------

table() {
    echo
    echo "$2"
    echo
    awk '
        { ms[$1] = $2; order[NR] = $1 }
        END {
            split("a hand-written C program|in a program that links libbrig|brig run|crun run|runc run", says, "|")
            print "| command | ms | × floor | vs crun | vs runc |"
            print "|---|---:|---:|---:|---:|"
            for (i = 1; i <= NR; i++) {
                it = ms[order[i]]
                printf "| %s | %.2f | %.2f | %.2f | %.2f |\n", says[i], it, it / ms["floor"], it / ms["crun"], it / ms["runc"]
            }
        }' "$work/$1"
}

# target FILE ONE OTHER LIMIT TEXT
target() {
    awk -v one="$2" -v other="$3" -v limit="$4" -v text="$5" '
        { ms[$1] = $2 }
        END {
            ratio = ms[one] / ms[other]
            printf "  %-52s %5.2f of %.2f  %s\n", text, ratio, limit, ratio <= limit ? "ok" : "MISSED"
        }' "$work/$1"
}

print_conditions

measure busy 0 plain "$floor_plain"
table busy "A container of the default spec that runs /bin/true, back to back:"
measure idle 30 plain "$floor_plain"
table idle "The same, after 30 ms of idleness:"
measure filtered 0 seccomp "$floor_seccomp"
table filtered "With a seccomp profile of 351 names and 3 architectures, back to back:"

# The large host has 8 GiB, or half of what is free.
large=$(awk '/^MemAvailable/ { mib = $2 / 2048; print int(mib < 8192 ? mib : 8192) }' /proc/meminfo)
"$work/bench" "$rounds" 0 \
    "small=inside:$work/inprocess $state/library $work/plain 16 create" \
    "large=inside:$work/inprocess $state/library $work/plain $large create" > "$work/host"
echo
awk -v mib="$large" '{ ms[$1] = $2 } END {
    printf "Creating one in a program that holds 16 MiB: %.2f ms; that holds %d MiB: %.2f ms.\n", ms["small"], mib, ms["large"]
}' "$work/host"


# Side by side with those without, since it is the difference that counts.
"$work/bench" "$rounds" 0 \
    "floor=$floor_plain" \
    "floor+limits=$floor_limits" \
    "brig=$brig --root $state/brig run --bundle $work/plain bench-$$-@N@" \
    "brig+limits=$brig --root $state/brig run --bundle $work/limits bench-$$-@N@" \
    < /dev/null > "$work/limited"
awk '{ ms[$1] = $2 } END {
    printf "Ten limits on memory, processors, processes and disks: %.2f ms for the floor, %.2f ms for brig run.\n",
        ms["floor+limits"] - ms["floor"], ms["brig+limits"] - ms["brig"]
    print "allowed", ms["brig"] + ms["floor+limits"] - ms["floor"]
}' "$work/limited" > "$work/difference"
head -n 1 "$work/difference"
tail -n 1 "$work/difference" >> "$work/limited"

echo
echo "Targets:"
target busy brig floor 1.5 "brig run against the floor, back to back"
target idle brig floor 1.5 "brig run against the floor, idle"
target busy brig crun 0.60 "brig run against crun, back to back"
target busy brig runc 0.25 "brig run against runc, back to back"
target idle brig crun 0.30 "brig run against crun, idle"
target filtered brig crun 0.35 "with seccomp against crun, back to back"
target filtered brig runc 0.15 "with seccomp against runc, back to back"
target host large small 1.15 "create in a large program against a small one"
target limited brig+limits allowed 1.15 "with limits against without, and what they cost the floor"
