// SPDX-License-Identifier: Apache-2.0
//! Which mounts of a container are the host's, so that CRIU does not make them anew but takes them from there.
//!
//! The kernel is asked, and not config.json: that may have changed since, and does not tell what is mounted below the
//! source of a recursive bind mount.

use std::path::{Path, PathBuf};

use crate::cgroup::unescape;

/// Filesystems that CRIU makes anew, with what is in them.
const REMADE: [&str; 11] = [
    "proc",
    "sysfs",
    "tmpfs",
    "devpts",
    "mqueue",
    "cgroup",
    "cgroup2",
    "overlay",
    "binfmt_misc",
    "securityfs",
    "debugfs",
];

/// Of those, the ones whose content belongs to a namespace: seen on the host too, where the container shares that.
const OF_NAMESPACES: [&str; 5] = ["proc", "sysfs", "devpts", "mqueue", "cgroup2"];

/// A line of mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug)]
struct Mount {
    device: String,
    root: PathBuf,
    point: PathBuf,
    fstype: String,
}

fn parse(mountinfo: &[u8]) -> Vec<Mount> {
    let line = |line: &[u8]| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let dash = fields.iter().position(|field| *field == b"-")?;
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let path = |field: &[u8]| unescape(field);
        Some(Mount {
            device: text(fields.get(2)?),
            root: path(fields.get(3)?),
            point: path(fields.get(4)?),
            fstype: text(fields.get(dash + 1)?),
        })
    };
    mountinfo.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// The mount points of a container, of which `container` is the mountinfo, that are mounts of the host. With
/// `own_cgroups` it is in a cgroup namespace of its own, so that its cgroup mounts are too.
pub fn external(container: &[u8], host: &[u8], own_cgroups: bool) -> Vec<PathBuf> {
    let (mounts, host) = (parse(container), parse(host));
    let Some(root) = mounts.iter().find(|mount| mount.point == Path::new("/")) else { return Vec::new() };
    let whole = |mount: &Mount| mount.root == Path::new("/");
    let is_external = |mount: &&Mount| {
        if mount.point == Path::new("/") || (mount.device == root.device && mount.root.starts_with(&root.root)) {
            return false;
        }
        let fstype = mount.fstype.as_str();
        if !REMADE.contains(&fstype) {
            return true;
        }
        if own_cgroups && matches!(fstype, "cgroup" | "cgroup2") {
            return false;
        }
        if OF_NAMESPACES.contains(&fstype) {
            // Part of one that is whole elsewhere in the container is a part of that.
            return !mounts.iter().any(|other| other.device == mount.device && whole(other));
        }
        host.iter().any(|other| other.device == mount.device)
    };
    mounts.iter().filter(is_external).map(|mount| mount.point.clone()).collect()
}

/// The source of what is mounted at `point`, out of the places that config.json names with theirs: of the longest
/// that leads to it.
pub fn source<'a>(point: &Path, places: impl IntoIterator<Item = (&'a Path, &'a Path)>) -> Option<PathBuf> {
    let clean = |path: &Path| -> PathBuf { path.components().collect() };
    let below = |(destination, source): (&Path, &Path)| {
        let destination = clean(destination);
        let rest = point.strip_prefix(&destination).ok()?;
        let length = destination.components().count();
        Some((length, if rest.as_os_str().is_empty() { source.to_owned() } else { source.join(rest) }))
    };
    // Of several at one place the last one is on top.
    let longest = places.into_iter().filter_map(below).max_by_key(|(length, _)| *length);
    longest.map(|(_, source)| source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:20 / /proc rw - proc proc rw
24 22 0:21 / /sys rw - sysfs sysfs rw
25 22 0:5 / /dev rw - devtmpfs udev rw
26 22 0:23 / /run rw - tmpfs tmpfs rw
27 24 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";

    fn points(container: &str, own_cgroups: bool) -> Vec<String> {
        let found = external(container.as_bytes(), HOST.as_bytes(), own_cgroups);
        found.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn what_is_the_hosts_is_external() {
        let container = "\
90 80 8:1 /bundle/rootfs / ro - ext4 /dev/sda1 rw
91 90 0:50 / /proc rw - proc proc rw
92 91 0:50 /sys /proc/sys ro - proc proc rw
93 91 0:5 /null /proc/kcore rw - devtmpfs udev rw
94 90 0:51 / /dev rw - tmpfs tmpfs rw
95 94 0:52 / /dev/pts rw - devpts devpts rw
96 94 0:52 /0 /dev/console rw - devpts devpts rw
97 90 8:1 /home/log\\040file /log rw - ext4 /dev/sda1 rw
98 90 0:23 /user /run/user rw - tmpfs tmpfs rw
99 90 8:1 /bundle/rootfs/etc /etc ro - ext4 /dev/sda1 rw
100 90 0:21 / /sys ro - sysfs sysfs rw
101 100 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
102 90 0:60 / /data rw - overlay overlay rw
103 90 0:61 / /disk rw - xfs /dev/sdb rw
";
        let always = ["/proc/kcore", "/log", "/run/user", "/disk"];
        assert_eq!(points(container, true), always);
        assert_eq!(
            points(container, false),
            ["/proc/kcore", "/log", "/run/user", "/sys/fs/cgroup/memory", "/disk"],
            "without a cgroup namespace it is the host's"
        );
    }

    #[test]
    fn the_nearest_destination_has_the_source() {
        let places = [("/log", "/var/log"), ("/log/old/", "/old"), ("/data", "/a"), ("/data", "/b")];
        let of = |point: &str| {
            source(Path::new(point), places.iter().map(|(place, source)| (Path::new(*place), Path::new(*source))))
        };
        assert_eq!(of("/log"), Some("/var/log".into()));
        assert_eq!(of("/log/disk"), Some("/var/log/disk".into()));
        assert_eq!(of("/log/old/x"), Some("/old/x".into()));
        assert_eq!(of("/data"), Some("/b".into()));
        assert_eq!(of("/logs"), None);
    }
}
