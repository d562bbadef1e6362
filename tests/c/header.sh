#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The header in every dialect that a user may have, with every warning an error, and included twice.
set -eu

work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT
cat > "$work/twice.c" <<'END'
#include <brig.h>
#include <brig.h>

int main(void)
{
    brig_create_options options = BRIG_INIT(brig_create_options);
    brig_exit end = BRIG_INIT(brig_exit);
    return options.size == sizeof options && end.size == sizeof end && BRIG_VERSION_MAJOR == 0 ? BRIG_OK : 1;
}
END
cp "$work/twice.c" "$work/twice.cc"

passed=0 failed=0
dialect() {
    if "$1" "-std=$2" -pedantic -Wall -Wextra -Wshadow -Werror -I include -fsyntax-only "$3"; then
        passed=$((passed + 1))
    else
        echo "FAILED $1 -std=$2"
        failed=$((failed + 1))
    fi
}
for standard in c99 c11 c17 c2x; do
    dialect gcc "$standard" "$work/twice.c"
    dialect clang "$standard" "$work/twice.c"
done
for standard in c++11 c++14 c++17 c++20; do
    dialect g++ "$standard" "$work/twice.cc"
    dialect clang++ "$standard" "$work/twice.cc"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
