// SPDX-License-Identifier: Apache-2.0
//! Pausing, resuming, and who is there to be paused.

use rustix::fs::{AtFlags, CWD, Timestamps, UTIME_NOW, utimensat};
use rustix::time::Timespec;
use serde_json::json;

use super::lock::Starting;
use super::{Container, Status, status, stopped};
use crate::error::{Error, Kind, Result};
use crate::launch::Record;

impl Container {
    /// Freezes all processes.
    pub fn pause(&self) -> Result<()> {
        let _lock = self.lock()?;
        let record = self.record()?;
        match status::of(&record, &self.directory()) {
            Status::Running => {
                let _no_exec = Starting::hold_off(&self.directory())?;
                record.cgroup.freeze(true).inspect(|()| self.touch())
            }
            Status::Stopped => Err(stopped()),
            // One that is created waits for a start, which would then wait for it.
            status => Err(Error::new(Kind::State, format!("container not running: it is {status}"))),
        }
    }

    /// Lets them go on.
    pub fn resume(&self) -> Result<()> {
        let _lock = self.lock()?;
        let record = self.record()?;
        match status::of(&record, &self.directory()) {
            Status::Paused => record.cgroup.freeze(false).inspect(|()| self.touch()),
            status => Err(Error::new(Kind::State, format!("container not paused: it is {status}"))),
        }
    }

    /// Lets those who watch the directory look again: the freezer of version 1 tells nobody.
    fn touch(&self) {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        if let Err(errno) = utimensat(CWD, self.directory(), &times, AtFlags::empty()) {
            log::debug!("cannot touch {}: {errno}", self.directory().display());
        }
    }

    /// The pids of all processes, as a JSON array.
    pub fn processes(&self) -> Result<String> {
        Ok(json!(self.record()?.cgroup.processes()?).to_string())
    }
}

/// A process in a frozen cgroup of version 1 hears of its death only when it is thawed.
pub fn thaw(record: &Record) -> Result<()> {
    match record.cgroup.is_frozen()? {
        true => record.cgroup.freeze(false),
        false => Ok(()),
    }
}
