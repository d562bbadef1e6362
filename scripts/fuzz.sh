#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh: what `make fuzz` runs: libFuzzer on brig_spec_validate() for FUZZ_SECONDS (default 600), from a corpus that brig
# makes itself. Stable Rust will do: the flags below are those that cargo-fuzz gives to a nightly one, without the
# address sanitizer. What is found is kept in fuzz/corpus for the next time, and an input that fails in fuzz/failures.
set -eu

seconds=${FUZZ_SECONDS:-600}
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="-C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
-C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
-C llvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -C codegen-units=1"
export RUSTFLAGS
# With a target, the flags are not those of build scripts.
cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$host" --target-dir target/fuzz

mkdir -p fuzz/corpus fuzz/failures
for seed in fuzz/seeds/*.json; do
    cp "$seed" fuzz/corpus/
done
# Every key and every name of the seeds is a word to play with.
grep -oh '"[^"\\]*"' fuzz/seeds/*.json | sort -u | sed 's/"\(.*\)"/"\\"\1\\""/' > target/fuzz/words
exec "target/fuzz/$host/release/validate" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=16384 \
    -print_final_stats=1 -dict=target/fuzz/words -artifact_prefix=fuzz/failures/ fuzz/corpus
