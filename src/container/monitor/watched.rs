// SPDX-License-Identifier: Apache-2.0
//! One container that is watched: what was told of it, and what there is to be told now.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::fs::inotify::WatchFlags;
use serde_json::json;

use super::{Events, Files, Source};
use crate::cgroup::{LEVEL, OomCounts, PressureSource, TRIGGER_STALL};
use crate::container::status::{self, Status};
use crate::error::{Context, Error, Kind, Result};
use crate::launch::{Record, Supervisor};
use crate::sys::pidfd::{self, Exit, Outcome};

/// How long to look for processes that were killed for an out-of-memory that version 1 told of.
const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// How often at most to look for pressure that the kernel did not tell us of.
const PRESSURE_PAUSE: Duration = Duration::from_secs(1);

/// A container that is watched.
pub struct Watched {
    id: String,
    directory: PathBuf,
    /// The watch of the directory comes first.
    watches: Vec<i32>,
    /// Whether it was created before our eyes, so that all that has been counted is news.
    fresh: bool,
    /// Once there is an init.
    live: Option<Live>,
    /// What was told.
    status: Option<Status>,
    exit_told: bool,
}

/// What there is to watch of a container with an init.
struct Live {
    record: Record,
    pid: i32,
    /// None if it was reaped before we came.
    pidfd: Option<OwnedFd>,
    supervisor: Option<Supervisor>,
    oom: Option<Oom>,
    pressure: Option<Pressure>,
}

struct Oom {
    /// Of version 1, where the kernel does not count.
    eventfd: Option<OwnedFd>,
    told: OomCounts,
    /// Until when to look for those who were killed.
    until: Option<Instant>,
}

struct Pressure {
    source: PressureSource,
    /// The wait, in microseconds, that was told of.
    told: u64,
    /// When that was.
    at: Instant,
}

impl Watched {
    /// Watches its directory; `None` if there is none.
    pub fn new(files: &Files, id: &str, directory: PathBuf, fresh: bool) -> Result<Option<Self>> {
        // The journal grows; the start gate is removed; the directory is touched; the directory is removed.
        let flags = WatchFlags::MODIFY
            | WatchFlags::DELETE
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::ONLYDIR;
        let Some(watch) = files.watch(&directory, flags)? else { return Ok(None) };
        let id = id.to_owned();
        Ok(Some(Self { id, directory, watches: vec![watch], fresh, live: None, status: None, exit_told: false }))
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its inotify watches.
    pub fn watches(&self) -> impl Iterator<Item = i32> + use<> {
        self.watches.clone().into_iter()
    }

    /// Whether this is the watch of its directory.
    pub fn is_its_own(&self, watch: i32) -> bool {
        self.watches.first() == Some(&watch)
    }

    /// Looks what has become of it; gives the watches that are new.
    pub fn look(&mut self, key: u32, files: &Files, events: &mut Events) -> Result<Vec<i32>> {
        let mut new = Vec::new();
        if self.live.is_none() {
            let Some(record) = Record::read(&self.directory)?.filter(|record| record.init.is_some()) else {
                self.fresh = true;
                return Ok(new);
            };
            new = self.begin(record, key, files, events)?;
        }
        self.look_for_oom(events);
        let Some(live) = &self.live else { return Ok(new) };
        match status::of(&live.record, &self.directory) {
            Status::Stopped => self.ended(key, files, events, EventFlags::empty()),
            Status::Creating => {}
            status => self.tell_status(status, events),
        }
        Ok(new)
    }

    /// Watches what there is once a container has an init. Only then its counters are read, so that none is missed.
    fn begin(&mut self, record: Record, key: u32, files: &Files, events: &Events) -> Result<Vec<i32>> {
        let Some(init) = record.init.clone() else { return Ok(Vec::new()) };
        let pidfd = init.open()?;
        if let Some(pidfd) = &pidfd {
            files.add(pidfd, key, Source::Pidfd, EventFlags::IN).context(|| "cannot watch the init process")?;
        }
        let kinds = events.kinds;
        let frozen = record.cgroup.freeze_events().filter(|_| kinds.state);
        let oom = record.cgroup.oom_events().filter(|_| kinds.oom);
        let mut watches = Vec::new();
        for path in [frozen, oom].into_iter().flatten() {
            watches.extend(files.watch(&path, WatchFlags::MODIFY)?);
        }
        self.watches.extend(&watches);
        let mut oom = kinds.oom.then(|| Oom::watch(&record, key, files)).transpose()?.flatten();
        if let Some(oom) = oom.as_mut().filter(|_| self.fresh) {
            oom.told = OomCounts::default();
        }
        // Of one that has stopped there is no pressure to come.
        let pressure = kinds.memory_pressure && pidfd.is_some();
        let pressure = pressure.then(|| Pressure::watch(&record, key, files)).transpose()?;
        let supervisor = Supervisor::open(&self.directory, &record)?;
        self.live = Some(Live { record, pid: init.pid, pidfd, supervisor, oom, pressure });
        Ok(watches)
    }

    fn tell_status(&mut self, status: Status, events: &mut Events) {
        if self.status == Some(status) {
            return;
        }
        self.status = Some(status);
        if events.kinds.state {
            let pid = self.live.as_ref().map(|live| live.pid).filter(|_| status != Status::Stopped).unwrap_or(0);
            events.push(json!({ "type": "state", "id": self.id, "status": status.to_string(), "pid": pid }));
        }
    }

    /// Its init has ended: tells that, and how, as soon as it is known.
    pub fn ended(&mut self, key: u32, files: &Files, events: &mut Events, flags: EventFlags) {
        self.look_for_oom(events);
        self.tell_status(Status::Stopped, events);
        let Some(live) = self.live.as_mut().filter(|_| !self.exit_told) else { return };
        // Asked first, since it may write that down and end in between.
        let supervised = live.supervisor.as_ref().is_some_and(Supervisor::is_alive);
        let exit = match (live.outcome(), &live.pidfd) {
            (Outcome::Exit(exit), _) => Some(exit),
            // Its parent has still to reap it, which is told as a hang-up; or its supervisor to write it down.
            (Outcome::NotYet, Some(pidfd)) if !flags.contains(EventFlags::HUP) => {
                return files.hang_up_only(pidfd, key, Source::Pidfd);
            }
            _ if supervised => return live.pidfd.iter().for_each(|pidfd| files.remove(pidfd)),
            _ => None,
        };
        live.pidfd.take();
        self.tell_exit(exit, events);
    }

    fn tell_exit(&mut self, exit: Option<Exit>, events: &mut Events) {
        let Some(live) = self.live.as_ref().filter(|_| events.kinds.exit && !self.exit_told) else { return };
        let mut event = json!({ "type": "exit", "id": self.id, "pid": live.pid });
        if let Some(exit) = exit {
            let (code, signal) = match exit {
                Exit::Code(code) => (code, 0),
                Exit::Signal(signal) => (-1, signal),
            };
            (event["code"], event["signal"]) = (code.into(), signal.into());
        }
        self.exit_told = true;
        events.push(event);
    }

    /// The container is no more.
    pub fn deleted(&mut self, events: &mut Events) {
        let Some(live) = &self.live else { return };
        let exit = match live.outcome() {
            Outcome::Exit(exit) => Some(exit),
            _ => None,
        };
        self.tell_status(Status::Stopped, events);
        self.tell_exit(exit, events);
        if events.kinds.state {
            events.push(json!({ "type": "state", "id": self.id, "status": "deleted", "pid": 0 }));
        }
    }

    /// The eventfd of version 1 was signalled.
    pub fn out_of_memory(&mut self, events: &mut Events) {
        let Some(live) = &mut self.live else { return };
        let Some(oom) = &mut live.oom else { return };
        let mut times = oom.eventfd.as_ref().map_or(0, read_count);
        if live.record.cgroup.oom_counts().is_none() {
            // The last signal is for the removal of the cgroup.
            times = times.saturating_sub(1);
            oom.eventfd = None;
        }
        if times > 0 {
            oom.told.oom += times;
            oom.until = Some(Instant::now() + KILL_PATIENCE);
            events.push(json!({ "type": "oom", "id": self.id, "count": oom.told.oom }));
        }
        self.look_for_oom(events);
    }

    /// Whether somebody is about to be killed.
    pub fn looks_for_killed(&self) -> bool {
        self.live.as_ref().and_then(|live| live.oom.as_ref()).is_some_and(|oom| oom.until.is_some())
    }

    /// Looks again whether somebody was killed.
    pub fn look_for_killed(&mut self, events: &mut Events) {
        if self.looks_for_killed() {
            self.look_for_oom(events);
        }
    }

    /// Tells of what the kernel has counted since it was told.
    fn look_for_oom(&mut self, events: &mut Events) {
        let Some(live) = &mut self.live else { return };
        let Some(oom) = &mut live.oom else { return };
        let Some(counts) = live.record.cgroup.oom_counts() else { return };
        if oom.eventfd.is_none() && counts.oom > oom.told.oom {
            oom.told.oom = counts.oom;
            events.push(json!({ "type": "oom", "id": self.id, "count": counts.oom }));
        }
        let killed = counts.killed > oom.told.killed;
        if killed {
            oom.told.killed = counts.killed;
            events.push(json!({ "type": "oom_kill", "id": self.id, "count": counts.killed }));
        }
        if killed || oom.until.is_some_and(|until| until < Instant::now()) {
            oom.until = None;
        }
    }

    /// The file that tells of memory pressure is ready.
    pub fn under_pressure(&mut self, files: &Files, events: &mut Events, flags: EventFlags) {
        let Some(live) = &mut self.live else { return };
        let Some(pressure) = &mut live.pressure else { return };
        let figures = live.record.cgroup.memory_pressure();
        match &pressure.source {
            // Of a cgroup that was removed.
            PressureSource::Stall(file) if flags.contains(EventFlags::ERR) => {
                files.remove(file);
                live.pressure = None;
            }
            PressureSource::Stall(_) => {
                if let Some(figures) = figures {
                    (pressure.told, pressure.at) = (figures.stalled(), Instant::now());
                    events.push(json!({ "type": "memory-pressure", "id": self.id, "level": "some", "psi": figures }));
                }
            }
            PressureSource::Level(file) => {
                // It is signalled as well when the cgroup is removed.
                if read_count(file) > 0 && live.record.cgroup.oom_counts().is_some() {
                    events.push(json!({ "type": "memory-pressure", "id": self.id, "level": LEVEL }));
                }
            }
        }
    }

    /// Whether it has waited for memory that long without our being told: a poll of the kernel's file takes the event, and
    /// a caller who polls the monitor's file polls it.
    pub fn check_pressure(&mut self, events: &mut Events) {
        let Some(live) = &mut self.live else { return };
        let Some(pressure) = live.pressure.as_mut() else { return };
        if !matches!(pressure.source, PressureSource::Stall(_)) || pressure.at.elapsed() < PRESSURE_PAUSE {
            return;
        }
        let Some(figures) = live.record.cgroup.memory_pressure() else { return };
        if figures.stalled().saturating_sub(pressure.told) >= TRIGGER_STALL {
            (pressure.told, pressure.at) = (figures.stalled(), Instant::now());
            events.push(json!({ "type": "memory-pressure", "id": self.id, "level": "some", "psi": figures }));
        }
    }
}

impl Live {
    /// How init ended, as far as it is known by now.
    fn outcome(&self) -> Outcome {
        let recorded = self.supervisor.as_ref().and_then(|supervisor| supervisor.recorded(self.pid));
        match (recorded, &self.pidfd) {
            (Some(exit), _) => Outcome::Exit(exit),
            (None, Some(pidfd)) => pidfd::outcome(pidfd),
            (None, None) => Outcome::Unknown,
        }
    }
}

impl Oom {
    /// `None` if nobody counts.
    fn watch(record: &Record, key: u32, files: &Files) -> Result<Option<Self>> {
        let eventfd = record.cgroup.oom_eventfd()?;
        if let Some(eventfd) = &eventfd {
            files.add(eventfd, key, Source::Oom, EventFlags::IN).context(|| "cannot watch the container's memory")?;
        }
        Ok(record.cgroup.oom_counts().map(|told| Self { eventfd, told, until: None }))
    }
}

impl Pressure {
    fn watch(record: &Record, key: u32, files: &Files) -> Result<Self> {
        let none = || Error::new(Kind::Unsupported, "this kernel tells of no memory pressure: it has no PSI");
        let source = record.cgroup.pressure_source()?.ok_or_else(none)?;
        let (file, flags) = match &source {
            PressureSource::Stall(file) => (file, EventFlags::PRI),
            PressureSource::Level(file) => (file, EventFlags::IN),
        };
        files.add(file, key, Source::Pressure, flags).context(|| "cannot watch memory pressure")?;
        let told = record.cgroup.memory_pressure().map(|figures| figures.stalled()).unwrap_or_default();
        Ok(Self { source, told, at: Instant::now() })
    }
}

/// What an eventfd has counted.
fn read_count(eventfd: &OwnedFd) -> u64 {
    let mut count = [0; 8];
    match rustix::io::read(eventfd, &mut count) {
        Ok(8) => u64::from_ne_bytes(count),
        _ => 0,
    }
}
