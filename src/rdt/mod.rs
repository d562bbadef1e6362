// SPDX-License-Identifier: Apache-2.0
//! Intel RDT, and what other processors have like it, through resctrl (Documentation/filesystems/resctrl.rst): a class
//! of service limits the container's share of caches and of memory bandwidth, and a monitoring group measures it.
//!
//! A group is what a cgroup is: [`plan`](Rdt::plan) only computes, the plan is recorded, [`create`](Rdt::create) makes
//! directories, [`join`](Rdt::join) puts a process in, whose children follow, and [`remove`](Rdt::remove) removes.

mod schemata;
mod stats;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxIntelRdt;
use serde::{Deserialize, Serialize};

pub(crate) use self::stats::RdtStats;
use crate::cgroup;
use crate::error::{Context, Error, Kind, Result};
use crate::spec::RESCTRL_NAMES;

const POINTER: &str = "/linux/intelRdt";
const CLASS: &str = "/linux/intelRdt/closID";

/// The groups of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rdt {
    /// Where resctrl is mounted.
    root: PathBuf,
    /// The directory of the class of service; the root itself is the default class.
    group: PathBuf,
    /// The class is named after the container, was not there, and goes with it.
    own: bool,
    /// The class is one that config.json names, for others too.
    named: bool,
    /// What `schemata` is to say.
    schemata: Vec<String>,
    /// The directory of the monitoring group, which is the container's own.
    monitor: Option<PathBuf>,
    /// Whether this create made the class.
    #[serde(skip)]
    made: bool,
}

impl Rdt {
    /// Computes what a container needs, by the rules of config-linux.md, "IntelRdt"; touches nothing.
    pub(crate) fn plan(wish: &LinuxIntelRdt, id: &str) -> Result<Self> {
        let path = "/proc/thread-self/mountinfo";
        let mounts = fs::read(path).context(|| format!("cannot read {path}"))?;
        let root = mount_point(&mounts).ok_or_else(|| {
            let message = "no resctrl filesystem is mounted; it is where a kernel with CONFIG_X86_CPU_RESCTRL, or its \
                           like, runs on a processor that has RDT: mount -t resctrl resctrl /sys/fs/resctrl";
            Error::config(POINTER, message).kind(Kind::Unsupported)
        })?;
        Self::plan_in(root, wish, id)
    }

    fn plan_in(root: PathBuf, wish: &LinuxIntelRdt, id: &str) -> Result<Self> {
        let class = wish.clos_id().as_deref();
        let group = match class {
            None if RESCTRL_NAMES.contains(&id) => {
                return Err(Error::config(
                    CLASS,
                    format!("is missing, and the container's id, {id:?}, is no name for it"),
                ));
            }
            None => root.join(id),
            Some("/") => root.clone(),
            Some(class) => root.join(class),
        };
        let schemata = schemata::lines(wish);
        let exists = group.is_dir();
        if let Some(class) = class
            && !exists
            && schemata.is_empty()
        {
            let message = format!("there is no class {class:?} in {}, and no schema to make it with", root.display());
            return Err(Error::config(CLASS, message));
        }
        let monitor = (wish.enable_monitoring() == &Some(true)).then(|| group.join("mon_groups").join(id));
        let named = class.is_some();
        let plan = Self { root, group, own: !named && !exists, named, schemata, monitor, made: false };
        if exists {
            plan.compare()?;
        }
        Ok(plan)
    }

    /// Makes what is not there. After a failure, [`undo`](Self::undo) removes the rest.
    pub(crate) fn create(&mut self) -> Result<()> {
        let what = || format!("cannot make the class of service {}", self.group.display());
        match fs::create_dir(&self.group) {
            Ok(()) => self.made = true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.own = false,
            Err(error) => return Err(self.explain(what(), error)),
        }
        match (self.schemata.is_empty(), self.made || !self.named) {
            (true, _) => {}
            (false, true) => self.write(&self.schemata)?,
            (false, false) => self.compare()?,
        }
        if let Some(monitor) = &self.monitor {
            let what = format!("cannot make the monitoring group {}", monitor.display());
            if let Err(error) = make_monitor(monitor) {
                let error = self.explain(what, error);
                // Whosever it is, it is not ours to be removed.
                self.monitor = None;
                return Err(error.at("/linux/intelRdt/enableMonitoring"));
            }
        }
        Ok(())
    }

    /// Puts a process in; what it forks from now on follows. The class comes first: a monitoring group takes none but
    /// from the class that it is in.
    pub(crate) fn join(&self, pid: i32) -> Result<()> {
        for group in [Some(&self.group), self.monitor.as_ref()].into_iter().flatten() {
            let tasks = group.join("tasks");
            let put = || {
                let mut file = fs::OpenOptions::new().append(true).create(true).open(&tasks)?;
                file.write_all(format!("{pid}\n").as_bytes())
            };
            put().map_err(|error| self.explain(format!("cannot write {pid} to {}", tasks.display()), error))?;
        }
        Ok(())
    }

    /// Changes what the class of a container may use, of which the rest stays: all lines, or none. A class that others
    /// are in changes for them too. Returns what undoes it.
    pub(crate) fn update(&self, wish: &LinuxIntelRdt) -> Result<Former<'_>> {
        let lines = schemata::lines(wish);
        let path = self.group.join("schemata");
        let found = fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()));
        let former = schemata::same_resources(&lines, &found.map_err(|error| error.at(POINTER))?);
        self.write(&lines)?;
        Ok(Former { rdt: self, lines: former })
    }

    /// Removes what is the container's own.
    pub(crate) fn remove(&self) -> Result<()> {
        let own = self.own.then_some(&self.group);
        let mut result = Ok(());
        for group in [self.monitor.as_ref(), own].into_iter().flatten() {
            let removed = remove_group(group).context(|| format!("cannot remove {}", group.display()));
            result = result.and(removed.map_err(|error| error.at(POINTER)));
        }
        result
    }

    /// Removes what a create that failed has made: a class with a name too, if nobody has come to it meanwhile.
    pub(crate) fn undo(&self) -> Result<()> {
        let result = self.remove();
        if self.made && self.named && fs::read(self.group.join("tasks")).unwrap_or_default().is_empty() {
            let removed = remove_group(&self.group).context(|| format!("cannot remove {}", self.group.display()));
            return result.and(removed);
        }
        result
    }

    /// A class that config.json names must be as it says there; others may be in it.
    fn compare(&self) -> Result<()> {
        if !self.named || self.schemata.is_empty() {
            return Ok(());
        }
        let path = self.group.join("schemata");
        let found = fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))?;
        schemata::compare(&self.schemata, &found).map_err(|message| {
            Error::config(CLASS, format!("{} is there already, and is another: {message}", self.group.display()))
        })
    }

    /// All lines by one write(2).
    fn write(&self, lines: &[String]) -> Result<()> {
        let path = self.group.join("schemata");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let write =
            || fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path)?.write_all(text.as_bytes());
        write()
            .map_err(|error| self.explain(format!("cannot write {:?} to {}", lines.join("; "), path.display()), error))
    }

    /// An error with what resctrl itself has to say of it.
    fn explain(&self, what: String, error: io::Error) -> Error {
        let error = Error::os(format!("{POINTER}: {what}"), error).at(POINTER);
        let status = fs::read_to_string(self.root.join("info/last_cmd_status")).unwrap_or_default();
        match status.trim() {
            "" | "ok" => error,
            status => Error { message: format!("{}: {}", error.message, status.replace('\n', "; ")), ..error },
        }
    }
}

/// The schemata of a class before they were changed.
pub(crate) struct Former<'a> {
    rdt: &'a Rdt,
    lines: Vec<String>,
}

impl Former<'_> {
    /// Writes them again, after this error.
    pub(crate) fn put_back(self, mut error: Error) -> Error {
        if let Err(another) = self.rdt.write(&self.lines) {
            error.message = format!("{} (and then: {})", error.message, another.message);
        }
        error
    }
}

fn make_monitor(monitor: &Path) -> io::Result<()> {
    // It is there in every class.
    if let Some(parent) = monitor.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::create_dir(monitor)
}

/// The files of a group go with its directory, and its processes into the group above.
fn remove_group(group: &Path) -> io::Result<()> {
    match fs::remove_dir(group) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // In a directory that only looks like a group they do not.
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => fs::remove_dir_all(group),
        result => result,
    }
}

/// Where the last resctrl of a mountinfo (proc_pid_mountinfo(5)) is.
fn mount_point(mountinfo: &[u8]) -> Option<PathBuf> {
    mountinfo.split(|byte| *byte == b'\n').rev().find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let point = fields.nth(4)?;
        fields.find(|field| *field == b"-")?;
        (OsStr::new("resctrl").as_encoded_bytes() == fields.next()?).then(|| cgroup::unescape(point))
    })
}
