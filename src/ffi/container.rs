// SPDX-License-Identifier: Apache-2.0
//! `brig_container`: one container and what can be done with it.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::{
    Head, Object, Options, boundary, brig_error, brig_process, brig_runtime, brig_status, descriptor, files,
    give_string, handle, invalid, known_flags, optional, options, output, release, retain, string, text,
};
use crate::container::{Container, CreateOptions};
use crate::error::Result;

/// For brig_create_options: do not use pivot_root(2), for a root that is an initramfs. Less safe.
pub const BRIG_CREATE_NO_PIVOT: u64 = 1;

/// For brig_create_options: a supervisor stays with the container, a process of some tens of KB, as the
/// parent of its init, and records how that ends. So brig_process_wait() in any process, also one that
/// opens the container only after its end, learns that on any kernel; the creator too, whatever it
/// does with SIGCHLD. The supervisor is the caller's child, in its cgroups but in a session of its own.
/// It ends after the init, and is reaped by brig_process_wait() and brig_container_delete(). If it is
/// killed, the container goes on, and as to its exit code it is as if there had been none.
pub const BRIG_CREATE_SUPERVISED: u64 = 2;

/// For brig_create_options: leave the container the caller's session keyring. Without it the container gets
/// a session keyring of its own, called `_ses.` and its id, which execs join.
pub const BRIG_CREATE_NO_NEW_KEYRING: u64 = 4;

/// For brig_create_options: systemd makes the container's cgroup, as that of a transient scope, and the spec's
/// linux.cgroupsPath is `slice:prefix:name`: `system.slice` (the user's manager: `user.slice`) if there is no
/// slice, `prefix-name.scope` in it; without a cgroupsPath, `brig-ID.scope`. Annotations such as
/// `org.systemd.property.CollectMode` set properties of the scope, as text in the format of GVariant.
/// Needs cgroup version 2 and the bus: that of the system for root, else the user's
/// ($DBUS_SESSION_BUS_ADDRESS, $XDG_RUNTIME_DIR/bus); or, where there is none, systemd's own socket.
/// Waits for systemd no longer than 25 seconds.
pub const BRIG_CREATE_SYSTEMD_CGROUP: u64 = 8;

/// For brig_create_options: the caller answers what the seccomp filter notifies of (SCMP_ACT_NOTIFY) where the
/// spec has no listenerPath, which is an error otherwise. It starts the container by the handle that the create
/// gave, then takes the listener with brig_container_seccomp_fd(). Calls that come before the program runs,
/// such as execve, cannot be notified of then.
pub const BRIG_CREATE_SECCOMP_FD: u64 = 16;

/// For brig_create_options: the container does without a cgroup in every hierarchy where the caller may not make
/// one, as long as the spec neither has a linux.cgroupsPath nor limits that need it. Without this and the next one
/// it is so unless the caller is root of the host.
pub const BRIG_CREATE_ROOTLESS: u64 = 32;
/// For brig_create_options: a cgroup that the caller may not make is an error, whoever it is.
pub const BRIG_CREATE_NOT_ROOTLESS: u64 = 64;

/// For brig_container_signal(): to every process of the container, not only its init.
pub const BRIG_SIGNAL_ALL: u64 = 1;

/// For brig_container_delete(): kill a container that still runs, and clear what a crash left.
pub const BRIG_DELETE_FORCE: u64 = 1;

/// How to create a container. BRIG_INIT(brig_create_options) and set what you need.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct brig_create_options {
    /// sizeof(brig_create_options); set it with BRIG_INIT.
    pub size: usize,
    /// The bundle: a directory with a config.json (nullable if `spec` is given).
    pub bundle: *const c_char,
    /// The spec as JSON, instead of the bundle's config.json (nullable).
    pub spec: *const c_char,
    /// The root filesystem, instead of the spec's root.path (nullable).
    pub rootfs: *const c_char,
    /// Three files for stdin, stdout and stderr, -1 for /dev/null (nullable: the caller's 0, 1, 2).
    /// With process.terminal the terminal is used instead.
    pub stdio: *const c_int,
    /// More files for the container's program, which sees them as 3, 4 and so on (nullable).
    /// With a LISTEN_FDS but no LISTEN_PID in its env, it gets one with its pid (sd_listen_fds(3)).
    pub fds: *const c_int,
    /// How many `fds` there are.
    pub fd_count: usize,
    /// Any of BRIG_CREATE_*.
    pub flags: u64,
    /// The root filesystem as an open directory, instead of a path; 0 is none.
    pub rootfs_fd: c_int,
    /// Once this file is readable, give up and undo: BRIG_ERR_CANCELED; 0 is none. A hook that runs is
    /// waited for.
    pub cancel_fd: c_int,
}

// SAFETY: pointers and integers only, no padding (checked below), `size` first.
unsafe impl Options for brig_create_options {}

const _: () = assert!(size_of::<brig_create_options>() == 6 * size_of::<usize>() + size_of::<usize>() + 8 + 8);

/// One container. It outlives every handle to it, and this process.
pub struct brig_container {
    head: Head,
    pub(super) value: Arc<Container>,
}

impl Object for brig_container {
    const MAGIC: u32 = 0x6272_6702;
    const NOUN: &'static str = "container";

    fn head(&self) -> &Head {
        &self.head
    }
}

impl brig_container {
    pub(super) fn new(value: Container) -> Self {
        Self { head: Head::new::<Self>(), value: Arc::new(value) }
    }
}

fn path<'a>(pointer: *const c_char) -> Option<&'a Path> {
    optional(pointer).map(|path| Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// Reads the caller's options; what they point to is borrowed for the call.
fn create_options<'a>(pointer: *const brig_create_options) -> Result<CreateOptions<'a>> {
    let given = options("options", pointer)?;
    let (stdio, fds) = files(given.stdio, given.fds, given.fd_count)?;
    let known = BRIG_CREATE_NO_PIVOT
        | BRIG_CREATE_SUPERVISED
        | BRIG_CREATE_NO_NEW_KEYRING
        | BRIG_CREATE_SYSTEMD_CGROUP
        | BRIG_CREATE_SECCOMP_FD
        | BRIG_CREATE_ROOTLESS
        | BRIG_CREATE_NOT_ROOTLESS;
    let flags = known_flags(given.flags, known)?;
    let rootless = match (flags & BRIG_CREATE_ROOTLESS != 0, flags & BRIG_CREATE_NOT_ROOTLESS != 0) {
        (true, true) => return Err(invalid("flags", "has both BRIG_CREATE_ROOTLESS and BRIG_CREATE_NOT_ROOTLESS")),
        (false, false) => None,
        (rootless, _) => Some(rootless),
    };
    Ok(CreateOptions {
        bundle: path(given.bundle),
        spec: optional(given.spec).map(|spec| spec.to_bytes()),
        rootfs: path(given.rootfs),
        rootfs_fd: descriptor("rootfs_fd", given.rootfs_fd)?,
        stdio,
        fds,
        no_pivot: flags & BRIG_CREATE_NO_PIVOT != 0,
        supervised: flags & BRIG_CREATE_SUPERVISED != 0,
        no_new_keyring: flags & BRIG_CREATE_NO_NEW_KEYRING != 0,
        systemd_cgroup: flags & BRIG_CREATE_SYSTEMD_CGROUP != 0,
        takes_listener: flags & BRIG_CREATE_SECCOMP_FD != 0,
        rootless,
        cancel: descriptor("cancel_fd", given.cancel_fd)?,
    })
}

/// Creates a container: everything is set up, and its init waits for brig_container_start().
///
/// `id` has letters, digits and `_ + - .` only, at most 255 of them. A program that is missing or may not be
/// executed is told here already, BRIG_ERR_PROGRAM. If anything fails, nothing is left.
///
/// # Safety
/// Handles, strings, options and places are NULL or valid, as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_create(
    runtime: *mut brig_runtime,
    id: *const c_char,
    options: *const brig_create_options,
    container: *mut *mut brig_container,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("container", container)?;
        let id = text("id", string("id", id)?)?;
        let value = Container::create(Arc::clone(&runtime.value), id, &create_options(options)?)?;
        *place = brig_container::new(value).give();
        Ok(())
    })
}

/// Stores in `*plan` what brig_container_create() would do with these arguments, a step a line, for
/// people to read. Changes nothing.
///
/// # Safety
/// Handles, strings, options and places are NULL or valid, as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_plan(
    runtime: *mut brig_runtime,
    id: *const c_char,
    options: *const brig_create_options,
    plan: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("plan", plan)?;
        let id = text("id", string("id", id)?)?;
        *place = give_string(Container::plan(&runtime.value, id, &create_options(options)?)?)?;
        Ok(())
    })
}

/// Opens the container `id`, whoever created it.
///
/// # Safety
/// Handles, strings and places are NULL or valid, as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_open(
    runtime: *mut brig_runtime,
    id: *const c_char,
    container: *mut *mut brig_container,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("container", container)?;
        let id = text("id", string("id", id)?)?;
        *place = brig_container::new(Container::open(Arc::clone(&runtime.value), id)?).give();
        Ok(())
    })
}

/// Takes one more reference, and returns `container`. NULL is fine.
///
/// # Safety
/// `container` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_ref(container: *mut brig_container) -> *mut brig_container {
    retain(container)
}

/// Gives a reference back; the container lives on. NULL is fine.
///
/// # Safety
/// `container` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_unref(container: *mut brig_container) {
    release(container);
}

/// Lets the init process run the user's program, then runs the poststart hooks. A program that cannot be
/// executed after all (a bad interpreter, say) is BRIG_ERR_PROGRAM, and the container is stopped then. So it is if
/// the listener of its seccomp filter cannot be sent to listenerPath. If a startContainer or poststart hook fails,
/// BRIG_ERR_HOOK, the container is deleted.
///
/// # Safety
/// `container` is NULL or a handle; `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_start(
    container: *mut brig_container,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || handle(container)?.value.start())
}

/// Stores the OCI state as JSON in `*state`, to be freed with brig_string_free().
///
/// # Safety
/// `container` is NULL or a handle; `state` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_state(
    container: *mut brig_container,
    state: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("state", state)?;
        *place = give_string(container.value.state()?)?;
        Ok(())
    })
}

/// Sends a signal to the container's init, or with BRIG_SIGNAL_ALL to all of its processes. A container
/// that is stopped is BRIG_ERR_STATE.
///
/// # Safety
/// `container` is NULL or a handle; `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_signal(
    container: *mut brig_container,
    signal: c_int,
    flags: u64,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let all = known_flags(flags, BRIG_SIGNAL_ALL)? & BRIG_SIGNAL_ALL != 0;
        container.value.signal(signal, all)
    })
}

/// Freezes all processes of a container that runs, and waits until they are. BRIG_ERR_STATE if it
/// does not run.
///
/// # Safety
/// `container` is NULL or a handle; `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_pause(
    container: *mut brig_container,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || handle(container)?.value.pause())
}

/// Lets the processes of a paused container go on. BRIG_ERR_STATE if it is not paused.
///
/// # Safety
/// `container` is NULL or a handle; `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_resume(
    container: *mut brig_container,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || handle(container)?.value.resume())
}

/// Changes limits of a container that is created, runs or is paused; `resources` is the OCI `linux.resources`
/// object as JSON. What it does not mention stays as it is, the devices as well; if it has `devices`, they take
/// the place of all former rules: on the unified hierarchy in one step, with version 1 line by line, by which
/// nothing is lost that both allow unless the default changes. All or nothing: if the kernel refuses a value,
/// those that were set before it are put back.
///
/// brig_error_pointer() is relative to the object, such as "/memory/limit". A value that makes no sense, or that
/// the kernel finds invalid, is BRIG_ERR_CONFIG; what this host's cgroup version or kernel cannot limit,
/// BRIG_ERR_UNSUPPORTED; a container that is stopped, BRIG_ERR_STATE. On the unified hierarchy the kernel kills
/// processes if it cannot bring their memory below a new limit, unless `memory.checkBeforeUpdate` is true.
///
/// # Safety
/// `container` is NULL or a handle; `resources` is NULL or a string; `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_update(
    container: *mut brig_container,
    resources: *const c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let resources = string("resources", resources)?;
        handle(container)?.value.update(Some(resources.to_bytes()), None)
    })
}

/// The same with what the container's class of service may use (Intel RDT and its like): `intel_rdt` is the OCI
/// `linux.intelRdt` object as JSON, with `l3CacheSchema`, `memBwSchema` and `schemata` only, and `resources` (nullable) as
/// for brig_container_update(). Domains and resources that are not mentioned stay as they are. All or nothing: if the kernel
/// refuses either, both are as before. A class that other containers are in changes for them as well.
///
/// brig_error_pointer() is relative to the object that it is about: "/l3CacheSchema", "/memory/limit".
/// BRIG_ERR_UNSUPPORTED if the container was created without `linux.intelRdt`, since it has no class then.
///
/// # Safety
/// `container` is NULL or a handle; `resources` and `intel_rdt` are NULL or strings; `error` is NULL or a place for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_update_rdt(
    container: *mut brig_container,
    resources: *const c_char,
    intel_rdt: *const c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let resources = optional(resources).map(CStr::to_bytes);
        let intel_rdt = string("intel_rdt", intel_rdt)?;
        handle(container)?.value.update(resources, Some(intel_rdt.to_bytes()))
    })
}

/// Stores in `*fd` the directory of the container's cgroup, open with O_PATH; with openat(2) its files can be
/// read and written. It is the one in the unified hierarchy, or if `controller` (nullable) is given, such as
/// "memory", the one in the hierarchy that has this controller: with cgroup version 1 there is one for each,
/// and on a hybrid host the unified one has few files. BRIG_ERR_UNSUPPORTED if the host has no such hierarchy.
///
/// # Safety
/// `container` is NULL or a handle; `controller` is NULL or a string; `fd` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_cgroup_fd(
    container: *mut brig_container,
    controller: *const c_char,
    fd: *mut c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("fd", fd)?;
        let controller = optional(controller).map(|name| text("controller", name)).transpose()?;
        *place = container.value.cgroup(controller)?.into_raw_fd();
        Ok(())
    })
}

/// Stores in `*json` the pids of all processes in the container, as the caller's pid namespace has
/// them: a JSON array in ascending order, to be freed with brig_string_free(). Empty for a
/// container that has stopped.
///
/// # Safety
/// `container` is NULL or a handle; `json` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_processes(
    container: *mut brig_container,
    json: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("json", json)?;
        *place = give_string(container.value.processes()?)?;
        Ok(())
    })
}

/// Stores in `*json` what the container has used: processor time, memory, I/O, pressure, and the counters of
/// the network interfaces in its own network namespace. To be freed with brig_string_free(). It is the
/// `data` object of `runc events --stats`, for both versions of cgroups; docs/events.md has the fields and
/// their units. Also of a container that has stopped, until it is deleted.
///
/// # Safety
/// `container` is NULL or a handle; `json` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_stats(
    container: *mut brig_container,
    json: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("json", json)?;
        *place = give_string(container.value.stats()?)?;
        Ok(())
    })
}

/// Removes a stopped container: its cgroups, its state, and then runs the poststop hooks. `flags` may have
/// BRIG_DELETE_FORCE.
///
/// # Safety
/// `container` is NULL or a handle; `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_delete(
    container: *mut brig_container,
    flags: u64,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        container.value.delete(known_flags(flags, BRIG_DELETE_FORCE)? & BRIG_DELETE_FORCE != 0)
    })
}

/// Stores in `*process` the init process of the container. Of one that has ended, its parent must not
/// have reaped it, or a supervisor must have recorded how it ended; else the answer is BRIG_ERR_STATE.
///
/// # Safety
/// `container` is NULL or a handle; `process` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_init(
    container: *mut brig_container,
    process: *mut *mut brig_process,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("process", process)?;
        *place = brig_process::new(container.value.init()?).give();
        Ok(())
    })
}

/// Stores in `*fd` the master of the terminal that process.terminal asked for. Once, by the one who created
/// the container; BRIG_ERR_NOT_FOUND afterwards, or if there is none.
///
/// # Safety
/// `container` is NULL or a handle; `fd` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_console(
    container: *mut brig_container,
    fd: *mut c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("fd", fd)?;
        *place = container.value.console()?.into_raw_fd();
        Ok(())
    })
}

/// Stores in `*fd` the listener of the container's seccomp filter (seccomp_unotify(2)): readable when a system call
/// waits for an answer. Once, after brig_container_start(), by the one who created the container with
/// BRIG_CREATE_SECCOMP_FD; BRIG_ERR_NOT_FOUND before and afterwards, or if the filter notifies of nothing or the spec
/// has a listenerPath. If nobody takes it, what is notified of fails with ENOSYS once the last handle is given back.
///
/// # Safety
/// `container` is NULL or a handle; `fd` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_seccomp_fd(
    container: *mut brig_container,
    fd: *mut c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("fd", fd)?;
        *place = container.value.listener()?.into_raw_fd();
        Ok(())
    })
}
