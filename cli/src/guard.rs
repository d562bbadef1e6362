// SPDX-License-Identifier: Apache-2.0
//! A small process that is there as long as our terminal has other modes than its owner gave it, and restores them
//! should we not come to do it: killed, or aborted.

use std::io::{PipeReader, PipeWriter, Write, pipe};

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, setsid};
use rustix::io::{read, retry_on_intr};
use rustix::stdio::{dup2_stdout, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::{Context, Result};
use crate::ffi;

/// The process. Dropped, it is told that there is nothing to restore, and is gone.
pub struct Guard {
    word: PipeWriter,
    pid: Pid,
}

impl Guard {
    /// Starts it, before stdin gets the modes `raw` in place of `modes`.
    pub fn start(modes: &Termios, raw: &Termios) -> Result<Self> {
        let what = || "cannot guard the terminal";
        let (news, word) = pipe().context(what)?;
        let pid = ffi::fork(|| watch(&news, modes, raw)).context(what)?;
        Ok(Self { word, pid })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail if it is gone already.
        let _ = self.word.write_all(b".");
        let _ = waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED);
    }
}

/// What the process does. It inherits that signals are blocked; its session is not that of the terminal, so that it can
/// set its modes from anywhere.
fn watch(news: &PipeReader, modes: &Termios, raw: &Termios) {
    let _ = setsid();
    // Of all else, which others may wait to see closed, nothing stays open.
    if dup2_stdout(news).is_err() || ffi::close_from(2).is_err() {
        return;
    }
    // The end of our pipe is the end of those who would have sent a word. Who has changed the modes meanwhile, as a shell
    // does, knows better.
    if retry_on_intr(|| read(stdout(), &mut [0])) == Ok(0) && tcgetattr(stdin()).is_ok_and(|now| are_equal(&now, raw)) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, modes);
    }
}

fn are_equal(one: &Termios, other: &Termios) -> bool {
    let modes = |all: &Termios| (all.input_modes, all.output_modes, all.control_modes, all.local_modes);
    modes(one) == modes(other)
}
