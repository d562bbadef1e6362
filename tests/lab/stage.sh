# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Sourced from the top of the tree: installs what was built into build/stage, as a packager would, and lets
# pkg-config, the loader and the shell find it there and nowhere else.

stage=$PWD/build/stage
rm -rf "${stage:?}"
make --silent --no-print-directory install DESTDIR="$stage" PREFIX=/usr

export PKG_CONFIG_SYSROOT_DIR="$stage"
export PKG_CONFIG_PATH="$stage/usr/lib/pkgconfig"
export LD_LIBRARY_PATH="$stage/usr/lib"
export PATH="$stage/usr/bin:$PATH"
