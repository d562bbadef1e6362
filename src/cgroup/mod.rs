// SPDX-License-Identifier: Apache-2.0
//! The cgroups of a container, by cgroupfs: version 1, the unified hierarchy, and both side by side; or in the unified
//! hierarchy as a scope of systemd's.
//!
//! A cgroup's life is [`plan`](Cgroup::plan), which only computes; [`create`](Cgroup::create), or with systemd
//! [`enclose`](Cgroup::enclose), once init is there;
//! the init joins ([`join_files`](Cgroup::join_files) in version 1, `CLONE_INTO_CGROUP` by
//! [`directory`](Cgroup::directory) in the unified hierarchy); [`apply_limits`](Cgroup::apply_limits), with
//! processes inside or without; [`kill`](Cgroup::kill); [`remove`](Cgroup::remove).
//!
//! The caller records the `Cgroup` on disk before `create` and again after it, before it clones. Then a crash
//! at any instant leaves something that `remove` can clean.

mod devices;
mod dir;
mod events;
mod filter;
mod host;
mod path;
mod processes;
mod resources;
mod restore;
mod stats;
mod systemd;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::runtime::LinuxResources;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use self::dir::Dir;
pub(crate) use self::events::{LEVEL, OomCounts, PressureSource, TRIGGER_STALL};
pub(crate) use self::host::{Hierarchy, Host, Layout, Version, unescape};
pub(crate) use self::stats::Stats;
use crate::error::{Context, Error, Kind, Result};
use crate::sys::privilege;

/// How long `remove` and `kill` wait for processes that are dying.
const PATIENCE: Duration = Duration::from_secs(2);

/// The cgroups of one container: one in every hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cgroup {
    places: Vec<Place>,
    /// Where this user may make none, and does without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    denied: Vec<Place>,
    /// The scope whose cgroup it is, with the systemd driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<systemd::Unit>,
}

/// The cgroup in one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    version: Version,
    /// As `/proc/self/cgroup` has them: "cpu,cpuacct", "name=systemd". In the unified hierarchy what its root has.
    controllers: String,
    mount_point: PathBuf,
    path: PathBuf,
    /// How many directories at the end of `path` are ours; not known before `create`.
    made: Option<usize>,
}

impl Cgroup {
    /// Computes the container's path in every hierarchy; touches nothing. The rules are those of [`path`].
    ///
    /// A user who is `limited` has no cgroup in the hierarchies where it may not make one: in none at all, if the
    /// specification names none.
    pub(crate) fn plan(host: &Host, cgroups_path: Option<&Path>, id: &str, limited: bool) -> Result<Self> {
        let wish = path::Wish::new(cgroups_path, id)?;
        let place = |hierarchy: &Hierarchy| Place {
            version: hierarchy.version,
            controllers: hierarchy.controllers.join(","),
            mount_point: hierarchy.mount_point.clone(),
            path: wish.path_in(hierarchy),
            made: None,
        };
        let all = host.hierarchies().iter();
        if !limited {
            return Ok(Self { places: all.map(place).collect(), ..Self::default() });
        }
        let (may, may_not) =
            all.partition::<Vec<_>, _>(|hierarchy| path::may_make(hierarchy, &wish.path_in(hierarchy)));
        let of = |list: Vec<&Hierarchy>| list.into_iter().map(place).collect::<Vec<_>>();
        let result = Self { places: of(may), denied: of(may_not), unit: None };
        if let Some(denied) = result.denied.last()
            && wish.is_explicit()
            && result.places.is_empty()
        {
            let why = format!("cgroup {} is in no part of the tree that is delegated to us", denied.path.display());
            return Err(Error { errno: libc::EACCES, ..Error::config(path::POINTER, why).kind(Kind::Failed) });
        }
        Ok(result)
    }

    /// Whether there are hierarchies that this user can have no cgroup in.
    pub(crate) fn is_denied(&self) -> bool {
        !self.denied.is_empty()
    }

    /// Whether there is no cgroup at all.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.places.is_empty()
    }

    /// The same with the systemd driver: `cgroups_path` is `slice:prefix:name`, and `annotations` may set properties of
    /// the scope. Asks systemd where it keeps its units; touches nothing.
    pub(crate) fn plan_scope(
        host: &Host,
        cgroups_path: Option<&Path>,
        id: &str,
        annotations: Option<&HashMap<String, String>>,
    ) -> Result<Self> {
        let (unit, path) = systemd::Unit::plan(host, cgroups_path, id, annotations)?;
        let place = |hierarchy: &Hierarchy| Place {
            version: hierarchy.version,
            controllers: hierarchy.controllers.join(","),
            mount_point: hierarchy.mount_point.clone(),
            path: hierarchy.mount_point.join(&path),
            made: None,
        };
        Ok(Self { places: host.hierarchies().iter().map(place).collect(), unit: Some(unit), ..Self::default() })
    }

    /// With the systemd driver: has the scope made around init, process `pid`, with these limits. Else does nothing.
    pub(crate) fn enclose(
        &mut self,
        id: &str,
        pid: i32,
        annotations: Option<&HashMap<String, String>>,
        resources: &LinuxResources,
    ) -> Result<()> {
        let Some(unit) = &self.unit else { return Ok(()) };
        unit.start(id, pid, annotations, self.properties(resources)?)?;
        for place in &mut self.places {
            let exists = rustix::fs::access(&place.path, rustix::fs::Access::EXISTS);
            exists.context(|| format!("cannot find the cgroup {} that systemd made", place.path.display()))?;
            place.made = Some(1);
        }
        Ok(())
    }

    /// Whether it is a scope of systemd's.
    pub(crate) fn is_scope(&self) -> bool {
        self.unit.is_some()
    }

    /// Has systemd bring one more process, which is elsewhere, into the scope.
    pub(crate) fn attach(&self, pid: i32) -> Result<()> {
        let (Some(unit), Some(place)) = (&self.unit, self.unified()) else { return Ok(()) };
        unit.attach(&place.path, pid)
    }

    /// Whether the host tells init when to go on, since it joins cgroups or is brought into one.
    pub(crate) fn is_awaited(&self) -> bool {
        self.unit.is_some() || self.joined().next().is_some()
    }

    /// The controllers and the full path in each hierarchy; the unified one comes last.
    #[cfg(test)]
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.places.iter().map(|place| (place.controllers.as_str(), place.path.as_path()))
    }

    /// The path in this hierarchy of the host that was planned for, if there is to be a cgroup.
    pub(crate) fn directory_in(&self, hierarchy: &Hierarchy) -> Option<PathBuf> {
        let same = |place: &&Place| place.mount_point == hierarchy.mount_point;
        self.places.iter().find(same).map(|place| place.path.clone())
    }

    /// Makes the cgroup in every hierarchy of this version, or in none. One that exists is taken if nobody is in it.
    ///
    /// In two parts, since the unified one has to be there before init is, while those of version 1 can be made
    /// while it works. After a failure this `Cgroup` names no place any more but those that were made before: what is
    /// elsewhere is not ours to be killed or removed.
    pub(crate) fn create(&mut self, version: Version) -> Result<()> {
        if self.unit.is_some() {
            return Ok(()); // By `enclose`.
        }
        let unified = self.places.iter().all(|place| place.version == Version::V2 || place.is_named());
        let (mut places, others) = self.places.drain(..).partition::<Vec<_>, _>(|place| place.version == version);
        self.places = others;
        if let Err(error) = places.iter_mut().try_for_each(|place| place.create(unified)) {
            for place in places.iter().rev() {
                // What was not reached yet has nothing to undo.
                place.rmdir(place.made.unwrap_or(0), Instant::now()).ok();
            }
            self.places.retain(|place| place.made.is_some());
            return Err(error);
        }
        // The unified one stays the last.
        let at = if version == Version::V1 { 0 } else { self.places.len() };
        self.places.splice(at..at, places);
        Ok(())
    }

    /// Cgroups that are below the container's own, in `list`: a path for all hierarchies, or a line for some of them,
    /// such as `cpu,memory:a/b`, where in the others it stays the container's own.
    pub(crate) fn below(&self, list: &str) -> Result<Self> {
        let mut result = self.clone();
        for line in list.lines() {
            let (names, path) = line.split_once(':').map_or((None, line), |(names, path)| (Some(names), path));
            let refuse = |why: &str| Error::new(Kind::Invalid, format!("cgroup: {line:?}: {why}"));
            let path = path::below(path).map_err(refuse)?;
            let named = |place: &Place| names.is_none_or(|names| names.split(',').any(|name| place.has(name)));
            if let Some(names) = names
                && !names.split(',').all(|name| self.places.iter().any(|place| place.has(name)))
            {
                return Err(refuse("there is no such controller"));
            }
            for (place, own) in result.places.iter_mut().zip(&self.places).filter(|(_, own)| named(own)) {
                let wish = own.path.join(&path);
                // The unified hierarchy has all controllers at one place.
                if place.path != own.path && place.path != wish {
                    return Err(refuse("another line has a controller of the same hierarchy elsewhere"));
                }
                place.path = wish;
            }
        }
        Ok(result)
    }

    /// The version 1 cgroups, of which [`join_files`](Self::join_files) will open the files in this order.
    pub(crate) fn joined(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().filter(|place| place.version == Version::V1).map(|place| place.path.as_path())
    }

    /// The `tasks` file of each version 1 cgroup, to which init writes "0" itself: a thread that moves itself so does
    /// not wait for an RCU grace period, as any writer of `cgroup.procs` does.
    pub(crate) fn join_files(&self) -> Result<Vec<OwnedFd>> {
        let open = |place: &Place| {
            let tasks = place.path.join("tasks");
            openat(CWD, &tasks, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
                .context(|| format!("cannot open {}", tasks.display()))
        };
        self.places.iter().filter(|place| place.version == Version::V1).map(open).collect()
    }

    /// The cgroup of the unified hierarchy, for `CLONE_INTO_CGROUP`, if there is that hierarchy and it is made.
    pub(crate) fn directory(&self) -> Result<Option<OwnedFd>> {
        self.unified().filter(|place| place.made.is_some()).map(Place::open).transpose()
    }

    /// Says of the failure to clone a process into that cgroup what an ordinary user has to know.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match self.unified().filter(|_| error.errno == libc::EACCES && privilege::is_limited()) {
            Some(place) => {
                let path = place.path.display();
                let why = "whoever starts it must be in the part of the tree that is delegated to the user";
                Error { message: format!("{} in cgroup {path} ({why})", error.message), ..error }
            }
            None => error,
        }
    }

    /// The cgroup in the hierarchy that has this controller.
    pub(crate) fn directory_with(&self, controller: &str) -> Result<Option<OwnedFd>> {
        self.with_controller(controller).map(Place::open).transpose()
    }

    /// The cgroup of the unified hierarchy that process `pid` is in, if that is the container's own or one below it.
    pub(crate) fn directory_of(&self, pid: i32) -> Result<Option<OwnedFd>> {
        let Some(place) = self.unified() else { return Ok(None) };
        let file = format!("/proc/{pid}/cgroup");
        let text = dir::read_whole(&file).context(|| format!("cannot read {file}"))?;
        let text = String::from_utf8_lossy(&text);
        let below = text.lines().find_map(|line| line.strip_prefix("0::/")).map(|path| place.mount_point.join(path));
        let inside =
            |path: &PathBuf| path.starts_with(&place.path) && !path.components().any(|it| it.as_os_str() == "..");
        below.filter(inside).map(|path| open_directory(&path)).transpose()
    }

    /// The file by which a process enters the cgroup of the unified hierarchy by itself, instead of being cloned into
    /// it: that of `directory`, or, where this has given controllers to others, of the cgroup that `pid` is in.
    pub(crate) fn procs_file(&self, directory: OwnedFd, pid: i32) -> Result<OwnedFd> {
        let what = || "cannot open the cgroup.procs of the unified cgroup";
        let open = |directory: &OwnedFd, name, access: OFlags| {
            openat(directory, name, access | OFlags::CLOEXEC, Mode::empty()).context(what)
        };
        let delegates = open(&directory, "cgroup.subtree_control", OFlags::RDONLY)?;
        let delegates = rustix::io::read(&delegates, &mut [0; 2]).context(what)? > 1;
        let directory = if delegates { self.directory_of(pid)?.unwrap_or(directory) } else { directory };
        open(&directory, "cgroup.procs", OFlags::WRONLY)
    }

    /// Removes what [`create`](Self::create) made, with the cgroups that the container made inside, and then the
    /// ancestors it made that are empty. Waits a little for processes that are dying. Goes as far as it can, and tells
    /// the first failure.
    ///
    /// If it is not known what `create` made (the caller crashed in between), no more than an init that ends by itself
    /// has been inside: then the container's own cgroups are removed once they are empty, and the ancestors are left.
    pub(crate) fn remove(&self) -> Result<()> {
        let mut result = match &self.unit {
            // A unit of this name that we do not know to have made may be another's. One that was made nevertheless ends
            // with init.
            Some(unit) if self.places.iter().any(|place| place.made.is_some()) => unit.stop(),
            _ => Ok(()),
        };
        let deadline = Instant::now() + PATIENCE;
        for place in self.places.iter().rev() {
            match place.made {
                Some(made) => result = result.and(place.rmdir(made, deadline)),
                None => place.rmdir_if_empty(deadline),
            }
        }
        result
    }

    /// The place in the unified hierarchy.
    fn unified(&self) -> Option<&Place> {
        self.places.iter().find(|place| place.version == Version::V2)
    }

    /// Where this user may not have the cgroup that a controller needs.
    fn denied_with(&self, name: &str) -> Option<&Place> {
        let unified = if name == "blkio" { "io" } else { name };
        self.denied.iter().find(|place| place.has(if place.version == Version::V1 { name } else { unified }))
    }

    /// The place where this controller is: in version 1 by this name, else in the unified hierarchy
    /// by the name that it has there.
    fn with_controller(&self, name: &str) -> Option<&Place> {
        let unified = if name == "blkio" { "io" } else { name };
        let has = |version, name: &str| self.places.iter().find(|place| place.version == version && place.has(name));
        has(Version::V1, name).or_else(|| has(Version::V2, unified))
    }
}

impl Place {
    /// The directory as a mere place.
    fn open(&self) -> Result<OwnedFd> {
        open_directory(&self.path)
    }

    fn has(&self, controller: &str) -> bool {
        self.controllers.split(',').any(|name| name == controller)
    }

    /// A version 1 hierarchy without controllers.
    fn is_named(&self) -> bool {
        self.controllers.starts_with("name=")
    }

    fn create(&mut self, enable_all: bool) -> Result<()> {
        let what = || format!("{}: cannot create cgroup {}", path::POINTER, self.path.display());
        let made = make_directories(&self.path, &self.mount_point).context(what);
        self.made = Some(made.map_err(|error| error.at(path::POINTER))?);
        if self.made == Some(0) {
            self.refuse_if_taken()?;
        }
        match self.version {
            Version::V1 if self.has("cpuset") => v1::inherit_cpuset(self),
            Version::V1 => Ok(()),
            Version::V2 => v2::prepare(self, enable_all),
        }
    }

    /// A cgroup that others live in must not be limited, frozen and killed as if it were ours; one that is
    /// frozen would stop init for ever.
    fn refuse_if_taken(&self) -> Result<()> {
        let refuse = |why: &str| {
            let mut error = Error::config(path::POINTER, format!("cgroup {} exists and {why}", self.path.display()));
            (error.kind, error.errno) = (Kind::Failed, libc::EBUSY);
            Err(error)
        };
        if !processes::within(&self.path)?.is_empty() {
            return refuse("has processes");
        }
        if processes::is_frozen(self)? {
            return refuse("is frozen");
        }
        Ok(())
    }

    /// Removes the last `made` directories of the path, and all below the last one.
    fn rmdir(&self, made: usize, deadline: Instant) -> Result<()> {
        if made == 0 {
            return Ok(());
        }
        let mut pause = Duration::from_micros(200);
        while let Err(errno) = self.rmdir_once() {
            let busy = matches!(errno, Errno::BUSY | Errno::NOTEMPTY);
            if !busy || Instant::now() >= deadline {
                let still = match processes::within(&self.path).unwrap_or_default() {
                    pids if busy && !pids.is_empty() => format!(" (processes {pids:?} are in it)"),
                    _ => String::new(),
                };
                return Err(Error::os(format!("cannot remove cgroup {}{still}", self.path.display()), errno));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        for ancestor in self.path.ancestors().skip(1).take(made - 1) {
            // Another container may live there by now.
            if !matches!(rustix::fs::rmdir(ancestor), Ok(()) | Err(Errno::NOENT)) {
                break;
            }
        }
        Ok(())
    }

    fn rmdir_if_empty(&self, deadline: Instant) {
        while rustix::fs::rmdir(&self.path) == Err(Errno::BUSY) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn rmdir_once(&self) -> rustix::io::Result<()> {
        let rmdir = || match rustix::fs::rmdir(&self.path) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        };
        match rmdir() {
            // Processes in it, or cgroups below it.
            Err(Errno::BUSY | Errno::NOTEMPTY) => match Dir::open(&self.path).and_then(|dir| dir.prune()) {
                Ok(()) | Err(Errno::NOENT) => rmdir(),
                failed => failed,
            },
            other => other,
        }
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).context(|| format!("cannot open {}", path.display()))
}

/// Makes a directory and the missing ones between the mount point and it: all or none. Returns how many at the end of
/// the path are new.
fn make_directories(path: &Path, mount_point: &Path) -> rustix::io::Result<usize> {
    let mut tip = path;
    let mut missing = Vec::new();
    let mut new = 0;
    loop {
        match (rustix::fs::mkdir(tip, Mode::from_raw_mode(0o755)), tip.parent()) {
            (Ok(()), _) => new += 1,
            (Err(Errno::EXIST), _) => new = 0,
            // Either it never was there, or another container that had made it removes it just now.
            (Err(Errno::NOENT), Some(parent)) if new == 0 && parent != mount_point => {
                missing.push(tip);
                tip = parent;
                continue;
            }
            (Err(errno), _) => {
                for made in tip.ancestors().skip(1).take(new) {
                    rustix::fs::rmdir(made).ok();
                }
                return Err(errno);
            }
        }
        match missing.pop() {
            Some(next) => tip = next,
            None => return Ok(new),
        }
    }
}
