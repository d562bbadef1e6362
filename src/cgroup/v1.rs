// SPDX-License-Identifier: Apache-2.0
//! What only version 1 needs.

use std::path::Path;

use rustix::io;

use super::Place;
use super::dir::Dir;
use crate::error::{Context, Result};

/// Gives a new cpuset the processors and memory nodes of its parent: a new one has none, and nobody can join
/// a cpuset without (ENOSPC).
pub(super) fn inherit_cpuset(place: &Place) -> Result<()> {
    let what = || format!("cannot set up the cpuset {}", place.path.display());
    // Ancestors above ours may be empty too, left by whoever made them.
    inherit(&place.path, &place.mount_point).context(what)
}

fn inherit(path: &Path, mount_point: &Path) -> io::Result<()> {
    // From the leaf upwards to the first that has both; the mount's root always has.
    let mut empty = Vec::new();
    let mut here = path;
    let (cpus, mems) = loop {
        let dir = Dir::open(here)?;
        let (cpus, mems) = (dir.read("cpuset.cpus")?, dir.read("cpuset.mems")?);
        let (has_cpus, has_mems) = (!cpus.trim().is_empty(), !mems.trim().is_empty());
        if has_cpus && has_mems || here == mount_point {
            break (cpus, mems);
        }
        empty.push((dir, has_cpus, has_mems));
        here = here.parent().unwrap_or(mount_point);
    };
    for (dir, has_cpus, has_mems) in empty.into_iter().rev() {
        if !has_cpus {
            dir.write("cpuset.cpus", cpus.trim())?;
        }
        if !has_mems {
            dir.write("cpuset.mems", mems.trim())?;
        }
    }
    Ok(())
}
