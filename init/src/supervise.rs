// SPDX-License-Identifier: Apache-2.0
//! The supervisor: an init that stays outside of the container, as the parent of the one inside, and writes down
//! how that ended.

use brig_wire::{Act, Ended, Message, fd, kind};
use linux_raw_sys::general::{__WALL, CLONE_INTO_CGROUP, CLONE_PIDFD, clone_args};
use linux_raw_sys::prctl::PR_SET_DUMPABLE;

use crate::buffer::Buffer;
use crate::control::{During, Outcome, send};
use crate::sys::{self, Abi, Errno, Fd, exit};

/// wait4(2): any child.
const ANY: usize = usize::MAX;

/// Goes on in a child of our own, in the version 2 cgroup `cgroup`; the process that called supervises it.
///
/// The child waits for a word of its parent, so that the host hears of it before it hears from it, and so that it is
/// never without a supervisor.
pub fn fork(channel: &Fd, step: u32, flags: u64, file: Fd, cgroup: u32) -> Outcome {
    let (go, word) = sys::pipe().during(Act::Fork)?;
    let mut pidfd = -1;
    let mut arguments = clone_args {
        flags: flags | u64::from(CLONE_PIDFD),
        pidfd: core::ptr::from_mut(&mut pidfd) as u64,
        ..clone_args::zeroed()
    };
    // The number is inherited, and nobody needs it after this.
    let cgroup = (cgroup != fd::NONE).then(|| Fd::adopt(cgroup));
    if let Some(cgroup) = &cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.number() as u64;
    }
    let pid = sys::clone3(&mut arguments, size_of::<clone_args>()).during(Act::Fork)?;
    if pid == 0 {
        drop(word);
        return match Buffer::<2>::new().read(&go).during(Act::Fork)? {
            0 => exit(1),
            _ => Ok(()),
        };
    }
    let message = Message { kind: kind::SUPERVISED, step, value: pid as i64, ..Message::default() };
    if hide().and_then(|()| send(channel, message, b"", Some(&Fd::adopt(pidfd as u32)))).is_err() {
        exit(1);
    }
    let _ = sys::write(&word, b"!");
    supervise(&file)
}

/// Leaves all that it shares with the host's process: the session with its terminal and its signals, the working
/// directory, which would keep a file system busy. And whoever is in the container is not to look at it either.
fn hide() -> sys::Result<()> {
    sys::setsid()?;
    sys::chdir(c"/")?;
    sys::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0).map(drop)
}

/// Writes down the end of each child; ends after the last one.
fn supervise(file: &Fd) -> ! {
    let number = file.number() as u32;
    if number > 0 {
        let _ = sys::close_range(0, number - 1, 0);
    }
    let _ = sys::close_range(number as usize + 1, u32::MAX, 0);
    loop {
        let mut status = 0;
        match sys::wait4(ANY, &mut status, __WALL, 0) {
            // On a full disk there is nobody to tell, and nothing else to be done.
            Ok(pid) => drop(sys::write(file, &Ended { pid: pid as i32, status }.encode())),
            Err(Errno::EINTR) => {}
            Err(_) => exit(0),
        }
    }
}
