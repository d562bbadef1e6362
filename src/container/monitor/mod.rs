// SPDX-License-Identifier: Apache-2.0
//! What happens to containers, as events from one file.
//!
//! One epoll(7) file holds all that can tell of something: inotify(7) on the state directory, on the containers' own and
//! on files of cgroups of version 2; a pidfd of each init; the eventfds of version 1; triggers of memory pressure. Whoever
//! waits for that file needs no thread. What became ready is only a reason to look again: what is told is the
//! difference between what was and what is, so that nothing is lost between looking and watching.

mod watched;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use serde_json::Value;

use self::watched::Watched;
use super::{Container, Runtime, missing, runtime, stats};
use crate::error::{Context, Error, Result};

/// How long after the news of an out-of-memory in version 1 to look who was killed, and again, and again.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The kinds of events that are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    /// Changes of state.
    pub state: bool,
    /// How init ended.
    pub exit: bool,
    /// Out of memory, and killed for that.
    pub oom: bool,
    /// Waiting for memory.
    pub memory_pressure: bool,
}

/// What watches containers.
pub struct Monitor {
    state: Mutex<State>,
}

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Source {
    /// Something was told and not fetched.
    Queue,
    Inotify,
    Timer,
    Oom,
    Pressure,
    // The last, so that what happened before an end is told before it.
    Pidfd,
}

const SOURCES: [Source; 6] =
    [Source::Queue, Source::Inotify, Source::Timer, Source::Oom, Source::Pressure, Source::Pidfd];

/// Where new sources go.
struct Files {
    poll: OwnedFd,
    inotify: OwnedFd,
}

/// What has been found out and is not fetched yet.
struct Events {
    kinds: Kinds,
    queue: VecDeque<Value>,
}

struct State {
    runtime: Arc<Runtime>,
    /// None for all.
    ids: Option<BTreeSet<String>>,
    /// The watch of the state directory; none if no more containers are to come.
    root: Option<i32>,
    files: Files,
    events: Events,
    containers: HashMap<u32, Watched>,
    next_key: u32,
    /// Which container an inotify watch is of.
    watches: HashMap<i32, u32>,
    ready: OwnedFd,
    timer: OwnedFd,
}

impl Container {
    /// Watches this container.
    pub fn monitor(&self, kinds: Kinds) -> Result<Monitor> {
        let monitor = Monitor::new(&self.runtime, Some([self.id.clone()].into()), kinds)?;
        let mut state = monitor.lock();
        state.add(&self.id, false)?;
        if state.containers.is_empty() {
            return Err(missing());
        }
        drop(state);
        Ok(monitor)
    }
}

impl Runtime {
    /// Watches these containers, or all; those that are to come as well.
    pub fn monitor(self: &Arc<Self>, ids: Option<&[&str]>, kinds: Kinds) -> Result<Monitor> {
        ids.unwrap_or_default().iter().try_for_each(|id| runtime::check_id(id))?;
        self.make()?;
        let ids = ids.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
        let monitor = Monitor::new(self, ids, kinds)?;
        let mut state = monitor.lock();
        let new = inotify::WatchFlags::CREATE | inotify::WatchFlags::ONLYDIR;
        let watch = inotify::add_watch(&state.files.inotify, self.root(), new);
        state.root = Some(watch.context(|| format!("cannot watch {}", self.root().display()))?);
        for id in self.ids()? {
            state.add(&id, false)?;
        }
        drop(state);
        Ok(monitor)
    }
}

impl Monitor {
    fn new(runtime: &Arc<Runtime>, ids: Option<BTreeSet<String>>, kinds: Kinds) -> Result<Self> {
        let what = || "cannot make a monitor";
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).context(what)?;
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let inotify = inotify::init(flags).context(what)?;
        let ready = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).context(what)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).context(what)?;
        let files = Files { poll, inotify };
        for (file, source) in [(&ready, Source::Queue), (&files.inotify, Source::Inotify), (&timer, Source::Timer)] {
            files.add(file, 0, source, epoll::EventFlags::IN).context(what)?;
        }
        let state = State {
            runtime: Arc::clone(runtime),
            ids,
            root: None,
            files,
            events: Events { kinds, queue: VecDeque::new() },
            containers: HashMap::new(),
            next_key: 0,
            watches: HashMap::new(),
            ready,
            timer,
        };
        Ok(Self { state: Mutex::new(state) })
    }

    /// A file of the caller's own that is readable when there is something to fetch.
    pub fn file(&self) -> Result<OwnedFd> {
        let state = self.lock();
        state.signal()?;
        state.files.poll.try_clone().context(|| "cannot duplicate a file")
    }

    /// The next event as JSON; `None` if there is none now.
    pub fn next(&self) -> Result<Option<String>> {
        let mut state = self.lock();
        if state.events.queue.is_empty() {
            state.collect().context(|| "cannot wait for events")?;
        }
        let event = state.events.queue.pop_front();
        state.signal()?;
        Ok(event.map(|event| event.to_string()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn add(&self, file: impl AsFd, key: u32, source: Source, events: epoll::EventFlags) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(u64::from(key) << 8 | source as u64);
        epoll::add(&self.poll, file, data, events)
    }

    /// No longer asks for anything but the hang-up, which cannot be turned off.
    fn hang_up_only(&self, file: impl AsFd, key: u32, source: Source) {
        let data = epoll::EventData::new_u64(u64::from(key) << 8 | source as u64);
        let _ = epoll::modify(&self.poll, file, data, epoll::EventFlags::empty());
    }

    fn remove(&self, file: impl AsFd) {
        let _ = epoll::delete(&self.poll, file);
    }

    /// Watches a path; `None` if it is not there.
    fn watch(&self, path: &Path, flags: inotify::WatchFlags) -> Result<Option<i32>> {
        match inotify::add_watch(&self.inotify, path, flags) {
            Err(Errno::NOENT | Errno::NODEV) => Ok(None),
            result => result.map(Some).context(|| format!("cannot watch {}", path.display())),
        }
    }
}

impl Events {
    fn push(&mut self, event: Value) {
        self.queue.push_back(event);
    }
}

impl State {
    /// The file that stands for what is queued.
    fn signal(&self) -> Result<()> {
        let result = match self.events.queue.is_empty() {
            true => rustix::io::read(&self.ready, &mut [0; 8]),
            false => rustix::io::write(&self.ready, &1u64.to_ne_bytes()),
        };
        match result {
            Err(Errno::AGAIN) => Ok(()),
            result => result.map(drop).context(|| "cannot signal events"),
        }
    }

    /// Looks at all that is ready, until there is something to tell or nothing is ready any more.
    fn collect(&mut self) -> rustix::io::Result<()> {
        let mut space = [MaybeUninit::<epoll::Event>::uninit(); 64];
        while self.events.queue.is_empty() {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let (ready, _) = epoll::wait(&self.files.poll, &mut space, Some(&now))?;
            let mut ready: Vec<_> = ready.iter().map(|event| (event.data.u64(), event.flags)).collect();
            if ready.is_empty() {
                self.containers.values_mut().for_each(|container| container.check_pressure(&mut self.events));
                return Ok(());
            }
            ready.sort_by_key(|(data, _)| data & 0xff);
            for (data, flags) in ready {
                self.react((data >> 8) as u32, SOURCES[(data & 0xff) as usize], flags);
            }
        }
        Ok(())
    }

    fn react(&mut self, key: u32, source: Source, flags: epoll::EventFlags) {
        let container = self.containers.get_mut(&key);
        match (source, container) {
            (Source::Queue, _) => drop(rustix::io::read(&self.ready, &mut [0; 8])),
            (Source::Inotify, _) => self.notified(),
            (Source::Timer, _) => {
                let _ = rustix::io::read(&self.timer, &mut [0; 8]);
                self.containers.values_mut().for_each(|container| container.look_for_killed(&mut self.events));
            }
            (Source::Oom, Some(container)) => container.out_of_memory(&mut self.events),
            (Source::Pressure, Some(container)) => container.under_pressure(&self.files, &mut self.events, flags),
            (Source::Pidfd, Some(container)) => container.ended(key, &self.files, &mut self.events, flags),
            // It went with an event before.
            (_, None) => {}
        }
        if matches!(source, Source::Oom | Source::Timer) && self.containers.values().any(Watched::looks_for_killed) {
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: LOOK_AGAIN };
            let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once);
        }
    }

    /// Reads what inotify has to say: which containers are new, gone, or to be looked at.
    fn notified(&mut self) {
        let mut space = [MaybeUninit::<u8>::uninit(); 4096];
        let (mut new, mut gone, mut changed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut overflow = false;
        let mut reader = inotify::Reader::new(&self.files.inotify, &mut space);
        while let Ok(event) = reader.next() {
            overflow |= event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
            if Some(event.wd()) == self.root {
                new.extend(
                    event.file_name().and_then(|name| OsStr::from_bytes(name.to_bytes()).to_str()).map(String::from),
                );
            } else if let Some(key) = self.watches.get(&event.wd()) {
                let is_gone = event.events().contains(inotify::ReadFlags::DELETE_SELF);
                let its_own = self.containers.get(key).is_some_and(|container| container.is_its_own(event.wd()));
                if is_gone && its_own { &mut gone } else { &mut changed }.insert(*key);
            }
        }
        if overflow {
            changed.extend(self.containers.keys().copied());
            new.extend(self.runtime.ids().unwrap_or_default());
        }
        changed.iter().for_each(|key| self.look(*key));
        for key in gone {
            new.extend(self.remove(key));
        }
        if self.root.is_some() {
            for id in new {
                self.add(&id, true).unwrap_or_else(|error| self.events.push(stats::failure(&id, &error)));
            }
        }
    }

    /// Looks at a container again.
    fn look(&mut self, key: u32) {
        let Some(container) = self.containers.get_mut(&key) else { return };
        match container.look(key, &self.files, &mut self.events) {
            Ok(watches) => self.watches.extend(watches.into_iter().map(|watch| (watch, key))),
            Err(error) => {
                self.events.push(stats::failure(container.id(), &error));
                self.remove(key);
            }
        }
    }

    /// Begins to watch a container, if it is wanted, not watched already, and there. One that is fresh has come since
    /// this monitor was made.
    fn add(&mut self, id: &str, fresh: bool) -> Result<()> {
        let wanted = self.ids.as_ref().is_none_or(|ids| ids.contains(id)) && runtime::check_id(id).is_ok();
        if !wanted || self.containers.values().any(|container| container.id() == id) {
            return Ok(());
        }
        let Some(mut container) = Watched::new(&self.files, id, self.runtime.directory(id), fresh)? else {
            return Ok(());
        };
        let key = self.next_key;
        self.next_key += 1;
        let result = container.look(key, &self.files, &mut self.events);
        self.watches.extend(container.watches().map(|watch| (watch, key)));
        self.containers.insert(key, container);
        result.map(drop).inspect_err(|_: &Error| drop(self.remove(key)))
    }

    /// Forgets a container; its id, since there may be another one by now.
    fn remove(&mut self, key: u32) -> Option<String> {
        let mut container = self.containers.remove(&key)?;
        for watch in container.watches() {
            let _ = inotify::remove_watch(&self.files.inotify, watch);
            self.watches.remove(&watch);
        }
        container.deleted(&mut self.events);
        Some(container.id().to_owned())
    }
}
