#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A Rust client, the brig command among them, can reach what the C ABI has and nothing behind it: the
# compiler must accept the first line below and refuse all the others.
set -eu

work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT
mkdir "$work/src"
cat > "$work/Cargo.toml" <<END
[package]
name = "surface"
version = "0.0.0"
edition = "2024"

[dependencies]
brig = { path = "$PWD" }

[workspace]
END
cp Cargo.lock "$work/Cargo.lock"

compiles() {
    printf '#![allow(unused_imports)]\n%s\nfn main() {}\n' "$1" > "$work/src/main.rs"
    CARGO_TARGET_DIR=target/surface cargo check --quiet --manifest-path "$work/Cargo.toml" 2> "$work/why"
}

passed=0 failed=0
result() {
    if [ "$1" = "$2" ]; then
        passed=$((passed + 1))
    else
        echo "FAILED $3: $2, not $1"
        cat "$work/why"
        failed=$((failed + 1))
    fi
}

try() {
    if compiles "$2"; then
        result "$1" accepted "$2"
    elif grep -qE 'error\[E0603\]|error\[E0432\]|error\[E0616\]' "$work/why"; then
        result "$1" refused "$2"
    else
        result "$1" broken "$2"
    fi
}

try accepted 'use brig::{brig_container_create, brig_create_options, brig_error, brig_version, BRIG_DELETE_FORCE};'
for room in cgroup container error ffi launch log plan spec sys; do
    try refused "use brig::$room::*;"
done
try refused 'use brig::Container;'
try refused 'fn peek(error: &brig::brig_error) -> i32 { error.errno }'

# And the root of the crate has no door but this one.
if [ "$(grep -cE '^ *pub ' src/lib.rs)" = 1 ] && grep -qx 'pub use ffi::\*;' src/lib.rs; then
    passed=$((passed + 1))
else
    echo "FAILED src/lib.rs exports more than ffi"
    failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
