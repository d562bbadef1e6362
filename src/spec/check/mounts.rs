// SPDX-License-Identifier: Apache-2.0
//! Checks of `mounts`.

use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{LinuxNamespaceType as Type, Mount, Spec};

use super::Problems;
use super::namespaces::{count, find, ranges};
use crate::spec::mount_options::{Effect, mount_option, parts};

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

/// What its options do, each with its place in the list.
fn effects(mount: &Mount) -> impl Iterator<Item = (usize, &Effect)> {
    let options = mount.options().iter().flatten().enumerate();
    options.flat_map(|(index, option)| parts(option).filter_map(move |part| Some((index, mount_option(part)?))))
}

fn has(mount: &Mount, wanted: fn(&Effect) -> bool) -> bool {
    effects(mount).any(|(_, effect)| wanted(effect))
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

/// Whose the files of an ID-mapped mount seem to be: `uidMappings` and `gidMappings`, and the options that ask for it.
pub fn mappings(spec: &Spec, problems: &mut Problems) {
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let at = |member: &str| format!("/mounts/{index}/{member}");
        let [uids, gids] = [mount.uid_mappings(), mount.gid_mappings()].map(|list| list.as_deref().unwrap_or_default());
        for (name, list) in [("uidMappings", uids), ("gidMappings", gids)] {
            count(list, &at(name), problems);
            ranges(list, &at(name), problems);
        }
        // Some runtimes have the mappings in the option; on a bind mount nobody else would notice.
        let options = mount.options().iter().flatten().enumerate();
        let foreign =
            |option: &String| parts(option).any(|part| part.starts_with("idmap=") || part.starts_with("ridmap="));
        if let Some((option, _)) = options.into_iter().find(|(_, option)| foreign(option)) {
            problems.add(at(&format!("options/{option}")), "mappings belong into uidMappings and gidMappings");
        }
        let option = effects(mount).find(|(_, effect)| matches!(effect, Effect::IdMap { .. }));
        let one_is_missing = "is missing: an ID-mapped mount has both mappings, or neither";
        let place = match (uids, gids, option) {
            ([], [], None) => continue,
            ([], [], Some((option, _))) => at(&format!("options/{option}")),
            ([], ..) => {
                problems.add(at("uidMappings"), one_is_missing);
                continue;
            }
            (_, [], _) => {
                problems.add(at("gidMappings"), one_is_missing);
                continue;
            }
            _ => at("uidMappings"),
        };
        if has(mount, |effect| *effect == Effect::Remount) {
            problems.add(place, "the owners of what is mounted already cannot be mapped");
        } else if !is_bind(mount) {
            problems.add(place, "only a bind mount can be ID-mapped");
        } else if uids.is_empty() && find(spec, Type::User).is_none() {
            problems.add(place, "an ID-mapped mount needs mappings, or a user namespace in /linux/namespaces");
        }
    }
}

/// `tmpcopyup`, which says nothing to other filesystems.
pub fn copy_up(spec: &Spec, problems: &mut Problems) {
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        if let Some((option, _)) = effects(mount).find(|(_, effect)| **effect == Effect::CopyUp)
            && (is_bind(mount) || mount.typ().as_deref() != Some("tmpfs"))
        {
            problems.add(format!("/mounts/{index}/options/{option}"), "tmpcopyup is for a mount of type tmpfs only");
        }
    }
}
