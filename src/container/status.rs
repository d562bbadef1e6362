// SPDX-License-Identifier: Apache-2.0
//! What state a container is in: asked of the kernel each time, never remembered.

use std::fmt;
use std::path::Path;

use super::lock::Lock;
use super::missing;
use crate::error::Result;
use crate::launch::{Record, gate};
use crate::sys::pidfd;

/// runtime-spec, runtime.md, "State"; and `paused`, as other runtimes have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Somebody is at work on it.
    Creating,
    /// init waits at the gate.
    Created,
    /// The program runs.
    Running,
    /// The program is frozen.
    Paused,
    /// init has ended, or the creator died before there was one.
    Stopped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

/// The state of the container with this record.
pub fn of(record: &Record, directory: &Path) -> Status {
    let Some(init) = &record.init else {
        return if Lock::is_taken(directory) { Status::Creating } else { Status::Stopped };
    };
    match pidfd::stat(init.pid) {
        Ok((start_time, false)) if start_time == init.start_time => {}
        _ => return Status::Stopped,
    }
    if gate::is_open(directory) {
        Status::Created
    } else if record.cgroup.is_frozen().unwrap_or(false) {
        Status::Paused
    } else {
        Status::Running
    }
}

/// The state as JSON.
pub fn state(directory: &Path, id: &str) -> Result<String> {
    let record = match Record::read(directory)? {
        Some(record) => record,
        None if directory.is_dir() => Record::unfinished(id),
        None => return Err(missing()),
    };
    let status = of(&record, directory);
    let pid = record.init.as_ref().map(|init| init.pid).filter(|_| status != Status::Stopped);
    Ok(record.state(&status.to_string(), pid))
}
