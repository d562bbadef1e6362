// SPDX-License-Identifier: Apache-2.0
//! What seccomp(2) of this kernel can do. Asking changes nothing.

use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

/// Whether filters may return this SECCOMP_RET_* action.
pub fn has_action(action: u32) -> bool {
    // SAFETY: the kernel reads one u32 from the pointer.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// Whether filters may be loaded with these SECCOMP_FILTER_FLAG_* flags.
pub fn has_flags(flags: u32) -> bool {
    // The flags are looked at first (EINVAL), the filter next (EFAULT): without one, none is loaded.
    // SAFETY: the pointer to the filter is NULL, which the kernel refuses to read.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, ptr::null::<libc::sock_fprog>())
    };
    result == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// Whether this file is the listener of a filter.
pub fn is_listener(file: impl AsFd) -> bool {
    // A listener looks for the notification with this number, and has none; other files have no such request.
    let (id, request) = (u64::MAX, libc::SECCOMP_IOCTL_NOTIF_ID_VALID);
    // SAFETY: the kernel reads one u64 from the pointer.
    let result = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), request as _, &raw const id) };
    result == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ENOENT)
}
