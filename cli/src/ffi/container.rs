// SPDX-License-Identifier: Apache-2.0
//! `brig_container`.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::ptr::{null, null_mut};

use brig::{brig_container, brig_create_options, brig_exec_options};

use super::{Error, Monitor, Process, c_string, check, fetch, text};

/// Whether a container may do without cgroups that cannot be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Rootless {
    True,
    False,
    /// Unless the caller is root of the host.
    #[default]
    Auto,
}

/// How to create a container.
#[derive(Clone, Copy, Debug, Default)]
pub struct CreateOptions<'a> {
    /// The directory with a config.json.
    pub bundle: Option<&'a Path>,
    /// The text of that config.json, if it was read already.
    pub spec: Option<&'a str>,
    /// More files for the container's program, from 3 on.
    pub fds: &'a [c_int],
    /// Do not use pivot_root(2).
    pub no_pivot: bool,
    /// No session keyring of its own.
    pub no_new_keyring: bool,
    /// systemd makes the cgroup.
    pub systemd_cgroup: bool,
    /// Whether it may do without cgroups.
    pub rootless: Rootless,
    /// Give up once this file is readable.
    pub cancel: Option<BorrowedFd<'a>>,
}

impl CreateOptions<'_> {
    /// Lends the C struct with everything it points to.
    pub(super) fn with<T>(&self, call: impl FnOnce(*const brig_create_options) -> T) -> T {
        let bundle = self.bundle.map(c_string);
        let spec = self.spec.map(c_string);
        // SAFETY: pointers and integers only, for which zero is "not given".
        let mut options: brig_create_options = unsafe { MaybeUninit::zeroed().assume_init() };
        options.size = size_of::<brig_create_options>();
        options.bundle = bundle.as_ref().map_or(null(), |bundle| bundle.as_ptr());
        options.spec = spec.as_ref().map_or(null(), |spec| spec.as_ptr());
        if !self.fds.is_empty() {
            options.fds = self.fds.as_ptr();
            options.fd_count = self.fds.len();
        }
        let flags = [
            (self.no_pivot, brig::BRIG_CREATE_NO_PIVOT),
            (self.no_new_keyring, brig::BRIG_CREATE_NO_NEW_KEYRING),
            (self.systemd_cgroup, brig::BRIG_CREATE_SYSTEMD_CGROUP),
            (self.rootless == Rootless::True, brig::BRIG_CREATE_ROOTLESS),
            (self.rootless == Rootless::False, brig::BRIG_CREATE_NOT_ROOTLESS),
        ];
        options.flags = flags.iter().filter(|(asked, _)| *asked).map(|(_, flag)| flag).sum();
        options.cancel_fd = self.cancel.map_or(0, |fd| fd.as_raw_fd());
        call(&raw const options)
    }
}

/// What to execute, and how.
#[derive(Clone, Copy, Debug)]
pub struct ExecOptions<'a> {
    /// The `process` object as JSON.
    pub process: &'a str,
    /// Cgroups below the container's own, a line each; empty for that itself.
    pub cgroup: &'a str,
    /// More files for the program, from 3 on.
    pub fds: &'a [c_int],
    /// In a paused container too.
    pub ignore_paused: bool,
    /// Give up once this file is readable.
    pub cancel: BorrowedFd<'a>,
}

impl ExecOptions<'_> {
    /// Lends the C struct with everything it points to.
    fn with<T>(&self, call: impl FnOnce(*const brig_exec_options) -> T) -> T {
        let (process, cgroup) = (c_string(self.process), c_string(self.cgroup));
        // SAFETY: pointers and integers only, for which zero is "not given".
        let mut options: brig_exec_options = unsafe { MaybeUninit::zeroed().assume_init() };
        options.size = size_of::<brig_exec_options>();
        options.process = process.as_ptr();
        if !self.cgroup.is_empty() {
            options.cgroup = cgroup.as_ptr();
        }
        if !self.fds.is_empty() {
            options.fds = self.fds.as_ptr();
            options.fd_count = self.fds.len();
        }
        options.flags = if self.ignore_paused { brig::BRIG_EXEC_IGNORE_PAUSED } else { 0 };
        options.cancel_fd = self.cancel.as_raw_fd();
        call(&raw const options)
    }
}

/// A handle of one container, which outlives it.
pub struct Container(pub(super) *mut brig_container);

impl Container {
    /// Lets init run the user's program.
    pub fn start(&self) -> Result<(), Error> {
        // SAFETY: our own handle; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_container_start(self.0, error) })
    }

    /// The OCI state as JSON.
    pub fn state(&self) -> Result<String, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        text(|state, error| unsafe { brig::brig_container_state(self.0, state, error) })
    }

    /// Sends a signal to init, or to all processes.
    pub fn signal(&self, signal: c_int, all: bool) -> Result<(), Error> {
        let flags = if all { brig::BRIG_SIGNAL_ALL } else { 0 };
        // SAFETY: our own handle; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_container_signal(self.0, signal, flags, error) })
    }

    /// Starts one more program.
    pub fn exec(&self, options: &ExecOptions<'_>) -> Result<Process, Error> {
        options
            .with(|options| {
                // SAFETY: our own handle; the options live for the call; the others are places for a pointer.
                fetch(null_mut(), |process, error| unsafe {
                    brig::brig_container_exec(self.0, options, process, error)
                })
            })
            .map(Process)
    }

    /// The `process` object of the container's config.json.
    pub fn process_spec(&self) -> Result<String, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        text(|json, error| unsafe { brig::brig_container_process_spec(self.0, json, error) })
    }

    /// Freezes all processes.
    pub fn pause(&self) -> Result<(), Error> {
        // SAFETY: our own handle; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_container_pause(self.0, error) })
    }

    /// Lets them go on.
    pub fn resume(&self) -> Result<(), Error> {
        // SAFETY: our own handle; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_container_resume(self.0, error) })
    }

    /// Changes limits, and what its class of service may use: `resources` is the `linux.resources` object as JSON,
    /// `intel_rdt` the `linux.intelRdt` object.
    pub fn update(&self, resources: &str, intel_rdt: Option<&str>) -> Result<(), Error> {
        let resources = c_string(resources);
        if let Some(intel_rdt) = intel_rdt.map(c_string) {
            // SAFETY: our own handle; the strings live for the call; `error` is a place for a pointer.
            return check(|error| unsafe {
                brig::brig_container_update_rdt(self.0, resources.as_ptr(), intel_rdt.as_ptr(), error)
            });
        }
        // SAFETY: our own handle; the string lives for the call; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_container_update(self.0, resources.as_ptr(), error) })
    }

    /// The pids of all processes, as a JSON array.
    pub fn processes(&self) -> Result<String, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        text(|json, error| unsafe { brig::brig_container_processes(self.0, json, error) })
    }

    /// What it has used, as JSON.
    pub fn stats(&self) -> Result<String, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        text(|json, error| unsafe { brig::brig_container_stats(self.0, json, error) })
    }

    /// Watches it: its state and its memory.
    pub fn monitor(&self) -> Result<Monitor, Error> {
        let flags = brig::BRIG_MONITOR_STATE | brig::BRIG_MONITOR_OOM;
        // SAFETY: our own handle; the others are places for a pointer.
        fetch(null_mut(), |monitor, error| unsafe { brig::brig_container_monitor(self.0, flags, monitor, error) })
            .map(Monitor)
    }

    /// Removes the container; with `force` also one that runs.
    pub fn delete(&self, force: bool) -> Result<(), Error> {
        let flags = if force { brig::BRIG_DELETE_FORCE } else { 0 };
        // SAFETY: our own handle; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_container_delete(self.0, flags, error) })
    }

    /// The container's first process.
    pub fn init(&self) -> Result<Process, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        fetch(null_mut(), |process, error| unsafe { brig::brig_container_init(self.0, process, error) }).map(Process)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // SAFETY: our own reference, not used after this.
        unsafe { brig::brig_container_unref(self.0) };
    }
}
