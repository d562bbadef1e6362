// SPDX-License-Identifier: Apache-2.0
//! The supervisor of a container: the parent of its init, which writes to a file how that ended.
//!
//! So whoever comes later can know, on any kernel and whatever became of the caller that created the container.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use brig_wire::{Ended, kind};

use super::newborn::Newborn;
use super::{Record, Talk, death};
use crate::error::{Context, Error, Kind, Result};
use crate::plan::Steps;
use crate::sys::pidfd::{self, Exit};
use crate::sys::spawn::Child;

const NAME: &str = "exit";

/// How long the supervisor may take from the end of init to its own. It has two system calls to make.
const PATIENCE: Duration = Duration::from_secs(2);

/// Makes the file that the supervisor writes to.
pub fn make_file(directory: &Path) -> Result<OwnedFd> {
    let path = directory.join(NAME);
    let file = fs::OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
    Ok(file.context(|| format!("cannot make {}", path.display()))?.into())
}

/// Hears from the supervisor, which was spawned just now, of the init that it forked.
pub fn meet(talk: &Talk, steps: &Steps, supervisor: &Newborn) -> Result<Newborn> {
    let Some(received) = talk.next(None)? else {
        return Err(death(pidfd::exit(&supervisor.child()?.pidfd)));
    };
    match (received.message.kind, received.message.value, received.file) {
        (kind::SUPERVISED, pid, Some(pidfd)) => Ok(Newborn::new(Child { pid: pid as i32, pidfd })),
        (kind::SUPERVISED, _, None) => Err(Error::new(Kind::Bug, "the supervisor sent no pidfd")),
        (_, _, file) => Err(talk.error(steps, &crate::sys::socket::Received { file, ..received })),
    }
}

/// A supervisor, as long as it lives, and its file.
pub struct Supervisor {
    /// None if it has ended.
    process: Option<OwnedFd>,
    /// Held open, since it is to be read after whoever deletes the container has removed it.
    file: File,
}

impl Supervisor {
    /// The supervisor of the container with this record; `None` if it has none.
    pub fn open(directory: &Path, record: &Record) -> Result<Option<Self>> {
        let Some(identity) = &record.supervisor else { return Ok(None) };
        let path = directory.join(NAME);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result.context(|| format!("cannot open {}", path.display()))?,
        };
        Ok(Some(Self { process: identity.open()?, file }))
    }

    /// How the init with this pid ended, which it has; `None` if the supervisor could not write it down.
    pub fn exit(&self, pid: i32) -> Option<Exit> {
        self.process.as_ref().map(has_ended);
        self.recorded(pid)
    }

    /// The same, as far as it has been written down by now.
    pub fn recorded(&self, pid: i32) -> Option<Exit> {
        let mut record = [0; Ended::SIZE];
        let mut at = 0;
        // Of two inits the first one ends early.
        while self.file.read_exact_at(&mut record, at).is_ok() {
            match Ended::decode(&record) {
                Some(ended) if ended.pid == pid => return Some(Exit::from_status(ended.status)),
                _ => at += Ended::SIZE as u64,
            }
        }
        None
    }

    /// Whether it may still write something down.
    pub fn is_alive(&self) -> bool {
        let ended = |process| pidfd::ended(process, Some(Duration::ZERO)).unwrap_or(true);
        self.process.as_ref().is_some_and(|process| !ended(process))
    }
}

/// Sees to it that a supervisor is gone, after the end of init. One that somebody stopped has to be killed.
pub fn end(process: &OwnedFd) {
    if has_ended(process) {
        return;
    }
    let _ = pidfd::signal(process, libc::SIGKILL);
    if !has_ended(process) {
        log::warn!("the container's supervisor does not die");
    }
}

/// Waits a little for its end, which follows that of init; and reaps it if it is our child.
fn has_ended(process: &OwnedFd) -> bool {
    let ended = pidfd::ended(process, Some(PATIENCE)).unwrap_or(false);
    if ended {
        pidfd::reap(process);
    }
    ended
}
