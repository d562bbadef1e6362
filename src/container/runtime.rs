// SPDX-License-Identifier: Apache-2.0
//! A state directory, and the containers in it.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::status;
use crate::error::{Context, Error, Kind, Result, describe};
use crate::sys::privilege;

/// Not a container's id, since those have no '@': compiled seccomp filters.
const SECCOMP_CACHE: &str = "@seccomp";

/// Sockets of the command for containers that say when they are ready, mounted in those containers. Here, so that
/// whoever deletes the container removes them too.
const NOTIFY: &str = "@notify";

/// A state directory.
pub struct Runtime {
    root: PathBuf,
    /// Whether it is in a directory that others clean up.
    temporary: bool,
}

impl Runtime {
    /// Opens the state directory; it need not exist yet.
    pub fn open(root: Option<&Path>) -> Result<Self> {
        let temporary = root.is_none() && !is_root_of_all();
        let root = match root {
            Some(root) => std::path::absolute(root).context(|| format!("root: {}", root.display()))?,
            None if temporary => runtime_directory()?.join("brig"),
            None => "/run/brig".into(),
        };
        if std::fs::canonicalize(&root).is_ok_and(|path| path == Path::new("/")) {
            return Err(Error::new(Kind::Invalid, "root: / cannot be the state directory"));
        }
        Ok(Self { root, temporary })
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
        // What is sticky in there is not old and forgotten (XDG Base Directory Specification, $XDG_RUNTIME_DIR).
        let mode = if self.temporary { 0o1700 } else { 0o700 };
        match builder.recursive(!self.temporary).mode(mode).create(&self.root) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            result => result.context(what),
        }
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

/// Whether the state of the caller's containers is the system's: it is root, and not that of a user's namespace. There
/// whoever is "root" by name is meant to be it, as for other runtimes.
fn is_root_of_all() -> bool {
    geteuid().is_root()
        && (std::env::var_os("XDG_RUNTIME_DIR").is_none()
            || std::env::var_os("USER").is_some_and(|user| user == "root")
            || !privilege::in_user_namespace())
}

/// $XDG_RUNTIME_DIR, which must be the caller's.
fn runtime_directory() -> Result<PathBuf> {
    let refuse = |why: String| Err(Error::new(Kind::Invalid, format!("root: not given, and XDG_RUNTIME_DIR {why}")));
    let Some(directory) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) else {
        return refuse("is not set".to_owned());
    };
    let path = directory.display();
    if !directory.is_absolute() {
        return refuse(format!("is {path:?}, which is no absolute path"));
    }
    let own = geteuid().as_raw();
    match std::fs::metadata(&directory) {
        Err(error) => refuse(format!("is {path}: {}", describe(&error))),
        Ok(metadata) if !metadata.is_dir() => refuse(format!("is {path}, which is no directory")),
        Ok(metadata) if metadata.uid() != own => {
            refuse(format!("is {path}, which belongs to user {}, not to {own}", metadata.uid()))
        }
        Ok(_) => Ok(directory),
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
