#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything that `make test` runs. Each part says what it is; all of them run, and one that fails fails the whole.
set -eu

if [ "$(id -u)" -ne 0 ]; then
    echo "The tests make cgroups and mounts: run them as root." >&2
    exit 1
fi

failed=()
part() {
    local name=$1
    shift
    echo
    echo "== $name"
    "$@" || failed+=("$name")
}

schema=/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema
features() {
    if [ ! -e "$schema/features-schema.json" ]; then
        echo "skip: features: Debian's package of the schema has none of them here, that of Debian 13 has: make test-vm" >&2
        return
    fi
    build/brig features > "$scratch/features.json" &&
        /usr/bin/python3 -W ignore tests/schema/features.py "$schema" "$scratch/features.json"
}

scratch=$(mktemp -d)
before=$scratch/before
trap 'rm -rf "${scratch:?}"' EXIT
tests/leftovers.sh before "$before"

part "unit tests and tests of the Rust side" cargo test --quiet --workspace --no-fail-fast
part "undo: a failure or a crash at any step" cargo test --quiet --package brig-cli --features fault-injection --test oci undo
part "a crash of the command" cargo test --quiet --package brig-cli --features fault-injection --test cli crash
part "the header in every dialect" tests/c/header.sh
part "header, map and exports agree" cargo xtask abi --check
part "the header is what src/ffi says" cargo xtask header --check
part "the ABI is what was promised" tests/abi/promise.sh
part "what would break the promise is noticed" tests/abi/gate.sh
part "Rust clients see the C ABI and nothing else" tests/abi/surface.sh
part "the documentation names what is there" tests/docs.sh
part "the published schema of the specification" /usr/bin/python3 -W ignore tests/schema/check.py build/libbrig.so
part "the features by the same schema" features
part "install and uninstall" tests/install.sh
part "C programs against an installed brig" tests/c/run.sh
part "the same behaviour from C, Python and Go" tests/behaviour/run.sh
part "the examples, from C and from Python" tests/examples.sh
part "the guide, as a reader would follow it" tests/guide.sh
part "nothing is left behind" tests/leftovers.sh after "$before"

echo
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "All parts passed."
