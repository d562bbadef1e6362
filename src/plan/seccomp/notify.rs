// SPDX-License-Identifier: Apache-2.0
//! Filters that notify somebody of system calls, who then answers in the kernel's stead (seccomp_unotify(2)).

use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action};
use serde::{Deserialize, Serialize};

use super::Filter;
use super::compile::INSTRUCTION_SIZE;
use super::layers::{instruction, op};
use crate::error::{Context, Error, Result};

/// What init calls behind the filter until the program runs: for a listener that its caller gets only then, nobody
/// would answer.
const BEFORE_THE_PROGRAM: [&str; 7] = ["capset", "execve", "mmap", "munmap", "prctl", "recvmsg", "seccomp"];

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The socket that the listener goes to; `None`: the caller takes it.
    pub path: Option<PathBuf>,
    /// What goes with it.
    pub metadata: Option<String>,
}

impl Listener {
    /// Of a section whose program is `program`; `None` if that notifies nobody.
    pub fn of(seccomp: &LinuxSeccomp, program: &[u8]) -> Option<Self> {
        let (path, metadata) = (seccomp.listener_path().clone(), seccomp.listener_metadata().clone());
        decisions(program).any(notifies).then_some(Self { path, metadata })
    }

    /// Whether there is somebody, as far as can be seen without disturbing him. `taken`: the caller is there.
    pub fn check(&self, seccomp: &LinuxSeccomp, taken: bool) -> Result<()> {
        let at = "/linux/seccomp/listenerPath";
        if let Some(path) = &self.path {
            let what = || format!("{at}: cannot reach {}", path.display());
            let file = path.metadata().context(what).map_err(|error| error.kind(crate::error::Kind::Config).at(at))?;
            return match file.file_type().is_socket() {
                true => Ok(()),
                false => Err(Error::config(at, format!("{} is not a socket", path.display()))),
            };
        }
        let rules = seccomp.syscalls().iter().flatten().enumerate();
        for (index, rule) in rules.filter(|(_, rule)| rule.action() == Action::ScmpActNotify) {
            let at = format!("/linux/seccomp/syscalls/{index}");
            if !taken {
                let text = "SCMP_ACT_NOTIFY needs a listener in /linux/seccomp/listenerPath, or a caller of the library \
                            who takes it (BRIG_CREATE_SECCOMP_FD)";
                return Err(Error::config(format!("{at}/action"), text));
            }
            if let Some(name) = rule.names().iter().position(|name| BEFORE_THE_PROGRAM.contains(&name.as_str())) {
                let text = "would be called before the caller has the listener, so that nobody could answer";
                return Err(Error::config(format!("{at}/names/{name}"), text));
            }
        }
        Ok(())
    }
}

/// A filter that notifies, as two that say the same together: one that only notifies, and one that does the rest.
///
/// Between them init gives the listener away. Nothing but sendmsg(2) has to be let through for that: what is denied is
/// not denied yet, and for what is notified of there is somebody by then.
pub fn split(filter: &Filter) -> [Vec<u8>; 2] {
    [true, false].map(|notifying| {
        let mut program = filter.program.clone();
        for place in program.as_chunks_mut::<INSTRUCTION_SIZE>().0 {
            if decision(place).is_some_and(|decision| notifies(decision) != notifying) {
                *place = instruction(op::RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
            }
        }
        program
    })
}

fn decisions(program: &[u8]) -> impl Iterator<Item = u32> {
    program.as_chunks::<INSTRUCTION_SIZE>().0.iter().filter_map(decision)
}

/// What is returned, if it is an instruction that returns.
fn decision(place: &[u8; INSTRUCTION_SIZE]) -> Option<u32> {
    let [a, b, _, _, value @ ..] = *place;
    (u16::from_ne_bytes([a, b]) == op::RETURN).then_some(u32::from_ne_bytes(value))
}

fn notifies(decision: u32) -> bool {
    decision & libc::SECCOMP_RET_ACTION_FULL == libc::SECCOMP_RET_USER_NOTIF
}
