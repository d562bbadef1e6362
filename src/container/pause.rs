// SPDX-License-Identifier: Apache-2.0
//! Pausing, resuming, and who is there to be paused.

use rustix::fs::{AtFlags, CWD, Timestamps, UTIME_NOW, utimensat};
use rustix::time::Timespec;
use serde_json::json;

use super::lock::Starting;
use super::{Container, Status, status, stopped};
use crate::error::{Context, Error, Kind, Result};
use crate::launch::Record;
use crate::sys::{namespace, pidfd};

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
        Ok(json!(processes(&self.record()?)?).to_string())
    }
}

/// All processes of a container. Without a cgroup they are those of its pid namespace.
pub fn processes(record: &Record) -> Result<Vec<i32>> {
    let alone = record.init.as_ref().filter(|_| record.cgroup.is_nowhere());
    match alone {
        None => record.cgroup.processes(),
        Some(init) if init.open()?.is_none() => Ok(Vec::new()),
        Some(init) if record.shares_pids => Ok(vec![init.pid]),
        Some(init) => namespace::members(init.pid, "pid").context(|| "cannot list the processes of its pid namespace"),
    }
}

/// Sends a signal to all processes of a container without a cgroup.
pub fn signal(record: &Record, signal: i32) -> Result<()> {
    let held: Vec<_> = processes(record)?.into_iter().filter_map(|pid| Some((pid, pidfd::open(pid).ok()?))).collect();
    // Held before they are looked up again, so that a number that went to a stranger meanwhile is not hit.
    let still = processes(record)?;
    for (pid, pidfd) in held.iter().filter(|(pid, _)| still.contains(pid)) {
        match pidfd::signal(pidfd, signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            result => result.context(|| format!("cannot send signal {signal} to process {pid}"))?,
        }
    }
    Ok(())
}

/// A process in a frozen cgroup of version 1 hears of its death only when it is thawed.
pub fn thaw(record: &Record) -> Result<()> {
    match record.cgroup.is_frozen()? {
        true => record.cgroup.freeze(false),
        false => Ok(()),
    }
}
