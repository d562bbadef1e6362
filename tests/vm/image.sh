#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# image.sh DIR [selinux]: makes a guest of `make test-vm` in DIR, as root.ext4, vmlinuz and initrd, unless what is there
# was made by the same scripts. It is a Debian with systemd, the unified cgroup hierarchy alone, AppArmor, and a user `ci`
# with subordinate ids and a session that lingers; from the mirrors that this machine's own apt uses. On this machine
# nothing is installed. With `selinux` it has SELinux, enforcing, instead of AppArmor, and is Debian 12, whose policy lets
# systemd do its work. Beside the first is `schema`, the specification's JSON schema as that Debian has it.
#
# VM_SUITE  the release (default: this machine's own, or trixie if that is older)
set -euo pipefail

directory=${1:?usage: image.sh DIR [selinux]}
kind=${2:-apparmor}
here=$(cd "$(dirname "$0")" && pwd)

packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,udev,kmod,libseccomp2,busybox-static
packages+=,uidmap,iproute2,procps,python3,criu,iptables
case $kind in
    apparmor) packages+=,apparmor ;;
    selinux) packages+=,selinux-policy-default,policycoreutils,selinux-utils ;;
    *) echo "image.sh: there is no guest with $kind" >&2; exit 2 ;;
esac

mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
# Several checkouts may share one image.
exec 9> "$directory/lock"
flock 9

# The test program is linked to this machine's C library: the guest's must not be older.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
suite=${VM_SUITE:-$codename}
[ "$suite" != bookworm ] || suite=trixie
[ "$kind" != selinux ] || suite=bookworm

stamp="$suite $kind $(cd "$here" && find image.sh initramfs-init guest container.cil -type f -exec sha256sum {} + | LC_ALL=C sort | sha256sum)"
if [ "$(cat "$directory/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
rm -f "$directory/stamp"

# source_of SUITE PATTERN: a line of sources.list for SUITE, from where this machine's apt has a release of that pattern.
source_of() {
    apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v suite="$1" -v pattern="$2" '$2 ~ pattern && !found++ { print "deb", $1, suite, "main" }'
}
source=$(source_of "$suite" "^$codename\$")
security=$(source_of "$suite-security" '-security$')
if [ -z "$codename" ] || [ -z "$source" ]; then
    echo "test-vm: apt on this machine has no source of its own release to make a Debian guest from" >&2
    exit 1
fi

work=$(mktemp -d "$directory/work.XXXXXX")
trap 'rm -rf "${work:?}"' EXIT
root=$work/root
kernel=$work/kernel
mkdir "$root" "$kernel"
chmod 755 "$root"

# The kernel is taken apart and not installed: that would make an initramfs of its own, which takes long.
export kernel schema=$work/schema
mkdir "$schema"
fetch_kernel='set -eu; export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; cd "$kernel"
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/ *Depends: \(linux-image-[^ ]*\).*/\1/p" | head -n 1)
    apt-get -qq -o APT::Sandbox::User=root download "${package:?}" && dpkg-deb -x linux-image-*.deb .'
fetch_schema='set -eu; export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"; cd "$schema"
    apt-get -qq -o APT::Sandbox::User=root download golang-github-opencontainers-specs-dev && dpkg-deb -x *.deb .'
[ "$kind" = apparmor ] || fetch_schema=true
mmdebstrap --quiet --mode=root --format=directory --variant=minbase --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/lib/udev/hwdb.*' \
    --customize-hook="$fetch_kernel" --customize-hook="$fetch_schema" "$suite" "$root" "$source" ${security:+"$security"}

modules=$(echo "$kernel"/{usr/,}lib/modules/*/ | tr ' ' '\n' | grep -v '\*' | head -n 1)
version=$(basename "$modules")
cp "$kernel/boot/vmlinuz-$version" "$directory/vmlinuz"

# Of the modules what tests of a container runtime can use.
mkdir -p "$root/lib/modules/$version"
(cd "$modules" && find modules.builtin modules.builtin.modinfo modules.order \
    kernel/{net,crypto,lib,block,mm} kernel/fs/{overlayfs,fuse,ext4,jbd2,mbcache.ko*,autofs,netfs,squashfs} \
    kernel/drivers/{virtio,block} kernel/drivers/net/{veth,tun,dummy,macvlan}* -type f -print0 2>/dev/null || true) |
    tar -C "$modules" --null -T - -cf - | tar -C "$root/lib/modules/$version" -xf -
chroot "$root" depmod -a "$version"

cp -r "$here/guest/." "$root/"
ln -sf job.target "$root/etc/systemd/system/default.target"
# What a guest that lives for some minutes need not do; and /tmp is for root filesystems of containers, whose mount options
# are not to be nosuid and nodev.
for unit in e2scrub_reap.service getty@tty1.service kmod-static-nodes.service ldconfig.service \
    modprobe@configfs.service modprobe@drm.service modprobe@efi_pstore.service serial-getty@ttyS0.service \
    systemd-boot-system-token.service systemd-firstboot.service systemd-hwdb-update.service \
    systemd-journal-catalog-update.service systemd-journal-flush.service systemd-machine-id-commit.service \
    systemd-network-generator.service systemd-pstore.service systemd-quotacheck.service \
    systemd-random-seed.service systemd-remount-fs.service systemd-sysusers.service systemd-timesyncd.service \
    systemd-update-done.service systemd-update-utmp.service apparmor.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    systemd-tmpfiles-clean.timer tmp.mount dev-hugepages.mount proc-sys-fs-binfmt_misc.automount \
    sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
echo guest > "$root/etc/hostname"
echo '127.0.0.1 localhost guest' > "$root/etc/hosts"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
: > "$root/etc/fstab"
rm -f "$root/etc/resolv.conf"
chroot "$root" useradd --create-home --uid 1000 --shell /bin/sh ci
for file in subuid subgid; do
    grep -q ^ci: "$root/etc/$file" || echo ci:100000:65536 >> "$root/etc/$file"
done
mkdir -p "$root/var/lib/systemd/linger"
: > "$root/var/lib/systemd/linger/ci"
rm -rf "${root:?}"/var/cache/apt/* "${root:?}"/var/lib/apt/lists/*

if [ "$kind" = selinux ]; then
    printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' > "$root/etc/selinux/config"
    # Labels are extended attributes like others, which a kernel without SELinux keeps as well.
    cp "$here/container.cil" "$root/container.cil"
    unshare --mount sh -eu -c 'mount -t proc proc "$1/proc"
        chroot "$1" semodule --noreload --store default --install /container.cil
        rm "$1/container.cil"
        chroot "$1" setfiles -F -e /proc -e /sys -e /dev /etc/selinux/default/contexts/files/file_contexts /' sh "$root"
    echo security=selinux selinux=1 > "$directory/append"
else
    rm -f "$directory/append"
    rm -rf "${directory:?}/schema"
    mv "$schema/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema" "$directory/schema"
fi

megabytes=$(($(du -sm "$root" | cut -f1) + 600))
mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum -E lazy_itable_init=1,nodiscard -m 0 -d "$root" \
    "$work/root.ext4" "${megabytes}M" > /dev/null
mv "$work/root.ext4" "$directory/root.ext4"

tree=$work/initramfs
mkdir -p "$tree"/{bin,dev,modules,root}
cp "$root/bin/busybox" "$tree/bin/busybox"
cp "$here/initramfs-init" "$tree/init"
chmod 755 "$tree/init"
# In the order of what needs what; those that the kernel has built in are no files.
for name in virtio_pci virtio_blk crc32c_generic ext4; do
    chroot "$root" modprobe --set-version "$version" --show-depends "$name" 2> /dev/null || true
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!found[$0]++' |
    while read -r path; do
        file=$root/$path
        name=$(basename "${path%%.ko*}").ko
        case $file in
            *.xz) xz -dc "$file" > "$tree/modules/$name" ;;
            *.zst) zstd -qdc "$file" > "$tree/modules/$name" ;;
            *) cp "$file" "$tree/modules/$name" ;;
        esac
        echo "$name" >> "$tree/modules/order"
    done
(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) > "$directory/initrd"
echo "$stamp" > "$directory/stamp"
