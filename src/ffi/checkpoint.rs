// SPDX-License-Identifier: Apache-2.0
//! Checkpoint and restore, by CRIU.

use std::ffi::{OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::{
    Object, Options, boundary, brig_container, brig_error, brig_runtime, brig_status, descriptor, files, handle,
    invalid, known_flags, optional, options, output, string, text,
};
use crate::container::{CheckpointOptions, Container, CreateOptions, RestoreOptions};
use crate::criu::Common;
use crate::criu::images::Place;
use crate::criu::rpc::CgroupMode;
use crate::error::{Error, Kind, Result};

/// For brig_checkpoint_options: the container runs on afterwards.
pub const BRIG_CHECKPOINT_LEAVE_RUNNING: u64 = 1;

/// For brig_checkpoint_options: dump the memory alone, while the container runs on; a later checkpoint with this one as
/// `parent_path` dumps only what has changed, and stops the container for less long. The kernel has to track
/// changes of memory (CONFIG_MEM_SOFT_DIRTY), else it is BRIG_ERR_UNSUPPORTED.
pub const BRIG_CHECKPOINT_PRE_DUMP: u64 = 2;

/// For brig_checkpoint_options and brig_restore_options: TCP connections that are established too.
pub const BRIG_CHECKPOINT_TCP_ESTABLISHED: u64 = 4;

/// For brig_checkpoint_options: leave out TCP connections that are being made.
pub const BRIG_CHECKPOINT_TCP_SKIP_IN_FLIGHT: u64 = 8;

/// For brig_checkpoint_options: files that are open but were removed are linked again, under names that the restore
/// removes.
pub const BRIG_CHECKPOINT_LINK_REMAP: u64 = 16;

/// For brig_checkpoint_options and brig_restore_options: UNIX sockets that are connected to the outside too.
pub const BRIG_CHECKPOINT_EXT_UNIX_SK: u64 = 32;

/// For brig_checkpoint_options and brig_restore_options: stdio may be a terminal outside of the container, to be
/// replaced by that of the one who restores.
pub const BRIG_CHECKPOINT_SHELL_JOB: u64 = 64;

/// For brig_checkpoint_options and brig_restore_options: file locks too.
pub const BRIG_CHECKPOINT_FILE_LOCKS: u64 = 128;

/// For brig_checkpoint_options: hand the memory out on request, at `page_server`, and return only when all was
/// fetched. For brig_restore_options: get it from a `criu lazy-pages` that runs in the same `work_dir`, when it is
/// touched.
pub const BRIG_CHECKPOINT_LAZY_PAGES: u64 = 256;

/// For brig_checkpoint_options and brig_restore_options: punch out of the images of earlier dumps, or of the restored
/// ones, what is not needed any more.
pub const BRIG_CHECKPOINT_AUTO_DEDUP: u64 = 512;

/// For brig_restore_options: TCP connections are restored as closed.
pub const BRIG_RESTORE_TCP_CLOSE: u64 = 1024;

/// For brig_restore_options: as BRIG_CREATE_NO_NEW_KEYRING.
pub const BRIG_RESTORE_NO_NEW_KEYRING: u64 = 2048;

/// For brig_restore_options: as BRIG_CREATE_SYSTEMD_CGROUP.
pub const BRIG_RESTORE_SYSTEMD_CGROUP: u64 = 4096;

/// For `manage_cgroups`: restore the properties of those cgroups that have to be made. The default.
pub const BRIG_CGROUPS_SOFT: u32 = 1;
/// For `manage_cgroups`: restore those of all cgroups.
pub const BRIG_CGROUPS_FULL: u32 = 2;
/// For `manage_cgroups`: restore all, and fail if one is there already.
pub const BRIG_CGROUPS_STRICT: u32 = 3;
/// For `manage_cgroups`: all processes are restored in the container's cgroup, and no property.
pub const BRIG_CGROUPS_IGNORE: u32 = 4;

const COMMON: u64 = BRIG_CHECKPOINT_TCP_ESTABLISHED
    | BRIG_CHECKPOINT_EXT_UNIX_SK
    | BRIG_CHECKPOINT_SHELL_JOB
    | BRIG_CHECKPOINT_FILE_LOCKS
    | BRIG_CHECKPOINT_LAZY_PAGES
    | BRIG_CHECKPOINT_AUTO_DEDUP;

/// How to dump a container. BRIG_INIT(brig_checkpoint_options) and set what you need.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct brig_checkpoint_options {
    /// sizeof(brig_checkpoint_options); set it with BRIG_INIT.
    pub size: usize,
    /// The directory for the images, made with mode 0700 if it is missing (nullable if `image_fd`
    /// is given).
    pub image_dir: *const c_char,
    /// The directory for CRIU's log, dump.log, and what else it leaves (nullable: that of the
    /// images).
    pub work_dir: *const c_char,
    /// The images of an earlier dump, relative to these: only what has changed since is dumped
    /// (nullable).
    pub parent_path: *const c_char,
    /// The address of the `criu page-server` that takes the memory, or with
    /// BRIG_CHECKPOINT_LAZY_PAGES that of this machine where it is handed out (nullable).
    pub page_server: *const c_char,
    /// Any of BRIG_CHECKPOINT_*.
    pub flags: u64,
    /// 0, or CLONE_NEWNET: what is in the network namespace is not dumped.
    pub empty_namespaces: u64,
    /// The directory for the images, open, instead of a path; 0 is none.
    pub image_fd: c_int,
    /// The port of `page_server`.
    pub page_server_port: u32,
    /// One of BRIG_CGROUPS_*, or 0 for the default.
    pub manage_cgroups: u32,
    /// Gets one NUL byte once pages can be fetched (BRIG_CHECKPOINT_LAZY_PAGES); 0 is none.
    pub status_fd: c_int,
    /// Once this file is readable, give up when that is safe for the container: BRIG_ERR_CANCELED;
    /// 0 is none.
    pub cancel_fd: c_int,
    /// Zero.
    pub reserved: c_int,
}

// SAFETY: pointers and integers only, no padding (checked below), `size` first.
unsafe impl Options for brig_checkpoint_options {}

const _: () = assert!(size_of::<brig_checkpoint_options>() == 5 * size_of::<usize>() + 2 * 8 + 6 * 4);

/// How to restore a container. BRIG_INIT(brig_restore_options) and set what you need.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct brig_restore_options {
    /// sizeof(brig_restore_options); set it with BRIG_INIT.
    pub size: usize,
    /// The bundle: a directory with a config.json (nullable if `spec` is given).
    pub bundle: *const c_char,
    /// The spec as JSON, instead of the bundle's config.json (nullable).
    pub spec: *const c_char,
    /// The root filesystem, instead of the spec's root.path (nullable).
    pub rootfs: *const c_char,
    /// The directory of the images (nullable if `image_fd` is given).
    pub image_dir: *const c_char,
    /// The directory for CRIU's log, restore.log, and what else it leaves (nullable: that of the
    /// images).
    pub work_dir: *const c_char,
    /// The security profile to have instead of the former one, as `apparmor:NAME` or
    /// `selinux:LABEL` (nullable).
    pub lsm_profile: *const c_char,
    /// The SELinux label for mounts instead of the former one (nullable).
    pub lsm_mount_context: *const c_char,
    /// Three files that take the place of pipes that stdin, stdout and stderr were, or of files
    /// outside of the container; -1 for /dev/null (nullable: the caller's 0, 1, 2).
    pub stdio: *const c_int,
    /// Any of BRIG_RESTORE_*, and those of BRIG_CHECKPOINT_* that are for a restore too.
    pub flags: u64,
    /// 0, or CLONE_NEWNET: the network namespace starts empty.
    pub empty_namespaces: u64,
    /// The root filesystem as an open directory, instead of a path; 0 is none.
    pub rootfs_fd: c_int,
    /// The directory of the images, open, instead of a path; 0 is none.
    pub image_fd: c_int,
    /// One of BRIG_CGROUPS_*, or 0 for the default.
    pub manage_cgroups: u32,
    /// Once this file is readable, give up and undo: BRIG_ERR_CANCELED; 0 is none.
    pub cancel_fd: c_int,
}

// SAFETY: pointers and integers only, no padding (checked below), `size` first.
unsafe impl Options for brig_restore_options {}

const _: () = assert!(size_of::<brig_restore_options>() == 9 * size_of::<usize>() + 2 * 8 + 4 * 4);

fn path<'a>(pointer: *const c_char) -> Option<&'a Path> {
    optional(pointer).map(|path| Path::new(OsStr::from_bytes(path.to_bytes())))
}

fn place<'a>(image_dir: *const c_char, image_fd: c_int, work_dir: *const c_char) -> Result<Place<'a>> {
    let place = Place { path: path(image_dir), fd: descriptor("image_fd", image_fd)?, work: path(work_dir) };
    match place {
        Place { path: None, fd: None, .. } => Err(invalid("options", "neither image_dir nor image_fd is given")),
        place => Ok(place),
    }
}

fn optional_text<'a>(name: &str, pointer: *const c_char) -> Result<Option<&'a str>> {
    optional(pointer).map(|value| text(name, value)).transpose()
}

fn common(flags: u64, manage_cgroups: u32, empty_namespaces: u64) -> Result<Common> {
    let manage_cgroups = match manage_cgroups {
        0 => None,
        BRIG_CGROUPS_SOFT => Some(CgroupMode::Soft),
        BRIG_CGROUPS_FULL => Some(CgroupMode::Full),
        BRIG_CGROUPS_STRICT => Some(CgroupMode::Strict),
        BRIG_CGROUPS_IGNORE => Some(CgroupMode::Ignore),
        _ => return Err(invalid("manage_cgroups", "is none of BRIG_CGROUPS_*")),
    };
    if empty_namespaces & !(libc::CLONE_NEWNET as u64) != 0 {
        return Err(Error::new(Kind::Unsupported, "empty_namespaces: only CLONE_NEWNET can be left empty"));
    }
    let has = |flag| flags & flag != 0;
    Ok(Common {
        tcp_established: has(BRIG_CHECKPOINT_TCP_ESTABLISHED),
        ext_unix_sk: has(BRIG_CHECKPOINT_EXT_UNIX_SK),
        shell_job: has(BRIG_CHECKPOINT_SHELL_JOB),
        file_locks: has(BRIG_CHECKPOINT_FILE_LOCKS),
        lazy_pages: has(BRIG_CHECKPOINT_LAZY_PAGES),
        auto_dedup: has(BRIG_CHECKPOINT_AUTO_DEDUP),
        manage_cgroups,
        empty_network: empty_namespaces != 0,
    })
}

/// Reads the caller's options; what they point to is borrowed for the call.
fn checkpoint_options<'a>(pointer: *const brig_checkpoint_options) -> Result<CheckpointOptions<'a>> {
    let given = options("options", pointer)?;
    if given.reserved != 0 {
        return Err(invalid("reserved", "is not zero"));
    }
    let known = COMMON
        | BRIG_CHECKPOINT_LEAVE_RUNNING
        | BRIG_CHECKPOINT_PRE_DUMP
        | BRIG_CHECKPOINT_TCP_SKIP_IN_FLIGHT
        | BRIG_CHECKPOINT_LINK_REMAP;
    let flags = known_flags(given.flags, known)?;
    let page_server = match (optional_text("page_server", given.page_server)?, given.page_server_port) {
        (None, 0) => None,
        (Some(address), port @ 1..=0xffff) => Some((address, port as u16)),
        _ => return Err(invalid("page_server", "takes an address and a port")),
    };
    if flags & BRIG_CHECKPOINT_LAZY_PAGES != 0 && page_server.is_none() {
        return Err(invalid("page_server", "is needed to hand pages out"));
    }
    Ok(CheckpointOptions {
        place: place(given.image_dir, given.image_fd, given.work_dir)?,
        parent: path(given.parent_path),
        common: common(flags, given.manage_cgroups, given.empty_namespaces)?,
        leave_running: flags & BRIG_CHECKPOINT_LEAVE_RUNNING != 0,
        pre_dump: flags & BRIG_CHECKPOINT_PRE_DUMP != 0,
        tcp_skip_in_flight: flags & BRIG_CHECKPOINT_TCP_SKIP_IN_FLIGHT != 0,
        link_remap: flags & BRIG_CHECKPOINT_LINK_REMAP != 0,
        page_server,
        status: descriptor("status_fd", given.status_fd)?,
        cancel: descriptor("cancel_fd", given.cancel_fd)?,
    })
}

/// Reads the caller's options; what they point to is borrowed for the call.
fn restore_options<'a>(pointer: *const brig_restore_options) -> Result<RestoreOptions<'a>> {
    let given = options("options", pointer)?;
    let known = COMMON | BRIG_RESTORE_TCP_CLOSE | BRIG_RESTORE_NO_NEW_KEYRING | BRIG_RESTORE_SYSTEMD_CGROUP;
    let flags = known_flags(given.flags, known)?;
    Ok(RestoreOptions {
        create: CreateOptions {
            bundle: path(given.bundle),
            spec: optional(given.spec).map(|spec| spec.to_bytes()),
            rootfs: path(given.rootfs),
            rootfs_fd: descriptor("rootfs_fd", given.rootfs_fd)?,
            stdio: files(given.stdio, std::ptr::null(), 0)?.0,
            no_new_keyring: flags & BRIG_RESTORE_NO_NEW_KEYRING != 0,
            systemd_cgroup: flags & BRIG_RESTORE_SYSTEMD_CGROUP != 0,
            cancel: descriptor("cancel_fd", given.cancel_fd)?,
            ..CreateOptions::default()
        },
        place: place(given.image_dir, given.image_fd, given.work_dir)?,
        common: common(flags, given.manage_cgroups, given.empty_namespaces)?,
        tcp_close: flags & BRIG_RESTORE_TCP_CLOSE != 0,
        lsm_profile: optional_text("lsm_profile", given.lsm_profile)?,
        lsm_mount_context: optional_text("lsm_mount_context", given.lsm_mount_context)?,
    })
}

/// Writes the processes of a container that runs to images, from which brig_container_restore() continues them, here or
/// on another machine; and ends them, unless `flags` say that they run on. The container is stopped then, to be
/// deleted. If it fails, it runs on as before, and the message has what CRIU's log ends with.
///
/// A container that does not run, or is paused, is BRIG_ERR_STATE. CRIU is the program `criu` in $PATH; one that is
/// missing, or too old for this kernel, is BRIG_ERR_UNSUPPORTED. Needs root. docs/checkpoint.md tells more.
///
/// # Safety
/// `container` is NULL or a handle; options and places are NULL or valid, as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_checkpoint(
    container: *mut brig_container,
    options: *const brig_checkpoint_options,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || handle(container)?.value.checkpoint(&checkpoint_options(options)?))
}

/// Creates the container `id` out of images. It is that of the bundle, or of the spec, with cgroups, hooks (prestart,
/// createRuntime) and all; but its processes come from the images, and run when this returns. Its init is the
/// caller's child. With process.terminal it has a new terminal, to be taken with brig_container_console().
///
/// A directory that is no whole checkpoint, or that of a container with other mounts or namespaces, is
/// BRIG_ERR_INVALID. If anything fails, nothing is left.
///
/// # Safety
/// Handles, strings, options and places are NULL or valid, as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_restore(
    runtime: *mut brig_runtime,
    id: *const c_char,
    options: *const brig_restore_options,
    container: *mut *mut brig_container,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("container", container)?;
        let id = text("id", string("id", id)?)?;
        *place =
            brig_container::new(Container::restore(Arc::clone(&runtime.value), id, &restore_options(options)?)?).give();
        Ok(())
    })
}
