// SPDX-License-Identifier: Apache-2.0
//! What only the unified hierarchy needs: handing controllers down to the container's cgroup
//! (Documentation/admin-guide/cgroup-v2.rst, "Organizing Processes and Threads", "Controlling Controllers").

use std::path::Path;

use super::Place;
use super::dir::{self, Dir};
use crate::error::{Context, Error, Kind, Result};

/// The controllers that limits can be asked of.
const USED: &[&str] = &["cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc"];

/// Makes a new cgroup ready to be cloned into. With `enable_all` it is given every controller that can be had, as
/// its users expect (they read statistics from it, or delegate it further); on a hybrid host only
/// [`enable`] does so, when a limit asks for it.
pub(super) fn prepare(place: &Place, enable_all: bool) -> Result<()> {
    let parent = place.path.parent().unwrap_or(&place.path);
    // Below a threaded cgroup a new one is "domain invalid", and nobody can join it. The root has no type.
    let kind = dir::read_whole(&parent.join("cgroup.type")).unwrap_or_default();
    let kind = String::from_utf8_lossy(&kind);
    if !matches!(kind.trim(), "domain" | "") {
        let (path, parent) = (place.path.display(), parent.display());
        let why = format!("cgroup {path} cannot hold processes, since the type of {parent} is {:?}", kind.trim());
        return Err(Error::new(Kind::Failed, why).at(super::path::POINTER));
    }
    if enable_all {
        let file = place.path.join("cgroup.controllers");
        let has = dir::read_whole(&file).context(|| format!("cannot read {}", file.display()))?;
        let has = String::from_utf8_lossy(&has);
        let lacks = |name: &&&str| contains(&place.controllers, ',', name) && !contains(&has, ' ', name);
        let wanted: Vec<&str> = USED.iter().filter(lacks).copied().collect();
        if !wanted.is_empty() {
            enable(place, &wanted);
        }
    }
    Ok(())
}

/// Enables controllers for the children of each cgroup from the mount's root down to the parent of ours, as far as
/// they can be had. That one cannot is no failure until a limit needs it: [`why_missing`] tells then.
pub(super) fn enable(place: &Place, wanted: &[&str]) {
    for parent in parents(place) {
        let Ok(dir) = Dir::open(parent) else { return };
        let enabled = dir.read("cgroup.subtree_control").unwrap_or_default();
        let missing: Vec<String> =
            wanted.iter().filter(|name| !contains(&enabled, ' ', name)).map(|name| format!("+{name}")).collect();
        // All at once, or else one by one: a single one that is refused takes the others with it.
        if !missing.is_empty() && dir.write("cgroup.subtree_control", &missing.join(" ")).is_err() {
            for one in missing {
                if let Err(errno) = dir.write("cgroup.subtree_control", &one) {
                    log::debug!("{}: cannot enable {one}: {errno}", parent.display());
                }
            }
        }
    }
}

/// Why the container's cgroup lacks `controller`.
pub(super) fn why_missing(place: &Place, controller: &str) -> String {
    if !contains(&place.controllers, ',', controller) {
        return format!("the unified hierarchy of this host has no {controller} controller");
    }
    for parent in parents(place) {
        let Ok(dir) = Dir::open(parent) else { continue };
        let (Ok(enabled), Ok(procs)) = (dir.read("cgroup.subtree_control"), dir.read("cgroup.procs")) else { continue };
        if contains(&enabled, ' ', controller) {
            continue;
        }
        let shown = parent.display();
        return match dir.write("cgroup.subtree_control", &format!("+{controller}")) {
            Err(rustix::io::Errno::BUSY) if !procs.is_empty() => format!(
                "the {controller} controller cannot be enabled below {shown}, since processes live in that cgroup \
                 itself (version 2 wants them in leaves)"
            ),
            Err(errno) => format!("the {controller} controller cannot be enabled below {shown}: {errno}"),
            Ok(()) => format!("the {controller} controller was not enabled below {shown}"),
        };
    }
    format!("the {controller} controller of this kernel has no such file")
}

/// The cgroups above ours, from the mount's root down.
fn parents(place: &Place) -> impl Iterator<Item = &Path> {
    let above: Vec<&Path> =
        place.path.ancestors().skip(1).take_while(|path| path.starts_with(&place.mount_point)).collect();
    above.into_iter().rev()
}

fn contains(list: &str, separator: char, name: &str) -> bool {
    list.trim().split(separator).any(|item| item == name)
}
