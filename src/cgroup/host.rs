// SPDX-License-Identifier: Apache-2.0
//! Which cgroup hierarchies this process sees, and where it is in each.
//!
//! `/proc/thread-self/cgroup` names the hierarchies and the caller's place, `/proc/thread-self/mountinfo` says where
//! each is mounted: of the thread, since one thread of the host program may have entered another mount namespace
//! alone (as Go programs do). Both are read anew for every container, since a library cannot know when
//! that happens; so they are parsed by hand, in one pass.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dir::{self, Dir};
use crate::error::{Context, Result};

/// The version of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    /// One of several hierarchies, each with its own controllers.
    V1,
    /// The unified hierarchy.
    V2,
}

/// What kind of host it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Only version 1, or no cgroups at all.
    V1,
    /// Only the unified hierarchy.
    V2,
    /// Controllers in version 1, and the unified hierarchy beside them.
    Hybrid,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// Version 1 or 2.
    pub(crate) version: Version,
    /// Its controllers: `["cpu", "cpuacct"]`, `["name=systemd"]`, or what `cgroup.controllers` lists.
    pub(crate) controllers: Vec<String>,
    /// Where it is mounted.
    pub(crate) mount_point: PathBuf,
    /// The caller's own cgroup, relative to the mount point: empty if it is the mount's root, or if it
    /// is not below this mount.
    pub(crate) own: PathBuf,
}

/// The cgroup hierarchies of this host.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    hierarchies: Vec<Hierarchy>,
}

impl Host {
    /// Looks at the host, as the calling thread sees it now.
    pub(crate) fn detect() -> Result<Self> {
        let read = |path: &'static str| dir::read_whole(path).context(|| format!("cannot read {path}"));
        let mut hierarchies = parse(&read("/proc/thread-self/mountinfo")?, &read("/proc/thread-self/cgroup")?);
        for unified in hierarchies.iter_mut().filter(|h| h.version == Version::V2) {
            let listed = Dir::open(&unified.mount_point).and_then(|root| root.read("cgroup.controllers"));
            let listed =
                listed.context(|| format!("cannot read the controllers of {}", unified.mount_point.display()))?;
            unified.controllers = listed.split_ascii_whitespace().map(str::to_owned).collect();
        }
        Ok(Self { hierarchies })
    }

    /// Version 1, version 2 or both.
    pub(crate) fn layout(&self) -> Layout {
        let has = |version| self.hierarchies.iter().any(|h| h.version == version);
        match (has(Version::V1), has(Version::V2)) {
            (true, true) => Layout::Hybrid,
            (false, true) => Layout::V2,
            (_, false) => Layout::V1,
        }
    }

    /// The mounted hierarchies: those of version 1 in the order of `/proc/thread-self/cgroup`, then the unified one.
    pub(crate) fn hierarchies(&self) -> &[Hierarchy] {
        &self.hierarchies
    }

    /// A host out of the texts of the two files, for tests. The unified hierarchy has no controllers then.
    #[cfg(test)]
    pub(crate) fn from_texts(mountinfo: &str, cgroup: &str) -> Self {
        Self { hierarchies: parse(mountinfo.as_bytes(), cgroup.as_bytes()) }
    }

    /// Gives the unified hierarchy controllers, for tests.
    #[cfg(test)]
    pub(crate) fn with_unified(mut self, controllers: &[&str]) -> Self {
        for unified in self.hierarchies.iter_mut().filter(|h| h.version == Version::V2) {
            unified.controllers = controllers.iter().map(|&c| c.to_owned()).collect();
        }
        self
    }
}

/// A line of mountinfo (proc_pid_mountinfo(5)), its fields still escaped.
struct Mount<'a> {
    id: &'a [u8],
    parent: &'a [u8],
    root: &'a [u8],
    point: &'a [u8],
    fstype: &'a [u8],
    options: &'a [u8],
}

fn parse(mountinfo: &[u8], cgroup: &[u8]) -> Vec<Hierarchy> {
    let mounts: Vec<Mount<'_>> = mountinfo.split(|&b| b == b'\n').filter_map(parse_mount).collect();
    let ours: Vec<&Mount<'_>> = mounts.iter().filter(|m| m.fstype == b"cgroup" || m.fstype == b"cgroup2").collect();
    // Only what is mounted at or above a cgroup mount can hide one.
    let above = |m: &&Mount<'_>| ours.iter().any(|c| is_at_or_below(c.point, m.point));
    let above: Vec<&Mount<'_>> = mounts.iter().filter(above).collect();
    let visible: Vec<&Mount<'_>> = ours.iter().filter(|m| arrives_at(&above, m)).copied().collect();

    let lines = cgroup.split(|&b| b == b'\n').filter_map(|line| {
        // hierarchy-ID:controller-list:path, and the path may contain colons.
        let mut fields = line.splitn(3, |&b| b == b':').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let mut hierarchies: Vec<_> = lines.filter_map(|(list, path)| hierarchy(&visible, list, path)).collect();
    hierarchies.sort_by_key(|h| h.version == Version::V2);
    hierarchies
}

fn parse_mount(line: &[u8]) -> Option<Mount<'_>> {
    let mut fields = line.split(|&b| b == b' ');
    let (id, parent, _device) = (fields.next()?, fields.next()?, fields.next()?);
    let (root, point, _options) = (fields.next()?, fields.next()?, fields.next()?);
    // Any number of optional fields, ended by a hyphen.
    fields.find(|&field| field == b"-")?;
    let (fstype, _source, options) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Mount { id, parent, root, point, fstype, options })
}

/// Finds where the hierarchy of one line of `/proc/thread-self/cgroup` is mounted.
fn hierarchy(mounts: &[&Mount<'_>], list: &[u8], path: &[u8]) -> Option<Hierarchy> {
    let version = if list.is_empty() { Version::V2 } else { Version::V1 };
    let names = || list.split(|&b| b == b',').filter(|name| !name.is_empty());
    let holds = |m: &&&Mount<'_>| match version {
        Version::V2 => m.fstype == b"cgroup2",
        Version::V1 => m.fstype == b"cgroup" && names().all(|name| m.options.split(|&b| b == b',').any(|o| o == name)),
    };
    let path = Path::new(OsStr::from_bytes(path));
    // The same hierarchy may be mounted twice, and with another cgroup as its root (a bind mount in a container
    // without a cgroup namespace): the mount that shows the caller is best, then the one that shows most.
    let (mount, own) = mounts
        .iter()
        .filter(holds)
        .map(|m| (m, path.strip_prefix(unescape(m.root)).map(Path::to_owned).ok()))
        .min_by_key(|(m, own)| (own.is_none(), m.root.len()))?;
    Some(Hierarchy {
        version,
        controllers: names().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
        mount_point: unescape(mount.point),
        own: own.unwrap_or_default(),
    })
}

/// Whether a path walk to the mount point of `target` ends on that mount, and not on one that hides it.
fn arrives_at(mounts: &[&Mount<'_>], target: &Mount<'_>) -> bool {
    let listed = |id: &[u8]| mounts.iter().any(|m| m.id == id);
    let mut here: Option<&Mount<'_>> = None;
    let ends = (1..=target.point.len()).filter(|&end| {
        end == 1 || end == target.point.len() || target.point.get(end) == Some(&b'/') // "/", "/sys", "/sys/fs" …
    });
    for prefix in ends.filter_map(|end| target.point.get(..end)) {
        // What is stacked on one place are children of one another.
        while let Some(next) = mounts.iter().rfind(|m| {
            m.point == prefix
                && match here {
                    Some(here) => m.parent == here.id && m.id != here.id,
                    None => m.parent == m.id || !listed(m.parent),
                }
        }) {
            here = Some(next);
        }
    }
    here.is_some_and(|here| here.id == target.id)
}

fn is_at_or_below(path: &[u8], place: &[u8]) -> bool {
    place == b"/" || path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Undoes the kernel's escaping of space, tab, newline and backslash as three octal digits.
pub(crate) fn unescape(field: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (b'\\', &[a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ref tail @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsStr::from_bytes(&out))
}
