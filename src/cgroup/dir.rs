// SPDX-License-Identifier: Apache-2.0
//! Directories of cgroupfs by descriptor: small files read and written whole, trees walked and removed.
//!
//! A cgroupfs has no symbolic links and nobody can make one, so that names are safe to follow. How deep a tree
//! is, though, may have been decided by a hostile container: walks hold one descriptor and no stack frame a level.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, unlinkat};
use rustix::io::{Errno, Result, retry_on_intr};

/// A cgroup directory.
pub(super) struct Dir(OwnedFd);

impl Dir {
    /// Opens it as a mere place (`O_PATH`).
    pub(super) fn open(path: &Path) -> Result<Self> {
        openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Self)
    }

    /// Opens a directory in it, or `..`.
    fn step(&self, name: &CStr) -> Result<Self> {
        openat(&self.0, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Self)
    }

    /// Reads a file to its end.
    pub(super) fn read(&self, file: &str) -> Result<String> {
        let bytes = read_to_end(&openat(&self.0, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?, 256)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a file.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<()> {
        put(&openat(&self.0, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?, value)
    }

    /// The names of the directories in it.
    fn children(&self) -> Result<Vec<CString>> {
        // kernfs counts links as the old filesystems did, two and one a subdirectory: a leaf, the usual
        // case, need not be listed.
        if fstat(&self.0)?.st_nlink == 2 {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in self.list()? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The names of the files in it.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.list()? {
            let entry = entry?;
            if entry.file_type() == FileType::RegularFile {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    fn list(&self) -> Result<rustix::fs::Dir> {
        // An O_PATH descriptor cannot be read.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::Dir::new(openat(&self.0, c".", flags, Mode::empty())?)
    }

    /// Calls `visit` for this directory and all below it, parents first. What disappears meanwhile is skipped.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(&Dir) -> Result<()>) -> Result<()> {
        visit(self)?;
        let mut pending = vec![self.children()?];
        let mut here: Option<Dir> = None;
        while let Some(names) = pending.last_mut() {
            let Some(name) = names.pop() else {
                pending.pop();
                here = match (&here, pending.is_empty()) {
                    (Some(dir), false) => Some(dir.step(c"..")?),
                    _ => None,
                };
                continue;
            };
            let dir = match here.as_ref().unwrap_or(self).step(&name) {
                Err(Errno::NOENT) => continue,
                found => found?,
            };
            visit(&dir)?;
            pending.push(gone_is_empty(dir.children())?);
            here = Some(dir);
        }
        Ok(())
    }

    /// Removes all directories below this one, the deepest first.
    pub(super) fn prune(&self) -> Result<()> {
        let mut trail: Vec<CString> = Vec::new();
        let mut here: Option<Dir> = None;
        loop {
            let dir = here.as_ref().unwrap_or(self);
            if let Some(name) = gone_is_empty(dir.children())?.pop() {
                match dir.step(&name) {
                    Err(Errno::NOENT) => {}
                    child => {
                        here = Some(child?);
                        trail.push(name);
                    }
                }
            } else if let Some(name) = trail.pop() {
                let parent = dir.step(c"..")?;
                match unlinkat(&parent, &name, AtFlags::REMOVEDIR) {
                    Ok(()) | Err(Errno::NOENT) => here = Some(parent),
                    Err(errno) => return Err(errno),
                }
            } else {
                return Ok(());
            }
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn gone_is_empty<T: Default>(result: Result<T>) -> Result<T> {
    match result {
        Err(Errno::NOENT | Errno::NODEV) => Ok(T::default()),
        other => other,
    }
}

/// Opens a file to be written.
pub(super) fn writer(path: &Path) -> Result<OwnedFd> {
    openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Writes a file.
pub(super) fn write(path: &Path, value: &str) -> Result<()> {
    put(&writer(path)?, value)
}

/// Writes all of `value` by one write(2), as the files of cgroupfs want it. Setting a version 1 memory limit
/// can be interrupted by a signal of the host program.
pub(super) fn put(file: &OwnedFd, value: &str) -> Result<()> {
    match retry_on_intr(|| rustix::io::write(file, value.as_bytes()))? {
        written if written == value.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

/// Reads a file of unknown size, such as those of procfs.
pub(super) fn read_whole(path: impl rustix::path::Arg) -> Result<Vec<u8>> {
    read_to_end(&openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?, 8192)
}

fn read_to_end(file: &OwnedFd, at_first: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(at_first);
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.len().max(256));
        }
        if retry_on_intr(|| rustix::io::read(file, rustix::buffer::spare_capacity(&mut bytes)))? == 0 {
            return Ok(bytes);
        }
    }
}
