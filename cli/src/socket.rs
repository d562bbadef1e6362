// SPDX-License-Identifier: Apache-2.0
//! Handing a file to whoever listens on a socket: the other end of `--console-socket` and
//! `--pidfd-socket`.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, sendmsg, socket_with,
};

use crate::error::{Context, Result};

/// Somebody who listens, and waits for one file.
pub struct Receiver<'a> {
    path: &'a Path,
    name: &'static str,
    socket: OwnedFd,
}

impl<'a> Receiver<'a> {
    /// Connects. `name` is what will be sent: the payload, for the listener's messages.
    pub fn connect(path: &'a Path, name: &'static str) -> Result<Self> {
        let socket = connected(path).context(|| cannot(name, path))?;
        Ok(Self { path, name, socket })
    }

    /// Sends one message with exactly one file.
    pub fn send(self, file: BorrowedFd<'_>) -> Result<()> {
        send_over(&self.socket, file, self.name).context(|| cannot(self.name, self.path))
    }
}

fn cannot(name: &str, path: &Path) -> String {
    format!("cannot send {name} to {}", path.display())
}

fn connected(path: &Path) -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    match SocketAddrUnix::new(path) {
        Ok(address) => connect(&socket, &address).map_err(|error| exact(error, path))?,
        // An address has room for 107 bytes; managers keep sockets in deeper directories than that.
        Err(Errno::NAMETOOLONG) => {
            let file = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            connect(&socket, &SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?)?;
        }
        Err(other) => return Err(other),
    }
    Ok(socket)
}

/// That nobody listens at a plain file is true, but not what is wrong.
fn exact(error: Errno, path: &Path) -> Errno {
    match path.metadata() {
        Ok(metadata) if error == Errno::CONNREFUSED && !metadata.file_type().is_socket() => Errno::NOTSOCK,
        _ => error,
    }
}

/// Sends a text with one file.
pub fn send_over(socket: impl AsFd, file: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    let files = [file];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(socket, &[IoSlice::new(name.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::IoSliceMut;
    use std::os::unix::net::UnixListener;

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;

    fn received(listener: &UnixListener) -> (String, Vec<OwnedFd>) {
        let (stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 64];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::empty()).unwrap();
        let files = control.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => files.collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        (String::from_utf8(bytes[..got.bytes].to_vec()).unwrap(), files.collect())
    }

    #[test]
    fn one_file_arrives_however_long_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let door = open(&deep, OFlags::PATH, Mode::empty()).unwrap();
        let listeners = [
            (directory.path().join("s"), directory.path().join("s")),
            (deep.join("s"), format!("/proc/self/fd/{}/s", door.as_raw_fd()).into()),
        ];
        for (path, bound) in listeners {
            let listener = UnixListener::bind(bound).unwrap();
            let file = fs::File::open("/dev/null").unwrap();
            Receiver::connect(&path, "/dev/ptmx").unwrap().send(file.as_fd()).unwrap();
            let (name, files) = received(&listener);
            assert_eq!((name.as_str(), files.len()), ("/dev/ptmx", 1));
        }
    }

    #[test]
    fn nobody_listens() {
        let Err(error) = Receiver::connect(Path::new("/nonexistent/s"), "x") else { panic!("somebody does") };
        assert_eq!(error.to_string(), "cannot send x to /nonexistent/s: No such file or directory");
    }
}
