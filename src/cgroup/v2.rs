// SPDX-License-Identifier: Apache-2.0
//! What only the unified hierarchy needs: handing controllers down to the container's cgroup
//! (Documentation/admin-guide/cgroup-v2.rst, "Organizing Processes and Threads", "Controlling Controllers").

use std::path::Path;

use super::Place;
use super::dir::{self, Dir};
use crate::error::{Context, Error, Kind, Result, describe};

/// The controllers that limits can be asked of.
const USED: &[&str] = &["cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc"];

/// Makes a new cgroup ready to be cloned into. With `enable_all` it is given every controller that can be had, as
/// its users expect (they read statistics from it, or delegate it further); on a hybrid host only
/// [`enable`] does so, when a limit asks for it.
pub(super) fn prepare(place: &Place, enable_all: bool) -> Result<()> {
    let parent = place.path.parent().unwrap_or(&place.path);
    // Below a threaded cgroup a new one is "domain invalid", and nobody can join it. The root has no type.
    let kind = dir::read_whole(parent.join("cgroup.type")).unwrap_or_default();
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
        // Where processes live, memory and others would be refused, but cpu, cpuset and pids would not: they would turn
        // the cgroup into a threaded one, in whose children nobody can live (cgroup-v2.rst, "Threads").
        if missing.is_empty() || has_processes(&dir) {
            continue;
        }
        // All at once, or else one by one: a single one that is refused takes the others with it.
        if dir.write("cgroup.subtree_control", &missing.join(" ")).is_err() {
            for one in missing {
                if let Err(errno) = dir.write("cgroup.subtree_control", &one) {
                    log::debug!("{}: cannot enable {one}: {}", parent.display(), describe(&errno.into()));
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
        if contains(&dir.read("cgroup.subtree_control").unwrap_or_default(), ' ', controller) {
            continue;
        }
        let (what, parent) = (format!("the {controller} controller cannot be enabled below"), parent.display());
        if has_processes(&dir) {
            let rule = "version 2 has processes and controllers for others only in different cgroups";
            return format!("{what} {parent}, since processes live in that cgroup itself ({rule})");
        }
        return match dir.write("cgroup.subtree_control", &format!("+{controller}")) {
            Err(errno) => format!("{what} {parent}: {}", describe(&errno.into())),
            Ok(()) => format!("the {controller} controller was not enabled below {parent}"),
        };
    }
    format!("the {controller} controller of this kernel has no such file")
}

/// Whether processes live in a cgroup itself. Those in the root do not count, by the rules; it is the one without a type.
fn has_processes(dir: &Dir) -> bool {
    dir.read("cgroup.type").is_ok() && dir.read("cgroup.procs").is_ok_and(|procs| !procs.is_empty())
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
