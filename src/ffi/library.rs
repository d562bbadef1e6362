// SPDX-License-Identifier: Apache-2.0
//! What belongs to the library as a whole: versions, features, the default spec, logging, strings.

use std::ffi::{CString, c_char, c_int};
use std::os::fd::BorrowedFd;

use ::log::LevelFilter;

use super::{boundary, brig_error, brig_status, give_string, invalid, known_flags, output, string};
use crate::{log, spec};

/// The version as one number: major × 1,000,000 + minor × 1,000 + patch.
#[unsafe(no_mangle)]
pub extern "C" fn brig_version_number() -> u32 {
    const fn number(text: &str) -> u32 {
        let (bytes, mut at, mut value) = (text.as_bytes(), 0, 0);
        while at < bytes.len() {
            value = value * 10 + (bytes[at] - b'0') as u32;
            at += 1;
        }
        value
    }
    const {
        number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
            + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
            + number(env!("CARGO_PKG_VERSION_PATCH"))
    }
}

/// The version as text, such as "0.1.0". Static.
#[unsafe(no_mangle)]
pub extern "C" fn brig_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Stores in `*json` what this build can do: the OCI *features* structure. What of that this kernel, or this host as it is
/// set up, does not have is in its annotation `org.brig.kernel.lacks`: JSON pointers, with a space between them, such as
/// `/linux/selinux` or `/linux/capabilities/CAP_BPF`. `org.brig.kernel.cgroups` is v1, v2, hybrid or none, and
/// `org.brig.kernel.lsm` lists the security modules.
///
/// # Safety
/// `json` is NULL or a place for a pointer; `error` likewise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_features(json: *mut *mut c_char, error: *mut *mut brig_error) -> brig_status {
    boundary(error, || {
        let place = output("json", json)?;
        *place = give_string(spec::features()?)?;
        Ok(())
    })
}

/// For brig_spec_default(): a container for an ordinary user, in a user namespace of its own.
pub const BRIG_SPEC_ROOTLESS: u64 = 1;

/// Stores in `*json` a config.json to start from: a shell in the rootfs directory `rootfs`.
/// `flags` is any of BRIG_SPEC_*.
///
/// # Safety
/// `json` is NULL or a place for a pointer; `error` likewise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_spec_default(
    flags: u64,
    json: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let place = output("json", json)?;
        let rootless = known_flags(flags, BRIG_SPEC_ROOTLESS)? & BRIG_SPEC_ROOTLESS != 0;
        *place = give_string(spec::default_spec(rootless)?)?;
        Ok(())
    })
}

/// Stores in `*mistakes` all that is wrong with the config.json `spec`: a JSON array of objects with "pointer" (as
/// brig_error_pointer() gives it; "" is the whole), "message" (one line: the place, what is there, what may be there) and
/// "status" (a brig_status, BRIG_ERR_CONFIG as of now). "[]" if nothing is wrong. Nothing on this host is looked at, and members that the specification does not know are
/// allowed. brig_container_create() does the same before anything else, and tells the first.
///
/// # Safety
/// `spec` is NULL or a string; `mistakes` is NULL or a place for a pointer; `error` likewise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_spec_validate(
    spec: *const c_char,
    mistakes: *mut *mut c_char,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let text = string("spec", spec)?;
        let place = output("mistakes", mistakes)?;
        *place = give_string(spec::validate(text.to_bytes())?)?;
        Ok(())
    })
}

/// Frees a string that a call stored for you. NULL is fine.
///
/// # Safety
/// `string` is NULL or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: not NULL, so made by `give_string`, and the caller gives it up.
        drop(unsafe { CString::from_raw(string) });
    }
}

/// For brig_log_to_fd(): no more than errors.
pub const BRIG_LOG_ERROR: u32 = 1;
/// For brig_log_to_fd(): warnings too.
pub const BRIG_LOG_WARNING: u32 = 2;
/// For brig_log_to_fd(): what is done, too.
pub const BRIG_LOG_INFO: u32 = 3;
/// For brig_log_to_fd(): everything.
pub const BRIG_LOG_DEBUG: u32 = 4;

/// For brig_log_to_fd(): lines such as `time="…" level=error msg="…"`.
pub const BRIG_LOG_TEXT: u32 = 0;
/// For brig_log_to_fd(): one JSON object a line, with "level", "msg" and "time".
pub const BRIG_LOG_JSON: u32 = 1;

/// Sends the log of the whole library to the file `fd`, which is duplicated; -1 turns it off, as it is
/// at first. `level` is one of BRIG_LOG_ERROR to BRIG_LOG_DEBUG, `format` BRIG_LOG_TEXT or
/// BRIG_LOG_JSON. Each line is one write(2): if it is a pipe or a socket, keep it read, or ignore SIGPIPE.
///
/// # Safety
/// `error` is NULL or a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn brig_log_to_fd(
    fd: c_int,
    level: u32,
    format: u32,
    error: *mut *mut brig_error,
) -> brig_status {
    boundary(error, || {
        let level = match level {
            BRIG_LOG_ERROR => LevelFilter::Error,
            BRIG_LOG_WARNING => LevelFilter::Warn,
            BRIG_LOG_INFO => LevelFilter::Info,
            BRIG_LOG_DEBUG => LevelFilter::Debug,
            _ => return Err(invalid("level", "is none of BRIG_LOG_ERROR to BRIG_LOG_DEBUG")),
        };
        let format = match format {
            BRIG_LOG_TEXT => log::Format::Text,
            BRIG_LOG_JSON => log::Format::Json,
            _ => return Err(invalid("format", "is neither BRIG_LOG_TEXT nor BRIG_LOG_JSON")),
        };
        // SAFETY: the caller keeps the file open for the call; a number that is not open is answered with EBADF.
        let file = (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) });
        log::to_fd(file, level, format)
    })
}
