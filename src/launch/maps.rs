// SPDX-License-Identifier: Apache-2.0
//! The id maps of a new user namespace (user_namespaces(7)).

use std::fs;

use oci_spec::runtime::{LinuxIdMapping, Spec};
use rustix::process::{getegid, geteuid};

use super::helper;
use crate::error::{Context, Error, Result};

/// Writes uid_map and gid_map of `pid`, which waits for them, as the spec says.
///
/// An ordinary user may map its own id by itself, and no other: newuidmap and newgidmap may, as /etc/subuid and /etc/subgid
/// allow. setgroups(2) stays allowed by newgidmap only: else a user could drop a group that denies it something.
pub fn write(pid: i32, spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    let uids = linux.uid_mappings().as_deref().unwrap_or_default();
    let gids = linux.gid_mappings().as_deref().unwrap_or_default();
    if geteuid().is_root() {
        return write_lists(pid, "/linux", uids, gids);
    }
    if is_own(gids, getegid().as_raw()) {
        let path = format!("/proc/{pid}/setgroups");
        fs::write(&path, "deny").context(|| format!("cannot write {path}"))?;
        write_list(pid, "gid_map", "/linux/gidMappings", gids)?;
    } else {
        help(pid, "newgidmap", "/linux/gidMappings", gids)?;
    }
    if is_own(uids, geteuid().as_raw()) {
        write_list(pid, "uid_map", "/linux/uidMappings", uids)
    } else {
        help(pid, "newuidmap", "/linux/uidMappings", uids)
    }
}

/// Whether this user may write the list itself.
fn is_own(map: &[LinuxIdMapping], id: u32) -> bool {
    matches!(map, [one] if one.size() == 1 && one.host_id() == id)
}

fn help(pid: i32, helper: &str, pointer: &str, map: &[LinuxIdMapping]) -> Result<()> {
    let ids = map.iter().flat_map(|map| [map.container_id(), map.host_id(), map.size()]);
    let arguments = [pid as u32].into_iter().chain(ids).map(|number| number.to_string());
    helper::run(helper, arguments.collect(), pointer)
}

/// Writes the two lists, which are at `pointer` in the spec.
pub fn write_lists(pid: i32, pointer: &str, uids: &[LinuxIdMapping], gids: &[LinuxIdMapping]) -> Result<()> {
    write_list(pid, "gid_map", &format!("{pointer}/gidMappings"), gids)?;
    write_list(pid, "uid_map", &format!("{pointer}/uidMappings"), uids)
}

fn write_list(pid: i32, name: &str, pointer: &str, map: &[LinuxIdMapping]) -> Result<()> {
    let path = format!("/proc/{pid}/{name}");
    let written = fs::write(&path, lines(map)).context(|| format!("{pointer}: cannot write {path}"));
    written.map_err(|error| error.at(pointer))
}

/// Refuses mappings that are not those of the user namespace that `pid` has joined. Whoever repeats them there
/// (containerd, podman, CRI-O) takes files for owned by other ids than they are, if they differ.
pub fn compare(pid: i32, spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    for (name, pointer, wanted) in [
        ("uid_map", "/linux/uidMappings", linux.uid_mappings()),
        ("gid_map", "/linux/gidMappings", linux.gid_mappings()),
    ] {
        let Some(wanted) = wanted.as_ref().filter(|wanted| !wanted.is_empty()) else { continue };
        let path = format!("/proc/{pid}/{name}");
        let text = fs::read_to_string(&path).context(|| format!("cannot read {path}")).map_err(|e| e.at(pointer))?;
        let sorted = |lines: &str| {
            let mut ranges: Vec<_> = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
            ranges.sort();
            ranges.iter().map(|range| range.join(" ")).collect::<Vec<_>>().join(", ")
        };
        let (wanted, found) = (sorted(&lines(wanted)), sorted(&text));
        if wanted != found {
            let message = format!("{wanted:?} differs from {found:?} of the user namespace to join");
            return Err(Error::config(pointer, message));
        }
    }
    Ok(())
}

/// One write(2) has to carry them all.
fn lines(map: &[LinuxIdMapping]) -> String {
    map.iter().map(|map| format!("{} {} {}\n", map.container_id(), map.host_id(), map.size())).collect()
}
