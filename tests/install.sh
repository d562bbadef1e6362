#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs into directories of odd names, looks at what came there, and takes it away again: nothing of ours is left
# then, and what others have there is. Every shell reads its completions, and the manual pages are well-formed.
set -eu

work=$(mktemp -d)
trap 'rm -rf "${work:?}"' EXIT

passed=0 failed=0
check() {
    local name=$1
    shift
    if "$@" > "$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        head -n 20 "$work/log" | sed 's/^/        /'
    fi
}

stage="$work/a stage"
setup=(DESTDIR="$stage" PREFIX=/opt/brig LIBDIR=/opt/brig/lib64 INCLUDEDIR=/opt/brig/include/brig-0)
make_it() {
    make --silent --no-print-directory "$1" "${setup[@]}"
}
check "make install" make_it install

version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
expected() {
    cat <<FILES
bin/brig
include/brig-0/brig.h
lib64/libbrig.a
lib64/libbrig.so
lib64/libbrig.so.0
lib64/libbrig.so.$version
lib64/pkgconfig/brig.pc
share/bash-completion/completions/brig
share/fish/vendor_completions.d/brig.fish
share/man/man1/brig.1
share/man/man3/libbrig.3
share/zsh/site-functions/_brig
FILES
    # One page for each command that the installed program has.
    "$stage/opt/brig/bin/brig" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -vx help |
        sed 's|.*|share/man/man1/brig-&.1|'
}
same_files() {
    diff <(expected | LC_ALL=C sort) <(cd "$stage/opt/brig" && find . ! -type d -printf '%P\n' | LC_ALL=C sort)
}
check "what is installed" same_files
check "nothing outside of the prefix" test "$(ls "$stage")" = opt
check "the links" test "$(readlink "$stage/opt/brig/lib64/libbrig.so")" = libbrig.so.0

pc() {
    PKG_CONFIG_PATH="$stage/opt/brig/lib64/pkgconfig" pkg-config "$@" brig | sed 's/ *$//'
}
check "brig.pc: version" test "$(pc --modversion)" = "$version"
check "brig.pc: compile" test "$(pc --cflags)" = "-I/opt/brig/include/brig-0"
check "brig.pc: shared" test "$(pc --libs)" = "-L/opt/brig/lib64 -lbrig"
check "brig.pc: static" grep -q -- "-lbrig .*-lpthread.*-lseccomp" <(pc --static --libs)

for page in "$stage"/opt/brig/share/man/man*/*; do
    check "${page##*/} is well-formed" mandoc -T lint -W error "$page"
done
check "brig.1 names its commands" grep -q '^brig\\-create(1)' "$stage/opt/brig/share/man/man1/brig.1"

# shellcheck disable=SC2016 # for the other shells
bash_completes='source "$1"; COMP_WORDS=(brig cr); COMP_CWORD=1; _brig brig cr brig; [[ " ${COMPREPLY[*]} " == *" create "* ]]'
check "bash completes" bash -c "$bash_completes" bash "$stage/opt/brig/share/bash-completion/completions/brig"
check "zsh reads its completions" zsh -n "$stage/opt/brig/share/zsh/site-functions/_brig"
fish_completes() {
    HOME=$work fish --no-config -c "source '$stage/opt/brig/share/fish/vendor_completions.d/brig.fish'; complete -C 'brig cr'" |
        grep -q '^create'
}
check "fish completes" fish_completes

echo mine > "$stage/opt/brig/lib64/libother.so"
check "make uninstall" make_it uninstall
check "only what others have is left" test "$(cd "$stage" && find . ! -type d)" = ./opt/brig/lib64/libother.so
rm "$stage/opt/brig/lib64/libother.so"
check "make uninstall again" make_it uninstall
check "nothing is left" test -z "$(ls -A "$stage")"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
