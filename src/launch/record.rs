// SPDX-License-Identifier: Apache-2.0
//! What is on disk of a container: `<root>/<id>/state.jsonl`, a journal of which the last line counts.
//!
//! create writes a line before the first change to the host, with all that may have to be undone; one with the cgroups
//! that it made; and one with the init process. A file that grows, since to put another one in its place costs many
//! times as much on some filesystems, which flush it to the disk then.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Hook;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::cgroup::Cgroup;
use crate::error::{Context, Error, Kind, Result};
use crate::plan::seccomp::Listener;
use crate::plan::{Common, Place};
use crate::rdt::Rdt;
use crate::sys::pidfd;

/// Raised when the format changes in a way that older versions cannot read.
const VERSION: u32 = 1;
const NAME: &str = "state.jsonl";

/// A process, by what makes a pid unmistakable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Its pid in the pid namespace of the creator.
    pub pid: i32,
    /// Clock ticks from boot to its start (proc_pid_stat(5), field 22).
    pub start_time: u64,
}

/// A container's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The version of this format.
    pub version: u32,
    /// The container's id.
    pub id: String,
    /// ociVersion of its config.json.
    pub oci_version: String,
    /// The bundle, absolute; empty if there was none.
    pub bundle: PathBuf,
    /// The root filesystem; empty if it came as a descriptor.
    pub rootfs: PathBuf,
    /// When it was created, RFC 3339.
    pub created: String,
    /// The uid of who created it.
    pub owner: u32,
    /// The spec's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its cgroups.
    pub cgroup: Cgroup,
    /// Its groups of resctrl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rdt: Option<Rdt>,
    /// Whether it shares its pid namespace, so that its end does not end all processes.
    pub shares_pids: bool,
    /// The namespaces that are its own or were given to it, as CLONE_NEW*.
    pub namespaces: u64,
    /// Those of them that it joined by their path.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joined: u64,
    /// What to say when a step behind the start gate fails.
    pub after_gate: BTreeMap<u32, Place>,
    /// The `process` of its config.json: what an exec starts from. Other calls need not read it.
    pub process: Option<Box<RawValue>>,
    /// What every program in it has.
    #[serde(default, skip_serializing_if = "Common::is_empty")]
    pub common: Common,
    /// The SECCOMP_FILTER_FLAG_* of its filter, if it has one; the filter is in a file of its own.
    pub filter: Option<u32>,
    /// Whether it has a session keyring, which an exec joins.
    pub keyring: bool,
    /// Who answers what that notifies of.
    pub listener: Option<Listener>,
    /// Hooks that are still to come.
    pub poststart: Vec<Hook>,
    /// Hooks that are still to come.
    pub poststop: Vec<Hook>,
    /// The init process, once the container is created.
    pub init: Option<Identity>,
    /// The supervisor, if it has one.
    pub supervisor: Option<Identity>,
}

impl Identity {
    /// The process that has this pid now.
    pub fn of(pid: i32) -> Result<Self> {
        let (start_time, _) = pidfd::stat(pid).context(|| "cannot read the start time of a process")?;
        Ok(Self { pid, start_time })
    }

    /// A pidfd of the process; `None` if it has ended and is no zombie either, even if its pid was given to another.
    pub fn open(&self) -> Result<Option<OwnedFd>> {
        let pidfd = match pidfd::open(self.pid) {
            // The last two: the number is that of a thread by now.
            Err(error) if [libc::ESRCH, libc::EINVAL, libc::ENOENT].map(Some).contains(&error.raw_os_error()) => {
                return Ok(None);
            }
            result => result.context(|| "cannot open a pidfd")?,
        };
        // After the pidfd is open, the pid cannot be reused any more without us seeing it.
        match pidfd::stat(self.pid) {
            Ok((start_time, _)) if start_time == self.start_time => Ok(Some(pidfd)),
            _ => Ok(None),
        }
    }
}

impl Record {
    /// Where the record of a container is.
    pub fn path(directory: &Path) -> PathBuf {
        directory.join(NAME)
    }

    /// Reads the record in a container's directory; `None` if there is none (yet).
    pub fn read(directory: &Path) -> Result<Option<Self>> {
        let path = Self::path(directory);
        let what = || format!("cannot read {}", path.display());
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result.context(what)?,
        };
        // Behind the last end of a line is what a creator that died, or is at work, has not written whole.
        let Some(line) = text.rsplit(|byte| *byte == b'\n').nth(1) else { return Ok(None) };
        let record: Self =
            serde_json::from_slice(line).map_err(|error| Error::new(Kind::Failed, format!("{}: {error}", what())))?;
        if record.version != VERSION {
            let text = format!("{}: it is of version {}, not {VERSION}", what(), record.version);
            return Err(Error::new(Kind::Unsupported, text));
        }
        Ok(Some(record))
    }

    /// Stands for a container whose creator has not written a record yet, or died before it did.
    pub fn unfinished(id: &str) -> Self {
        Self {
            version: VERSION,
            id: id.to_owned(),
            oci_version: String::new(),
            bundle: PathBuf::new(),
            rootfs: PathBuf::new(),
            created: String::new(),
            owner: 0,
            annotations: BTreeMap::new(),
            cgroup: Cgroup::default(),
            rdt: None,
            shares_pids: false,
            namespaces: 0,
            joined: 0,
            after_gate: BTreeMap::new(),
            process: None,
            common: Common::default(),
            filter: None,
            keyring: false,
            listener: None,
            poststart: Vec::new(),
            poststop: Vec::new(),
            init: None,
            supervisor: None,
        }
    }

    /// The version that this build writes.
    pub fn version() -> u32 {
        VERSION
    }

    /// The state as the spec defines it, with the fields that runc adds (rootfs, created, owner).
    pub fn state(&self, status: &str, pid: Option<i32>) -> String {
        serde_json::to_string_pretty(&self.state_value(status, pid)).unwrap_or_default()
    }

    /// The same as part of another document.
    pub fn state_value(&self, status: &str, pid: Option<i32>) -> Value {
        let mut state = json!({
            "ociVersion": self.oci_version,
            "id": self.id,
            "pid": pid.unwrap_or(0),
            "status": status,
            "bundle": self.bundle.to_string_lossy(),
            "rootfs": self.rootfs.to_string_lossy(),
            "created": self.created,
        });
        if !self.annotations.is_empty() {
            state["annotations"] = json!(self.annotations);
        }
        state["owner"] = json!(owner_name(self.owner));
        state
    }
}

fn is_zero(flags: &u64) -> bool {
    *flags == 0
}

/// The file that a creator writes its records to.
pub struct Journal {
    file: fs::File,
}

impl Journal {
    /// Makes the file.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = Record::path(directory);
        let file = fs::OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        Ok(Self { file: file.context(|| format!("cannot make {}", path.display()))? })
    }

    /// Adds a record, which takes the place of the one before.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record).map_err(|error| Error::new(Kind::Bug, error.to_string()))?;
        line.push(b'\n');
        self.file.write_all(&line).context(|| "cannot write the container's state")
    }
}

/// The name of a uid as /etc/passwd has it, else `#` and its number; read directly, since NSS would load libraries into
/// the host.
fn owner_name(uid: u32) -> String {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("#{uid}"))
}
