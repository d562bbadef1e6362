// SPDX-License-Identifier: Apache-2.0
//! `brig_runtime`: a state directory.

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::{
    Head, Object, boundary, brig_error, brig_status, give_string, handle, ids as read_ids, optional, output, release,
    retain,
};
use crate::container::Runtime;

/// A state directory and the containers in it.
pub struct brig_runtime {
    head: Head,
    pub(super) value: Arc<Runtime>,
}

impl Object for brig_runtime {
    const MAGIC: u32 = 0x6272_6701;
    const NOUN: &'static str = "runtime";

    fn head(&self) -> &Head {
        &self.head
    }
}

/// Opens the state directory `root` (nullable: /run/brig, or $XDG_RUNTIME_DIR/brig if not root, nor "root" by $USER
/// in a user namespace). It is made, with mode 0700, when the first container is created; in $XDG_RUNTIME_DIR,
/// which must be the caller's, it is sticky, so that nobody cleans it away.
///
/// # Safety
/// `root` is NULL or a string; `runtime` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_runtime_open(
    root: *const c_char,
    runtime: *mut *mut brig_runtime,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let place = output("runtime", runtime)?;
        let root = optional(root).map(|root| Path::new(OsStr::from_bytes(root.to_bytes())));
        let value = Arc::new(Runtime::open(root)?);
        *place = brig_runtime { head: Head::new::<brig_runtime>(), value }.give();
        Ok(())
    })
}

/// Takes one more reference, and returns `runtime`. NULL is fine.
///
/// # Safety
/// `runtime` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_runtime_ref(runtime: *mut brig_runtime) -> *mut brig_runtime {
    retain(runtime)
}

/// Gives a reference back. Containers keep what they need. NULL is fine.
///
/// # Safety
/// `runtime` is NULL or a handle that the caller has a reference to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_runtime_unref(runtime: *mut brig_runtime) {
    release(runtime);
}

/// Stores in `*path` the state directory, absolute, to be freed with brig_string_free(). A client may keep
/// things of its own there under names that start with '@', which no container's id does; `@seccomp` and
/// `@notify` are brig's.
///
/// # Safety
/// `runtime` is NULL or a handle; `path` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_runtime_root(
    runtime: *mut brig_runtime,
    path: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("path", path)?;
        *place = give_string(runtime.value.root().as_os_str().as_bytes())?;
        Ok(())
    })
}

/// Stores in `*json` an array with the state of every container, as brig_container_state() gives
/// it, ordered by id.
///
/// # Safety
/// `runtime` is NULL or a handle; `json` and `error` are NULL or places for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_runtime_list(
    runtime: *mut brig_runtime,
    json: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("json", json)?;
        *place = give_string(runtime.value.list()?)?;
        Ok(())
    })
}

/// Stores in `*json` what many containers have used, in one call: an array with an object for each, with
/// `type` "stats", `id`, and as `data` what brig_container_stats() gives. To be freed with brig_string_free().
///
/// `ids` are `id_count` ids, answered in this order. In place of one that cannot be asked there is an object
/// of `type` "error" with `id`, a brig_status as `status`, and `message`. NULL and 0 stand for all
/// containers that there are, ordered by id.
///
/// # Safety
/// `runtime` is NULL or a handle; `ids` is NULL or `id_count` strings; `json` and `error` are NULL or places for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_runtime_stats(
    runtime: *mut brig_runtime,
    ids: *const *const c_char,
    id_count: usize,
    json: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let runtime = handle(runtime)?;
        let place = output("json", json)?;
        *place = give_string(runtime.value.stats(read_ids(ids, id_count)?.as_deref())?)?;
        Ok(())
    })
}
