#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The second half of `make bench`: an exec of a program that does nothing into a running container, brig against
# crun and runc, in one interleaved run. It reports; it fails only if something does not work. BENCH_ROUNDS says how
# many rounds (default 100).
id=bench-exec-$$

# crun refuses hosts with cgroups of both versions.
pure_v1=(unshare --mount --propagation private sh -c 'umount -l /sys/fs/cgroup/unified 2> /dev/null; exec "$@"' sh)

end() {
    "$brig" --root "$state/brig" delete --force "$id" 2> /dev/null || true
    "${pure_v1[@]}" "$crun" --root "$state/crun" delete --force "$id-crun" 2> /dev/null || true
    "$runc" --root "$state/runc" delete --force "$id-runc" 2> /dev/null || true
}
. benches/common.sh

compile bench
compile true -static
# shellcheck disable=SC2046 # pkg-config's words
compile execinside $(pkg-config --cflags --libs brig)

tests/lab/bundle.sh "$work/bundle" /bin/sleep 1000
cp "$work/true" "$work/bundle/rootfs/bin/nothing"
run=(run --detach --bundle "$work/bundle")
"$brig" --root "$state/brig" "${run[@]}" "$id" < /dev/null > /dev/null 2>&1
"${pure_v1[@]}" "$crun" --root "$state/crun" "${run[@]}" "$id-crun" < /dev/null > /dev/null 2>&1
"$runc" --root "$state/runc" "${run[@]}" "$id-runc" < /dev/null > /dev/null 2>&1

# measure GAP_MS
measure() {
    "$work/bench" "$rounds" "$1" \
        "library=inside:$work/execinside $state/brig $id /bin/nothing" \
        "brig=$brig --root $state/brig exec $id /bin/nothing" \
        "crun=pure-v1:$crun --root $state/crun exec $id-crun /bin/nothing" \
        "runc=$runc --root $state/runc exec $id-runc /bin/nothing" \
        < /dev/null
}

# table TITLE, with what measure printed as its input.
table() {
    echo
    echo "$1"
    echo
    awk '
        BEGIN { split("in a program that links libbrig|brig exec|crun exec|runc exec", says, "|") }
        { ms[$1] = $2; order[NR] = $1 }
        function target(one, other, limit, text) {
            printf "  %-52s %5.2f of %.2f  %s\n", text, ms[one] / ms[other], limit, ms[one] <= limit * ms[other] ? "ok" : "MISSED"
        }
        END {
            print "| command | ms | vs crun | vs runc |"
            print "|---|---:|---:|---:|"
            for (i = 1; i <= NR; i++)
                printf "| %s | %.2f | %.2f | %.2f |\n", says[i], ms[order[i]], ms[order[i]] / ms["crun"], ms[order[i]] / ms["runc"]
            print ""
            target("brig", "crun", 0.5, "brig exec against crun")
            target("brig", "runc", 0.15, "brig exec against runc")
            target("library", "crun", 0.35, "the library against crun")
        }'
}

echo
print_conditions
measure 0 | table "An exec of a program that does nothing, back to back:"
measure 30 | table "The same, after 30 ms of idleness:"
