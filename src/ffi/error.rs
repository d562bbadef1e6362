// SPDX-License-Identifier: Apache-2.0
//! Errors as objects of the ABI.

use std::ffi::{CString, c_char, c_int};
use std::ptr::null;

use crate::error::{Error, Kind};

/// How a call ended. Later versions add values: treat the unknown as BRIG_ERR_FAILED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum brig_status {
    /// It did what it says.
    BRIG_OK = 0,
    /// The operating system refused; see brig_error_errno().
    BRIG_ERR_FAILED = -1,
    /// An argument is wrong, or NULL where NULL is not allowed.
    BRIG_ERR_INVALID = -2,
    /// No such container or process.
    BRIG_ERR_NOT_FOUND = -3,
    /// The id is taken.
    BRIG_ERR_EXISTS = -4,
    /// Not in this state of the container.
    BRIG_ERR_STATE = -5,
    /// This kernel, or this build, cannot do it.
    BRIG_ERR_UNSUPPORTED = -6,
    /// Time is up, or `cancel_fd` became readable.
    BRIG_ERR_CANCELED = -7,
    /// The object was made before fork(2) and is the parent's.
    BRIG_ERR_FORKED = -8,
    /// A defect of brig; please report it.
    BRIG_ERR_BUG = -9,
    /// config.json, or the bundle around it, is wrong; see brig_error_pointer().
    BRIG_ERR_CONFIG = -10,
    /// The container's program is missing or cannot be executed.
    BRIG_ERR_PROGRAM = -11,
    /// A hook failed.
    BRIG_ERR_HOOK = -12,
}

impl From<Kind> for brig_status {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Failed => Self::BRIG_ERR_FAILED,
            Kind::Invalid => Self::BRIG_ERR_INVALID,
            Kind::NotFound => Self::BRIG_ERR_NOT_FOUND,
            Kind::Exists => Self::BRIG_ERR_EXISTS,
            Kind::State => Self::BRIG_ERR_STATE,
            Kind::Unsupported => Self::BRIG_ERR_UNSUPPORTED,
            Kind::Canceled => Self::BRIG_ERR_CANCELED,
            Kind::Forked => Self::BRIG_ERR_FORKED,
            Kind::Bug => Self::BRIG_ERR_BUG,
            Kind::Config => Self::BRIG_ERR_CONFIG,
            Kind::Program => Self::BRIG_ERR_PROGRAM,
            Kind::Hook => Self::BRIG_ERR_HOOK,
        }
    }
}

/// What went wrong, down to its root cause. Immutable; safe to read from any thread.
pub struct brig_error {
    status: brig_status,
    errno: c_int,
    message: CString,
    pointer: Option<CString>,
}

impl From<Error> for brig_error {
    fn from(error: Error) -> Self {
        // A NUL can only come from a name in the input; it would cut the text short.
        let clean = |text: String| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
        Self {
            status: error.kind.into(),
            errno: error.errno,
            message: clean(error.message),
            pointer: error.pointer.map(clean),
        }
    }
}

/// The status that the failed call returned. BRIG_ERR_INVALID for NULL.
///
/// # Safety
/// `error` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_error_status(error: *const brig_error) -> brig_status {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.map_or(brig_status::BRIG_ERR_INVALID, |error| error.status)
}

/// The errno(3) at the root, or 0.
///
/// # Safety
/// `error` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_error_errno(error: *const brig_error) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.map_or(0, |error| error.errno)
}

/// One line of text (UTF-8), causes joined by ": ". Lives as long as the error. Empty for NULL.
///
/// # Safety
/// `error` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_error_message(error: *const brig_error) -> *const c_char {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// The field of config.json that is wrong, as a JSON pointer (RFC 6901) such as
/// "/linux/namespaces/2/path"; NULL if it is not about a field. Lives as long as the error.
///
/// # Safety
/// `error` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_error_pointer(error: *const brig_error) -> *const c_char {
    // SAFETY: as the caller promises.
    unsafe { error.as_ref() }.and_then(|error| error.pointer.as_ref()).map_or(null(), |pointer| pointer.as_ptr())
}

/// Frees an error. NULL is fine.
///
/// # Safety
/// `error` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_error_free(error: *mut brig_error) {
    if !error.is_null() {
        // SAFETY: not NULL, so made by `boundary`, and the caller gives it up.
        drop(unsafe { Box::from_raw(error) });
    }
}
