// SPDX-License-Identifier: Apache-2.0
//! ID-mapped mounts (mount_setattr(2)): the owners of the files of a mount become others, as a user namespace maps them.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use oci_spec::runtime::LinuxIdMapping;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, statx};

use super::newborn::Newborn;
use super::{Talk, maps};
use crate::error::{Context, Error, Kind, Result};
use crate::plan::{self, IdMap, Mapping};
use crate::sys::mount;

/// The user namespaces that were made for mappings, each only once.
#[derive(Default)]
pub struct Mapper {
    made: Vec<(Mapping, OwnedFd)>,
}

impl Mapper {
    /// Maps the owners of the files of `tree`, a clone of the mount at `path` that is attached nowhere. `joined` are
    /// the namespaces that the container joins.
    pub fn map(&mut self, tree: impl AsFd, path: &Path, id_map: &IdMap, joined: &[OwnedFd]) -> Result<()> {
        let namespace = match &id_map.mapping {
            Mapping::Joined(index) => joined.get(*index).map(AsFd::as_fd),
            Mapping::Ids(uids, gids) => Some(self.namespace(&id_map.mapping, uids, gids, &id_map.pointer)?),
        };
        let namespace = namespace.ok_or_else(|| Error::new(Kind::Bug, "a namespace is missing"))?;
        mount::map_ids(tree, namespace, id_map.recursive).map_err(|error| {
            let pointer = id_map.pointer.as_str();
            let place = format!("{pointer}: cannot ID-map {}", path.display());
            match error.raw_os_error() {
                Some(libc::EINVAL) => {
                    let filesystem = filesystem(path).unwrap_or_default();
                    let below = if id_map.recursive { ", or one mounted below it," } else { "" };
                    let text = format!("{place}: the filesystem {filesystem}{below} does not support it");
                    Error { errno: libc::EINVAL, ..Error::new(Kind::Unsupported, text).at(pointer) }
                }
                _ => Error::os(place, error).at(pointer),
            }
        })
    }

    fn namespace(
        &mut self,
        mapping: &Mapping,
        uids: &[LinuxIdMapping],
        gids: &[LinuxIdMapping],
        pointer: &str,
    ) -> Result<BorrowedFd<'_>> {
        let index = match self.made.iter().position(|(made, _)| made == mapping) {
            Some(index) => index,
            None => {
                self.made.push((mapping.clone(), make(uids, gids, pointer)?));
                self.made.len() - 1
            }
        };
        Ok(self.made[index].1.as_fd())
    }
}

/// A new user namespace with these mappings. Nobody is in it for longer than it takes to open it: a sealed init, which
/// waits for an answer that does not come.
fn make(uids: &[LinuxIdMapping], gids: &[LinuxIdMapping], pointer: &str) -> Result<OwnedFd> {
    let flags = libc::CLONE_NEWUSER as u64;
    let (_talk, child) = Talk::spawn(&plan::wait(), |_| -1, &[], flags, None, 3)?;
    let newborn = Newborn::new(child);
    let pid = newborn.child()?.pid;
    // Where only an option asks for it, the mappings are those of the container.
    maps::write_lists(pid, pointer.strip_suffix("/uidMappings").unwrap_or("/linux"), uids, gids)?;
    let path = format!("/proc/{pid}/ns/user");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open(&path, flags, Mode::empty()).context(|| format!("cannot open {path}"))
}

/// The type of the filesystem at `path` (proc_pid_mountinfo(5)).
fn filesystem(path: &Path) -> Option<String> {
    let id = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?.stx_mnt_id.to_string();
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.split(' ').next() == Some(&id))?;
    line.split_once(" - ")?.1.split(' ').next().map(str::to_owned)
}
