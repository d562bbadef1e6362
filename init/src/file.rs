// SPDX-License-Identifier: Apache-2.0
//! What an open file is, and the entries that are made inside the root: directories, symbolic links,
//! devices.

use core::ffi::CStr;

use brig_wire::Act;
use linux_raw_sys::general::{
    AT_EMPTY_PATH, O_DIRECTORY, O_NOFOLLOW, O_PATH, S_IFCHR, S_IFDIR, S_IFMT, S_IFREG, statfs,
};

use crate::control::{During, Failure, Outcome};
use crate::resolve;
use crate::sys::{self, Abi, Errno, Fd, Result};

/// The type of a device, its major and its minor number.
pub type Device = (u32, u32, u32);

/// /dev/null
pub const NULL: Device = (S_IFCHR, 1, 3);
/// The multiplexer that makes new terminals.
pub const PTMX: Device = (S_IFCHR, 5, 2);

/// Whether `fd` is this device.
pub fn is_device(fd: &Fd, device: Device) -> Result<bool> {
    let status = sys::status(fd)?;
    Ok((u32::from(status.stx_mode) & S_IFMT, status.stx_rdev_major, status.stx_rdev_minor) == device)
}

/// Whether `fd` is a directory.
pub fn is_directory(fd: &Fd) -> Result<bool> {
    Ok(u32::from(sys::status(fd)?.stx_mode) & S_IFMT == S_IFDIR)
}

/// The magic number of the filesystem that `fd` is on.
pub fn filesystem(fd: &Fd) -> Result<u32> {
    let mut status = statfs::zeroed();
    sys::fstatfs(fd, &mut status)?;
    Ok(status.f_type as u32)
}

/// mkdir -p: only the last directory gets `mode`.
pub fn make_directory(root: &Fd, path: &CStr, mode: u32) -> Outcome {
    match resolve::open(root, path, O_PATH | O_DIRECTORY, 0) {
        Err(Errno::ENOENT) => resolve::make(root, path.to_bytes(), S_IFDIR | mode & !S_IFMT),
        result => result,
    }
    .map(drop)
    .during(Act::Create)
}

/// An empty file at `path` inside the root, unless there is something.
#[cold]
#[inline(never)]
pub fn touch(root: &Fd, path: &CStr) -> Outcome {
    match resolve::open(root, path, O_PATH, 0) {
        Err(Errno::ENOENT) => resolve::make(root, path.to_bytes(), S_IFREG | 0o644),
        result => result,
    }
    .map(drop)
    .during(Act::Create)
}

/// A symbolic link at `path` inside the root.
pub fn make_link(root: &Fd, path: &CStr, target: &CStr, replace: u32) -> Outcome {
    let (parent, name) = resolve::parent(root, path).during(Act::Create)?;
    match sys::symlinkat(target, &parent, name) {
        Err(Errno::EEXIST) if replace == 0 => Ok(()),
        Err(Errno::EEXIST) => sys::unlinkat(&parent, name, 0).and_then(|()| sys::symlinkat(target, &parent, name)),
        result => result,
    }
    .during(Act::Create)
}

/// A device, or a FIFO, at `path` inside the root.
pub fn make_device(root: &Fd, path: &CStr, mode: u32, device: (u32, u32), owner: (u32, u32)) -> Outcome {
    let (parent, name) = resolve::parent(root, path).during(Act::Create)?;
    match sys::mknodat(&parent, name, mode, number(device)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(Failure::new(Act::Create, errno)),
    }
    let file = resolve::open(&parent, name, O_PATH | O_NOFOLLOW, 0).during(Act::Open)?;
    if !is_device(&file, (mode & S_IFMT, device.0, device.1))? {
        return Err(Failure::new(Act::WrongDevice, Errno::EEXIST));
    }
    if owner != (0, 0) {
        sys::fchownat(&file, c"", owner.0, owner.1, AT_EMPTY_PATH)?;
    }
    Ok(())
}

/// A device's number as mknod(2) takes it.
pub fn number((major, minor): (u32, u32)) -> u32 {
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12
}
