// SPDX-License-Identifier: Apache-2.0
//! What seccomp(2) of this kernel can do. Asking changes nothing.

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
