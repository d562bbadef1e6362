// SPDX-License-Identifier: Apache-2.0
//! `brig_process`: one process of a container.

use std::ffi::c_int;
use std::os::fd::IntoRawFd;

use super::{Head, Object, boundary, brig_error, brig_status, handle, invalid, output, release, retain};
use crate::container::{Exit, Process};

/// A process of a container: its init, or one that brig_container_exec() started.
pub struct brig_process {
    head: Head,
    value: Process,
}

impl Object for brig_process {
    const MAGIC: u32 = 0x6272_6703;
    const NOUN: &'static str = "process";

    fn head(&self) -> &Head {
        &self.head
    }
}

impl brig_process {
    pub(super) fn new(value: Process) -> Self {
        Self { head: Head::new::<Self>(), value }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct brig_exit {
    /// sizeof(brig_exit); set it with BRIG_INIT.
    pub size: usize,
    /// The exit code, or -1 when a signal ended it.
    pub code: i32,
    /// That signal, or 0.
    pub signal: i32,
}

/// Takes one more reference, and returns `process`. NULL is fine.
///
/// # Safety
/// `process` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_ref(process: *mut brig_process) -> *mut brig_process {
    retain(process)
}

/// Gives a reference back; the process lives on. NULL is fine.
///
/// # Safety
/// `process` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_unref(process: *mut brig_process) {
    release(process);
}

/// Stores the process's pid, as the caller's pid namespace has it. It may be reused once the process
/// has been waited for: prefer brig_process_pidfd().
///
/// # Safety
/// `process` is NULL or a handle; `pid` is NULL or a place for one; `error` likewise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_pid(
    process: *mut brig_process,
    pid: *mut libc::pid_t,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let process = handle(process)?;
        *output("pid", pid)? = process.value.pid();
        Ok(())
    })
}

/// Stores a pidfd in `*pidfd`: readable, for poll(2) and friends, once the process is gone.
///
/// # Safety
/// `process` is NULL or a handle; `pidfd` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_pidfd(
    process: *mut brig_process,
    pidfd: *mut c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let process = handle(process)?;
        let place = output("pidfd", pidfd)?;
        *place = process.value.pidfd()?.into_raw_fd();
        Ok(())
    })
}

/// Stores in `*fd` the master of the terminal that process.terminal asked for. Once, by the one who
/// started the process; BRIG_ERR_NOT_FOUND afterwards, or if there is none.
///
/// # Safety
/// `process` is NULL or a handle; `fd` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_console(
    process: *mut brig_process,
    fd: *mut c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let process = handle(process)?;
        let place = output("fd", fd)?;
        *place = process.value.console()?.into_raw_fd();
        Ok(())
    })
}

/// Waits for the end of the process, `timeout_ms` at most; -1 is for ever and 0 does not wait. At the
/// timeout the answer is BRIG_ERR_CANCELED. Works in the process that created the container, or
/// executed the program in it, whatever that does with SIGCHLD; in others the exit code is known
/// from Linux 6.15 on, and before that the answer at the end is BRIG_ERR_UNSUPPORTED. May be called
/// again, from any thread.
///
/// # Safety
/// `process` is NULL or a handle; `exit` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_wait(
    process: *mut brig_process,
    timeout_ms: i32,
    exit: *mut brig_exit,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let process = handle(process)?;
        let place = output("exit", exit)?;
        if place.size < size_of::<brig_exit>() {
            return Err(invalid("exit", "has no sensible size: set it with BRIG_INIT"));
        }
        (place.code, place.signal) = match process.value.wait(timeout_ms)? {
            Exit::Code(code) => (code, 0),
            Exit::Signal(signal) => (-1, signal),
        };
        Ok(())
    })
}

/// Sends a signal to the process, and to no other, even if its pid was reused.
///
/// # Safety
/// `process` is NULL or a handle; `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_signal(
    process: *mut brig_process,
    signal: c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || handle(process)?.value.signal(signal))
}
