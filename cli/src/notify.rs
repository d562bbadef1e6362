// SPDX-License-Identifier: Apache-2.0
//! A service manager that waits for READY=1 (sd_notify(3)): the container gets a socket of ours instead of its, and what
//! comes there is told on, with the pid that the manager knows.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use serde_json::{Value, json};

use crate::error::{Context, Error, Result};
use crate::log::Log;
use crate::signals::Signals;
use crate::socket;

const VARIABLE: &str = "NOTIFY_SOCKET";
const NAME: &str = "notify.sock";

/// Long enough for any manager that lives to read what was sent.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// Where the socket of a container is. Not in the container's own directory, which is not there yet when the mount of
/// this one is asked for. The library removes it with the container.
pub fn directory(root: &Path, id: &str) -> PathBuf {
    root.join("@notify").join(id)
}

/// Whether somebody waits.
pub fn is_wanted() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// Makes the directory of a container that is about to be created. Whether it is new: it may be that of a container
/// with this id, or left by a create that was killed.
pub fn prepare(directory: &Path) -> Result<bool> {
    let parents: Vec<_> = directory.ancestors().skip(1).take(2).collect();
    let make = || -> io::Result<bool> {
        // The root is private, but what is mounted in the container is for whoever the program runs as.
        for parent in parents.iter().rev() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        match DirBuilder::new().mode(0o755).create(directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            result => result.map(|()| true),
        }
    };
    make().context(|| format!("cannot make {}", directory.display()))
}

/// Removes it when there will be no container.
pub fn clear(directory: &Path) {
    let _ = fs::remove_file(directory.join(NAME));
    let _ = fs::remove_dir(directory);
}

/// What the container's program needs to know.
pub fn variable() -> String {
    format!("{VARIABLE}=/run/notify/{NAME}")
}

/// Mounts the directory in the container, so that the socket may be made later.
pub fn mount(directory: &Path) -> Value {
    let options = ["bind", "nosuid", "noexec", "nodev", "ro"];
    json!({ "destination": "/run/notify", "type": "bind", "source": directory, "options": options })
}

/// Our socket, and the manager's.
pub struct Proxy<'a> {
    socket: UnixDatagram,
    manager: SocketAddr,
    pid: i32,
    log: &'a Log,
    /// READY=1 was told on. It is closed at the other end when the manager has read it.
    told: Option<PipeReader>,
}

impl<'a> Proxy<'a> {
    /// Listens for the container whose init is `pid`, if it was prepared for that and somebody waits.
    pub fn open(directory: &Path, pid: i32, log: &'a Log) -> Result<Option<Self>> {
        let Some(name) = env::var(VARIABLE).ok().filter(|name| !name.is_empty()) else { return Ok(None) };
        let what = || format!("cannot listen in {}", directory.display());
        let directory = match open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            result => result.context(what)?,
        };
        let manager = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&name),
        };
        let manager = manager.context(|| format!("{VARIABLE}={name}"))?;
        // By descriptor, since an address has room for 107 bytes only.
        let path = format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd());
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).context(what)?;
        socket.set_nonblocking(true).context(what)?;
        fs::set_permissions(&path, Permissions::from_mode(0o777)).context(what)?;
        Ok(Some(Self { socket, manager, pid, log, told: None }))
    }

    /// Takes what has come. Once it is ready, the manager is told; that it cannot be is no reason to end anything.
    pub fn receive(&mut self) {
        let mut bytes = [0; 4096];
        while let Ok(count) = self.socket.recv(&mut bytes) {
            let is_ready = bytes[..count].split(|&byte| byte == b'\n').any(|line| line == b"READY=1");
            if is_ready && self.told.is_none() {
                match self.tell() {
                    Ok(pipe) => self.told = Some(pipe),
                    Err(error) => self.log.warning(&format!("cannot notify the service manager: {error}")),
                }
            }
        }
    }

    fn tell(&self) -> io::Result<PipeReader> {
        let manager = UnixDatagram::unbound()?;
        manager.connect_addr(&self.manager)?;
        manager.send(b"READY=1")?;
        manager.send(format!("MAINPID={}", self.pid).as_bytes())?;
        let (reader, writer) = io::pipe()?;
        socket::send_over(&manager, writer.as_fd(), "BARRIER=1")?;
        Ok(reader)
    }

    /// Waits until the manager has been told, or there is nothing to tell any more because init has ended.
    pub fn wait(mut self, init: BorrowedFd<'_>, signals: Option<&Signals>) -> Result<()> {
        while self.told.is_none() {
            let mut files =
                vec![PollFd::new(&self.socket, PollFlags::IN), PollFd::from_borrowed_fd(init, PollFlags::IN)];
            files.extend(signals.map(|signals| PollFd::new(signals, PollFlags::IN)));
            poll(&mut files, None).context(|| "cannot wait for READY=1")?;
            let has_ended = !files[1].revents().is_empty();
            self.receive();
            if signals.and_then(Signals::next).is_some() {
                return Err(Error::refused("canceled by a signal"));
            }
            if has_ended {
                break;
            }
        }
        self.settle();
        Ok(())
    }

    /// Waits until the manager has read what it was told: it has to see who sent it.
    pub fn settle(self) {
        if let Some(pipe) = &self.told {
            let _ = poll(&mut [PollFd::new(pipe, PollFlags::empty())], Some(&PATIENCE));
        }
    }
}

impl AsFd for Proxy<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
