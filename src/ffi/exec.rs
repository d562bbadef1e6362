// SPDX-License-Identifier: Apache-2.0
//! Starting more programs in a container.

use std::ffi::{c_char, c_int};

use super::{
    Object, Options, boundary, brig_container, brig_error, brig_process, brig_status, descriptor, files, give_string,
    handle, invalid, known_flags, optional, options, output, string, text,
};
use crate::container::ExecOptions;
use crate::error::Result;

/// For brig_exec_options: in a paused container too. The call returns once that is resumed.
pub const BRIG_EXEC_IGNORE_PAUSED: u64 = 1;

/// For brig_exec_options: the caller answers what the program's seccomp filter notifies of, in a container that was
/// created with BRIG_CREATE_SECCOMP_FD: it takes the listener with brig_process_seccomp_fd(). Without this,
/// nothing can be executed there.
pub const BRIG_EXEC_SECCOMP_FD: u64 = 2;

/// What to execute. BRIG_INIT(brig_exec_options) and set what you need.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct brig_exec_options {
    /// sizeof(brig_exec_options); set it with BRIG_INIT.
    pub size: usize,
    /// The OCI `process` object as JSON. Where it has no capabilities, rlimits, oomScoreAdj,
    /// apparmorProfile or selinuxLabel, those of the container's own process are used.
    pub process: *const c_char,
    /// A cgroup below the container's own to start in (nullable: the container's own). It exists.
    /// A path such as "a/b", or for some controllers of version 1 lines such as "cpu,memory:a/b".
    pub cgroup: *const c_char,
    /// Three files for stdin, stdout and stderr, -1 for /dev/null (nullable: the caller's 0, 1, 2).
    /// With process.terminal the terminal is used instead.
    pub stdio: *const c_int,
    /// More files for the program, which sees them as 3, 4 and so on (nullable).
    /// With a LISTEN_FDS but no LISTEN_PID in its env, it gets one with its pid (sd_listen_fds(3)).
    pub fds: *const c_int,
    /// How many `fds` there are.
    pub fd_count: usize,
    /// Any of BRIG_EXEC_*.
    pub flags: u64,
    /// Once this file is readable, give up: BRIG_ERR_CANCELED; 0 is none.
    pub cancel_fd: c_int,
    /// Zero.
    pub reserved: c_int,
}

// SAFETY: pointers and integers only, no padding (checked below), `size` first.
unsafe impl Options for brig_exec_options {}

const _: () = assert!(size_of::<brig_exec_options>() == 6 * size_of::<usize>() + 8 + 8);

/// Reads the caller's options; what they point to is borrowed for the call.
fn exec_options<'a>(pointer: *const brig_exec_options) -> Result<ExecOptions<'a>> {
    let given = options("options", pointer)?;
    if given.reserved != 0 {
        return Err(invalid("reserved", "is not zero"));
    }
    let (stdio, fds) = files(given.stdio, given.fds, given.fd_count)?;
    let flags = known_flags(given.flags, BRIG_EXEC_IGNORE_PAUSED | BRIG_EXEC_SECCOMP_FD)?;
    Ok(ExecOptions {
        process: string("process", given.process)?.to_bytes(),
        cgroup: optional(given.cgroup).map(|cgroup| text("cgroup", cgroup)).transpose()?,
        stdio,
        fds,
        ignore_paused: flags & BRIG_EXEC_IGNORE_PAUSED != 0,
        takes_listener: flags & BRIG_EXEC_SECCOMP_FD != 0,
        cancel: descriptor("cancel_fd", given.cancel_fd)?,
    })
}

/// Runs one more program in a container that runs, or is created. It is a child of the calling
/// process, and is stored in `*process` once it runs. One that cannot be executed is
/// BRIG_ERR_PROGRAM. What is wrong with `process` is BRIG_ERR_CONFIG, with a pointer that starts
/// there. Calls on one container go in parallel.
///
/// # Safety
/// Handles, options and places are NULL or valid, as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_exec(
    container: *mut brig_container,
    options: *const brig_exec_options,
    process: *mut *mut brig_process,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("process", process)?;
        *place = brig_process::new(container.value.exec(&exec_options(options)?)?).give();
        Ok(())
    })
}

/// Stores in `*json` the `process` object of the container's config.json, to be freed with
/// brig_string_free(): what the one of an exec may start from.
///
/// # Safety
/// `container` is NULL or a handle; `json` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_process_spec(
    container: *mut brig_container,
    json: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("json", json)?;
        *place = give_string(container.value.process_spec()?)?;
        Ok(())
    })
}
