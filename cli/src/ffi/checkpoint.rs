// SPDX-License-Identifier: Apache-2.0
//! Checkpoint and restore.

use std::ffi::{CString, OsStr, c_int};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::ptr::{null, null_mut};

use brig::{brig_checkpoint_options, brig_restore_options};

use super::{Container, Error, Runtime, c_string, check, fetch};

/// What the library has flags for, for either or both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    pub leave_running: bool,
    pub pre_dump: bool,
    pub tcp_established: bool,
    pub tcp_skip_in_flight: bool,
    pub tcp_close: bool,
    pub link_remap: bool,
    pub ext_unix_sk: bool,
    pub shell_job: bool,
    pub file_locks: bool,
    pub lazy_pages: bool,
    pub auto_dedup: bool,
    pub systemd_cgroup: bool,
}

impl Wishes {
    fn flags(&self) -> u64 {
        let flags = [
            (self.leave_running, brig::BRIG_CHECKPOINT_LEAVE_RUNNING),
            (self.pre_dump, brig::BRIG_CHECKPOINT_PRE_DUMP),
            (self.tcp_established, brig::BRIG_CHECKPOINT_TCP_ESTABLISHED),
            (self.tcp_skip_in_flight, brig::BRIG_CHECKPOINT_TCP_SKIP_IN_FLIGHT),
            (self.tcp_close, brig::BRIG_RESTORE_TCP_CLOSE),
            (self.link_remap, brig::BRIG_CHECKPOINT_LINK_REMAP),
            (self.ext_unix_sk, brig::BRIG_CHECKPOINT_EXT_UNIX_SK),
            (self.shell_job, brig::BRIG_CHECKPOINT_SHELL_JOB),
            (self.file_locks, brig::BRIG_CHECKPOINT_FILE_LOCKS),
            (self.lazy_pages, brig::BRIG_CHECKPOINT_LAZY_PAGES),
            (self.auto_dedup, brig::BRIG_CHECKPOINT_AUTO_DEDUP),
            (self.systemd_cgroup, brig::BRIG_RESTORE_SYSTEMD_CGROUP),
        ];
        flags.iter().filter(|(asked, _)| *asked).map(|(_, flag)| flag).sum()
    }
}

/// What becomes of cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[repr(u32)]
pub enum CgroupMode {
    Soft = brig::BRIG_CGROUPS_SOFT,
    Full = brig::BRIG_CGROUPS_FULL,
    Strict = brig::BRIG_CGROUPS_STRICT,
    Ignore = brig::BRIG_CGROUPS_IGNORE,
}

/// How to dump a container.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointOptions<'a> {
    pub images: &'a Path,
    pub work: Option<&'a Path>,
    pub parent: Option<&'a Path>,
    pub page_server: Option<(&'a str, u16)>,
    pub wishes: Wishes,
    pub manage_cgroups: Option<CgroupMode>,
    pub empty_network: bool,
    pub status_fd: Option<c_int>,
    pub cancel: BorrowedFd<'a>,
}

/// How to restore one.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions<'a> {
    pub bundle: &'a Path,
    pub images: &'a Path,
    pub work: Option<&'a Path>,
    pub lsm_profile: Option<&'a str>,
    pub lsm_mount_context: Option<&'a str>,
    pub wishes: Wishes,
    pub manage_cgroups: Option<CgroupMode>,
    pub empty_network: bool,
    pub cancel: BorrowedFd<'a>,
}

/// The flag of clone(2) that the library knows the network namespace by.
const NEWNET: u64 = nix::libc::CLONE_NEWNET as u64;

fn strings<const N: usize>(given: [Option<&OsStr>; N]) -> [Option<CString>; N] {
    given.map(|text| text.map(c_string))
}

impl Container {
    /// Dumps its processes.
    pub fn checkpoint(&self, given: &CheckpointOptions<'_>) -> Result<(), Error> {
        let [work, parent] = strings([given.work.map(Path::as_os_str), given.parent.map(Path::as_os_str)]);
        let images = c_string(given.images);
        let address = given.page_server.map(|(address, _)| c_string(address));
        // SAFETY: pointers and integers only, for which zero is "not given".
        let mut options: brig_checkpoint_options = unsafe { MaybeUninit::zeroed().assume_init() };
        options.size = size_of::<brig_checkpoint_options>();
        options.image_dir = images.as_ptr();
        options.work_dir = work.as_ref().map_or(null(), |path| path.as_ptr());
        options.parent_path = parent.as_ref().map_or(null(), |path| path.as_ptr());
        options.page_server = address.as_ref().map_or(null(), |address| address.as_ptr());
        options.page_server_port = given.page_server.map_or(0, |(_, port)| port.into());
        options.flags = given.wishes.flags();
        options.empty_namespaces = if given.empty_network { NEWNET } else { 0 };
        options.manage_cgroups = given.manage_cgroups.map_or(0, |mode| mode as u32);
        options.status_fd = given.status_fd.unwrap_or(0);
        options.cancel_fd = given.cancel.as_raw_fd();
        // SAFETY: our own handle; the options and what they point to live for the call; `error` is a place for a pointer.
        check(|error| unsafe { brig::brig_container_checkpoint(self.0, &raw const options, error) })
    }
}

impl Runtime {
    /// Restores the container `id`.
    pub fn restore(&self, id: &str, given: &RestoreOptions<'_>) -> Result<Container, Error> {
        let (id, bundle, images) = (c_string(id), c_string(given.bundle), c_string(given.images));
        let [work, profile, context] = strings([
            given.work.map(Path::as_os_str),
            given.lsm_profile.map(OsStr::new),
            given.lsm_mount_context.map(OsStr::new),
        ]);
        // SAFETY: pointers and integers only, for which zero is "not given".
        let mut options: brig_restore_options = unsafe { MaybeUninit::zeroed().assume_init() };
        options.size = size_of::<brig_restore_options>();
        options.bundle = bundle.as_ptr();
        options.image_dir = images.as_ptr();
        options.work_dir = work.as_ref().map_or(null(), |path| path.as_ptr());
        options.lsm_profile = profile.as_ref().map_or(null(), |profile| profile.as_ptr());
        options.lsm_mount_context = context.as_ref().map_or(null(), |context| context.as_ptr());
        options.flags = given.wishes.flags();
        options.empty_namespaces = if given.empty_network { NEWNET } else { 0 };
        options.manage_cgroups = given.manage_cgroups.map_or(0, |mode| mode as u32);
        options.cancel_fd = given.cancel.as_raw_fd();
        // SAFETY: our own handle; the string, the options and what they point to live for the call; the others are
        // places for a pointer.
        let call = |container, error| unsafe {
            brig::brig_container_restore(self.0, id.as_ptr(), &raw const options, container, error)
        };
        fetch(null_mut(), call).map(Container)
    }
}
