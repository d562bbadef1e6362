// SPDX-License-Identifier: Apache-2.0
//! Checks of `mounts`.

use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};

use super::Problems;
use crate::spec::mount_options::{Effect, mount_option};

/// Files of /proc that tools such as lxcfs replace by the container's view. A mount anywhere else in /proc could make
/// a write to one of its files go to another: labels, sysctls (CVE-2019-16884, CVE-2025-52881).
const IN_PROC: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// Whether a mount at `path`, which is in /proc, is allowed.
pub fn may_be_mounted_in_proc(path: &Path) -> bool {
    let path = plain(path);
    IN_PROC.iter().any(|allowed| Path::new(allowed) == path)
}

/// Whether it is a bind mount: by its options (config.md, "Mounts") or, as many write it, by its type.
pub fn is_bind(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("bind") || has(mount, |effect| matches!(effect, Effect::Bind { .. }))
}

fn has(mount: &Mount, wanted: fn(&Effect) -> bool) -> bool {
    mount.options().iter().flatten().filter_map(|option| mount_option(option)).any(wanted)
}

/// The path without the parts that change nothing: `//`, `.`, a slash at the end.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

/// Where mounts go.
pub fn destinations(spec: &Spec, problems: &mut Problems) {
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let at = format!("/mounts/{index}/destination");
        let path = plain(mount.destination());
        if path.as_os_str().is_empty() {
            problems.add(at, "is empty");
        } else if path == Path::new("/") {
            problems.add(at, "nothing can be mounted over the root; that is what /root is for");
        } else if path.components().any(|component| component == Component::ParentDir) {
            problems.add(at, format!("{path:?} must have no \"..\""));
        } else if path == Path::new("/proc") {
            // Only the host can tell whether what is bound is a procfs.
            if !is_bind(mount) && mount.typ().as_deref() != Some("proc") && !has(mount, |e| *e == Effect::Remount) {
                problems.add(at, "only a filesystem of type proc can be mounted at /proc");
            }
        } else if path.starts_with("/proc") && !may_be_mounted_in_proc(&path) {
            let message = format!("{path:?} is inside /proc, where only {} may be mounted over", IN_PROC.join(", "));
            problems.add(at, message);
        }
    }
}

/// What is mounted.
pub fn sources(spec: &Spec, problems: &mut Problems) {
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let remount = has(mount, |effect| *effect == Effect::Remount);
        if is_bind(mount) {
            if mount.source().is_none() && !remount {
                problems.add(format!("/mounts/{index}/source"), "is missing: a bind mount needs it");
            }
        } else if mount.typ().is_none() && !remount {
            let message = "is missing: a mount needs a type, unless it has the option bind or rbind";
            problems.add(format!("/mounts/{index}/type"), message);
        }
    }
}
