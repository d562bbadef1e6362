// SPDX-License-Identifier: Apache-2.0
//! Where the cgroup of a container is, in each hierarchy.
//!
//! | `linux.cgroupsPath` | version 1 | unified hierarchy |
//! |---|---|---|
//! | absolute | from the mount's root | from the mount's root |
//! | relative | below the caller's own cgroup | below the *parent* of the caller's own cgroup |
//! | absent or empty | as if it were the container's id | as if it were the container's id |
//!
//! The two columns differ because of the unified hierarchy's "no internal processes" rule: the caller lives in
//! its own cgroup, so that this one cannot hand controllers to children; its parent can. These are the places
//! where runc's cgroupfs driver puts containers too.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::host::{Hierarchy, Version};
use crate::error::{Error, Kind, Result};

/// The pointer of `linux.cgroupsPath`.
pub(super) const POINTER: &str = "/linux/cgroupsPath";

/// The longest name that the kernel takes for a directory.
const NAME_MAX: usize = 255;

/// A checked `cgroupsPath`, the same for all hierarchies.
pub(super) struct Wish {
    explicit: bool,
    absolute: bool,
    relative: PathBuf,
}

impl Wish {
    /// Checks the path of config.json; without one the container's id serves.
    pub(super) fn new(cgroups_path: Option<&Path>, id: &str) -> Result<Self> {
        match cgroups_path.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => {
                let relative = clean(path).map_err(|why| Error::config(POINTER, why))?;
                Ok(Self { explicit: true, absolute: path.is_absolute(), relative })
            }
            None => {
                let bad = |why| Error::new(Kind::Invalid, format!("container id {id:?} cannot name a cgroup: {why}"));
                let relative = clean(Path::new(id)).map_err(bad)?;
                if relative.components().count() != 1 || id.contains('/') {
                    return Err(bad("it must be one name"));
                }
                Ok(Self { explicit: false, absolute: false, relative })
            }
        }
    }

    /// Whether config.json has it.
    pub(super) fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// The full path in `hierarchy`.
    pub(super) fn path_in(&self, hierarchy: &Hierarchy) -> PathBuf {
        let below = match (self.absolute, hierarchy.version) {
            (true, _) => Path::new(""),
            (false, Version::V1) => &hierarchy.own,
            (false, Version::V2) => hierarchy.own.parent().unwrap_or(Path::new("")),
        };
        hierarchy.mount_point.join(below).join(&self.relative)
    }
}

/// Whether the caller may make this cgroup, and in the unified hierarchy bring a process from its own cgroup there
/// (cgroup-v2.rst, "Delegation Containment").
pub(super) fn may_make(hierarchy: &Hierarchy, path: &Path) -> bool {
    let may_write = |path: &Path| accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    let mount_point = hierarchy.mount_point.as_path();
    let inside = |path: &&Path| path.starts_with(mount_point);
    let Some(first) = path.ancestors().take_while(inside).find(|path| path.exists()) else { return false };
    let own = mount_point.join(&hierarchy.own);
    let common = path.ancestors().skip(1).take_while(inside).find(|path| own.starts_with(path)).unwrap_or(mount_point);
    may_write(first) && (hierarchy.version == Version::V1 || may_write(&common.join("cgroup.procs")))
}

/// A path that starts at a container's own cgroup and does not leave it. It may be that cgroup itself.
pub(super) fn below(path: &str) -> std::result::Result<PathBuf, &'static str> {
    match Path::new(path).components().all(|component| matches!(component, Component::RootDir | Component::CurDir)) {
        true => Ok(PathBuf::new()),
        false => clean(Path::new(path)),
    }
}

/// The path without its leading slash and its dots; or what is wrong with it.
fn clean(path: &Path) -> std::result::Result<PathBuf, &'static str> {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) if name.len() > NAME_MAX => return Err("a name in it is longer than 255 bytes"),
            // The kernel refuses a newline itself, for the sake of /proc/<pid>/cgroup.
            Component::Normal(name) if name.as_bytes().iter().any(|&b| b == b'\n' || b == 0) => {
                return Err("a name in it contains a newline or a zero byte");
            }
            Component::Normal(name) => out.push(name),
            Component::ParentDir => return Err("\"..\" is not allowed"),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    if out.as_os_str().is_empty() { Err("it names no cgroup below the root") } else { Ok(out) }
}
