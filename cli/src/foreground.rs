// SPDX-License-Identifier: Apache-2.0
//! Staying with a container until it ends: signals go on to it, and what it types reaches us.
//!
//! One loop over poll(2), without threads or signal handlers: signals are blocked and read from a file.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::ffi::{Exit, Process};
use crate::terminal::Terminal;

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

    fn next(&self) -> Option<i32> {
        let signal = self.0.read_signal().ok().flatten()?;
        i32::try_from(signal.ssi_signo).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// All but those that are about this program: its own terminal stops it in the background, and URG is noise.
fn all() -> SigSet {
    let mut set = SigSet::all();
    for own in [Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGURG] {
        set.remove(own);
    }
    set
}

/// Waits until the process has ended and all its output is out.
pub fn wait(init: &Process, signals: &Signals, mut terminal: Option<Terminal>) -> Result<Exit> {
    let pidfd = init.pidfd()?;
    let pid = init.pid()?;
    let mut running = true;
    while running || terminal.as_ref().is_some_and(|terminal| !terminal.is_drained()) {
        let mut files = vec![PollFd::new(signals, PollFlags::IN)];
        if running {
            files.push(PollFd::new(&pidfd, PollFlags::IN));
        }
        let timeout = terminal.as_ref().and_then(|terminal| terminal.interest(&mut files));
        let ready = Ready::wait(&mut files, timeout)?;
        if ready.has(&pidfd) {
            running = false;
        }
        if let Some(terminal) = &mut terminal {
            terminal.transfer(&ready, running);
        }
        while let Some(signal) = signals.next() {
            match signal {
                libc::SIGCHLD => reap_adopted(pid),
                libc::SIGWINCH if terminal.is_some() => terminal.iter().for_each(Terminal::resize),
                // Nobody reads the last output, and somebody wants an end.
                libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT if !running => terminal = None,
                // It may be gone by now, which the pidfd will tell.
                other => drop(init.signal(other)),
            }
        }
    }
    // Our own terminal is as before when the caller goes on.
    drop(terminal);
    Ok(init.wait()?)
}

/// Takes note of the end of processes that became our children; not of init's, which the library waits for.
fn reap_adopted(init: i32) {
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    let look = || waitid(Id::All, ended | WaitPidFlag::WNOWAIT).ok().and_then(|status| status.pid());
    while let Some(pid) = look() {
        if pid.as_raw() == init || waitid(Id::Pid(pid), ended).is_err() {
            break;
        }
    }
}

/// Which files something can be done with.
pub struct Ready(Vec<RawFd>);

impl Ready {
    fn wait(files: &mut [PollFd<'_>], timeout: Option<Timespec>) -> Result<Self> {
        match poll(files, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context(|| "cannot wait for the container"),
        }
        let ready = files.iter().filter(|file| !file.revents().is_empty());
        Ok(Self(ready.map(|file| file.as_fd().as_raw_fd()).collect()))
    }

    /// Whether this file is among them.
    pub fn has(&self, file: impl AsFd) -> bool {
        self.0.contains(&file.as_fd().as_raw_fd())
    }
}
