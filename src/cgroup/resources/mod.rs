// SPDX-License-Identifier: Apache-2.0
//! `linux.resources` → files of cgroupfs.
//!
//! Everything is first compiled into a list of [`Write`]s, so that a value that makes no sense is refused before any is
//! written. The scalar fields are the rows of [`table::ROWS`]; what has more than one line is in `lists`.

mod before;
mod lists;
mod table;
mod values;

use std::borrow::Cow;

use oci_spec::runtime::LinuxResources;
use rustix::io::Errno;

use self::before::{Before, Old};
use super::{Cgroup, Place, Version, devices, dir, systemd, v2};
use crate::error::{Context, Error, Kind, Result, describe};

/// Where the resources are in config.json.
const POINTER: &str = "/linux/resources";

impl Cgroup {
    /// Sets all of a new container's limits, with processes inside or without.
    #[cfg(test)]
    pub(crate) fn apply(&self, resources: &LinuxResources) -> Result<()> {
        self.apply_limits(resources)?;
        self.apply_devices(resources)
    }

    /// Sets a new container's limits, but for the devices; init may be working meanwhile. In the unified hierarchy it
    /// must have left its maker's memory before: a limit that is too tight would kill the maker else.
    pub(crate) fn apply_limits(&self, resources: &LinuxResources) -> Result<()> {
        write_all(compile(self, resources)?, None)
    }

    /// Restricts a new container to its devices. Without a list it has only the default ones, as with an empty
    /// list (and as with runc).
    ///
    /// Best done while init waits, after its mounts and before the hooks: to mount a disk needs access to it,
    /// version 1 denies everything for an instant, and hooks allow devices by themselves.
    pub(crate) fn apply_devices(&self, resources: &LinuxResources) -> Result<()> {
        let policy = devices::Policy::new(resources.devices().as_deref().unwrap_or_default())?;
        if let Some(unit) = &self.unit {
            unit.allow_devices(&policy)?;
            // systemd has written all of its limits anew, some of them rounded.
            self.apply_limits(resources)?;
        }
        devices::enforce(self, &policy, devices::Former::None)
    }

    /// Changes limits of a container: what `resources` does not have, the devices too, stays as it is. All or nothing: if
    /// the kernel refuses a value, those that were written already are put back.
    pub(crate) fn update(&self, resources: &LinuxResources) -> Result<()> {
        let policy = resources.devices().as_deref().map(devices::Policy::new).transpose()?;
        let mut writes = compile(self, resources)?;
        // Where the kernel kills for the sake of a limit, that comes last: nothing brings the dead back.
        writes.sort_by_key(|write| write.place.version == Version::V2 && write.controller == "memory");
        let mut before = Before::default();
        write_all(writes, Some(&mut before))
            .and_then(|()| policy.map_or(Ok(()), |policy| devices::enforce(self, &policy, devices::Former::Ours)))
            .and_then(|()| self.tell_systemd(resources))
            .map_err(|error| before.put_back(error))
    }

    /// Makes the limits properties of the scope, if there is one. Then systemd has written all of its limits anew, some
    /// of them rounded and each quota with a period of its own: what has changed by that is put right.
    fn tell_systemd(&self, resources: &LinuxResources) -> Result<()> {
        let (Some(unit), Some(place)) = (&self.unit, self.unified()) else { return Ok(()) };
        let read = |file: &str| {
            let text = dir::read_whole(place.path.join(file)).ok()?;
            // Lines for single devices are not systemd's business.
            String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
        };
        let files = || systemd::limit_files().chain(["io.bfq.weight"]);
        let kept: Vec<_> = files().filter_map(|file| Some((file, read(file)?))).collect();
        unit.set(self.properties(resources)?)?;
        if let Some(rules) = resources.devices() {
            unit.allow_devices(&devices::Policy::new(rules)?)?;
        }
        for (file, text) in
            kept.into_iter().filter(|(file, text)| !text.is_empty() && read(file).as_ref() != Some(text))
        {
            dir::write(&place.path.join(file), &text)
                .context(|| format!("cannot write {text:?} to {}/{file} again", place.path.display()))?;
        }
        Ok(())
    }

    /// The limits as properties of the scope.
    pub(super) fn properties(&self, resources: &LinuxResources) -> Result<Vec<systemd::Property>> {
        let mut writes = compile(self, resources)?;
        for write in writes.iter_mut().filter(|write| write.file == "cpu.max") {
            // Of a quota alone or a period alone the cgroup, if it is there, has the other one.
            let whole = dir::read_whole(write.place.path.join("cpu.max"));
            if let (Ok(whole), false) = (whole, write.value.contains(' ')) {
                let period =
                    String::from_utf8_lossy(&whole).split_whitespace().nth(1).map(|period| format!(" {period}"));
                write.value += &period.unwrap_or_default();
            }
        }
        let files = writes.iter().map(|write| match &write.instead {
            // Of the two schedulers' weights systemd has one property, on the scale of the second.
            Some((file, value)) => (*file, value.as_str()),
            None => (write.file.as_ref(), write.value.as_str()),
        });
        Ok(systemd::limits(files))
    }

    /// Refuses what `apply` would refuse without asking the kernel; writes nothing.
    pub(crate) fn check(&self, resources: &LinuxResources) -> Result<()> {
        devices::Policy::new(resources.devices().as_deref().unwrap_or_default())?;
        compile(self, resources).map(|_| ())
    }

    /// What would be written, for tests: "file=value", "|" before what is written instead, "?" where it may be missing.
    #[cfg(test)]
    pub(super) fn compiled(&self, resources: &LinuxResources) -> Result<Vec<String>> {
        let show = |write: Write<'_>| {
            let instead = write.instead.map(|(file, value)| format!("|{file}={value}")).unwrap_or_default();
            format!("{}={}{instead}{}", write.file, write.value, if write.optional { "?" } else { "" })
        };
        Ok(compile(self, resources)?.into_iter().map(show).collect())
    }
}

/// Writes everything; `before` is told what each file had.
fn write_all(mut pending: Vec<Write<'_>>, mut before: Option<&mut Before>) -> Result<()> {
    while !pending.is_empty() {
        // Some values bound one another (memory and swap, quota and period and burst), so that the right order
        // depends on what is set now: what the kernel finds invalid is tried again after the others.
        let mut again = Vec::new();
        let count = pending.len();
        for write in pending {
            match write.perform(before.as_deref_mut()) {
                Ok(()) => {}
                Err(Errno::INVAL) => again.push(write),
                Err(errno) => return Err(write.failed(errno)),
            }
        }
        if let (Some(invalid), true) = (again.first(), again.len() == count) {
            return Err(invalid.failed(Errno::INVAL));
        }
        pending = again;
    }
    Ok(())
}

/// One value for one file.
struct Write<'a> {
    place: &'a Place,
    /// By its version 1 name.
    controller: &'a str,
    pointer: Cow<'static, str>,
    file: Cow<'a, str>,
    value: String,
    /// Another file, if the kernel has not this one.
    instead: Option<(&'static str, String)>,
    /// The value asks for what is so anyway without the file.
    optional: bool,
}

impl Write<'_> {
    fn perform(&self, mut before: Option<&mut Before>) -> rustix::io::Result<()> {
        let mut put = |file: &str, value: &str| {
            let old = before.is_some().then(|| Old::read(&self.place.path, file, value));
            dir::write(&self.place.path.join(file), value)?;
            if let (Some(before), Some(old)) = (&mut before, old) {
                before.remember(old);
            }
            Ok(())
        };
        let mut attempt = || match (put(&self.file, &self.value), &self.instead) {
            (Err(Errno::NOENT), Some((file, value))) => put(file, value),
            (result, _) => result,
        };
        match attempt() {
            Err(Errno::NOENT) if self.optional => Ok(()),
            Err(Errno::NOENT) if self.place.version == Version::V2 => {
                v2::enable(self.place, &[v2_name(self.controller)]);
                attempt()
            }
            result => result,
        }
    }

    fn failed(&self, errno: Errno) -> Error {
        let (file, path) = (&self.file, self.place.path.display());
        let why = describe(&errno.into());
        let (kind, message) = match errno {
            Errno::NOENT if !self.place.path.exists() => (Kind::NotFound, format!("cgroup {path} is gone")),
            Errno::NOENT if self.place.version == Version::V2 => {
                (Kind::Unsupported, v2::why_missing(self.place, v2_name(self.controller)))
            }
            Errno::NOENT => {
                (Kind::Unsupported, format!("the {} controller of this kernel has no {file}", self.controller))
            }
            _ => {
                let kind = match errno {
                    Errno::INVAL | Errno::RANGE | Errno::NODEV => Kind::Config,
                    _ => Kind::Failed,
                };
                let hint = hint(file, errno);
                (kind, format!("cannot write {:?} to {path}/{file}: {why}{hint}", self.value))
            }
        };
        let mut error = Error::new(kind, format!("{}: {message}", self.pointer)).at(&*self.pointer);
        error.errno = errno.raw_os_error();
        error
    }
}

/// What the kernel means.
fn hint(file: &str, errno: Errno) -> &'static str {
    match errno {
        Errno::BUSY if file.starts_with("memory.") => " (more than that is in use and cannot be reclaimed)",
        Errno::INVAL if file == "memory.limit_in_bytes" => " (is it more than memory and swap together may be?)",
        Errno::INVAL if file.starts_with("cpu.cfs") => " (does a parent allow less?)",
        Errno::ACCESS | Errno::INVAL | Errno::RANGE | Errno::NODEV if file.starts_with("cpuset.") => {
            " (are they all in the parent's set, and online?)"
        }
        Errno::NODEV if file.starts_with("blkio.") || file.starts_with("io.") => " (is it a whole disk?)",
        _ => "",
    }
}

/// The name of a version 1 controller in the unified hierarchy.
fn v2_name(controller: &str) -> &str {
    match controller {
        "blkio" => "io",
        other => other,
    }
}

fn compile<'a>(cgroup: &'a Cgroup, resources: &'a LinuxResources) -> Result<Vec<Write<'a>>> {
    let mut writes = Writes { cgroup, list: Vec::new() };
    table::compile(&mut writes, resources)?;
    lists::compile(&mut writes, resources)?;
    Ok(writes.list)
}

/// The list that is being compiled.
struct Writes<'a> {
    cgroup: &'a Cgroup,
    list: Vec<Write<'a>>,
}

impl<'a> Writes<'a> {
    /// Where a controller is; a config.json that needs it is refused without.
    fn place(&self, controller: &str, pointer: &str) -> Result<&'a Place> {
        self.cgroup.with_controller(controller).ok_or_else(|| match self.cgroup.denied_with(controller) {
            Some(Place { path, .. }) => {
                let (name, path) = (self.name_here(controller), path.display());
                let why = format!("no {name} cgroup controller is delegated to us: we may not make the cgroup {path}");
                Error { errno: libc::EACCES, ..Error::config(pointer, why).kind(Kind::Failed) }
            }
            None => unsupported(pointer, format!("this host has no {} cgroup controller", self.name_here(controller))),
        })
    }

    /// Appends a write.
    fn push(
        &mut self,
        place: &'a Place,
        controller: &'a str,
        pointer: String,
        file: impl Into<Cow<'a, str>>,
        value: String,
        instead: Option<(&'static str, String)>,
    ) {
        let (pointer, file) = (pointer.into(), file.into());
        self.list.push(Write { place, controller, pointer, file, value, instead, optional: false });
    }

    /// What a reader who knows this kind of host calls a controller.
    fn name_here<'n>(&self, controller: &'n str) -> &'n str {
        if self.cgroup.places.iter().all(|place| place.version == Version::V2) {
            v2_name(controller)
        } else {
            controller
        }
    }
}

fn unsupported(pointer: &str, why: impl AsRef<str>) -> Error {
    Error::new(Kind::Unsupported, format!("{pointer}: {}", why.as_ref())).at(pointer)
}
