// SPDX-License-Identifier: Apache-2.0
//! Descriptors by number, as callers of the C ABI give them.

use std::os::fd::{BorrowedFd, RawFd};

/// Borrows descriptor `fd` if it is open. The caller of the ABI keeps it open for the call.
pub fn borrow<'a>(fd: RawFd) -> Option<BorrowedFd<'a>> {
    // SAFETY: not -1; whether it is open is asked of the kernel before anything else is done with it.
    let file = (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })?;
    rustix::io::fcntl_getfd(file).is_ok().then_some(file)
}
