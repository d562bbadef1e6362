// SPDX-License-Identifier: Apache-2.0
//! The C ABI of libbrig, made safe: one file a noun, and the only place of this program with `unsafe`.
//!
//! `fork` and `start` are the exceptions: what needs `unsafe` too, but not the library.
//!
//! Each wrapper owns one reference to its object and gives it back when dropped.

mod checkpoint;
mod container;
mod error;
mod fork;
mod monitor;
mod process;
mod runtime;
#[cfg(not(test))]
mod start;

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;

use brig::{brig_error, brig_status};
pub use checkpoint::{CgroupMode, CheckpointOptions, RestoreOptions, Wishes};
pub use container::{Container, CreateOptions, ExecOptions, Rootless};
pub use error::Error;
pub use fork::{close_from, fork};
pub use monitor::Monitor;
pub use process::{Exit, Process};
pub use runtime::Runtime;

/// How much the library tells in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LogLevel {
    Warning = brig::BRIG_LOG_WARNING,
    Debug = brig::BRIG_LOG_DEBUG,
}

/// How the lines of a log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[repr(u32)]
pub enum LogFormat {
    Text = brig::BRIG_LOG_TEXT,
    Json = brig::BRIG_LOG_JSON,
}

/// The version of the library, such as "0.1.0".
pub fn version() -> &'static str {
    // SAFETY: a static string that ends in NUL.
    unsafe { CStr::from_ptr(brig::brig_version()) }.to_str().unwrap_or_default()
}

/// What this build on this kernel can do, as JSON.
pub fn features() -> Result<String, Error> {
    // SAFETY: both are places for a pointer.
    text(|json, error| unsafe { brig::brig_features(json, error) })
}

/// A config.json to start from.
pub fn default_spec(rootless: bool) -> Result<String, Error> {
    let flags = if rootless { brig::BRIG_SPEC_ROOTLESS } else { 0 };
    // SAFETY: both are places for a pointer.
    text(|json, error| unsafe { brig::brig_spec_default(flags, json, error) })
}

/// What is wrong with a config.json, one line each.
pub fn mistakes(spec: &[u8]) -> Result<Vec<String>, Error> {
    #[derive(serde::Deserialize)]
    struct Mistake {
        message: String,
    }
    let spec = c_string(OsStr::from_bytes(spec));
    // SAFETY: a string that lives for the call, and two places for a pointer.
    let json = text(|json, error| unsafe { brig::brig_spec_validate(spec.as_ptr(), json, error) })?;
    let list: Vec<Mistake> = serde_json::from_str(&json).unwrap_or_default();
    Ok(list.into_iter().map(|mistake| mistake.message).collect())
}

/// Sends the library's log to a file, of which the library keeps a duplicate.
pub fn log_to(file: BorrowedFd<'_>, level: LogLevel, format: LogFormat) -> Result<(), Error> {
    // SAFETY: `error` is a place for a pointer.
    check(|error| unsafe { brig::brig_log_to_fd(file.as_raw_fd(), level as u32, format as u32, error) })
}

/// Whether `fd` is open and was inherited from whoever executed this program: what we open ourselves
/// is closed on exec, and what came through an exec cannot be.
pub fn is_inherited(fd: c_int) -> bool {
    // SAFETY: only asked about, and not kept; a number that is not open is answered with EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_getfd(fd).is_ok_and(|flags| !flags.contains(rustix::io::FdFlags::CLOEXEC))
}

/// Makes a call, and its status and error object a `Result`.
fn check(call: impl FnOnce(*mut *mut brig_error) -> brig_status) -> Result<(), Error> {
    let mut error = null_mut();
    match call(&mut error) {
        brig_status::BRIG_OK => Ok(()),
        status => Err(Error::new(status, error)),
    }
}

/// A call that stores something when it succeeds.
fn fetch<T>(empty: T, call: impl FnOnce(*mut T, *mut *mut brig_error) -> brig_status) -> Result<T, Error> {
    let mut place = empty;
    check(|error| call(&mut place, error))?;
    Ok(place)
}

/// A call that stores a string, which is copied and given back.
fn bytes(call: impl FnOnce(*mut *mut c_char, *mut *mut brig_error) -> brig_status) -> Result<Vec<u8>, Error> {
    let string = fetch(null_mut(), call)?;
    // SAFETY: the call succeeded, so this is a string that is ours.
    let bytes = unsafe { CStr::from_ptr(string) }.to_bytes().to_vec();
    // SAFETY: as above, and it is not used any more.
    unsafe { brig::brig_string_free(string) };
    Ok(bytes)
}

/// The same for UTF-8.
fn text(call: impl FnOnce(*mut *mut c_char, *mut *mut brig_error) -> brig_status) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&bytes(call)?).into_owned())
}

/// An argument as C wants it. Arguments of this program cannot hold a NUL, but the text of a file can; it is cut
/// there, which the library then finds to be incomplete.
fn c_string(text: impl AsRef<OsStr>) -> CString {
    let bytes = text.as_ref().as_bytes();
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}
