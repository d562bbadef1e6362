// SPDX-License-Identifier: Apache-2.0
//! One process of a container, held by its pidfd.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};
use crate::launch::{Identity, Record, Supervisor};
use crate::sys::pidfd;
pub use crate::sys::pidfd::Exit;

/// A process; clones share the exit status, which the kernel tells only once.
#[derive(Clone)]
pub struct Process {
    shared: Arc<Shared>,
}

struct Shared {
    pid: i32,
    /// None of one that is long gone, and left no more than its exit status.
    pidfd: Option<OwnedFd>,
    supervisor: Option<Supervisor>,
    exit: Mutex<Option<Exit>>,
    console: Mutex<Option<OwnedFd>>,
    listener: Mutex<Option<OwnedFd>>,
}

impl Process {
    /// A process that we hold already, perhaps with its terminal.
    pub fn new(pid: i32, pidfd: OwnedFd, console: Option<OwnedFd>) -> Self {
        Self::supervised(pid, pidfd, console, None)
    }

    /// The same, perhaps with the supervisor that records its end.
    pub fn supervised(pid: i32, pidfd: OwnedFd, console: Option<OwnedFd>, supervisor: Option<Supervisor>) -> Self {
        let (exit, console) = (Mutex::default(), Mutex::new(console));
        let listener = Mutex::default();
        Self { shared: Arc::new(Shared { pid, pidfd: Some(pidfd), supervisor, exit, console, listener }) }
    }

    /// The process with this identity; `None` if it has ended and was reaped.
    pub fn open(identity: &Identity) -> Result<Option<Self>> {
        Ok(identity.open()?.map(|pidfd| Self::new(identity.pid, pidfd, None)))
    }

    /// The init process of a record, also if it has ended but it is known how; else `None`.
    pub fn init(directory: &Path, record: &Record) -> Result<Option<Self>> {
        let Some(init) = &record.init else { return Ok(None) };
        let supervisor = Supervisor::open(directory, record)?;
        if let Some(pidfd) = init.open()? {
            return Ok(Some(Self::supervised(init.pid, pidfd, None, supervisor)));
        }
        let exit = supervisor.and_then(|supervisor| supervisor.exit(init.pid));
        Ok(exit.map(|exit| Self::ended(init.pid, exit)))
    }

    fn ended(pid: i32, exit: Exit) -> Self {
        let (exit, console, listener) = (Mutex::new(Some(exit)), Mutex::default(), Mutex::default());
        Self { shared: Arc::new(Shared { pid, pidfd: None, supervisor: None, exit, console, listener }) }
    }

    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.shared.pid
    }

    /// A pidfd of the caller's own.
    pub fn pidfd(&self) -> Result<OwnedFd> {
        let pidfd = self.shared.pidfd.as_ref().ok_or_else(gone)?;
        pidfd.try_clone().context(|| "cannot duplicate a pidfd")
    }

    /// Its terminal, once.
    pub fn console(&self) -> Result<OwnedFd> {
        let none = || Error::new(Kind::NotFound, "there is no terminal, or it was taken already");
        self.shared.console.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(none)
    }

    /// Keeps the listener of its filter for whoever is to answer.
    pub fn keep_listener(&self, listener: OwnedFd) {
        *self.shared.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// The listener of its filter, once.
    pub fn listener(&self) -> Result<OwnedFd> {
        let none = || Error::new(Kind::NotFound, "there is no listener, or it was taken already");
        self.shared.listener.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(none)
    }

    /// Whether it has ended, be it reaped or not.
    pub fn has_ended(&self) -> bool {
        let ended =
            |pidfd: &OwnedFd| pidfd::readable(&[pidfd.as_fd()], Some(Duration::ZERO)).is_ok_and(|it| it.is_some());
        self.shared.pidfd.as_ref().is_none_or(ended)
    }

    /// Waits for the end; -1 is for ever. Gives up once `cancel` is readable.
    pub fn wait(&self, timeout_ms: i32, cancel: Option<BorrowedFd<'_>>) -> Result<Exit> {
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        self.wait_readable(timeout, cancel)?;
        let mut exit = self.exit();
        if exit.is_none() {
            *exit = self.learn();
        }
        let unknown = "the process has ended, but it is not known how: its parent has not reaped it, its supervisor \
                       was killed, or it has none and this kernel is older than 6.15";
        exit.ok_or_else(|| Error::new(Kind::Unsupported, unknown))
    }

    fn wait_readable(&self, timeout: Option<Duration>, cancel: Option<BorrowedFd<'_>>) -> Result<()> {
        let Some(pidfd) = &self.shared.pidfd else { return Ok(()) };
        // The end comes first where both are ready.
        let files: Vec<_> = [Some(pidfd.as_fd()), cancel].into_iter().flatten().collect();
        match pidfd::readable(&files, timeout).context(|| "cannot wait for the process")? {
            Some(0) => Ok(()),
            Some(_) => Err(Error::new(Kind::Canceled, "canceled by the caller")),
            None => Err(Error::new(Kind::Canceled, "the process has not ended in time")),
        }
    }

    /// How it ended, which it has: as its parent, by its supervisor's record, or from the kernel's memory.
    fn learn(&self) -> Option<Exit> {
        let pidfd = self.shared.pidfd.as_ref()?;
        let recorded = || self.shared.supervisor.as_ref()?.exit(self.shared.pid);
        pidfd::reap(pidfd).or_else(recorded).or_else(|| pidfd::exit(pidfd))
    }

    /// Waits for the end, whatever it is like.
    pub fn wait_end(&self) -> Result<()> {
        self.wait_readable(None, None)?;
        let mut exit = self.exit();
        if let (None, Some(pidfd)) = (*exit, &self.shared.pidfd) {
            *exit = pidfd::reap(pidfd);
        }
        Ok(())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) -> Result<()> {
        let pidfd = self.shared.pidfd.as_ref().ok_or_else(gone)?;
        match pidfd::signal(pidfd, signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(gone()),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                Err(Error::new(Kind::Invalid, format!("signal: {signal} is not a signal")))
            }
            result => result.context(|| "cannot send the signal"),
        }
    }

    fn exit(&self) -> MutexGuard<'_, Option<Exit>> {
        self.shared.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> Error {
    Error::new(Kind::State, "no such process: it has ended")
}
