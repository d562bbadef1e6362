// SPDX-License-Identifier: Apache-2.0
//! What a create has done so far; dropped before the end, it undoes that.

use std::path::Path;

use super::net_devices::NetDevices;
use super::newborn::Newborn;
use super::record::Journal;
use super::{Record, hooks, supervisor};
use crate::error::{Error, Kind, Result};
use crate::rdt::Rdt;
use crate::sys::spawn::Child;

/// The undoing of an unfinished create.
pub struct Undo<'a> {
    directory: &'a Path,
    journal: Journal,
    /// What there is to undo.
    pub record: Record,
    /// The init that was spawned.
    pub init: Option<Newborn>,
    /// Its supervisor.
    pub supervisor: Option<Newborn>,
    /// The network devices that were moved.
    pub network: Option<NetDevices>,
    /// Whether hooks ran, so that the poststop hooks have something to clean up.
    pub hooked: bool,
    armed: bool,
}

impl<'a> Undo<'a> {
    /// Nothing done yet, and what is to be done on disk.
    pub fn new(directory: &'a Path, record: Record) -> Result<Self> {
        let journal = Journal::open(directory)?;
        let mut undo = Self {
            directory,
            journal,
            record,
            init: None,
            supervisor: None,
            network: None,
            hooked: false,
            armed: true,
        };
        undo.write()?;
        Ok(undo)
    }

    /// Writes to disk what was done so far.
    pub fn write(&mut self) -> Result<()> {
        self.journal.write(&self.record)
    }

    /// The init that was spawned.
    pub fn init(&mut self) -> Result<&mut Newborn> {
        self.init.as_mut().ok_or_else(missing)
    }

    /// Everything is done: there is nothing to undo, and init is on its own.
    pub fn forget(mut self) -> Result<Child> {
        self.armed = false;
        if let Some(network) = self.network.take() {
            network.leave();
        }
        self.supervisor.take().map(Newborn::grown).transpose()?;
        self.init.take().ok_or_else(missing)?.grown()
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        self.network = None;
        self.init = None;
        for result in [self.record.cgroup.kill(), self.record.cgroup.remove()] {
            if let Err(error) = result {
                log::warn!("cannot undo: {error}");
            }
        }
        if let Some(Err(error)) = self.record.rdt.as_ref().map(Rdt::undo) {
            log::warn!("cannot undo: {error}");
        }
        if let Some(Ok(supervisor)) = self.supervisor.as_ref().map(Newborn::child) {
            supervisor::end(&supervisor.pidfd);
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

fn missing() -> Error {
    Error::new(Kind::Bug, "there is no init")
}
