// SPDX-License-Identifier: Apache-2.0
//! Staying with a process until it ends: signals go on to it, and what it types reaches us.
//!
//! One loop over poll(2), without threads or signal handlers: signals are blocked and read from a file.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::exit_code::ExitCode;
use crate::fault;
use crate::ffi::{Exit, Process};
use crate::notify::Proxy;
use crate::signals::Signals;
use crate::terminal::Terminal;

/// Waits until the process has ended and all its output is out, and whoever waits for it to be ready has been told.
pub fn wait(
    process: &Process,
    signals: &Signals,
    mut terminal: Option<Terminal>,
    mut proxy: Option<Proxy<'_>>,
) -> Result<Exit> {
    let pidfd = process.pidfd()?;
    let pid = process.pid()?;
    let mut running = true;
    fault::at("terminal");
    while running || terminal.as_ref().is_some_and(|terminal| !terminal.is_drained()) {
        let mut files = vec![PollFd::new(signals, PollFlags::IN)];
        if running {
            files.push(PollFd::new(&pidfd, PollFlags::IN));
        }
        files.extend(proxy.as_ref().map(|proxy| PollFd::new(proxy, PollFlags::IN)));
        let timeout = terminal.as_ref().and_then(|terminal| terminal.interest(&mut files));
        let ready = Ready::wait(&mut files, timeout)?;
        if ready.has(&pidfd) {
            running = false;
        }
        proxy.iter_mut().for_each(Proxy::receive);
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
                other => drop(process.signal(other)),
            }
        }
    }
    // Our own terminal is as before when the caller goes on.
    drop(terminal);
    proxy.into_iter().for_each(Proxy::settle);
    Ok(process.wait()?)
}

/// How it ended, as a shell tells it.
pub fn status(exit: Exit) -> ExitCode {
    let number = match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
    };
    // The kernel keeps no more than these bits of an exit code.
    ExitCode::from(number.to_le_bytes()[0])
}

/// Takes note of the end of processes that became our children; not of `own`'s, which the library waits for.
fn reap_adopted(own: i32) {
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    let look = || waitid(Id::All, ended | WaitPidFlag::WNOWAIT).ok().and_then(|status| status.pid());
    while let Some(pid) = look() {
        if pid.as_raw() == own || waitid(Id::Pid(pid), ended).is_err() {
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
