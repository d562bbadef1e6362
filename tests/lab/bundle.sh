#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# bundle.sh DIR [ARG...]: makes a bundle in DIR whose container runs ARG... (/bin/sh, if there is none).
# The root filesystem is busybox, unless DIR/rootfs is there already.
set -eu

bundle=${1:?usage: bundle.sh DIR [ARG...]}
shift
[ $# -gt 0 ] || set -- /bin/sh

rootfs=$bundle/rootfs
if [ ! -d "$rootfs" ]; then
    mkdir -p "$rootfs"
    for directory in bin dev etc proc root sys tmp usr var; do
        mkdir "${rootfs:?}/$directory"
    done
    cp /bin/busybox "${rootfs:?}/bin/busybox"
    # The copy links its names to itself: no absolute link, and no link into the machine's own files.
    "$rootfs/bin/busybox" --install "$rootfs/bin"
    echo 'root:x:0:0:root:/root:/bin/sh' > "$rootfs/etc/passwd"
fi

arguments=
for argument; do
    escaped=$(printf '%s' "$argument" | sed 's/["\\]/\\&/g')
    arguments="$arguments${arguments:+, }\"$escaped\""
done
ARGUMENTS=$arguments awk '{
    at = index($0, "@ARGS@")
    if (at) print substr($0, 1, at - 1) ENVIRON["ARGUMENTS"] substr($0, at + 6)
    else print
}' "$(dirname "$0")/config.json" > "$bundle/config.json"
