// SPDX-License-Identifier: Apache-2.0
//! One process of a container, held by its pidfd.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};
use crate::launch::Init;
use crate::sys::pidfd;
pub use crate::sys::pidfd::Exit;

/// A process; clones share the exit status, which the kernel tells only once.
#[derive(Clone)]
pub struct Process {
    shared: Arc<Shared>,
}

struct Shared {
    pid: i32,
    pidfd: OwnedFd,
    exit: Mutex<Option<Exit>>,
    console: Mutex<Option<OwnedFd>>,
}

impl Process {
    /// A process that we hold already, perhaps with its terminal.
    pub fn new(pid: i32, pidfd: OwnedFd, console: Option<OwnedFd>) -> Self {
        Self { shared: Arc::new(Shared { pid, pidfd, exit: Mutex::default(), console: Mutex::new(console) }) }
    }

    /// The process of a record; `None` if it is gone, even if its pid was given to another.
    pub fn open(init: &Init) -> Result<Option<Self>> {
        Ok(Self::find(init)?.map(|(process, _)| process))
    }

    /// The same, `None` too if it has ended and only waits to be reaped.
    pub fn open_living(init: &Init) -> Result<Option<Self>> {
        Ok(Self::find(init)?.and_then(|(process, dead)| (!dead).then_some(process)))
    }

    fn find(init: &Init) -> Result<Option<(Self, bool)>> {
        let pidfd = match pidfd::open(init.pid) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            result => result.context(|| "cannot open a pidfd")?,
        };
        // After the pidfd is open, the pid cannot be reused any more without us seeing it.
        Ok(match pidfd::stat(init.pid) {
            Ok((start_time, dead)) if start_time == init.start_time => Some((Self::new(init.pid, pidfd, None), dead)),
            _ => None,
        })
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.shared.pid
    }

    /// A pidfd of the caller's own.
    pub fn pidfd(&self) -> Result<OwnedFd> {
        self.shared.pidfd.try_clone().context(|| "cannot duplicate a pidfd")
    }

    /// Its terminal, once.
    pub fn console(&self) -> Result<OwnedFd> {
        let none = || Error::new(Kind::NotFound, "there is no terminal, or it was taken already");
        self.shared.console.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(none)
    }

    /// Whether it is known to have ended.
    pub fn has_ended(&self) -> bool {
        pidfd::ended(self.shared.pidfd.as_fd(), Some(Duration::ZERO)).unwrap_or(false)
    }

    /// Waits for the end; -1 is for ever.
    pub fn wait(&self, timeout_ms: i32) -> Result<Exit> {
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        if !pidfd::ended(self.shared.pidfd.as_fd(), timeout).context(|| "cannot wait for the process")? {
            return Err(Error::new(Kind::Canceled, "the process has not ended in time"));
        }
        let mut exit = self.shared.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if exit.is_none() {
            *exit = pidfd::exit(&self.shared.pidfd);
        }
        let unknown = "the process has ended, but only its parent can know how: this kernel is older than 6.15";
        exit.ok_or_else(|| Error::new(Kind::Unsupported, unknown))
    }

    /// Waits for the end, whatever it is like.
    pub fn wait_end(&self) -> Result<()> {
        pidfd::ended(self.shared.pidfd.as_fd(), None).context(|| "cannot wait for the process")?;
        let mut exit = self.shared.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if exit.is_none() {
            *exit = pidfd::exit(&self.shared.pidfd);
        }
        Ok(())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) -> Result<()> {
        match pidfd::signal(self.shared.pidfd.as_fd(), signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                Err(Error::new(Kind::State, "no such process: it has ended"))
            }
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                Err(Error::new(Kind::Invalid, format!("signal: {signal} is not a signal")))
            }
            result => result.context(|| "cannot send the signal"),
        }
    }
}
