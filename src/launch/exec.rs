// SPDX-License-Identifier: Apache-2.0
//! The host's half of an exec: an init that joins the container and becomes the program. Nothing is written down, so
//! that all there is to undo is the process.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use brig_wire::kind;

use super::files::{Files, above};
use super::last_word::{self, End, LastWord};
use super::newborn::Newborn;
use super::{Record, Talk, death, listener};
use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::plan::{self, Slot};
use crate::sys::pidfd;
use crate::sys::spawn::Child;

/// What to execute, and where.
pub struct ExecRequest<'a> {
    /// Its plan.
    pub plan: &'a plan::Exec,
    /// A pidfd of the container's init.
    pub init: OwnedFd,
    /// Its pid.
    pub pid: i32,
    /// The cgroups to enter.
    pub cgroup: &'a Cgroup,
    /// The container's record.
    pub record: &'a Record,
    /// The program's descriptors 0, 1, 2 and on.
    pub files: Vec<BorrowedFd<'a>>,
    /// Readable: give up.
    pub cancel: Option<BorrowedFd<'a>>,
}

/// What was executed.
pub struct Executed {
    /// The process, a child of ours.
    pub child: Child,
    /// Its terminal, if it asked for one.
    pub console: Option<OwnedFd>,
    /// The listener of its filter, if its caller is to answer notifications.
    pub listener: Option<OwnedFd>,
}

/// Starts a program in the container; returns once it runs.
pub fn exec(request: ExecRequest<'_>) -> Result<Executed> {
    let steps = &request.plan.steps;
    let lowest = request.files.len() as i32;
    let files = Files {
        namespaces: vec![above(request.init, lowest)?],
        sources: Vec::new(),
        given: request.files,
        above: lowest,
    };
    let mut tasks = request.cgroup.join_files()?;
    let mut unified = request.cgroup.directory()?;
    if request.plan.enters
        && let Some(directory) = unified.take()
    {
        tasks.push(request.cgroup.procs_file(directory, request.pid)?);
    }
    let last_word = LastWord::new(request.record.filter.is_some())?;
    let memory = last_word.as_ref().map(|memory| memory.as_fd().as_raw_fd());
    let keep: Vec<_> = files.all().into_iter().chain(memory).collect();
    let number = |slot| match slot {
        Slot::LastWord => memory.unwrap_or(-1),
        slot => files.number(slot),
    };
    let spawn = |unified: Option<&OwnedFd>| Talk::spawn(steps, number, &keep, 0, unified.map(AsFd::as_fd), lowest);
    let (talk, child) = match spawn(unified.as_ref()) {
        // The container has cgroups of its own, with controllers: its processes are all in those (cgroup-v2.rst, "No
        // Internal Process Constraint").
        Err(error) if error.errno == libc::EBUSY => {
            spawn(Some(&request.cgroup.directory_of(request.pid)?.ok_or(error)?))?
        }
        // A user's session may not move processes of its other parts by itself; systemd may.
        Err(error) if error.errno == libc::EACCES && request.cgroup.is_scope() => {
            let (talk, child) = spawn(None)?;
            let newborn = Newborn::new(child);
            request.cgroup.attach(newborn.child()?.pid)?;
            (talk, newborn.grown()?)
        }
        result => result.map_err(|error| request.cgroup.explain(error))?,
    };
    drop(files);
    let mut newborn = Newborn::new(child);
    // Before it forks: children follow.
    if let Some(rdt) = &request.record.rdt {
        rdt.join(newborn.child()?.pid)?;
    }
    if request.plan.enters || request.record.rdt.is_some() || request.cgroup.is_awaited() {
        talk.cgroups(&tasks)?;
    }
    drop(tasks);

    let mut forks = request.plan.forks;
    let mut console = None;
    let mut listener = None;
    let mut listens = request.plan.listens;
    while let Some(received) = talk.next(request.cancel)? {
        match (received.message.kind, received.message.value as i32) {
            (kind::CONSOLE, _) if console.is_none() => console = received.file,
            // From here on it is in reach of the container: nothing but a listener and a failure is believed.
            (kind::FORKED, pid) if forks => {
                newborn.replace(pid, received.file)?;
                forks = false;
            }
            (kind::LISTENER, _) if listens && !forks => {
                let file = received.file.ok_or_else(listener::none)?;
                listener = listener::hand_over(request.record, "running", newborn.child()?.pid, file)?;
                talk.reply(None, None)?;
                listens = false;
            }
            _ => return Err(talk.error(steps, &received)),
        }
    }
    // The socket has closed on exec, unless init has ended; before the fork there is no exec.
    match last_word::meaning(last_word.as_ref())? {
        End::Failed(received) => return Err(talk.error(steps, &received)),
        End::Executed if !forks => {}
        End::Executed | End::Died => return Err(death(pidfd::exit(&newborn.child()?.pidfd))),
    }
    Ok(Executed { child: newborn.grown()?, console, listener })
}
