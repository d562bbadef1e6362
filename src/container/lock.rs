// SPDX-License-Identifier: Apache-2.0
//! One operation on a container at a time: flock(2) on its directory, which holds between threads (each takes a
//! file of its own) as between processes, and ends with the holder.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open};

use crate::error::{Context, Error, Kind, Result};
use crate::launch::Record;

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

/// While one is held, no pause begins: programs are being started in the container, and one that is frozen half-way keeps
/// the thread that waits for its exec. It is another lock than the container's, since an exec that waits for a resume
/// must not keep that from whoever resumes. Any number of execs share it.
pub struct Starting {
    _journal: OwnedFd,
}

/// How long a pause waits for execs; each takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

impl Starting {
    /// Begins an exec; `None` if the container is gone.
    pub fn begin(directory: &Path) -> Result<Option<Self>> {
        let file = match open(Record::path(directory), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            result => result.context(|| format!("cannot open {}", Record::path(directory).display()))?,
        };
        while let Err(error) = flock(&file, FlockOperation::LockShared) {
            if error != rustix::io::Errno::INTR {
                return Err(error).context(|| "cannot hold off a pause");
            }
        }
        Ok(Some(Self { _journal: file }))
    }

    /// Waits until no exec is half-way, and lets none begin.
    pub fn hold_off(directory: &Path) -> Result<OwnedFd> {
        let what = || "cannot wait for an exec";
        let file = open(Record::path(directory), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).context(what)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(Error::new(Kind::State, "cannot pause: a program is being started in the container"));
                }
                Err(rustix::io::Errno::INTR) => {}
                result => return result.context(what).map(|()| file),
            }
        }
    }
}

fn opened(directory: &Path) -> Result<Option<OwnedFd>> {
    match open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => Ok(None),
        result => Ok(Some(result.context(|| format!("cannot open {}", directory.display()))?)),
    }
}
