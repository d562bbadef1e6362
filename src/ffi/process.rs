// SPDX-License-Identifier: Apache-2.0
//! `brig_process`: one process of a container.

use std::ffi::c_int;
use std::os::fd::{BorrowedFd, IntoRawFd};

use super::{Head, Object, boundary, brig_error, brig_status, handle, invalid, output, release, retain};
use crate::container::{Exit, Process};
use crate::error::Result;

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

/// Stores a pidfd in `*pidfd`: readable, for poll(2) and friends, once the process is gone. Of a process
/// that was gone already, of which only a supervisor's record is left, BRIG_ERR_STATE: brig_process_wait()
/// answers at once.
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

/// Stores in `*fd` the listener of the process's seccomp filter, as brig_container_seccomp_fd() does for the
/// container's own: of a program that was executed with BRIG_EXEC_SECCOMP_FD. Each execution has one of its own.
///
/// # Safety
/// `process` is NULL or a handle; `fd` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_seccomp_fd(
    process: *mut brig_process,
    fd: *mut c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let process = handle(process)?;
        let place = output("fd", fd)?;
        *place = process.value.listener()?.into_raw_fd();
        Ok(())
    })
}

/// Waits for the end of the process, `timeout_ms` at most; -1 is for ever and 0 does not wait. At the
/// timeout the answer is BRIG_ERR_CANCELED. Once the pidfd is readable, 0 is enough. May be called
/// again, from any thread.
///
/// How the process ended is known to its parent, which is the one that created the container or executed
/// the program; to everybody if the container was created with BRIG_CREATE_SUPERVISED and this is its
/// init; and from Linux 6.15 on to everybody, once the parent has reaped it. Otherwise the answer
/// is BRIG_ERR_UNSUPPORTED, as for a parent that ignores SIGCHLD or waits for any child.
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
    boundary(error, || wait(process, timeout_ms, None, exit))
}

/// As brig_process_wait(), but gives up as soon as `cancel_fd` is readable: BRIG_ERR_CANCELED. It is not
/// read from, so that one file can end many waits; -1 is none.
///
/// # Safety
/// `process` is NULL or a handle; `exit` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_process_wait_cancelable(
    process: *mut brig_process,
    timeout_ms: i32,
    cancel_fd: c_int,
    exit: *mut brig_exit,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || wait(process, timeout_ms, cancel(cancel_fd)?, exit))
}

fn wait(
    process: *mut brig_process,
    timeout_ms: i32,
    cancel: Option<BorrowedFd<'_>>,
    exit: *mut brig_exit,
) -> Result<()> {
    let process = handle(process)?;
    let place = output("exit", exit)?;
    if place.size < size_of::<brig_exit>() {
        return Err(invalid("exit", "has no sensible size: set it with BRIG_INIT"));
    }
    (place.code, place.signal) = match process.value.wait(timeout_ms, cancel)? {
        Exit::Code(code) => (code, 0),
        Exit::Signal(signal) => (-1, signal),
    };
    Ok(())
}

/// A descriptor given as an argument, where -1 means none.
fn cancel<'a>(fd: c_int) -> Result<Option<BorrowedFd<'a>>> {
    match fd {
        -1 => Ok(None),
        // SAFETY: the caller keeps the file open for the call.
        fd if fd >= 0 => Ok(Some(unsafe { BorrowedFd::borrow_raw(fd) })),
        _ => Err(invalid("cancel_fd", "is negative; none is -1")),
    }
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
