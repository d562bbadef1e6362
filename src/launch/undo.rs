// SPDX-License-Identifier: Apache-2.0
//! What a create has done so far; dropped before the end, it undoes that.

use std::os::fd::OwnedFd;
use std::path::Path;

use super::record::Journal;
use super::{Record, hooks};
use crate::error::{Error, Kind, Result};
use crate::sys::pidfd;
use crate::sys::spawn::Child;

/// The undoing of an unfinished create.
pub struct Undo<'a> {
    directory: &'a Path,
    journal: Journal,
    /// What there is to undo.
    pub record: Record,
    /// The init.
    pub child: Option<Child>,
    /// Whether hooks ran, so that the poststop hooks have something to clean up.
    pub hooked: bool,
    armed: bool,
}

impl<'a> Undo<'a> {
    /// Nothing done yet, and what is to be done on disk.
    pub fn new(directory: &'a Path, record: Record) -> Result<Self> {
        let journal = Journal::open(directory)?;
        let mut undo = Self { directory, journal, record, child: None, hooked: false, armed: true };
        undo.write()?;
        Ok(undo)
    }

    /// Writes to disk what was done so far.
    pub fn write(&mut self) -> Result<()> {
        self.journal.write(&self.record)
    }

    /// The init that was spawned.
    pub fn child(&self) -> Result<&Child> {
        self.child.as_ref().ok_or_else(|| Error::new(Kind::Bug, "there is no init"))
    }

    /// The first init has made the second and ends.
    pub fn replace_child(&mut self, pid: i32, file: Option<OwnedFd>) -> Result<()> {
        let pidfd = file.ok_or_else(|| Error::new(Kind::Bug, "init forked without a pidfd"))?;
        if let Some(first) = self.child.replace(Child { pid, pidfd }) {
            pidfd::reap(&first.pidfd);
        }
        Ok(())
    }

    /// Everything is done: there is nothing to undo.
    pub fn forget(mut self) {
        self.armed = false;
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if let Some(child) = &self.child {
            let _ = pidfd::signal(&child.pidfd, libc::SIGKILL);
            pidfd::reap(&child.pidfd);
        }
        for result in [self.record.cgroup.kill(), self.record.cgroup.remove()] {
            if let Err(error) = result {
                log::warn!("cannot undo: {error}");
            }
        }
        if self.hooked {
            hooks::poststop(&self.record);
        }
        clear(self.directory);
    }
}

/// Removes the files of a container's directory, but not the directory.
pub fn clear(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
}
