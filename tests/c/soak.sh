#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# soak.sh N: N containers, created, started, waited for and deleted by one program, which must not grow.
set -eu

. tests/lab/stage.sh

work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/bundles"
tests/lab/bundle.sh "$work/bundles/true" /bin/true
# shellcheck disable=SC2046 # pkg-config's words
${CC:-cc} -std=c11 -D_GNU_SOURCE -O1 -pthread -o "$work/loop" tests/c/loop.c $(pkg-config --cflags --libs brig)
TEST_BUNDLES=$work/bundles TEST_ROOT=$work/root "$work/loop" "$1"
