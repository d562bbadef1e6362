// SPDX-License-Identifier: Apache-2.0
//! The caller's files that become those of a program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::error::{Context, Error, Kind, Result};
use crate::sys::files;

/// The files that become a program's descriptors; /dev/null stands in for those that are closed or not wanted.
pub struct Stdio<'a> {
    given: Vec<Option<BorrowedFd<'a>>>,
    null: OwnedFd,
}

impl<'a> Stdio<'a> {
    /// `stdio` are 0 to 2, where -1 is /dev/null and `None` the caller's own; `fds` are those behind them.
    pub fn open(stdio: Option<[i32; 3]>, fds: &[i32]) -> Result<Self> {
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .context(|| "cannot open /dev/null")?;
        let mut given = Vec::with_capacity(3 + fds.len());
        for (index, fd) in stdio.unwrap_or([0, 1, 2]).into_iter().enumerate() {
            let file = files::borrow(fd);
            if file.is_none() && fd >= 0 && stdio.is_some() {
                return Err(Error::new(Kind::Invalid, format!("stdio[{index}]: {fd} is not open")));
            }
            given.push(file);
        }
        for (index, fd) in fds.iter().enumerate() {
            let file = files::borrow(*fd);
            given.push(Some(file.ok_or_else(|| Error::new(Kind::Invalid, format!("fds[{index}]: {fd} is not open")))?));
        }
        Ok(Self { given, null })
    }

    /// The files, by the numbers that the program will know them by.
    pub fn borrow(&self) -> Vec<BorrowedFd<'_>> {
        self.given.iter().map(|file| file.unwrap_or(self.null.as_fd())).collect()
    }
}
