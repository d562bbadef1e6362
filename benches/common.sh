# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by the parts of `make bench`, from the top of the tree: what was built is installed into build/stage, $work and
# $state are directories that go again at the end, after what `end` does.
set -euo pipefail

rounds=${BENCH_ROUNDS:-100}
if [ "$(id -u)" -ne 0 ]; then
    echo "The benchmark makes cgroups and mounts: run it as root." >&2
    exit 1
fi

. tests/lab/stage.sh
work=$(mktemp -d)
# The runtimes' state lies on a tmpfs, as /run does on nearly every host.
state=$(mktemp -d -p /dev/shm)
# shellcheck disable=SC2034 # for who sources this
brig=$(command -v brig) crun=$(command -v crun) runc=$(command -v runc)

clean_up() {
    end
    rm -rf "${work:?}" "${state:?}"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# compile NAME [FLAG...]: benches/NAME.c into $work.
compile() {
    ${CC:-cc} -std=c11 -O2 -Wall -Wextra -o "$work/$1" "benches/$1.c" "${@:2}"
}

# How it was measured.
print_conditions() {
    echo "$rounds rounds each, medians; $(uname -r), $(nproc) CPUs; $("$crun" --version | head -n 1), $("$runc" --version | head -n 1)"
}
