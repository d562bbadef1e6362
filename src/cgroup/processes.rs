// SPDX-License-Identifier: Apache-2.0
//! The processes in a container's cgroup: listed, killed, frozen.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::dir::Dir;
use super::{Cgroup, PATIENCE, Place, Version};
use crate::error::{Context, Error, Kind, Result};
use crate::sys::pidfd;

/// How long freezing may take. A process in an uninterruptible sleep (NFS, a vfork parent in version 1) cannot
/// be frozen before it wakes.
const FREEZE_PATIENCE: Duration = Duration::from_secs(10);

impl Cgroup {
    /// All processes in the container's cgroup and below it, in ascending order.
    pub(crate) fn processes(&self) -> Result<Vec<i32>> {
        self.main().map_or(Ok(Vec::new()), |place| within(&place.path))
    }

    /// Kills all processes in the container's cgroup and below it. In the unified hierarchy the kernel does so
    /// at once (`cgroup.kill`, since 5.14) and this does not wait for them to be gone; elsewhere this repeats
    /// until nobody is left, since processes may fork meanwhile.
    ///
    /// Does nothing if `create` is not known to have succeeded: then nobody of ours can be inside.
    pub(crate) fn kill(&self) -> Result<()> {
        let Some(place) = self.main().filter(|place| place.made.is_some()) else { return Ok(()) };
        if place.version == Version::V2 {
            match Dir::open(&place.path).and_then(|dir| dir.write("cgroup.kill", "1")) {
                Ok(()) => return Ok(()),
                Err(Errno::NOENT) => {} // No cgroup any more, or an older kernel.
                Err(errno) => return Err(Error::os(format!("cannot kill cgroup {}", place.path.display()), errno)),
            }
        }
        self.kill_one_by_one(place)
    }

    /// Sends a signal to all processes in the container's cgroup and below it; whether there were any.
    pub(crate) fn signal(&self, signal: i32) -> Result<bool> {
        let Some(place) = self.main() else { return Ok(false) };
        let pids = within(&place.path)?;
        signal_all(&place.path, &pids, signal)?;
        Ok(!pids.is_empty())
    }

    pub(super) fn kill_one_by_one(&self, place: &Place) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_micros(200);
        loop {
            let pids = within(&place.path)?;
            if pids.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let why = format!("processes {pids:?} in cgroup {} do not die", place.path.display());
                return Err(Error::new(Kind::Failed, why));
            }
            // Frozen processes fork no further; where that cannot be had, repeating must do. They die when thawed.
            let freezer = self.freezer().filter(|freezer| request(freezer, true).is_ok());
            signal_all(&place.path, &pids, libc::SIGKILL)?;
            if let Some(freezer) = freezer {
                request(freezer, false)?;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Freezes or thaws the container, and waits until that is done.
    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let Some(place) = self.freezer() else {
            let text = match self.is_denied() {
                true => "without a cgroup of its own nothing can be frozen, and none is delegated to us",
                false => "this host has no freezer cgroup controller",
            };
            return Err(Error::new(Kind::Unsupported, text));
        };
        let deadline = Instant::now() + FREEZE_PATIENCE;
        let mut pause = Duration::from_micros(100);
        request(place, frozen)?;
        while is_frozen(place)? != frozen {
            if Instant::now() >= deadline {
                request(place, false)?;
                let what = if frozen { "frozen" } else { "thawed" };
                let why = format!("cgroup {} cannot be {what} within {FREEZE_PATIENCE:?}", place.path.display());
                return Err(Error::new(Kind::Failed, why));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
            if place.version == Version::V1 {
                // Version 1 may stay FREEZING over a process that forked or was woken: asking again helps.
                request(place, frozen)?;
            }
        }
        Ok(())
    }

    /// Whether the container is frozen.
    pub(crate) fn is_frozen(&self) -> Result<bool> {
        self.freezer().map_or(Ok(false), is_frozen)
    }

    /// The hierarchy that is asked who is there: the unified one, else any with controllers.
    fn main(&self) -> Option<&Place> {
        let v1 = || self.with_controller("freezer").or_else(|| self.places.first());
        self.unified().or_else(v1)
    }

    /// The unified hierarchy where its freezer is (Linux 5.2; frozen processes can be killed and traced), else
    /// version 1's controller.
    pub(super) fn freezer(&self) -> Option<&Place> {
        let unified = self
            .unified()
            .filter(|place| rustix::fs::access(place.path.join("cgroup.freeze"), rustix::fs::Access::EXISTS).is_ok());
        unified.or_else(|| self.with_controller("freezer"))
    }
}

/// The processes in a cgroup of any hierarchy and below it; none if it does not exist.
pub(super) fn within(path: &Path) -> Result<Vec<i32>> {
    let mut pids = Vec::new();
    let mut collect = |dir: &Dir| {
        match dir.read("cgroup.procs") {
            // 0 stands for a process of another pid namespace.
            Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|&pid| pid > 0)),
            // A threaded cgroup: its processes are listed where its domain is.
            Err(Errno::OPNOTSUPP | Errno::NOENT | Errno::NODEV) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    };
    match Dir::open(path).and_then(|dir| dir.walk(&mut collect)) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(Error::os(format!("cannot list the processes of {}", path.display()), errno)),
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// Sends a signal to those of `pids` that are in the cgroup still. They are held by pidfds before they are looked up
/// again: so a number that went to a stranger meanwhile is not hit.
fn signal_all(path: &Path, pids: &[i32], signal: i32) -> Result<()> {
    let open = |&pid: &i32| Some((pid, pidfd::open(pid).ok()?));
    // In parts, so as not to use up the host's descriptors.
    for part in pids.chunks(64) {
        let held: Vec<_> = part.iter().filter_map(open).collect();
        let still = within(path)?;
        for (pid, pidfd) in held {
            if still.binary_search(&pid).is_ok() {
                match pidfd::signal(&pidfd, signal) {
                    // It ended in between.
                    Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                    result => result.context(|| format!("cannot send signal {signal} to process {pid}"))?,
                }
            }
        }
    }
    Ok(())
}

fn request(place: &Place, frozen: bool) -> Result<()> {
    let (file, value) = match (place.version, frozen) {
        (Version::V1, true) => ("freezer.state", "FROZEN"),
        (Version::V1, false) => ("freezer.state", "THAWED"),
        (Version::V2, true) => ("cgroup.freeze", "1"),
        (Version::V2, false) => ("cgroup.freeze", "0"),
    };
    Dir::open(&place.path)
        .and_then(|dir| dir.write(file, value))
        .context(|| format!("cannot write {value} to {}/{file}", place.path.display()))
}

/// Whether the cgroup is frozen; false where there is no freezer.
pub(super) fn is_frozen(place: &Place) -> Result<bool> {
    let (file, line) = match place.version {
        Version::V1 => ("freezer.state", "FROZEN"),
        Version::V2 => ("cgroup.events", "frozen 1"),
    };
    match Dir::open(&place.path).and_then(|dir| dir.read(file)) {
        Ok(text) => Ok(text.lines().any(|found| found == line)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(Error::os(format!("cannot read {}/{file}", place.path.display()), errno)),
    }
}
