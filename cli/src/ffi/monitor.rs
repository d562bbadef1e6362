// SPDX-License-Identifier: Apache-2.0
//! `brig_monitor`.

use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::null_mut;

use brig::brig_monitor;

use super::{Error, fetch};

/// Watches a container.
pub struct Monitor(pub(super) *mut brig_monitor);

impl Monitor {
    /// A file that is readable when there may be an event.
    pub fn file(&self) -> Result<OwnedFd, Error> {
        // SAFETY: our own handle; the others are places for their types.
        let fd = fetch(-1, |fd, error| unsafe { brig::brig_monitor_fd(self.0, fd, error) })?;
        // SAFETY: the call succeeded, so this file is ours to close.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// The next event as JSON; `None` if there is none now.
    pub fn next(&self) -> Result<Option<String>, Error> {
        // SAFETY: our own handle; the others are places for a pointer.
        let event = fetch(null_mut(), |event, error| unsafe { brig::brig_monitor_next(self.0, event, error) })?;
        if event.is_null() {
            return Ok(None);
        }
        // SAFETY: not NULL, so this is a string that is ours.
        let text = unsafe { CStr::from_ptr(event) }.to_string_lossy().into_owned();
        // SAFETY: as above, and it is not used any more.
        unsafe { brig::brig_string_free(event) };
        Ok(Some(text))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // SAFETY: our own reference, not used after this.
        unsafe { brig::brig_monitor_unref(self.0) };
    }
}
