// SPDX-License-Identifier: Apache-2.0
//! checkpoint: who may be dumped, and what becomes of it.

use std::os::fd::BorrowedFd;
use std::path::Path;

use super::lock::Starting;
use super::{Container, Status, pause, status, stopped};
use crate::criu::Common;
use crate::criu::images::{Images, Place};
use crate::error::{Error, Kind, Result};
use crate::launch::{self, CheckpointRequest, Record};

/// Namespaces that CRIU can be given again, or finds in its images.
const KNOWN: u64 = (libc::CLONE_NEWNET | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) as u64;

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckpointOptions<'a> {
    /// Where to.
    pub place: Place<'a>,
    /// The images of an earlier one, relative to these.
    pub parent: Option<&'a Path>,
    /// What a restore is asked for too.
    pub common: Common,
    /// It runs on.
    pub leave_running: bool,
    /// The memory alone.
    pub pre_dump: bool,
    /// Connections that are being made are left out.
    pub tcp_skip_in_flight: bool,
    /// Files that were removed are linked again.
    pub link_remap: bool,
    /// Who takes the memory: an address and a port.
    pub page_server: Option<(&'a str, u16)>,
    /// Who is told that pages can be fetched.
    pub status: Option<BorrowedFd<'a>>,
    /// Readable: give up.
    pub cancel: Option<BorrowedFd<'a>>,
}

impl Container {
    /// Writes images of all processes of a container that runs, and ends it unless it is to go on.
    pub fn checkpoint(&self, options: &CheckpointOptions<'_>) -> Result<()> {
        let _lock = self.lock()?;
        let record = self.record()?;
        match status::of(&record, &self.directory()) {
            Status::Running => {}
            Status::Stopped => return Err(stopped()),
            status => {
                let text = format!("container not running: it is {status}, and so it cannot be checkpointed");
                return Err(Error::new(Kind::State, text));
            }
        }
        if record.joined & !KNOWN != 0 {
            let text = "it has joined a mount, user, cgroup or time namespace by its path, which cannot be restored";
            return Err(Error::new(Kind::Unsupported, text));
        }
        let _no_exec = Starting::hold_off(&self.directory())?;
        let init = self.init()?;
        let images = Images::make(&options.place)?;
        if let Some(parent) = options.parent {
            images.check_parent(parent)?;
        }
        let done = launch::checkpoint(&CheckpointRequest {
            record: &record,
            pid: init.pid(),
            images: &images,
            common: options.common,
            leave_running: options.leave_running,
            pre_dump: options.pre_dump,
            tcp_skip_in_flight: options.tcp_skip_in_flight,
            link_remap: options.link_remap,
            parent: options.parent,
            page_server: options.page_server,
            status: options.status,
            cancel: options.cancel,
        });
        match done {
            Ok(()) if options.leave_running || options.pre_dump => Ok(()),
            Ok(()) => init.wait_end(),
            Err(error) => {
                goes_on(&record);
                Err(error)
            }
        }
    }
}

/// A CRIU that died cannot thaw what it has frozen.
fn goes_on(record: &Record) {
    if let Err(error) = pause::thaw(record) {
        log::warn!("cannot thaw the container after a failed checkpoint: {error}");
    }
}
