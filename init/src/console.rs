// SPDX-License-Identifier: Apache-2.0
//! The container's terminal: a new pair from the devpts inside the root.

use brig_wire::Act;
use linux_raw_sys::general::{
    AT_EMPTY_PATH, DEVPTS_SUPER_MAGIC, O_CLOEXEC, O_DIRECTORY, O_NOCTTY, O_PATH, O_RDWR, RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV, winsize,
};
use linux_raw_sys::ioctl::{TIOCGPTPEER, TIOCSCTTY, TIOCSPTLCK, TIOCSWINSZ};

use crate::control::{During, Failure, Outcome};
use crate::file::{PTMX, filesystem, is_device};
use crate::resolve;
use crate::sys::{self, Errno, Fd};

/// Leaves the group of a file as it is.
const SAME: u32 = u32::MAX;

/// A new terminal: its master and its peer.
///
/// Nothing is opened but a node on a devpts, and the peer is taken from the master, not by its name:
/// what the image puts at /dev/ptmx or /dev/pts/0 counts for nothing (CVE-2025-52565).
pub fn open(root: &Fd, rows: u32, columns: u32, uid: u32) -> Outcome<(Fd, Fd)> {
    let devpts = resolve::open(root, c"dev/pts", O_PATH | O_DIRECTORY, 0).during(Act::Open)?;
    if filesystem(&devpts)? != DEVPTS_SUPER_MAGIC {
        return Err(Failure::new(Act::WrongFs, Errno::ENODEV));
    }
    let flags = O_RDWR | O_NOCTTY;
    let master = resolve::open(&devpts, c"ptmx", flags, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV).during(Act::Open)?;
    if !is_device(&master, PTMX)? {
        return Err(Failure::new(Act::WrongDevice, Errno::ENODEV));
    }
    sys::ioctl(&master, TIOCSPTLCK, &0i32)?;
    let peer = Fd::adopt(sys::ioctl(&master, TIOCGPTPEER, flags | O_CLOEXEC)? as u32);
    if rows != 0 || columns != 0 {
        let size = winsize { ws_row: rows as u16, ws_col: columns as u16, ws_xpixel: 0, ws_ypixel: 0 };
        sys::ioctl(&peer, TIOCSWINSZ, &size)?;
    }
    sys::fchownat(&peer, c"", uid, SAME, AT_EMPTY_PATH)?;
    Ok((master, peer))
}

/// Makes `tty` the controlling terminal of this session.
pub fn control(tty: &Fd) -> Outcome {
    sys::ioctl(tty, TIOCSCTTY, 0u32)?;
    Ok(())
}
