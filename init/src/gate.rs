// SPDX-License-Identifier: Apache-2.0
//! The end of the plan: finding the program, waiting at the gate until it is to start, and executing it.

use core::ffi::CStr;

use brig_wire::{Act, Message, Strings, kind};
use linux_raw_sys::general::{AT_EACCESS, O_CLOEXEC, S_IFMT, S_IFREG, X_OK};

use crate::control::{Failure, Outcome, receive, send};
use crate::sys::{self, CWD, Errno, Fd, Words};

/// The index of the first candidate that is a regular file and may be executed.
pub fn find(candidates: Strings) -> Outcome<usize> {
    let mut denied = false;
    for (index, path) in candidates.iter().enumerate() {
        match executable(path) {
            Ok(()) => return Ok(index),
            Err(errno) => denied |= errno == Errno::EACCES,
        }
    }
    Err(match denied {
        true => Failure::new(Act::NotExecutable, Errno::EACCES),
        false => Failure::new(Act::NotFound, Errno::ENOENT),
    })
}

fn executable(path: &CStr) -> sys::Result<()> {
    let status = sys::status_at(&CWD, path, 0)?;
    if u32::from(status.stx_mode) & S_IFMT != S_IFREG {
        return Err(Errno::EACCES);
    }
    sys::faccessat2(&CWD, path, X_OK, AT_EACCESS)
}

/// Waits for a connection that says START; that connection, and the file that comes with it, are the result.
pub fn wait(listener: Fd) -> Outcome<(Fd, Option<Fd>)> {
    loop {
        let connection = match sys::accept4(&listener, 0, 0, O_CLOEXEC) {
            Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
            result => result?,
        };
        if let Some((Message { kind: kind::START, .. }, [file, ..])) = receive(&connection) {
            // Nothing is lost if the starter is gone: it said so.
            let _ = send(&connection, Message { kind: kind::STARTED, ..Message::default() }, b"", None);
            return Ok((connection, file));
        }
    }
}

/// Executes the program; returns only if that failed.
pub fn execute(program: usize, candidates: Strings, lists: &Lists) -> Outcome {
    let path = candidates.iter().nth(program).ok_or(Errno::EINVAL)?;
    Err(match lists.execve(path) {
        Errno::ENOENT => Failure::new(Act::NotFound, Errno::ENOENT),
        errno => Failure::new(Act::NotExecutable, errno),
    })
}

/// The two arrays of pointers for execve(2), in one piece of memory.
pub struct Lists {
    words: Words,
    environment: usize,
}

impl Lists {
    /// Points at the strings, which end in NUL in the plan itself; `more` are more of the environment.
    pub fn new(arguments: Strings, environment: Strings, more: [Option<&CStr>; 2]) -> sys::Result<Self> {
        let start = arguments.len() + 1;
        let mut words = Words::new(start + environment.len() + more.len() + 1)?;
        for (first, strings) in [(0, arguments), (start, environment)] {
            // The last words of each list stay null.
            let slots = words.iter_mut().skip(first).take(strings.len());
            for (slot, string) in slots.zip(strings.iter()) {
                *slot = string.as_ptr() as usize;
            }
        }
        let slots = words.iter_mut().skip(start + environment.len());
        for (slot, string) in slots.zip(more.into_iter().flatten()) {
            *slot = string.as_ptr() as usize;
        }
        Ok(Self { words, environment: start })
    }

    /// execve(2); returns only if that failed.
    pub fn execve(&self, path: &CStr) -> Errno {
        let (arguments, environment) = self.words.split_at_checked(self.environment).unwrap_or_default();
        sys::execve(path, arguments, environment).err().unwrap_or(Errno::EINVAL)
    }
}
