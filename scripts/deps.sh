#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh PART...: installs with apt-get what the build, the tests or the benchmark need and is missing.
# Says nothing when nothing is missing.
set -eu

# Each line: the part, how to see that it is there, the Debian package that brings it.
needs() {
    cat <<'END'
build command:cc         gcc
build command:ld         binutils
build header:seccomp.h   libseccomp-dev
build command:pkg-config pkg-config
test  file:/bin/busybox  busybox-static
test  command:clang      clang
test  command:g++        g++
test  command:python3    python3
test  file:/usr/lib/python3/dist-packages/jsonschema/__init__.py python3-jsonschema
test  file:/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/config-schema.json golang-github-opencontainers-specs-dev
test  command:go         golang-go
test  command:mypy       mypy
test  file:/usr/lib/python3/dist-packages/setuptools/__init__.py python3-setuptools
test  file:/usr/lib/python3/dist-packages/wheel/__init__.py python3-wheel
test  command:ip         iproute2
test  command:iptables   iptables
test  command:newuidmap  uidmap
test  command:valgrind   valgrind
test  command:abidiff    abigail-tools
test  command:mandoc     mandoc
test  command:zsh        zsh
test  command:fish       fish
check command:doxygen    doxygen
bench command:runc       runc
bench command:crun       crun
vm    command:qemu-system-x86_64 qemu-system-x86
vm    command:mmdebstrap mmdebstrap
vm    command:gpg        gpg
vm    command:mke2fs     e2fsprogs
vm    command:cpio       cpio
vm    command:xz         xz-utils
vm    command:zstd       zstd
END
}

present() {
    case $1 in
        command:*) command -v "${1#command:}" ;;
        header:*) echo "#include <${1#header:}>" | cc -E - ;;
        file:*) test -e "${1#file:}" ;;
    esac >/dev/null 2>&1
}

missing=
parts=$*
for part; do
    while read -r needed_by check package; do
        [ "$needed_by" = "$part" ] || continue
        present "$check" || missing="$missing $package"
    done <<END
$(needs)
END
done

# Rust comes from rustup where there is one; Debian's is taken only if it is new enough.
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rust_is_new_enough() {
    have=$("$@" --version 2>/dev/null | awk '{ print $2 }') && [ -n "$have" ] &&
        [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ]
}
if ! rust_is_new_enough cargo; then
    offered=$(apt-cache policy cargo 2>/dev/null | sed -n 's/.*Candidate: *\([0-9.]*\).*/\1/p')
    if rust_is_new_enough echo cargo "$offered"; then
        missing="$missing cargo rustc"
    else
        echo "brig needs Rust $wanted or newer, and there is none here: install it with rustup, then try again." >&2
        exit 1
    fi
fi

# Not installed but taken apart, where this machine's own does not work.
fetch_criu() {
    case " $parts " in *" test "*) scripts/criu.sh target/criu > /dev/null ;; esac
}

[ -n "$missing" ] || { fetch_criu; exit 0; }
echo "Installing:$missing"
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
apt() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=400 "$@" >/dev/null
}
# shellcheck disable=SC2086 # a list of words
apt install -y --no-install-recommends $missing 2>/dev/null || { apt update && apt install -y --no-install-recommends $missing; }
fetch_criu
