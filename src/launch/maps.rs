// SPDX-License-Identifier: Apache-2.0
//! The id maps of a new user namespace (user_namespaces(7)).

use std::fs;

use oci_spec::runtime::{LinuxIdMapping, Spec};

use crate::error::{Context, Error, Kind, Result};

/// Writes uid_map and gid_map of `pid`, which waits for them, as the spec says.
pub fn write(pid: i32, spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    let uids = linux.uid_mappings().as_deref().unwrap_or_default();
    let gids = linux.gid_mappings().as_deref().unwrap_or_default();
    if !rustix::process::geteuid().is_root() {
        let own = |map: &[LinuxIdMapping], id| matches!(map, [one] if one.size() == 1 && one.host_id() == id);
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if !own(uids, uid) || !own(gids, gid) {
            let text = "an ordinary user can map its own id only: ranges of /etc/subuid are not built yet";
            return Err(Error::config("/linux/uidMappings", text).kind(Kind::Unsupported));
        }
        // Otherwise a user could drop a group that denies access.
        let path = format!("/proc/{pid}/setgroups");
        fs::write(&path, "deny").context(|| format!("cannot write {path}"))?;
    }
    write_lists(pid, "/linux", uids, gids)
}

/// Writes the two lists, which are at `pointer` in the spec.
pub fn write_lists(pid: i32, pointer: &str, uids: &[LinuxIdMapping], gids: &[LinuxIdMapping]) -> Result<()> {
    for (name, field, map) in [("gid_map", "gidMappings", gids), ("uid_map", "uidMappings", uids)] {
        let path = format!("/proc/{pid}/{name}");
        let written = fs::write(&path, lines(map)).context(|| format!("cannot write {path}"));
        written.map_err(|error| error.at(format!("{pointer}/{field}")))?;
    }
    Ok(())
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
