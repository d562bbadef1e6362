// SPDX-License-Identifier: Apache-2.0
//! `brig_process`.

use std::ffi::c_int;
use std::os::fd::{FromRawFd, OwnedFd};

use brig::{brig_exit, brig_process};

use super::{Error, check, fetch};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A process of a container.
pub struct Process(pub(super) *mut brig_process);

impl Process {
    /// Its pid, as this program's pid namespace has it.
    pub fn pid(&self) -> Result<i32, Error> {
        // SAFETY: our own handle; the others are places for their types.
        fetch(0, |pid, error| unsafe { brig::brig_process_pid(self.0, pid, error) })
    }

    /// A file that is readable once the process is gone.
    pub fn pidfd(&self) -> Result<OwnedFd, Error> {
        // SAFETY: our own handle; the others are places for their types.
        let fd = fetch(-1, |fd, error| unsafe { brig::brig_process_pidfd(self.0, fd, error) })?;
        // SAFETY: the call succeeded, so this file is ours to close.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Takes the master of its terminal; `None` if it has no terminal.
    pub fn console(&self) -> Result<Option<OwnedFd>, Error> {
        // SAFETY: our own handle; the others are places for their types.
        match fetch(-1, |fd, error| unsafe { brig::brig_process_console(self.0, fd, error) }) {
            // SAFETY: the call succeeded, so this file is ours to close.
            Ok(fd) => Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits for its end.
    pub fn wait(&self) -> Result<Exit, Error> {
        const FOR_EVER: i32 = -1;
        let empty = brig_exit { size: size_of::<brig_exit>(), code: 0, signal: 0 };
        // SAFETY: our own handle; the others are places for their types.
        let exit = fetch(empty, |exit, error| unsafe { brig::brig_process_wait(self.0, FOR_EVER, exit, error) })?;
        Ok(if exit.signal == 0 { Exit::Code(exit.code) } else { Exit::Signal(exit.signal) })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: c_int) -> Result<(), Error> {
        // SAFETY: our own handle; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_process_signal(self.0, signal, error) })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: our own reference, not used after this.
        unsafe { brig::brig_process_unref(self.0) };
    }
}
