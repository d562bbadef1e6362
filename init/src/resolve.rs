// SPDX-License-Identifier: Apache-2.0
//! Paths inside the container's root, which an attacker may be changing while we walk them: resolved
//! by openat2(2), made component by component, and used through descriptors only.

use core::ffi::CStr;

use linux_raw_sys::general::{
    O_CLOEXEC, O_DIRECTORY, O_PATH, PATH_MAX, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, S_IFDIR, S_IFMT, open_how,
};

use crate::buffer::Buffer;
use crate::sys::{self, Errno, Fd, Result};

/// The mode of directories that are made on the way.
pub const DIRECTORY: u32 = S_IFDIR | 0o755;

/// How often a lookup is tried again that a rename disturbed, and an entry that comes and goes.
const TRIES: u32 = 1000;

/// As many symbolic links as the kernel follows in one path.
const LINKS: u32 = 40;

type Path = Buffer<{ PATH_MAX as usize }>;

/// Opens `path` inside `root`: neither `..`, nor a symbolic link, nor one of procfs's magic links leads
/// out of it.
pub fn open(root: &Fd, path: &CStr, flags: u32, resolve: u32) -> Result<Fd> {
    let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;
    let how = open_how { flags: (flags | O_CLOEXEC).into(), mode: 0, resolve: resolve.into() };
    for _ in 0..TRIES {
        match sys::openat2(root, path, &how, size_of::<open_how>()) {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
    }
    Err(Errno::EAGAIN)
}

/// Opens `path` inside `root` and makes what is missing of it: directories, and at the end what the
/// type and the permissions in `mode` say, a directory or an empty file.
#[inline(never)]
pub fn make(root: &Fd, path: &[u8], mode: u32) -> Result<Fd> {
    let mut done = Path::new();
    walk(root, None, &mut done, path, mode, LINKS)
}

/// The directory of `path` inside `root`, made if it is missing, and the last name of `path`.
pub fn parent<'p>(root: &Fd, path: &'p CStr) -> Result<(Fd, &'p CStr)> {
    let bytes = path.to_bytes_with_nul();
    let cut = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, name) = bytes.split_at_checked(cut).ok_or(Errno::EINVAL)?;
    let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::EINVAL)?;
    if matches!(name.to_bytes(), b"" | b"." | b"..") {
        return Err(Errno::EINVAL);
    }
    let mut text = Path::new();
    text.push(b"/")?;
    text.push(directory)?;
    match open(root, text.string(0), O_PATH | O_DIRECTORY, 0) {
        Err(Errno::ENOENT) => Ok((make(root, directory, DIRECTORY)?, name)),
        result => Ok((result?, name)),
    }
}

/// Goes on from `done`, of which `here` is the descriptor, over the components of `rest`.
///
/// `done` is resolved anew from the root each time, since only the kernel knows where `..` and links
/// lead; whatever it then leads to is inside the root. Entries are made by one name in a directory that is held open.
fn walk(root: &Fd, mut here: Option<Fd>, done: &mut Path, mut rest: &[u8], mode: u32, links: u32) -> Result<Fd> {
    let mut link = Path::new();
    while let Some((name, after)) = component(rest) {
        let kind = if component(after).is_none() { mode } else { DIRECTORY };
        let length = done.len();
        done.push(b"/")?;
        done.push(name)?;
        let Some(fd) = entry(root, here.as_ref().unwrap_or(root), done, length + 1, kind, &mut link)? else {
            let links = links.checked_sub(1).ok_or(Errno::ELOOP)?;
            let absolute = link.bytes().starts_with(b"/");
            link.push(b"/")?;
            link.push(after)?;
            done.truncate(if absolute { 0 } else { length });
            return walk(root, here.filter(|_| !absolute), done, link.bytes(), mode, links);
        };
        here = Some(fd);
        rest = after;
    }
    here.map_or_else(|| open(root, c"/", O_PATH, 0), Ok)
}

/// Opens the last name of `path`, which starts at `start`, or makes it in `parent`. If it is a symbolic
/// link to something missing, the result is `None`, and the link's text in `link`.
fn entry(root: &Fd, parent: &Fd, path: &mut Path, start: usize, mode: u32, link: &mut Path) -> Result<Option<Fd>> {
    for _ in 0..TRIES {
        match open(root, path.string(0), O_PATH, 0) {
            Err(Errno::ENOENT) => {}
            result => return result.map(Some),
        }
        let name = path.string(start);
        let made = match mode & S_IFMT {
            S_IFDIR => sys::mkdirat(parent, name, mode & !S_IFMT),
            _ => sys::mknodat(parent, name, mode, 0),
        };
        match made {
            Ok(()) => continue,
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        match link.read_link(parent, name) {
            Ok(()) => return Ok(None),
            // Somebody made it, or removed it, in between.
            Err(Errno::EINVAL | Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EAGAIN)
}

/// The first component of `path` and what follows it; `.` and empty ones count for nothing.
fn component(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = path;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        if !matches!(name, b"" | b".") {
            return Some((name, after));
        }
        rest = after.get(1..).unwrap_or_default();
    }
    None
}
