// SPDX-License-Identifier: Apache-2.0
//! What is on disk of a container, in `<root>/<id>/`.
//!
//! create writes it twice: before the first change to the host `creating.json`, with all that may have to be undone,
//! and at the end `state.json`, with the init process. Two names, since a filesystem may flush a file that
//! takes another's place to its disk, and that would be a large part of a start.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Hook;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cgroup::Cgroup;
use crate::error::{Context, Error, Kind, Result};
use crate::plan::Place;

/// Raised when the format changes in a way that older versions cannot read.
const VERSION: u32 = 1;
const CREATING: &str = "creating.json";
const CREATED: &str = "state.json";

/// The init process, by what makes a pid unmistakable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Init {
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
    /// Whether it shares its pid namespace, so that its end does not end all processes.
    pub shares_pids: bool,
    /// What to say when a step behind the start gate fails.
    pub after_gate: BTreeMap<u32, Place>,
    /// Hooks that are still to come.
    pub poststart: Vec<Hook>,
    /// Hooks that are still to come.
    pub poststop: Vec<Hook>,
    /// The init process, once the container is created.
    pub init: Option<Init>,
}

impl Record {
    /// Reads the record in a container's directory; `None` if there is none (yet).
    pub fn read(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(CREATED);
        let what = || format!("cannot read {}", path.display());
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::read_unfinished(directory)),
            result => result.context(what)?,
        };
        let record: Self =
            serde_json::from_slice(&text).map_err(|error| Error::new(Kind::Failed, format!("{}: {error}", what())))?;
        if record.version != VERSION {
            let text = format!("{}: it is of version {}, not {VERSION}", what(), record.version);
            return Err(Error::new(Kind::Unsupported, text));
        }
        Ok(Some(record))
    }

    /// Half a file is of a creator that died, or is at work, before it changed anything.
    fn read_unfinished(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory.join(CREATING)).ok()?).ok()
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
            shares_pids: false,
            after_gate: BTreeMap::new(),
            poststart: Vec::new(),
            poststop: Vec::new(),
            init: None,
        }
    }

    /// The version that this build writes.
    pub fn version() -> u32 {
        VERSION
    }

    /// Writes what is about to be done.
    pub fn begin(&self, directory: &Path) -> Result<()> {
        self.write(&directory.join(CREATING))
    }

    /// Writes what was done. Readers see this or what was there before, never half of it.
    pub fn commit(&self, directory: &Path) -> Result<()> {
        let (path, new) = (directory.join(CREATED), directory.join("state.json.new"));
        self.write(&new)?;
        fs::rename(&new, &path).context(|| format!("cannot write {}", path.display()))?;
        let _ = fs::remove_file(directory.join(CREATING));
        Ok(())
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|error| Error::new(Kind::Bug, error.to_string()))?;
        let what = || format!("cannot write {}", path.display());
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).context(what)?;
        file.write_all(&text).context(what)
    }

    /// The state as the spec defines it, with the fields that runc adds (rootfs, created, owner).
    pub fn state(&self, status: &str, pid: Option<i32>) -> String {
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
        serde_json::to_string_pretty(&state).unwrap_or_default()
    }
}

/// The name of a uid as /etc/passwd has it; read directly, since NSS would load libraries into the host.
fn owner_name(uid: u32) -> String {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_default()
}
