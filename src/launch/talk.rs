// SPDX-License-Identifier: Apache-2.0
//! The conversation with init: spawning it with a plan, hearing from it, answering.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use brig_wire::{GATE, Message, STATE, kind};

use super::files::above;
use crate::error::{Context, Error, Kind, Result};
use crate::plan::{self, Slot, Steps};
use crate::sys::memfd;
use crate::sys::pidfd::{self, Exit};
use crate::sys::socket::{self, Received};
use crate::sys::spawn::{Child, Spawn};

/// The sealed init: built from `init/` by build.rs, and all that a container ever sees of brig.
static INIT: &[u8] = include_bytes!(env!("BRIG_INIT"));

/// Our end of the control socket.
pub struct Talk {
    socket: OwnedFd,
}

impl Talk {
    /// Spawns an init that executes `steps`. `keep` are the descriptors of the plan; `lowest` is the first number that
    /// is free for init's own.
    pub fn spawn(
        steps: &Steps,
        number: impl Fn(Slot) -> RawFd,
        keep: &[RawFd],
        namespaces: u64,
        cgroup: Option<BorrowedFd<'_>>,
        lowest: RawFd,
    ) -> Result<(Self, Child)> {
        let program = memfd::program("brig-init", INIT)?;
        let plan = above(memfd::data("brig-plan", &steps.finish(number, super::fault::step()))?, lowest)?;
        let (ours, theirs) = socket::pair().context(|| "cannot make the control socket")?;
        let theirs = above(theirs, lowest)?;
        let argument = |fd: &OwnedFd| CString::new(fd.as_raw_fd().to_string()).unwrap_or_default();
        let keep: Vec<_> = keep.iter().copied().chain([plan.as_raw_fd(), theirs.as_raw_fd()]).collect();
        let spawn = Spawn {
            program: program.as_fd(),
            args: &[c"brig-init", &argument(&plan), &argument(&theirs)],
            keep: &keep,
            namespaces,
            cgroup,
        };
        let child = spawn.run().context(|| "cannot start init")?;
        Ok((Self { socket: ours }, child))
    }

    /// What init says next; `None` when it is gone. A `cancel` that becomes readable ends the wait.
    pub fn next(&self, cancel: Option<BorrowedFd<'_>>) -> Result<Option<Received>> {
        if let Some(cancel) = cancel {
            // The wish to cancel comes first where both are ready.
            let ready = pidfd::readable(&[cancel, self.socket.as_fd()], None).context(|| "cannot wait for init")?;
            if ready == Some(0) {
                return Err(Error::new(Kind::Canceled, "canceled by the caller"));
            }
        }
        socket::receive(&self.socket).context(|| "cannot hear from init")
    }

    /// Lets init go on, with a hook state and the start gate where it needs them.
    pub fn reply(&self, state: Option<BorrowedFd<'_>>, gate: Option<BorrowedFd<'_>>) -> Result<()> {
        let given = |file: Option<BorrowedFd<'_>>, bit| if file.is_some() { bit } else { 0 };
        let value = given(state, STATE) | given(gate, GATE);
        let files: Vec<_> = [state, gate].into_iter().flatten().collect();
        self.send(&Message { kind: kind::REPLY, value, ..Message::default() }, &files)
    }

    /// Gives init the version 1 cgroups to join; it may not have asked yet.
    pub fn cgroups(&self, tasks: &[OwnedFd]) -> Result<()> {
        let files: Vec<_> = tasks.iter().map(AsFd::as_fd).collect();
        self.send(&Message { kind: kind::CGROUPS, ..Message::default() }, &files)
    }

    /// An init that is gone is not told of here but when it is heard from next, since it may have said why.
    fn send(&self, message: &Message, files: &[BorrowedFd<'_>]) -> Result<()> {
        match socket::send(&self.socket, message, files) {
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => Ok(()),
            result => result.context(|| "cannot answer init"),
        }
    }

    /// The error in a message that should not have come, or that tells of one.
    pub fn error(&self, steps: &Steps, received: &Received) -> Error {
        match received.message.kind {
            kind::FAILED => plan::failure(steps, &received.message, &received.text),
            other => Error::new(Kind::Bug, format!("init sent an unexpected message of kind {other}")),
        }
    }
}

/// The error of an init that went away without a word.
pub fn death(exit: Option<Exit>) -> Error {
    let text = match exit {
        Some(Exit::Signal(libc::SIGKILL)) => "init was killed (is the memory limit too low?)".to_owned(),
        Some(Exit::Signal(signal)) => format!("init was killed by signal {signal}"),
        Some(Exit::Code(code)) => format!("init ended with status {code}"),
        None => "init ended".to_owned(),
    };
    Error::new(Kind::Failed, text)
}
