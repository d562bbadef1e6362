#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# That promise.sh holds: on copies of the header and the map, what breaks programs must fail and what does not must
# pass.
set -eu

work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT

failed=0
# try VERDICT NAME SED [MAP-SED]: changes the copies, which must change, and asks.
try() {
    local verdict=broken
    sed -E "$3" include/brig.h > "$work/brig.h"
    sed -E "${4-}" abi/brig.map > "$work/brig.map"
    if cmp -s include/brig.h "$work/brig.h" && cmp -s abi/brig.map "$work/brig.map"; then
        verdict="nothing, since the test changed nothing"
    elif tests/abi/promise.sh "$work/brig.h" "$work/brig.map" > "$work/log" 2>&1; then
        verdict=kept
    fi
    if [ "$verdict" = "$1" ]; then
        echo "ok      $2: $1"
    else
        failed=1
        echo "FAILED  $2: $verdict, not $1"
        sed 's/^/        /' "$work/log"
    fi
}

broken=broken kept=kept
try $broken "a function is removed" '/^int brig_error_errno\(/d' '/brig_error_errno;/d'
try $broken "a function is renamed" 's/brig_error_errno\(/brig_error_number(/' 's/brig_error_errno;/brig_error_number;/'
try $broken "a function is of another version" '' 's/^BRIG_0\.1/BRIG_0.2/'
try $broken "a parameter is removed" 's/^(void brig_string_free\()char \*string/\1void/'
try $broken "a parameter has another type" 's/^(brig_status brig_spec_default\()uint64_t/\1uint32_t/'
try $broken "a result has another type" 's/^uint32_t brig_version_number/uint64_t brig_version_number/'
try $broken "a member has another type" 's/^    uint64_t flags;/    uint32_t flags, more;/'
try $broken "a member is removed" '/^    int rootfs_fd;/d'
try $broken "two members change places" \
    '/^    const char \*bundle;/{s/bundle/spec/;n;n;s/spec/bundle/}; /^typedef struct \{/,/^\}/{/const char \*bundle/{h}}'
try $broken "a member is put before others" 's/^    const char \*bundle;/    const char *image;\n&/'
try $broken "a status has another value" 's/^(    BRIG_ERR_EXISTS = )-4/\1-40/'
try $broken "a constant has another value" 's/^(#define BRIG_CREATE_SUPERVISED) 2/\1 1024/'
try $broken "a constant is removed" '/^#define BRIG_DELETE_FORCE/d'
try $kept "a function is added" 's/^void brig_string_free/int brig_string_length(const char *string);\n&/' \
    's/^( *)brig_string_free;/&\n\1brig_string_length;/'
try $kept "a member is added at the end" 's/^\} brig_create_options;/    uint64_t more;\n&/'
try $kept "a status is added" 's/^    BRIG_ERR_EXISTS = -4,/&\n    BRIG_ERR_TIRED = -99,/'
try $kept "a constant is added" 's/^#define BRIG_DELETE_FORCE 1/&\n#define BRIG_DELETE_SLOWLY 2/'
exit "$failed"
