// SPDX-License-Identifier: Apache-2.0
//! `brig_error`.

use std::ffi::CStr;
use std::fmt;

use brig::{brig_error, brig_status};

/// Why a call of the library failed.
pub struct Error {
    status: brig_status,
    /// NULL if the library had no more to say than the status.
    object: *mut brig_error,
}

impl Error {
    pub(super) fn new(status: brig_status, object: *mut brig_error) -> Self {
        Self { status, object }
    }

    /// There is no such container.
    pub fn is_not_found(&self) -> bool {
        self.status == brig_status::BRIG_ERR_NOT_FOUND
    }

    /// It cannot be had here, not even later.
    pub fn is_unsupported(&self) -> bool {
        self.status == brig_status::BRIG_ERR_UNSUPPORTED
    }

    /// One line, causes joined by ": ".
    pub fn message(&self) -> &str {
        // SAFETY: NULL or ours; the text lives as long as the object, thus as long as `self`.
        unsafe { CStr::from_ptr(brig::brig_error_message(self.object)) }.to_str().unwrap_or("not UTF-8")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            "" => write!(f, "{:?}", self.status),
            message => f.write_str(message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.status, self.message())
    }
}

impl std::error::Error for Error {}

impl Drop for Error {
    fn drop(&mut self) {
        // SAFETY: NULL or ours, and not used after this.
        unsafe { brig::brig_error_free(self.object) };
    }
}
