// SPDX-License-Identifier: Apache-2.0
//! exec: one more program in a container.
//!
//! It does not take the container's lock: it changes nothing on disk, a container that goes away meanwhile lets nobody in
//! any more, and one that is paused would keep the lock from whoever wants to resume it. It only keeps others from pausing
//! the container while it is half-way.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::lock::Starting;
use super::stdio::Stdio;
use super::{Container, Process, Status, status};
use crate::cgroup::Cgroup;
use crate::error::{Context, Error, Kind, Result};
use crate::launch::{self, Record};
use crate::plan;
use crate::spec;
use crate::sys::{namespace, pidfd};

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecOptions<'a> {
    /// The `process` object as text.
    pub process: &'a [u8],
    /// Cgroups below the container's own.
    pub cgroup: Option<&'a str>,
    /// stdin, stdout, stderr; -1 is /dev/null.
    pub stdio: Option<[i32; 3]>,
    /// Files 3 and on.
    pub fds: &'a [i32],
    /// In a paused container too, where it waits until that is resumed.
    pub ignore_paused: bool,
    /// The caller takes the listener of a seccomp filter that has no socket to send it to.
    pub takes_listener: bool,
    /// Readable: give up.
    pub cancel: Option<BorrowedFd<'a>>,
}

impl Container {
    /// Starts a program; returns once it runs.
    pub fn exec(&self, options: &ExecOptions<'_>) -> Result<Process> {
        let directory = self.directory();
        let record = self.record()?;
        let process = spec::load_process(options.process, record.process.as_deref())?;
        let files = Stdio::open(options.stdio, options.fds)?;
        let below = options.cgroup.map(|list| record.cgroup.below(list)).transpose()?;

        if record.listener.as_ref().is_some_and(|listener| listener.path.is_none()) && !options.takes_listener {
            let text = "the container's seccomp filter notifies whoever starts a program, and nobody takes its listener \
                        (BRIG_EXEC_SECCOMP_FD)";
            return Err(Error::new(Kind::State, text));
        }
        let _no_pause = Starting::begin(&directory)?.ok_or_else(stopped)?;
        let init = self.joinable(&record, options)?;
        let filter = launch::filter(&directory, &record)?;
        let container = plan::Joined {
            namespaces: namespaces(&init, &record)?,
            cgroup: below.as_ref().unwrap_or(&record.cgroup),
            resctrl: record.rdt.is_some(),
            common: &record.common,
            groups: plan::Groups::asked(&record.annotations),
            filter: filter.as_ref(),
            keyring: record.keyring.then_some(record.id.as_str()),
        };
        let executed = launch::exec(launch::ExecRequest {
            plan: &plan::Exec::compile(&process, &container, options.fds.len())?,
            init: init.pidfd()?,
            pid: init.pid(),
            record: &record,
            cgroup: container.cgroup,
            files: files.borrow(),
            cancel: options.cancel,
        })
        // A container that ends takes with it whoever is about to join.
        .map_err(|error| if init.has_ended() { stopped() } else { error })?;
        let process = Process::new(executed.child.pid, executed.child.pidfd, executed.console);
        executed.listener.into_iter().for_each(|listener| process.keep_listener(listener));
        Ok(process)
    }

    /// The `process` object of the container's config.json.
    pub fn process_spec(&self) -> Result<String> {
        let process = self.record()?.process.map(|text| String::from(Box::<str>::from(text)));
        process.ok_or_else(|| Error::new(Kind::State, "container not running: its creation did not end"))
    }

    /// The init of a container that can be joined: one that runs, or is about to.
    fn joinable(&self, record: &Record, options: &ExecOptions<'_>) -> Result<Process> {
        let refuse = |text: &str| Err(Error::new(Kind::State, text));
        let Some(init) = &record.init else {
            return match status::of(record, &self.directory()) {
                Status::Creating => refuse("cannot exec in a container that is being created"),
                _ => Err(stopped()),
            };
        };
        let init = Process::open(init)?.filter(|init| !init.has_ended()).ok_or_else(stopped)?;
        match (record.cgroup.is_frozen()?, options.ignore_paused) {
            (false, _) => {}
            (true, true) => await_resume(&record.cgroup, &init, options.cancel)?,
            (true, false) => return refuse("cannot exec in a paused container (use --ignore-paused to override)"),
        }
        Ok(init)
    }
}

/// How often to see whether a container was resumed.
const RESUME_CHECK: Duration = Duration::from_millis(10);

/// Waits while the container is paused. What is started in there would be frozen half-way: before it has left our
/// memory, or, in a cgroup of version 1, so that it could not even be killed.
fn await_resume(cgroup: &Cgroup, init: &Process, cancel: Option<BorrowedFd<'_>>) -> Result<()> {
    while cgroup.is_frozen()? {
        let ended = init.pidfd()?;
        let files: Vec<_> = std::iter::once(ended.as_fd()).chain(cancel).collect();
        match pidfd::readable(&files, Some(RESUME_CHECK)).context(|| "cannot wait for the container")? {
            None => {}
            Some(0) => return Err(stopped()),
            Some(_) => return Err(Error::new(Kind::Canceled, "canceled by the caller")),
        }
    }
    Ok(())
}

fn stopped() -> Error {
    Error::new(Kind::State, "cannot exec in a stopped container")
}

/// The namespaces to join. Should `init` end while they are looked at, and its pid go to another, then its pidfd lets
/// nobody join any more.
fn namespaces(init: &Process, record: &Record) -> Result<u64> {
    // Not even root may join the user namespace that it is in. For all others it does no harm.
    let known = record.namespaces & !(libc::CLONE_NEWUSER as u64);
    namespace::others(init.pid(), known).context(|| "cannot compare the container's namespaces with ours")
}
