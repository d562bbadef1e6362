// SPDX-License-Identifier: Apache-2.0
//! Hooks of the runtime namespace. A sealed init supervises each: the host may ignore SIGCHLD or reap children
//! that are not its own, and a big host would pay for a fork.

use std::os::fd::AsRawFd;
use std::path::Path;

use brig_wire::kind;
use oci_spec::runtime::Hook;

use super::{Record, Talk};
use crate::error::{Error, Kind, Result};
use crate::plan::{self, Slot};
use crate::sys::{memfd, pidfd};

/// Runs one hook with `state` on its stdin, in `directory`; waits for its end.
pub fn run(hook: &Hook, pointer: &str, state: &str, directory: &Path) -> Result<()> {
    let steps = plan::hooks::supervise(hook, pointer, directory)?;
    let state = super::files::above(memfd::data("brig-state", state.as_bytes())?, 3)?;
    let numbers = |slot| if slot == Slot::State { state.as_raw_fd() } else { -1 };
    let (talk, child) = Talk::spawn(&steps, numbers, &[state.as_raw_fd()], 0, None, 3)?;
    let result = match talk.next(None)? {
        Some(received) if received.message.kind == kind::HOOK_DONE => Ok(()),
        Some(received) => Err(talk.error(&steps, &received)),
        None => Err(Error::new(Kind::Hook, format!("{pointer}: the hook's supervisor died")).at(pointer)),
    };
    pidfd::reap(&child.pidfd);
    result
}

/// Runs the poststop hooks, whose failure is only worth a warning (runtime-spec, runtime.md, lifecycle).
pub fn poststop(record: &Record) {
    for (pointer, hook) in plan::hooks::numbered("/hooks/poststop", &record.poststop) {
        if let Err(error) = run(hook, &pointer, &record.state("stopped", None), directory(&record.bundle)) {
            log::warn!("{error}");
        }
    }
}

/// A directory that exists, for hooks of a container whose bundle may be gone or never was.
pub fn directory(bundle: &Path) -> &Path {
    if bundle.is_dir() { bundle } else { Path::new("/") }
}
