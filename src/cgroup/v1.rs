// SPDX-License-Identifier: Apache-2.0
//! What only version 1 needs.

use std::path::Path;

use rustix::io;

use super::Place;
use super::dir;
use crate::error::{Context, Result};

/// Gives a new cpuset the processors and memory nodes of its parent: a new one has none, and nobody can join
/// a cpuset without (ENOSPC).
pub(super) fn inherit_cpuset(place: &Place) -> Result<()> {
    let new = place.made.unwrap_or(0);
    ["cpuset.cpus", "cpuset.mems"]
        .iter()
        .try_for_each(|file| inherit(&place.path, &place.mount_point, file, new))
        .context(|| format!("cannot set up the cpuset {}", place.path.display()))
}

/// Climbs to the first cpuset that has the value, and brings it down. The last `new` of the path need not be looked at.
/// Those above them may be empty too, left so by whoever made them; the mount's root never is.
fn inherit(path: &Path, mount_point: &Path, file: &str, new: usize) -> io::Result<()> {
    let mut empty = Vec::new();
    for (index, cpuset) in path.ancestors().take_while(|cpuset| cpuset.starts_with(mount_point)).enumerate() {
        let file = cpuset.join(file);
        let value = if index < new { Vec::new() } else { dir::read_whole(&file)? };
        match String::from_utf8_lossy(&value).trim() {
            "" => empty.push(file),
            value => return empty.iter().rev().try_for_each(|file| dir::write(file, value)),
        }
    }
    Ok(())
}
