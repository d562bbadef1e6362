// SPDX-License-Identifier: Apache-2.0
//! One operation on a container at a time: flock(2) on its directory, which holds between threads (each takes a
//! file of its own) as between processes, and ends with the holder.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open};

use crate::error::{Context, Result};

/// The right to change a container; given back when dropped.
pub struct Lock {
    _directory: OwnedFd,
}

impl Lock {
    /// Waits for the lock; `None` if the container is gone, or went while we waited.
    pub fn take(directory: &Path) -> Result<Option<Self>> {
        let Some(file) = opened(directory)? else { return Ok(None) };
        while let Err(error) = flock(&file, FlockOperation::LockExclusive) {
            if error != rustix::io::Errno::INTR {
                return Err(error).context(|| format!("cannot lock {}", directory.display()));
            }
        }
        let gone = fstat(&file).context(|| format!("cannot look at {}", directory.display()))?.st_nlink == 0;
        Ok((!gone).then_some(Self { _directory: file }))
    }

    /// Whether somebody is at work on the container.
    pub fn is_taken(directory: &Path) -> bool {
        let Ok(Some(file)) = opened(directory) else { return false };
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
    }
}

fn opened(directory: &Path) -> Result<Option<OwnedFd>> {
    match open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => Ok(None),
        result => Ok(Some(result.context(|| format!("cannot open {}", directory.display()))?)),
    }
}
