// SPDX-License-Identifier: Apache-2.0
//! Variables that only init can know: the home directory of a user by the container's own /etc/passwd (passwd(5)), for
//! programs that are given no HOME, and the program's pid.

use linux_raw_sys::general::{O_NONBLOCK, O_PATH, O_RDONLY, S_IFMT, S_IFREG};

use crate::buffer::Buffer;
use crate::control::Outcome;
use crate::number;
use crate::resolve;
use crate::sys::{self, CWD, Fd};

/// `HOME=` and a path.
pub type Home = Buffer<512>;

/// `LISTEN_PID=` and the digits of a pid.
pub type ListenPid = Buffer<24>;

/// Longer lines cannot be read, and are of no user that we look for.
type Line = Buffer<1024>;

/// The variable for `uid`. No file, no such user or a home that is too long is no failure: the image has its reasons.
#[inline(never)]
pub fn find(uid: u32) -> Outcome<Home> {
    let mut home = Home::new();
    home.push(b"HOME=")?;
    if search(uid, &mut home).is_none() {
        home.push(b"/")?;
    }
    Ok(home)
}

/// The variable for a program that this process becomes.
#[inline(never)]
pub fn listen_pid() -> Outcome<ListenPid> {
    let mut variable = ListenPid::new();
    variable.push(b"LISTEN_PID=")?;
    variable.push_number(sys::getpid()?)?;
    Ok(variable)
}

fn search(uid: u32, home: &mut Home) -> Option<()> {
    // An image may have a device or a FIFO there, and to open it could be enough to make something happen. So it is
    // looked at first; and once more, should somebody who shares the root exchange it meanwhile.
    open(O_PATH)?;
    let file = open(O_RDONLY | O_NONBLOCK)?;
    let mut text = Line::new();
    loop {
        let more = text.read(&file).ok()? > 0;
        while let Some(end) = text.bytes().iter().position(|byte| *byte == b'\n') {
            if let Some(directory) = text.bytes().get(..end).and_then(|line| directory(line, uid)) {
                return home.push(directory).ok();
            }
            text.forget(end + 1);
        }
        if !more {
            return home.push(directory(text.bytes(), uid)?).ok();
        }
        if text.is_full() {
            text.truncate(0);
        }
    }
}

/// The file, if it is an ordinary one. The working directory is the root still.
fn open(flags: u32) -> Option<Fd> {
    let file = resolve::open(&CWD, c"etc/passwd", flags, 0).ok()?;
    (u32::from(sys::status(&file).ok()?.stx_mode) & S_IFMT == S_IFREG).then_some(file)
}

/// name:password:UID:GID:comment:directory:shell
fn directory(line: &[u8], uid: u32) -> Option<&[u8]> {
    let mut fields = line.split(|byte| *byte == b':').skip(2);
    (number(fields.next()?) == Some(uid)).then_some(())?;
    fields.nth(2).filter(|directory| !directory.is_empty())
}
