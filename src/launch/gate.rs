// SPDX-License-Identifier: Apache-2.0
//! The start gate: a socket in the container's directory on which the waiting init listens.
//!
//! Whoever starts the container connects and learns the result of execve(2) itself: the connection closes on exec, or
//! says which step failed. Whether a container is `created` or `running` is likewise asked of
//! the kernel: there is somebody who listens, or there is not.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use brig_wire::{Message, kind};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};

use super::last_word::{self, End, LastWord};
use crate::error::{Context, Error, Result};
use crate::sys::socket::{Received, receive, send};

const NAME: &str = "start";

/// Makes the socket; init inherits it.
pub fn open(directory: &Path) -> Result<OwnedFd> {
    let socket = seqpacket(SocketFlags::CLOEXEC).context(|| "cannot make the start gate")?;
    let directory = open_directory(directory).context(|| "cannot make the start gate")?;
    let address = address(&directory).context(|| "cannot make the start gate")?;
    bind(&socket, &address).context(|| "cannot bind the start gate")?;
    listen(&socket, 8).context(|| "cannot listen at the start gate")?;
    Ok(socket)
}

/// Whether init still waits there.
pub fn is_open(directory: &Path) -> bool {
    let Ok(directory) = open_directory(directory) else { return false };
    let Ok(socket) = seqpacket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) else { return false };
    let Ok(address) = address(&directory) else { return false };
    // A full queue is of an init that is frozen, but waits.
    matches!(connect(&socket, &address), Ok(()) | Err(rustix::io::Errno::AGAIN))
}

/// What became of a start.
pub enum Answer {
    /// The program runs.
    Running,
    /// A step failed.
    Failed(Received),
    /// Init was ended before it came to the program.
    Died,
    /// The listener of the filter could not be given to anybody.
    Unheard(Error),
    /// Nobody waits.
    Closed,
}

/// Tells init to go on and waits for what comes of it. `take` is called with the listener of a filter that has one.
pub fn start(
    directory: &Path,
    last_word: Option<&LastWord>,
    mut take: impl FnMut(OwnedFd) -> Result<()>,
) -> Result<Answer> {
    let what = || "cannot reach the start gate";
    let socket = seqpacket(SocketFlags::CLOEXEC).context(what)?;
    let opened = open_directory(directory).context(what)?;
    match connect(&socket, &address(&opened).context(what)?) {
        Err(rustix::io::Errno::CONNREFUSED | rustix::io::Errno::NOENT) => return Ok(Answer::Closed),
        result => result.context(what)?,
    }
    let message = Message { kind: kind::START, ..Message::default() };
    let files: Vec<_> = last_word.iter().map(AsFd::as_fd).collect();
    match send(&socket, &message, &files) {
        // init went away after the connection was made.
        Err(error) if error.raw_os_error() == Some(libc::EPIPE) => return Ok(Answer::Closed),
        result => result.context(what)?,
    }
    let what = || "cannot hear from init";
    // An init that died with our connection in its queue said nothing.
    if receive(&socket).context(what)?.is_none() {
        return Ok(Answer::Closed);
    }
    let answer = loop {
        match receive(&socket).context(what)? {
            Some(Received { message: Message { kind: kind::LISTENER, .. }, file: Some(file), .. }) => {
                if let Err(error) = take(file) {
                    break Answer::Unheard(error);
                }
                match send(&socket, &Message { kind: kind::REPLY, ..Message::default() }, &[]) {
                    // It will be heard of next.
                    Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                    result => result.context(what)?,
                }
            }
            Some(answer) => break Answer::Failed(answer),
            None => {
                break match last_word::meaning(last_word)? {
                    End::Executed => Answer::Running,
                    End::Failed(answer) => Answer::Failed(answer),
                    End::Died => Answer::Died,
                };
            }
        }
    };
    let _ = std::fs::remove_file(directory.join(NAME));
    Ok(answer)
}

fn seqpacket(flags: SocketFlags) -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

fn open_directory(directory: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// By descriptor, since a socket's address has room for 107 bytes only.
fn address(directory: &OwnedFd) -> io::Result<SocketAddrUnix> {
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()));
    Ok(SocketAddrUnix::new(path)?)
}
