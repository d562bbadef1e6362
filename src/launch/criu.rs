// SPDX-License-Identifier: Apache-2.0
//! Starting CRIU: by a sealed init that executes it, so that it costs the host no fork and no signal.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use brig_wire::kind;
use rustix::fs::{Mode, OFlags, open};

use super::Talk;
use super::files::above;
use super::newborn::Newborn;
use crate::criu::{Program, Session};
use crate::error::{Context, Error, Kind, Result};
use crate::plan::{self, Slot, Steps};
use crate::sys::{pidfd, socket};

/// How long CRIU may take from its last word to its end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A CRIU that runs. Dropped, it is killed.
pub struct Running {
    session: Session,
    talk: Talk,
    child: Newborn,
    /// The directory that it works in, as it sees it.
    work: Option<OwnedFd>,
}

impl AsRef<Session> for Running {
    fn as_ref(&self) -> &Session {
        &self.session
    }
}

impl Running {
    /// Has init execute `steps`, which end in CRIU. Of its descriptors `files` are those before and behind the socket.
    pub fn start(
        steps: &Steps,
        files: (&[BorrowedFd<'_>], &[BorrowedFd<'_>]),
        sources: Vec<OwnedFd>,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Self> {
        let (ours, theirs) = socket::pair().context(|| "cannot make a socket for criu")?;
        let given: Vec<_> = files.0.iter().copied().chain([theirs.as_fd()]).chain(files.1.iter().copied()).collect();
        let lowest = given.len() as i32;
        let sources = sources.into_iter().map(|source| above(source, lowest)).collect::<Result<Vec<_>>>()?;
        let number = |slot| match slot {
            Slot::File(index) => given.get(index).map_or(-1, |file| file.as_raw_fd()),
            Slot::Source(index) => sources.get(index).map_or(-1, |source| source.as_raw_fd()),
            _ => -1,
        };
        let keep: Vec<_> = given.iter().map(AsRawFd::as_raw_fd).chain(sources.iter().map(AsRawFd::as_raw_fd)).collect();
        let (talk, child) = Talk::spawn(steps, number, &keep, 0, cgroup, lowest)?;
        Ok(Self { session: Session::new(ours), talk, child: Newborn::new(child), work: None })
    }

    /// Its pid.
    pub fn pid(&self) -> Result<i32> {
        Ok(self.child.child()?.pid)
    }

    /// Tells init which cgroups to join.
    pub fn cgroups(&self, tasks: &[OwnedFd]) -> Result<()> {
        self.talk.cgroups(tasks)
    }

    /// Waits until it is CRIU.
    pub fn executed(&mut self, steps: &Steps, cancel: Option<BorrowedFd<'_>>) -> Result<()> {
        loop {
            let Some(received) = self.talk.next(cancel)? else { return Ok(()) };
            if received.message.kind == kind::DIRECTORY {
                self.work = received.file;
            } else {
                let error = self.talk.error(steps, &received);
                // It is not the container's program.
                let kind = if error.kind == Kind::Program { Kind::Unsupported } else { error.kind };
                return Err(error.kind(kind));
            }
        }
    }

    /// The number of the directory that it works in, which is open as long as this lives.
    pub fn work(&self) -> Option<i32> {
        self.work.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Lets it end, now that it has said all.
    pub fn end(self) -> Result<()> {
        drop(self.session);
        let ended = pidfd::ended(&self.child.child()?.pidfd, Some(PATIENCE)).context(|| "cannot wait for criu")?;
        if !ended {
            log::warn!("criu does not end by itself and is killed");
        }
        Ok(())
    }
}

/// A CRIU for questions, and for a checkpoint.
pub fn plain(program: &Path) -> Result<Running> {
    let steps = plan::criu::plain(program, plan::criu::SOCKET + 1)?;
    let null = null()?;
    let mut running = Running::start(&steps, (&[null.as_fd(); plan::criu::SOCKET], &[]), Vec::new(), None)?;
    running.executed(&steps, None)?;
    Ok(running)
}

/// The CRIU that there is, if it works with this kernel.
pub fn find() -> Result<Program> {
    if !rustix::process::geteuid().is_root() {
        let text = "only the host's root can checkpoint and restore: criu's unprivileged mode is not used yet";
        return Err(Error::new(Kind::Unsupported, text));
    }
    Program::find(plain)
}

/// Stands for a descriptor that is of no use.
pub fn null() -> Result<OwnedFd> {
    open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).context(|| "cannot open /dev/null")
}
