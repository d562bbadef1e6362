// SPDX-License-Identifier: Apache-2.0
//! Hooks: programs that run in the container's namespaces before its own does, and are waited for.

use core::ffi::CStr;

use brig_wire::{Act, Strings};
use linux_raw_sys::general::{
    __kernel_timespec, CLOCK_MONOTONIC, CLONE_PIDFD, O_RDWR, POLLIN, SEEK_SET, SIGCHLD, SIGKILL, clone_args, pollfd,
};

use crate::buffer::Buffer;
use crate::control::{During, Failure, Outcome, Text};
use crate::gate::Lists;
use crate::process::{CLOSE_RANGE_CLOEXEC, lift, put};
use crate::sys::{self, Abi, Errno, Fd, Result, exit};

/// Descriptors 0, 1 and 2.
const STDIO: usize = 3;

/// A program to run.
pub struct Hook<'p> {
    /// What to execute.
    pub path: &'p CStr,
    /// Its arguments, the name first.
    pub arguments: Strings<'p>,
    /// All of its environment.
    pub environment: Strings<'p>,
    /// How long it may take; 0 is for ever.
    pub timeout_ms: u64,
}

/// A hook that runs.
struct Running {
    pid: usize,
    pidfd: Fd,
    /// What it writes to stdout and stderr.
    output: Fd,
    /// Carries the errno of an execve(2) that failed; closed by one that did not.
    report: Fd,
}

impl Hook<'_> {
    /// Runs the hook to its end, with `state` as its input; what it has to say goes to `text`.
    pub fn run(&self, state: Option<&Fd>, text: &mut Text) -> Outcome {
        let deadline = (self.timeout_ms != 0).then(|| now().map(|now| now + self.timeout_ms)).transpose()?;
        let running = self.start(state).during(Act::HookExec)?;
        let in_time = running.watch(deadline, text);
        if in_time != Ok(true) {
            running.kill();
        }
        let mut status = 0;
        sys::wait4(running.pid, &mut status, 0, 0).during(Act::Wait)?;
        if !in_time.during(Act::Wait)? {
            return Err(Failure::new(Act::HookTimeout, Errno::ETIME));
        }
        running.drain(text)?;
        running.verdict(status)
    }

    fn start(&self, state: Option<&Fd>) -> Result<Running> {
        let lists = Lists::new(self.arguments, self.environment, [None; 2])?;
        let (output, stdout) = sys::pipe()?;
        let (report, failed) = sys::pipe()?;
        let mut pidfd = -1;
        let mut arguments = clone_args {
            flags: CLONE_PIDFD.into(),
            pidfd: core::ptr::from_mut(&mut pidfd) as u64,
            exit_signal: SIGCHLD.into(),
            ..clone_args::zeroed()
        };
        match sys::clone3(&mut arguments, size_of::<clone_args>())? {
            0 => self.become_hook(&lists, state, stdout, failed),
            pid => {
                // Both sides do it, so that the group is there whoever comes first (setpgid(2)).
                let _ = sys::setpgid(pid, pid);
                Ok(Running { pid, pidfd: Fd::adopt(pidfd as u32), output, report })
            }
        }
    }

    /// The child's side.
    fn become_hook(&self, lists: &Lists, state: Option<&Fd>, stdout: Fd, mut failed: Fd) -> ! {
        let errno = match arrange(state, stdout, &mut failed) {
            Ok(()) => lists.execve(self.path),
            Err(errno) => errno,
        };
        let _ = sys::write(&failed, &errno.into_raw().to_ne_bytes());
        exit(127)
    }
}

fn arrange(state: Option<&Fd>, mut stdout: Fd, failed: &mut Fd) -> Result<()> {
    sys::setpgid(0, 0)?;
    // init's own is 0, for the modes of what it makes.
    sys::umask(0o022)?;
    lift(failed, STDIO)?;
    lift(&mut stdout, STDIO)?;
    match state {
        Some(state) => {
            sys::lseek(state, 0, SEEK_SET)?;
            put(state, 0)?;
        }
        None => {
            let mut null = sys::open(c"/dev/null", O_RDWR)?;
            lift(&mut null, STDIO)?;
            put(&null, 0)?;
        }
    }
    put(&stdout, 1)?;
    put(&stdout, 2)?;
    sys::close_range(STDIO, u32::MAX, CLOSE_RANGE_CLOEXEC)
}

impl Running {
    /// Collects output until the hook ends or the time is up; whether it ended.
    ///
    /// Not until the output ends: a daemon that the hook left behind may hold it for ever.
    fn watch(&self, deadline: Option<u64>, text: &mut Text) -> Result<bool> {
        let mut fds = [readable(&self.pidfd), readable(&self.output)];
        loop {
            let left = deadline.map(|deadline| now().map(|now| deadline.saturating_sub(now))).transpose()?;
            if left == Some(0) {
                return Ok(false);
            }
            match sys::ppoll(&mut fds, 2, left.map(time).as_ref(), 0, 0) {
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            let [ended, output] = &mut fds;
            if output.revents != 0 && self.collect(text)? == 0 {
                output.fd = -1;
            }
            if ended.revents != 0 {
                return Ok(true);
            }
        }
    }

    /// Reads output; what does not fit is thrown away, so that the hook need not wait for its reader.
    fn collect(&self, text: &mut Text) -> Result<usize> {
        match text.is_full() {
            true => Text::new().read(&self.output),
            false => text.read(&self.output),
        }
    }

    /// Collects what is left in the pipe.
    fn drain(&self, text: &mut Text) -> Result<()> {
        let mut fds = [pollfd { fd: -1, events: 0, revents: 0 }, readable(&self.output)];
        while sys::ppoll(&mut fds, 2, Some(&time(0)), 0, 0)? > 0 && text.read(&self.output)? > 0 {}
        Ok(())
    }

    /// Ends the hook and all of its group, and itself where it left the group.
    fn kill(&self) {
        let pid = self.pid as isize;
        let _ = sys::kill(-pid, SIGKILL);
        let _ = sys::kill(pid, SIGKILL);
    }

    /// What the end of the hook means; `status` as of wait(2).
    fn verdict(&self, status: i32) -> Outcome {
        let mut errno = Buffer::<{ size_of::<i32>() + 1 }>::new();
        errno.read(&self.report)?;
        if let Ok(bytes) = errno.bytes().try_into() {
            return Err(Failure::new(Act::HookExec, Errno::new(i32::from_ne_bytes(bytes))));
        }
        match (status & 0x7f, status >> 8 & 0xff) {
            (0, 0) => Ok(()),
            (0, code) => Err(Failure { act: Act::HookExit, errno: 0, value: code.into() }),
            (signal, _) => Err(Failure { act: Act::HookSignal, errno: 0, value: signal.into() }),
        }
    }
}

fn readable(fd: &Fd) -> pollfd {
    pollfd { fd: fd.number(), events: POLLIN as i16, revents: 0 }
}

/// Milliseconds of a clock that nobody sets.
fn now() -> Result<u64> {
    let mut now = __kernel_timespec::zeroed();
    sys::clock_gettime(CLOCK_MONOTONIC, &mut now)?;
    Ok(now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000)
}

fn time(ms: u64) -> __kernel_timespec {
    __kernel_timespec { tv_sec: (ms / 1000) as i64, tv_nsec: (ms % 1000 * 1_000_000) as i64 }
}
