// SPDX-License-Identifier: Apache-2.0
//! Namespaces as files.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// NS_GET_NSTYPE of ioctl_ns(2).
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// The CLONE_NEW* flag of the namespace that is open here; `None` if it is no namespace at all.
pub fn kind(file: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    if rustix::fs::fstatfs(file)?.f_type as i64 != NSFS_MAGIC {
        return Ok(None);
    }
    // SAFETY: the request takes no argument and changes nothing.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE as _) };
    if kind < 0 { Err(io::Error::last_os_error()) } else { Ok(Some(kind as u32 as u64)) }
}
