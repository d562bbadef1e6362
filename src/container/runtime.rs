// SPDX-License-Identifier: Apache-2.0
//! A state directory, and the containers in it.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::status;
use crate::error::{Context, Error, Kind, Result};

/// Not a container's id, since those have no '@': compiled seccomp filters.
const SECCOMP_CACHE: &str = "@seccomp";

/// Sockets of the command for containers that say when they are ready, mounted in those containers. Here, so that
/// whoever deletes the container removes them too.
const NOTIFY: &str = "@notify";

/// A state directory.
pub struct Runtime {
    root: PathBuf,
}

impl Runtime {
    /// Opens the state directory; it need not exist yet.
    pub fn open(root: Option<&Path>) -> Result<Self> {
        let root = match root {
            Some(root) => std::path::absolute(root).context(|| format!("root: {}", root.display()))?,
            None if geteuid().is_root() => "/run/brig".into(),
            None => match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute()) {
                Some(directory) => directory.join("brig"),
                None => return Err(Error::new(Kind::Invalid, "root: not given, and XDG_RUNTIME_DIR is not set")),
            },
        };
        if std::fs::canonicalize(&root).is_ok_and(|path| path == Path::new("/")) {
            return Err(Error::new(Kind::Invalid, "root: / cannot be the state directory"));
        }
        Ok(Self { root })
    }

    /// The state directory, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a container.
    pub fn directory(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Removes what the command keeps for a container outside of the container's own directory. Most have none.
    pub fn clear_notify(&self, id: &str) {
        let directory = self.root.join(NOTIFY).join(id);
        if std::fs::remove_dir(&directory).is_err_and(|error| error.kind() == ErrorKind::DirectoryNotEmpty) {
            crate::launch::clear(&directory);
            let _ = std::fs::remove_dir(&directory);
        }
    }

    /// Where compiled seccomp filters are kept.
    pub fn seccomp_cache(&self) -> PathBuf {
        self.root.join(SECCOMP_CACHE)
    }

    /// Makes the state directory.
    pub fn make(&self) -> Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        let what = || format!("cannot make the state directory {}", self.root.display());
        builder.recursive(true).mode(0o700).create(&self.root).context(what)
    }

    /// The ids of all containers, in order.
    pub fn ids(&self) -> Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.context(|| format!("cannot read {}", self.root.display()))?,
        };
        let mut ids: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.retain(|id| check_id(id).is_ok());
        ids.sort();
        Ok(ids)
    }

    /// The states of all containers, as a JSON array ordered by id.
    pub fn list(&self) -> Result<String> {
        let ids = self.ids()?;
        // One that is deleted meanwhile is not there.
        let states: Vec<_> = ids.iter().filter_map(|id| status::state(&self.directory(id), id).ok()).collect();
        Ok(format!("[{}]", states.join(",")))
    }
}

/// Ids become names of directories and cgroups.
pub fn check_id(id: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte);
    let why = match id {
        "" => "it is empty",
        "." | ".." => "it is a directory's name",
        id if id.len() > 255 => "it has more than 255 characters",
        id if !id.bytes().all(allowed) => "it may have letters, digits and _ + - . only",
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Invalid, format!("id: invalid container ID format: {id:?}: {why}")))
}
