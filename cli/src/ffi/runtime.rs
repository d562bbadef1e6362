// SPDX-License-Identifier: Apache-2.0
//! `brig_runtime`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

use brig::brig_runtime;

use super::{Container, CreateOptions, Error, bytes, c_string, fetch, text};

/// A state directory and the containers in it.
pub struct Runtime(pub(super) *mut brig_runtime);

impl Runtime {
    /// Opens a state directory; `None` is the library's default.
    pub fn open(root: Option<&Path>) -> Result<Self, Error> {
        let root = root.map(c_string);
        let root = root.as_ref().map_or(null(), |root| root.as_ptr());
        // SAFETY: `root` is NULL or a string that lives for the call; the others are places for a pointer.
        fetch(null_mut(), |runtime, error| unsafe { brig::brig_runtime_open(root, runtime, error) }).map(Self)
    }

    /// The state directory.
    pub fn root(&self) -> Result<PathBuf, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        let path = bytes(|path, error| unsafe { brig::brig_runtime_root(self.0, path, error) })?;
        Ok(OsString::from_vec(path).into())
    }

    /// The states of all containers, as a JSON array.
    pub fn list(&self) -> Result<String, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        text(|json, error| unsafe { brig::brig_runtime_list(self.0, json, error) })
    }

    /// Opens the container `id`.
    pub fn container(&self, id: &str) -> Result<Container, Error> {
        let id = c_string(id);
        // SAFETY: our own handle and a string that lives for the call; the others are places for a pointer.
        fetch(null_mut(), |container, error| unsafe {
            brig::brig_container_open(self.0, id.as_ptr(), container, error)
        })
        .map(Container)
    }

    /// Creates the container `id`.
    pub fn create(&self, id: &str, options: &CreateOptions<'_>) -> Result<Container, Error> {
        let id = c_string(id);
        options
            .with(|options| {
                // SAFETY: our own handle; the string and the options live for the call; the others are places
                // for a pointer.
                fetch(null_mut(), |container, error| unsafe {
                    brig::brig_container_create(self.0, id.as_ptr(), options, container, error)
                })
            })
            .map(Container)
    }

    /// What [`Self::create`] would do, for people to read.
    pub fn plan(&self, id: &str, options: &CreateOptions<'_>) -> Result<String, Error> {
        let id = c_string(id);
        options.with(|options| {
            // SAFETY: our own handle; the string and the options live for the call; the others are places for
            // a pointer.
            text(|plan, error| unsafe { brig::brig_container_plan(self.0, id.as_ptr(), options, plan, error) })
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // SAFETY: our own reference, not used after this.
        unsafe { brig::brig_runtime_unref(self.0) };
    }
}
