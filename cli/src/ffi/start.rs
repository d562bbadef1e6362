// SPDX-License-Identifier: Apache-2.0
//! Where C's start files enter. Before its `main`, Rust's runtime prepares for what this program does not do, and reads
//! /proc/self/maps for that: a hundredth of the run time of a small container. What is needed of it is here.

use std::ffi::{c_char, c_int};
use std::io::{Write, stdout};
use std::os::fd::BorrowedFd;

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, fcntl_getfd};

/// As Rust's runtime has it for a panic.
const PANICKED: c_int = 101;

// SAFETY: the C standard's function of this name, of which there is no other.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _words: *const *const c_char) -> c_int {
    prepare();
    let code = std::panic::catch_unwind(crate::run).map_or(PANICKED, |code| code.0.into());
    // Nobody else does. What it says of a failure has been said by who wrote.
    let _ = stdout().flush();
    code
}

/// What we open must not become our stdin, stdout or stderr, if we were started without; and to write where nobody reads
/// is an error, not the end.
fn prepare() {
    for number in 0..3 {
        // SAFETY: only asked about, and not kept; a number that is not open is answered with EBADF.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        if fcntl_getfd(fd) == Err(Errno::BADF) {
            // It takes the lowest number, and stays as long as we do.
            std::mem::forget(open("/dev/null", OFlags::RDWR, Mode::empty()));
        }
    }
    // SAFETY: no handler.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
}
