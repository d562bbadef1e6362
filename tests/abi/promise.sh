#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# promise.sh [HEADER MAP]: what was promised is still so: each function with its types and version (abi/libbrig.abi), the
# place of each member of a struct (abi/layout.txt, which src/ffi is held to as well), each constant and status
# (abi/constants.txt). promise.sh --write makes these files anew, for a release.
#
# libabigail reads types from debugging data, and is given a library that has those of brig.h and nothing else: each
# function that the header declares, without its code. That the header is what the library has, others check.
set -eu

write=
if [ "${1-}" = --write ]; then
    write=yes
    shift
fi
header=${1:-include/brig.h} map=${2:-abi/brig.map}
work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT

cp "$header" "$work/brig.h"
cp "$map" "$work/brig.map"
/usr/bin/python3 - "$work/brig.h" "$work/probe.c" > "$work/stubs.c" << 'END'
import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
plain = re.sub(r"//[^\n]*|/\*.*?\*/|^#[^\n]*", "", text, flags=re.DOTALL | re.MULTILINE)
print('#include "brig.h"')
for declaration in re.findall(r"^(?:const )?\w[\w ]*[ *]brig_\w+\([^;{}]*\)(?=;)", plain, flags=re.MULTILINE):
    print(declaration, "{ __builtin_trap(); }")
with open(sys.argv[2], "w", encoding="utf-8") as probe:
    print('#include <stdio.h>\n#include "brig.h"\nint main(void)\n{', file=probe)
    for members, struct in re.findall(r"typedef struct \{(.*?)\} (\w+);", plain, flags=re.DOTALL):
        for member in re.findall(r"(\w+);", members):
            place = f"offsetof({struct}, {member}), sizeof (({struct} *)0)->{member}"
            print(f'    printf("{struct}.{member} %zu %zu\\n", {place});', file=probe)
    print("}", file=probe)
END
(cd "$work" && cc -std=c11 -g -O0 -fPIC -shared -o libbrig.so -Wl,-soname,libbrig.so.0 -Wl,--version-script=brig.map \
    -Wl,--no-undefined-version stubs.c && cc -std=c11 -o probe probe.c && ./probe > layout.txt)
{
    echo '#include "brig.h"' | cc -I"$work" -E -dM -x c - |
        sed -n 's/^#define \(BRIG_[A-Z0-9_]*\) \(.*\)$/\1 \2/p' | grep -v '^BRIG_VERSION_\|^BRIG_H ' | LC_ALL=C sort
    sed -n 's/^ *\(BRIG_[A-Z_]*\) = \(-\?[0-9]*\),$/\1 \2/p' "$work/brig.h" | LC_ALL=C sort
} > "$work/constants.txt"

if [ -n "$write" ]; then
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-architecture "$work/libbrig.so" > abi/libbrig.abi
    cp "$work/constants.txt" "$work/layout.txt" abi/
    exit
fi

status=0
abidiff --no-added-syms --no-architecture --suppressions abi/accepted.ini abi/libbrig.abi "$work/libbrig.so" || status=1
# abidiff thinks little of members of one type that change places.
for list in constants.txt layout.txt; do
    if lost=$(grep -vxF -f "$work/$list" "abi/$list"); then
        printf '%s: has changed or is gone: %s\n' "$list" "$lost"
        status=1
    fi
done
exit "$status"
