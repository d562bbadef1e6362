// SPDX-License-Identifier: Apache-2.0
//! What a new filesystem takes over from the directory that it will cover: permissions, owner, and a copy of all that
//! is in it.
//!
//! The image may be hostile, and another container be changing it: each entry is opened by its one name in a directory
//! that is held open, never through a symbolic link, and looked at again once it is open. The copy is made on a mount
//! that is attached nowhere, where nobody else is.

use core::ffi::CStr;

use brig_wire::{Act, like};
use linux_raw_sys::general::{
    AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY,
    S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, open_how, statx,
};

use crate::buffer::Buffer;
use crate::control::{During, Outcome, Text};
use crate::file::number;
use crate::resolve;
use crate::sys::{self, Errno, Fd, Result};

/// How deep directories may be: each level takes two descriptors and a part of the stack.
const DEPTH: u32 = 200;

/// As much as sendfile(2) moves at once.
const CHUNK: usize = 0x7fff_f000;

/// The names of the attributes of one file, and the value of one: more than any filesystem for images has.
type Attributes = Buffer<4096>;

/// Makes the root of `mount` like the directory at `path` inside the root, in what `flags` ([`like`]) say. An entry that
/// cannot be copied is named in `log`.
#[cold]
#[inline(never)]
pub fn resemble(root: &Fd, mount: &Fd, path: &CStr, flags: u32, log: &mut Text) -> Outcome {
    let content = flags & like::CONTENT != 0;
    let way = O_DIRECTORY | if content { O_RDONLY } else { O_PATH };
    let from = match resolve::open(root, path, way, 0) {
        // What is no directory is told of when something is mounted there.
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
        result => result.during(Act::Open)?,
    };
    let to = resolve::open(mount, c"/", O_RDONLY | O_DIRECTORY, 0).during(Act::Copy)?;
    if content {
        copy_directory(&from, &to, DEPTH, log).during(Act::Copy)?;
        copy_attributes(&from, &to).during(Act::Copy)?;
    }
    let status = sys::status(&from)?;
    if flags & like::OWNER != 0 {
        own(&to, c".", &status).during(Act::Copy)?;
    }
    if flags & like::MODE != 0 {
        sys::fchmodat(&to, c".", permissions(&status)).during(Act::Copy)?;
    }
    if content {
        keep_times(&to, c".", &status).during(Act::Copy)?;
    }
    Ok(())
}

fn copy_directory(from: &Fd, to: &Fd, depth: u32, log: &mut Text) -> Result<()> {
    let depth = depth.checked_sub(1).ok_or(Errno::ELOOP)?;
    let mut entries = Buffer::<1024>::new();
    while entries.read_entries(from)? > 0 {
        let mut rest = entries.bytes();
        // struct linux_dirent64: 16 bytes, the record's length, one byte, the name (getdents64(2)).
        while let Some(length) = rest.get(16..18).and_then(|length| length.try_into().ok()).map(u16::from_ne_bytes) {
            let (record, after) = rest.split_at_checked(length.into()).ok_or(Errno::EIO)?;
            let name = record.get(19..).and_then(|name| CStr::from_bytes_until_nul(name).ok()).ok_or(Errno::EIO)?;
            if !matches!(name.to_bytes(), b"." | b"..") {
                copy_entry(from, to, name, depth, log).inspect_err(|_| {
                    if log.len() == 0 {
                        let _ = log.push(name.to_bytes());
                    }
                })?;
            }
            rest = after;
        }
        entries.truncate(0);
    }
    Ok(())
}

fn copy_entry(from: &Fd, to: &Fd, name: &CStr, depth: u32, log: &mut Text) -> Result<()> {
    let seen = open_at(from, name, O_PATH | O_NOFOLLOW, 0)?;
    let status = sys::status(&seen)?;
    match kind(&status) {
        S_IFDIR => {
            sys::mkdirat(to, name, 0o700)?;
            let source = open_at(&seen, c".", O_RDONLY | O_DIRECTORY, 0)?;
            let copy = open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)?;
            drop(seen);
            copy_directory(&source, &copy, depth, log)?;
            own(to, name, &status)?;
            copy_attributes(&source, &copy)?;
        }
        S_IFREG => copy_file(from, to, name, &status)?,
        S_IFLNK => {
            copy_link(&seen, to, name)?;
            own(to, name, &status)?;
            return keep_times(to, name, &status);
        }
        other => {
            let device = (status.stx_rdev_major, status.stx_rdev_minor);
            match sys::mknodat(to, name, other | 0o600, number(device)) {
                // In a user namespace, where it could not be used either.
                Err(Errno::EPERM) if matches!(other, S_IFCHR | S_IFBLK) => return Ok(()),
                result => result?,
            }
            own(to, name, &status)?;
        }
    }
    // A change of the owner takes away the bits that make programs privileged.
    sys::fchmodat(to, name, permissions(&status))?;
    keep_times(to, name, &status)
}

fn copy_file(from: &Fd, to: &Fd, name: &CStr, status: &statx) -> Result<()> {
    // Should it have become a FIFO meanwhile, this does not wait for a writer.
    let source = open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)?;
    if kind(&sys::status(&source)?) != S_IFREG {
        return Err(Errno::EAGAIN);
    }
    let copy = open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)?;
    while sys::sendfile(&copy, &source, 0, CHUNK)? > 0 {}
    own(to, name, status)?;
    copy_attributes(&source, &copy)
}

#[inline(never)]
fn copy_link(link: &Fd, to: &Fd, name: &CStr) -> Result<()> {
    let mut target = Buffer::<4096>::new();
    target.read_link(link, c"")?;
    sys::symlinkat(target.string(0), to, name)
}

/// Extended attributes: capabilities of programs, access lists, whatever else there is that may be set. The label of
/// SELinux belongs to the mount.
#[inline(never)]
fn copy_attributes(from: &Fd, to: &Fd) -> Result<()> {
    let mut names = Attributes::new();
    match names.list_attributes(from) {
        Err(Errno::EOPNOTSUPP) => return Ok(()),
        result => result?,
    }
    for name in names.bytes().split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::EIO)?;
        if name == c"security.selinux" {
            continue;
        }
        let mut value = Attributes::new();
        value.read_attribute(from, name)?;
        match sys::set_attribute(to, name, value.bytes()) {
            // The filesystem has none of this kind, or a user namespace may not set it.
            Err(Errno::EOPNOTSUPP | Errno::EPERM) => {}
            result => result?,
        }
    }
    Ok(())
}

/// An owner that a user namespace does not know is not to be had there.
fn own(directory: &Fd, name: &CStr, status: &statx) -> Result<()> {
    match sys::fchownat(directory, name, status.stx_uid, status.stx_gid, AT_SYMLINK_NOFOLLOW) {
        Err(Errno::EINVAL) => Ok(()),
        result => result,
    }
}

fn keep_times(directory: &Fd, name: &CStr, status: &statx) -> Result<()> {
    let times = [&status.stx_atime, &status.stx_mtime]
        .map(|time| linux_raw_sys::general::__kernel_timespec { tv_sec: time.tv_sec, tv_nsec: time.tv_nsec.into() });
    sys::utimensat(directory, name, &times, AT_SYMLINK_NOFOLLOW)
}

fn kind(status: &statx) -> u32 {
    u32::from(status.stx_mode) & S_IFMT
}

fn permissions(status: &statx) -> u32 {
    u32::from(status.stx_mode) & !S_IFMT
}

fn open_at(directory: &Fd, name: &CStr, flags: u32, mode: u64) -> Result<Fd> {
    let how = open_how { flags: (flags | O_CLOEXEC).into(), mode, resolve: 0 };
    sys::openat2(directory, name, &how, size_of::<open_how>())
}
