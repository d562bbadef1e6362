// SPDX-License-Identifier: Apache-2.0
//! The signals that come to this program, without a handler.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{Context, Result};

/// The signals of this program, as a file.
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks them. At first only those that end a program are readable: a create can be told to give up.
    pub fn block() -> Result<Self> {
        let what = || "cannot take over signals";
        let ending = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM].into_iter().collect();
        all().thread_block().context(what)?;
        SignalFd::with_flags(&ending, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).context(what).map(Self)
    }

    /// From now on all of them.
    pub fn take_all(&mut self) -> Result<()> {
        self.0.set_mask(&all()).context(|| "cannot take over signals")
    }

    /// The next one that has come.
    pub fn next(&self) -> Option<i32> {
        let signal = self.0.read_signal().ok().flatten()?;
        i32::try_from(signal.ssi_signo).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// All but those that are about this program: its own terminal stops it in the background, what it writes nobody
/// reads (which the Rust runtime ignores), and URG is noise.
fn all() -> SigSet {
    let mut set = SigSet::all();
    for own in [Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGPIPE, Signal::SIGURG] {
        set.remove(own);
    }
    set
}
