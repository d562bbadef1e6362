// SPDX-License-Identifier: Apache-2.0
//! Programs of the system that may do what an ordinary user may not: newuidmap(1) and newgidmap(1). Like a hook, each is
//! run by a sealed init: the host need not fork, nor hear of its end by SIGCHLD.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use brig_wire::{Act, kind};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::Talk;
use crate::error::{Error, Kind, Result, describe};
use crate::plan;
use crate::sys::pidfd;

/// Where to look if there is no PATH.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// Runs the program `name` of PATH to its end. What it says is in the error, which is about the field at `pointer`.
pub fn run(name: &str, arguments: Vec<String>, pointer: &str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
    let program = find(name, &path).ok_or_else(|| {
        let text =
            format!("only {name} may map these ids for an ordinary user, and it is not in PATH (package uidmap)");
        Error::config(pointer, text).kind(Kind::Unsupported)
    })?;
    let steps = plan::hooks::helper(&program, arguments, &path, pointer)?;
    let (talk, child) = Talk::spawn(&steps, |_| -1, &[], 0, None, 3)?;
    let result = match talk.next(None)? {
        Some(received) if received.message.kind == kind::HOOK_DONE => Ok(()),
        Some(received) if received.message.kind == kind::FAILED => {
            let text = received.text.trim().replace('\n', "; ");
            let errno = || describe(&std::io::Error::from_raw_os_error(received.message.errno));
            let value = received.message.value;
            let text = match Act::from_code(received.message.act) {
                Some(Act::HookExit) if text.starts_with(name) => text,
                Some(Act::HookExit) => format!("{name} failed with exit status {value}: {text}"),
                Some(Act::HookSignal) => format!("{name} was killed by signal {value}: {text}"),
                Some(Act::HookTimeout) => format!("{name} did not end in time and was killed: {text}"),
                _ => format!("{} cannot be executed: {}", program.display(), errno()),
            };
            Err(Error::config(pointer, text.trim_end_matches([':', ' '])).kind(Kind::Failed))
        }
        Some(received) => Err(talk.error(&steps, &received)),
        None => Err(Error::config(pointer, format!("what ran {name} died")).kind(Kind::Failed)),
    };
    pidfd::reap(&child.pidfd);
    result
}

/// The first one that may be executed.
fn find(name: &str, path: &OsString) -> Option<PathBuf> {
    let may_execute = |program: &Path| accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS).is_ok();
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|program| program.is_file() && may_execute(program))
}
