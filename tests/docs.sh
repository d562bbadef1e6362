#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The documentation names only what is there: files that pages link to, and the tests in the table of docs/security.md.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
missing() {
    echo "$1: there is no $2" >&2
    status=1
}

for page in *.md docs/*.md $(find c-examples bindings -name '*.md' 2>/dev/null); do
    for link in $(grep -oE '\]\([^)# ]+' "$page" | sed 's/^](//' | grep -v '^https\?:' || true); do
        [ -e "$(dirname "$page")/$link" ] || missing "$page" "$link"
    done
done

# Its last column: `file` function, function; `file`
page=docs/security.md
while IFS= read -r column; do
    while IFS= read -r place; do
        file=$(grep -oE '`[^`]+`' <<< "$place" | tr -d '`')
        for root in . tests; do
            [ -e "$root/$file" ] && break
        done
        [ -e "$root/$file" ] || missing "$page" "$file"
        for function in $(sed 's/`[^`]*`//; s/,/ /g' <<< "$place"); do
            grep -q "fn $function()" "$root/$file" || missing "$page" "function $function in $file"
        done
    done < <(tr ';' '\n' <<< "$column")
done < <(sed -n '/^| advisory/,/^$/p' "$page" | sed 1,2d | grep . | awk -F'|' '{ print $(NF - 1) }')
exit "$status"
