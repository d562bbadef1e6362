// SPDX-License-Identifier: Apache-2.0
//! An init that is not yet on its own.

use std::os::fd::OwnedFd;

use crate::error::{Error, Kind, Result};
use crate::sys::pidfd;
use crate::sys::spawn::Child;

/// A child that is at work on its plan. Dropped before it has grown up, it is killed.
pub struct Newborn(Option<Child>);

impl Newborn {
    /// Takes charge of it.
    pub fn new(child: Child) -> Self {
        Self(Some(child))
    }

    /// The child.
    pub fn child(&self) -> Result<&Child> {
        self.0.as_ref().ok_or_else(grown)
    }

    /// The first init has made the second and ends.
    pub fn replace(&mut self, pid: i32, file: Option<OwnedFd>) -> Result<()> {
        let pidfd = file.ok_or_else(|| Error::new(Kind::Bug, "init forked without a pidfd"))?;
        if let Some(first) = self.0.replace(Child { pid, pidfd }) {
            pidfd::reap(&first.pidfd);
        }
        Ok(())
    }

    /// Lets it go its way.
    pub fn grown(mut self) -> Result<Child> {
        self.0.take().ok_or_else(grown)
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            let _ = pidfd::signal(&child.pidfd, libc::SIGKILL);
            // Reaping waits only for what is a child of ours, which a supervised init is not.
            let _ = pidfd::ended(&child.pidfd, None);
            pidfd::reap(&child.pidfd);
        }
    }
}

fn grown() -> Error {
    Error::new(Kind::Bug, "init is on its own already")
}
