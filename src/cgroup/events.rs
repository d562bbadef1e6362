// SPDX-License-Identifier: Apache-2.0
//! What the kernel tells of a container's cgroups while it runs: files to be watched, and what they say.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, Result as IoResult};

use super::dir::{Dir, put};
use super::stats::{Files, Pressure};
use super::{Cgroup, Place, Version};
use crate::error::{Context, Result};

/// When pressure is told of: some process waited for memory a twentieth of the time. Who has not CAP_SYS_RESOURCE may ask
/// for windows of two seconds and multiples of that (Documentation/accounting/psi.rst).
const TRIGGER: &str = "some 100000 2000000";
/// The least wait within a window that the trigger tells of, in microseconds.
pub(crate) const TRIGGER_STALL: u64 = 100_000;

/// How often a cgroup ran out of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OomCounts {
    /// How often; version 1 does not count that.
    pub(crate) oom: u64,
    /// How many processes were killed for it.
    pub(crate) killed: u64,
}

/// A file that tells of memory pressure.
pub(crate) enum PressureSource {
    /// `EPOLLPRI`: processes waited for long enough.
    Stall(OwnedFd),
    /// An eventfd: the kernel had to work to find memory (version 1, `memory.pressure_level`).
    Level(OwnedFd),
}

/// The level of [`PressureSource::Level`].
pub(crate) const LEVEL: &str = "medium";

impl Cgroup {
    /// Files that are modified, as inotify(7) has it, when the container is frozen or thawed.
    pub(crate) fn freeze_events(&self) -> Option<PathBuf> {
        self.unified().map(|place| place.path.join("cgroup.events"))
    }

    /// The same for when it runs out of memory; `None` where [`oom_eventfd`](Self::oom_eventfd) tells.
    pub(crate) fn oom_events(&self) -> Option<PathBuf> {
        let place = self.with_controller("memory").filter(|place| place.version == Version::V2);
        place.map(|place| place.path.join("memory.events"))
    }

    /// An eventfd that counts how often a cgroup of version 1 runs out of memory; `None` if memory is not there.
    pub(crate) fn oom_eventfd(&self) -> Result<Option<OwnedFd>> {
        let Some(place) = self.memory_v1() else { return Ok(None) };
        register(place, "memory.oom_control", "").context(|| format!("cannot watch {}", place.path.display()))
    }

    /// How often it ran out of memory; `None` if nobody counts, or it is gone.
    pub(crate) fn oom_counts(&self) -> Option<OomCounts> {
        let place = self.with_controller("memory")?;
        let file = if place.version == Version::V1 { "memory.oom_control" } else { "memory.events" };
        let table = Files::of(place).ok()??.table(file).ok().filter(|table| !table.is_empty())?;
        let count = |name| table.get(name).copied().unwrap_or_default();
        Some(OomCounts { oom: count("oom"), killed: count("oom_kill") })
    }

    /// A file that tells of memory pressure; `None` if this kernel has neither kind.
    pub(crate) fn pressure_source(&self) -> Result<Option<PressureSource>> {
        if let Some(place) = self.unified() {
            match trigger(place) {
                Ok(file) => return Ok(Some(PressureSource::Stall(file))),
                Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => {}
                Err(errno) => return Err(errno).context(|| format!("cannot watch {}", place.path.display())),
            }
        }
        let Some(place) = self.memory_v1() else { return Ok(None) };
        let file = register(place, "memory.pressure_level", LEVEL);
        Ok(file.context(|| format!("cannot watch {}", place.path.display()))?.map(PressureSource::Level))
    }

    /// The figures of memory pressure.
    pub(crate) fn memory_pressure(&self) -> Option<Pressure> {
        Files::of(self.unified()?).ok()??.pressure("memory.pressure").ok()?
    }

    fn memory_v1(&self) -> Option<&Place> {
        self.with_controller("memory").filter(|place| place.version == Version::V1)
    }
}

/// The trigger lives as long as its file.
fn trigger(place: &Place) -> IoResult<OwnedFd> {
    let dir = Dir::open(&place.path)?;
    let file = openat(&dir, "memory.pressure", OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    put(&file, TRIGGER)?;
    Ok(file)
}

/// Has an eventfd signalled (Documentation/admin-guide/cgroup-v1/memory.rst, chapter 9 and on). That ends when it is
/// closed; the files may be closed at once.
fn register(place: &Place, file: &str, arguments: &str) -> IoResult<Option<OwnedFd>> {
    let open = |dir: &Dir, file, flags| openat(dir, file, flags | OFlags::CLOEXEC, Mode::empty());
    let register = || {
        let dir = Dir::open(&place.path)?;
        let source = open(&dir, file, OFlags::RDONLY)?;
        let control = open(&dir, "cgroup.event_control", OFlags::WRONLY)?;
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        put(&control, format!("{} {} {arguments}", event.as_raw_fd(), source.as_raw_fd()).trim_end())?;
        Ok(event)
    };
    match register() {
        Err(Errno::NOENT | Errno::NODEV) => Ok(None),
        result => result.map(Some),
    }
}
