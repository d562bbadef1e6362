// SPDX-License-Identifier: Apache-2.0
//! What a container is over time: created, found again, started, joined, signalled, paused, dumped, restored, deleted.

mod checkpoint;
mod create;
mod exec;
mod lock;
mod monitor;
mod pause;
mod process;
mod restore;
mod runtime;
mod stats;
mod status;
mod stdio;
mod update;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use checkpoint::CheckpointOptions;
pub use create::CreateOptions;
pub use exec::ExecOptions;
pub use monitor::{Kinds, Monitor};
pub use process::{Exit, Process};
pub use restore::RestoreOptions;
pub use runtime::Runtime;

use crate::error::{Error, Kind, Result};
use crate::launch::{self, Identity, Record};
use crate::rdt::Rdt;
use lock::Lock;
use status::Status;

/// How long to wait for the end of an init that has let go of its connection, in milliseconds.
const DEATH_MS: i32 = 2000;

/// A handle to one container. All that can change is on disk or in the kernel; the handle only keeps what the
/// creator alone can have: the pidfd of its child, with the terminal, and that it takes the listener of its filter.
pub struct Container {
    runtime: Arc<Runtime>,
    id: String,
    init: Mutex<Option<Process>>,
    takes_listener: bool,
}

impl Container {
    /// Finds a container by its id.
    pub fn open(runtime: Arc<Runtime>, id: &str) -> Result<Self> {
        runtime::check_id(id)?;
        let container = Self { runtime, id: id.to_owned(), init: Mutex::default(), takes_listener: false };
        match std::fs::metadata(container.directory()) {
            Ok(metadata) if metadata.is_dir() => Ok(container),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(Error::os(format!("cannot open {}", container.directory().display()), error))
            }
            _ => Err(missing()),
        }
    }

    /// The OCI state as JSON.
    pub fn state(&self) -> Result<String> {
        status::state(&self.directory(), &self.id)
    }

    /// Runs the program of a created container, then the poststart hooks.
    pub fn start(&self) -> Result<()> {
        let lock = self.lock()?;
        let record = self.record()?;
        if record.listener.as_ref().is_some_and(|listener| listener.path.is_none()) && !self.takes_listener {
            let text = "its seccomp filter notifies the one who created it, so that no other can start it";
            return Err(Error::new(Kind::State, text));
        }
        let result = match launch::start(&self.directory(), &record)? {
            launch::Started::Running(listener) => {
                listener.map(|listener| self.init().map(|init| init.keep_listener(listener))).transpose()?;
                self.poststart(&record)
            }
            launch::Started::Failed(error) => Err(error),
            launch::Started::Died => Err(launch::death(self.init().and_then(|init| init.wait(DEATH_MS, None)).ok())),
            launch::Started::Unheard(error) => {
                if let Err(second) = self.end(&record) {
                    log::warn!("cannot end what nobody answers: {second}");
                }
                Err(error)
            }
            launch::Started::NobodyWaits => {
                let status = status::of(&record, &self.directory());
                let text = format!("cannot start a container that is {status}: it is not created");
                return Err(Error::new(Kind::State, text));
            }
        };
        match result {
            // runtime-spec, runtime.md, lifecycle: a failed hook stops the container and deletes it.
            Err(error) if error.kind == Kind::Hook => {
                if let Err(second) = self.remove(&lock, Some(&record)) {
                    log::warn!("cannot delete after a failed hook: {second}");
                }
                Err(error)
            }
            result => result,
        }
    }

    fn poststart(&self, record: &Record) -> Result<()> {
        if record.poststart.is_empty() {
            return Ok(());
        }
        let state = record.state("running", record.init.as_ref().map(|init| init.pid));
        for (pointer, hook) in crate::plan::hooks::numbered("/hooks/poststart", &record.poststart) {
            launch::hooks::run(hook, &pointer, &state, launch::hooks::directory(&record.bundle))?;
        }
        Ok(())
    }

    /// Sends a signal to init, or to all processes.
    pub fn signal(&self, signal: i32, all: bool) -> Result<()> {
        if !(0..=64).contains(&signal) {
            return Err(Error::new(Kind::Invalid, format!("signal: {signal} is not a signal")));
        }
        let _lock = self.lock()?;
        let record = self.record()?;
        if all || (record.shares_pids && signal == libc::SIGKILL) {
            return self.signal_all(&record, signal);
        }
        self.live_init(&record)?.signal(signal)?;
        if signal == libc::SIGKILL { pause::thaw(&record) } else { Ok(()) }
    }

    fn signal_all(&self, record: &Record, signal: i32) -> Result<()> {
        if record.cgroup.is_nowhere() {
            let init = self.live_init(record)?;
            return match signal {
                libc::SIGKILL => init.signal(signal),
                _ => pause::signal(record, signal),
            };
        }
        let somebody = match signal {
            libc::SIGKILL if record.cgroup.processes()?.is_empty() => false,
            // Those that are forked meanwhile as well.
            libc::SIGKILL => record.cgroup.kill().map(|()| true)?,
            signal => record.cgroup.signal(signal)?,
        };
        if somebody { Ok(()) } else { Err(stopped()) }
    }

    /// Removes a stopped container, or with `force` any.
    pub fn delete(&self, force: bool) -> Result<()> {
        let lock = self.lock()?;
        let record = match Record::read(&self.directory()) {
            Err(error) if force => {
                log::warn!("{error}; only its directory is removed");
                None
            }
            result => result?,
        };
        if let Some(record) = &record {
            match status::of(record, &self.directory()) {
                Status::Stopped | Status::Created => {}
                _ if force => {}
                status => {
                    let text = format!("cannot delete container {} that is not stopped: {status}", self.id);
                    return Err(Error::new(Kind::State, text));
                }
            }
        }
        self.remove(&lock, record.as_ref())
    }

    /// Ends what still runs, then removes everything; the poststop hooks run last.
    fn remove(&self, _lock: &Lock, record: Option<&Record>) -> Result<()> {
        if let Some(record) = record {
            self.end(record)?;
            // Whoever is in there nevertheless was put there from outside.
            record.cgroup.remove().or_else(|_| record.cgroup.kill().and_then(|()| record.cgroup.remove()))?;
            record.rdt.as_ref().map_or(Ok(()), Rdt::remove)?;
            launch::hooks::poststop(record);
        }
        self.runtime.clear_notify(&self.id);
        launch::clear(&self.directory());
        let what = || format!("cannot remove {}", self.directory().display());
        crate::error::Context::context(std::fs::remove_dir(self.directory()), what)
    }

    /// Kills init and all that is in the cgroups, and waits for the end, and for that of the supervisor.
    fn end(&self, record: &Record) -> Result<()> {
        self.end_all(record)?;
        if let Some(supervisor) = record.supervisor.as_ref().map(Identity::open).transpose()?.flatten() {
            launch::end_supervisor(&supervisor);
        }
        Ok(())
    }

    fn end_all(&self, record: &Record) -> Result<()> {
        if let Ok(init) = self.live_init(record) {
            init.signal(libc::SIGKILL)?;
            pause::thaw(record)?;
            init.wait_end()?;
        }
        // With the first process of a pid namespace the kernel has ended all others.
        if record.init.is_some() && !record.shares_pids {
            return Ok(());
        }
        record.cgroup.kill()
    }

    /// The init process.
    pub fn init(&self) -> Result<Process> {
        if let Some(init) = &*self.held() {
            return Ok(init.clone());
        }
        let record = self.record()?;
        let process = Process::init(&self.directory(), &record)?.ok_or_else(stopped)?;
        *self.held() = Some(process.clone());
        Ok(process)
    }

    /// The init process, if it runs.
    fn live_init(&self, record: &Record) -> Result<Process> {
        match status::of(record, &self.directory()) {
            Status::Stopped | Status::Creating => Err(stopped()),
            _ => self.init(),
        }
    }

    /// The terminal, once.
    pub fn console(&self) -> Result<OwnedFd> {
        match &*self.held() {
            Some(init) => init.console(),
            None => Err(Error::new(Kind::NotFound, "there is no terminal, or it is its creator's")),
        }
    }

    /// The listener of the filter, once.
    pub fn listener(&self) -> Result<OwnedFd> {
        match &*self.held() {
            Some(init) => init.listener(),
            None => Err(Error::new(Kind::NotFound, "there is no listener, or it is its creator's")),
        }
    }

    fn directory(&self) -> PathBuf {
        self.runtime.directory(&self.id)
    }

    fn lock(&self) -> Result<Lock> {
        Lock::take(&self.directory())?.ok_or_else(missing)
    }

    fn record(&self) -> Result<Record> {
        match Record::read(&self.directory())? {
            Some(record) => Ok(record),
            None if self.directory().is_dir() => {
                Err(Error::new(Kind::State, "container not running: its creation did not end"))
            }
            None => Err(missing()),
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Process>> {
        self.init.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing() -> Error {
    Error::new(Kind::NotFound, "container does not exist")
}

fn stopped() -> Error {
    Error::new(Kind::State, "container not running")
}
