// SPDX-License-Identifier: Apache-2.0
//! Pausing, resuming, and who is there to be paused.

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
                record.cgroup.freeze(true)
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
            Status::Paused => record.cgroup.freeze(false),
            status => Err(Error::new(Kind::State, format!("container not paused: it is {status}"))),
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
