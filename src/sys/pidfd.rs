// SPDX-License-Identifier: Apache-2.0
//! Processes by descriptor: waiting, exit codes, identity. A pid alone is a lie.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open as open_file};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// From a status as of wait(2).
    pub fn from_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Self::Code(status >> 8 & 0xff),
            signal => Self::Signal(signal),
        }
    }
}

/// Opens a pidfd; ESRCH if there is no such process.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::Error::from_raw_os_error(libc::ESRCH))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Sends a signal; signal 0 only asks whether the process is there.
pub fn signal(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    let (pidfd, no_info) = (pidfd.as_fd().as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: numbers only. rustix's type for signals has no 0, and neither libc's own real-time signals.
    match unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, no_info, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until the process has ended, or the time is up (`None`: for ever).
pub fn ended(pidfd: impl AsFd, timeout: Option<Duration>) -> io::Result<bool> {
    readable(&[pidfd.as_fd()], timeout).map(|ready| ready.is_some())
}

/// The first of `files` that is readable or hung up; `None` when the time is up.
pub fn readable(files: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Option<usize>> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut polls: Vec<_> = files.iter().map(|file| PollFd::from_borrowed_fd(*file, PollFlags::IN)).collect();
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.map(|left| rustix::time::Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut polls, left.as_ref()) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(polls.iter().position(|poll| !poll.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How the process, which has ended, did so. `None` if this process cannot know: it is not the parent, or
/// SIGCHLD is ignored, and the kernel is older than 6.15; or its parent does not reap it.
pub fn exit(pidfd: impl AsFd) -> Option<Exit> {
    if let Some(exit) = reap(&pidfd) {
        return Some(exit);
    }
    // The pidfd tells of the end a moment before the process is reaped, by the kernel itself where SIGCHLD is ignored;
    // and only then the kernel tells how it ended.
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match remembered(pidfd.as_fd()) {
            Outcome::Exit(exit) => return Some(exit),
            Outcome::NotYet if Instant::now() < deadline => std::thread::sleep(Duration::from_micros(200)),
            _ => return None,
        }
    }
}

/// Reaps our child, waiting for its end if need be.
pub fn reap(pidfd: impl AsFd) -> Option<Exit> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::from_bits_retain(libc::__WALL as u32);
    let status = loop {
        match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            Err(rustix::io::Errno::INTR) => {}
            result => break result.ok().flatten()?,
        }
    };
    let code = status.exit_status().map(Exit::Code);
    code.or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// How the process ended, without waiting and without reaping it, which may be another's business.
pub fn outcome(pidfd: impl AsFd) -> Outcome {
    let options = WaitIdOptions::EXITED
        | WaitIdOptions::NOHANG
        | WaitIdOptions::NOWAIT
        | WaitIdOptions::from_bits_retain(libc::__WALL as u32);
    if let Ok(Some(status)) = waitid(WaitId::PidFd(pidfd.as_fd()), options) {
        let code = status.exit_status().map(Exit::Code);
        if let Some(exit) = code.or_else(|| status.terminating_signal().map(Exit::Signal)) {
            return Outcome::Exit(exit);
        }
    }
    remembered(pidfd.as_fd())
}

/// struct pidfd_info of linux/pidfd.h, its first version.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// What the kernel knows of the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// How it ended.
    Exit(Exit),
    /// The process was not reaped yet.
    NotYet,
    /// The kernel is too old to know.
    Unknown,
}

/// PIDFD_GET_INFO: the kernel keeps the exit code for those who hold a pidfd (Linux 6.15).
fn remembered(pidfd: BorrowedFd<'_>) -> Outcome {
    const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: the request's size is that of `info`.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    if result != 0 {
        return Outcome::Unknown;
    }
    if info.mask & PIDFD_INFO_EXIT == 0 {
        return Outcome::NotYet;
    }
    Outcome::Exit(Exit::from_status(info.exit_code))
}

/// What tells a process from a later one with its pid: the start time in clock ticks since boot, and whether it
/// is dead already (proc_pid_stat(5)).
pub fn stat(pid: i32) -> io::Result<(u64, bool)> {
    let file = open_file(format!("/proc/{pid}/stat"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    // One line of some fifty numbers, which the kernel makes at the first read.
    let mut text = [0; 2048];
    let length = rustix::io::read(&file, &mut text)?;
    let text = &text[..length];
    let malformed = || io::Error::from_raw_os_error(libc::EPROTO);
    // The name may have any byte in it but ends at the last parenthesis.
    let end = text.iter().rposition(|&byte| byte == b')').ok_or_else(malformed)?;
    let rest = std::str::from_utf8(&text[end + 1..]).map_err(|_| malformed())?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next().ok_or_else(malformed)?;
    let start = fields.nth(18).and_then(|field| field.parse().ok()).ok_or_else(malformed)?;
    Ok((start, matches!(state, "Z" | "X")))
}
