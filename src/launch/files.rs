// SPDX-License-Identifier: Apache-2.0
//! The descriptors that a plan needs, opened and checked before the launch.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, major, minor};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::id_map::Mapper;
use crate::error::{Context, Error, Kind, Result};
use crate::plan::{Plan, Slot};
use crate::sys::namespace;

/// What fills the slots of a plan.
pub struct Files<'a> {
    /// Namespaces to join.
    pub namespaces: Vec<OwnedFd>,
    /// Detached clones of mount sources.
    pub sources: Vec<OwnedFd>,
    /// The container's descriptors, by their number there.
    pub given: Vec<BorrowedFd<'a>>,
    /// The lowest number that is not one of the container's.
    pub above: RawFd,
}

impl<'a> Files<'a> {
    /// Opens what can be opened without changing anything.
    pub fn open(plan: &Plan, rootfs: Option<BorrowedFd<'_>>, given: Vec<BorrowedFd<'a>>) -> Result<Self> {
        let above = given.len() as RawFd;
        let namespaces = plan.namespaces.join.iter().map(|join| {
            let what = || format!("{}: cannot open {}", join.pointer, join.path.display());
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let open = || -> Result<OwnedFd> {
                let file = rustix::fs::open(&join.path, flags, Mode::empty()).context(what)?;
                match namespace::kind(file.as_fd()).context(what)? {
                    Some(kind) if kind == join.flag => self::above(file, above),
                    Some(_) => Err(wrong(&join.pointer, &join.path, "is a namespace of another type")),
                    None => Err(wrong(&join.pointer, &join.path, "is not a namespace")),
                }
            };
            open().map_err(|error| error.kind(Kind::Config).at(join.pointer.as_str()))
        });
        let namespaces = namespaces.collect::<Result<Vec<_>>>()?;
        let mut mapper = Mapper::default();
        let sources = plan.sources.iter().map(|source| {
            let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            if source.recursive {
                flags |= OpenTreeFlags::AT_RECURSIVE;
            }
            let name = source.path.as_ref().map_or("the root filesystem".into(), |path| path.display().to_string());
            let tree = match (&source.path, rootfs) {
                (Some(path), _) => open_tree(CWD, path, flags),
                (None, Some(rootfs)) => open_tree(rootfs, "", flags | OpenTreeFlags::AT_EMPTY_PATH),
                (None, None) => Err(rustix::io::Errno::BADF),
            };
            let tree = tree.context(|| format!("{}: cannot clone {name}", source.pointer));
            let tree = tree.map_err(|error| error.at(source.pointer.as_str()))?;
            if let Some(device) = source.device {
                check_device(&tree, device, &name, &source.pointer)?;
            }
            if let Some(id_map) = &source.id_map {
                mapper.map(&tree, source.path.as_deref().unwrap_or(Path::new("/")), id_map, &namespaces)?;
            }
            self::above(tree, above)
        });
        let sources = sources.collect::<Result<_>>()?;
        Ok(Self { namespaces, sources, given, above })
    }

    /// The number that a slot has.
    pub fn number(&self, slot: Slot) -> RawFd {
        let file = match slot {
            Slot::Namespace(index) => self.namespaces.get(index).map(AsRawFd::as_raw_fd),
            Slot::Source(index) => self.sources.get(index).map(AsRawFd::as_raw_fd),
            Slot::File(index) => self.given.get(index).map(AsRawFd::as_raw_fd),
            Slot::State | Slot::Terminal | Slot::Exit | Slot::Cgroup | Slot::LastWord => None,
        };
        file.unwrap_or(-1)
    }

    /// All that init has to inherit.
    pub fn all(&self) -> Vec<RawFd> {
        let owned = [&self.namespaces, &self.sources].into_iter().flatten();
        owned.map(AsRawFd::as_raw_fd).chain(self.given.iter().map(AsRawFd::as_raw_fd)).collect()
    }
}

/// The same file under a number that is not one of the container's, so that init can arrange those without
/// losing this one. It may have a low number where the host runs with its own stdio closed.
pub fn above(file: OwnedFd, lowest: RawFd) -> Result<OwnedFd> {
    if file.as_raw_fd() >= lowest {
        return Ok(file);
    }
    fcntl_dupfd_cloexec(&file, lowest).context(|| "cannot duplicate a file descriptor")
}

/// Whether what is bound into a user namespace in the place of a new node is that device.
fn check_device(node: &OwnedFd, device: (u32, u32, u32), name: &str, pointer: &str) -> Result<()> {
    let stat = rustix::fs::fstat(node).context(|| format!("{pointer}: cannot look at {name}"))?;
    if (stat.st_mode & libc::S_IFMT, major(stat.st_rdev), minor(stat.st_rdev)) == device {
        return Ok(());
    }
    let (_, major, minor) = device;
    Err(Error::config(pointer, format!("{name} of the host is not the device {major}:{minor}")))
}

fn wrong(pointer: &str, path: &Path, what: &str) -> Error {
    Error::config(pointer, format!("{} {what}", path.display()))
}
