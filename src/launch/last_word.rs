// SPDX-License-Identifier: Apache-2.0
//! Init's last word, where a seccomp filter may keep it from sending one: in memory that it shares with us.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use brig_wire::{LastWord as Layout, kind};

use crate::error::{Context, Result};
use crate::sys::memfd;
use crate::sys::socket::Received;

/// The memory. It costs microseconds, so that it is there only for those who have a filter.
pub struct LastWord(OwnedFd);

/// What the end of init's connection means.
pub enum End {
    /// The program was executed.
    Executed,
    /// A step failed.
    Failed(Received),
    /// Init was ended before it came to the program.
    Died,
}

impl LastWord {
    /// Makes it, if there is a filter that might be in the way.
    pub fn new(filter: bool) -> Result<Option<Self>> {
        filter.then(|| memfd::shared("brig-last-word", Layout::SIZE).map(Self)).transpose()
    }

    /// Reads it, once the connection has ended.
    fn read(&self) -> Result<End> {
        let mut bytes = [0; Layout::USED];
        let count = rustix::io::pread(&self.0, &mut bytes, 0).context(|| "cannot read init's last word")?;
        Ok(match Layout::read(&bytes[..count]) {
            Some((message, text)) if message.kind == kind::FAILED => {
                End::Failed(Received { message, text: String::from_utf8_lossy(text).into_owned(), file: None })
            }
            Some((message, _)) if message.kind == kind::EXECUTING => End::Executed,
            _ => End::Died,
        })
    }
}

impl AsFd for LastWord {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What it means that init's connection has ended without a message. Without a filter nothing could keep init from
/// sending one.
pub fn meaning(last_word: Option<&LastWord>) -> Result<End> {
    last_word.map_or(Ok(End::Executed), LastWord::read)
}
