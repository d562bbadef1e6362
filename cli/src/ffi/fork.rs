// SPDX-License-Identifier: Apache-2.0
//! fork(2), for a process that is no program of its own.

use std::ffi::c_uint;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::libc;
use nix::unistd::{ForkResult, Pid, fork as fork_process};

/// Does something in a child, which then ends; nothing of the parent's is dropped there.
pub fn fork(child: impl FnOnce()) -> nix::Result<Pid> {
    // SAFETY: this program has one thread, so that all that the child needs is in a state to be used.
    match unsafe { fork_process() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let _ = catch_unwind(AssertUnwindSafe(child));
            // SAFETY: ends the process, and takes no memory.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Closes all files from this number on, in a process that does not use them any more.
pub fn close_from(first: c_uint) -> io::Result<()> {
    // SAFETY: takes no memory; whoever owned these files is never dropped in a child of `fork`.
    match unsafe { libc::syscall(libc::SYS_close_range, first, c_uint::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
