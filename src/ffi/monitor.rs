// SPDX-License-Identifier: Apache-2.0
//! `brig_monitor`: what happens to containers.

use std::ffi::{c_char, c_int};
use std::os::fd::IntoRawFd;

use super::{
    Head, Object, boundary, brig_container, brig_error, brig_runtime, brig_status, give_string, handle,
    ids as read_ids, known_flags, output, release, retain,
};
use crate::container::{Kinds, Monitor};
use crate::error::Result;

/// For a monitor: changes of a container's state.
pub const BRIG_MONITOR_STATE: u64 = 1;

/// For a monitor: the end of a container's init, and how it ended.
pub const BRIG_MONITOR_EXIT: u64 = 2;

/// For a monitor: a container ran out of memory, and processes were killed for that.
pub const BRIG_MONITOR_OOM: u64 = 4;

/// For a monitor: processes of a container wait for memory. Only if asked for, since the kernel measures
/// it more often then. BRIG_ERR_UNSUPPORTED if it cannot.
pub const BRIG_MONITOR_MEMORY_PRESSURE: u64 = 8;

/// Watches containers. It has one file, for any event loop, and no thread.
pub struct brig_monitor {
    head: Head,
    value: Monitor,
}

impl Object for brig_monitor {
    const MAGIC: u32 = 0x6272_6704;
    const NOUN: &'static str = "monitor";

    fn head(&self) -> &Head {
        &self.head
    }
}

impl brig_monitor {
    fn new(value: Monitor) -> Self {
        Self { head: Head::new::<Self>(), value }
    }
}

/// What these flags ask for.
fn kinds(flags: u64) -> Result<Kinds> {
    const DEFAULT: u64 = BRIG_MONITOR_STATE | BRIG_MONITOR_EXIT | BRIG_MONITOR_OOM;
    let flags = match known_flags(flags, DEFAULT | BRIG_MONITOR_MEMORY_PRESSURE)? {
        0 => DEFAULT,
        flags => flags,
    };
    let has = |flag| flags & flag != 0;
    Ok(Kinds {
        state: has(BRIG_MONITOR_STATE),
        exit: has(BRIG_MONITOR_EXIT),
        oom: has(BRIG_MONITOR_OOM),
        memory_pressure: has(BRIG_MONITOR_MEMORY_PRESSURE),
    })
}

/// Watches one container until it is deleted. `flags` is any of BRIG_MONITOR_*; 0 is all but
/// BRIG_MONITOR_MEMORY_PRESSURE.
///
/// The first event is the state that it is in, so that nothing is missed in between.
///
/// # Safety
/// `container` is NULL or a handle; `monitor` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_container_monitor(
    container: *mut brig_container,
    flags: u64,
    monitor: *mut *mut brig_monitor,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let container = handle(container)?;
        let place = output("monitor", monitor)?;
        *place = brig_monitor::new(container.value.monitor(kinds(flags)?)?).give();
        Ok(())
    })
}

/// Watches many containers: the `id_count` ones with these `ids`, or with NULL and 0 all. Those that do
/// not exist yet are watched once they do, whoever creates them. Else as brig_container_monitor(). The
/// state directory is made if it is not there.
///
/// # Safety
/// `runtime` is NULL or a handle; `ids` is NULL or `id_count` strings; `monitor` and `error` are NULL or places for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_runtime_monitor(
    runtime: *mut brig_runtime,
    ids: *const *const c_char,
    id_count: usize,
    flags: u64,
    monitor: *mut *mut brig_monitor,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("monitor", monitor)?;
        let ids = read_ids(ids, id_count)?;
        *place = brig_monitor::new(runtime.value.monitor(ids.as_deref(), kinds(flags)?)?).give();
        Ok(())
    })
}

/// Takes one more reference, and returns `monitor`. NULL is fine.
///
/// # Safety
/// `monitor` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_monitor_ref(monitor: *mut brig_monitor) -> *mut brig_monitor {
    retain(monitor)
}

/// Gives a reference back; with the last one all of its files are closed. NULL is fine.
///
/// # Safety
/// `monitor` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_monitor_unref(monitor: *mut brig_monitor) {
    release(monitor);
}

/// Stores in `*fd` a file that is readable, for poll(2) and friends, when brig_monitor_next() has something
/// to do. It is an epoll(7) file: wait for it, and do nothing else with it.
///
/// # Safety
/// `monitor` is NULL or a handle; `fd` and `error` are NULL or places for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_monitor_fd(
    monitor: *mut brig_monitor,
    fd: *mut c_int,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let monitor = handle(monitor)?;
        let place = output("fd", fd)?;
        *place = monitor.value.file()?.into_raw_fd();
        Ok(())
    })
}

/// Stores in `*event` the next event as JSON, to be freed with brig_string_free(), or NULL if there is none
/// now. Never waits. Once the file is readable call it until NULL; there need not be an event each time.
///
/// Each event has a `type` and an `id`, and docs/events.md has examples:
///
/// - `state`, with `status`: created, running, paused, stopped or deleted; and `pid`, or 0.
/// - `exit`, with `pid`, and `code` and `signal` as in brig_exit: how init ended. Without the latter two
///   if that cannot be known. It comes after `stopped`, as soon as it is known.
/// - `oom` and `oom_kill`, with `count`: how often the container ran out of memory, and how many of its
///   processes were killed for that.
/// - `memory-pressure`, with `level`, and with `psi` where the kernel has those figures.
/// - `error`, with a brig_status as `status`, and `message`: a container cannot be watched.
///
/// What happens between two calls may be told as one: of states that a container only passed through,
/// nothing is said. Later versions may add types: pass over them.
///
/// # Safety
/// `monitor` is NULL or a handle; `event` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_monitor_next(
    monitor: *mut brig_monitor,
    event: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let monitor = handle(monitor)?;
        let place = output("event", event)?;
        *place = monitor.value.next()?.map_or(Ok(std::ptr::null_mut()), give_string)?;
        Ok(())
    })
}
