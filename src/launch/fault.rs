// SPDX-License-Identifier: Apache-2.0
//! Injected faults, for the tests that prove the undoing: `BRIG_FAULT` names a place and what happens there.
//!
//! * `step:N` — init reports step N of its plan as failed;
//! * `fail:PLACE` — the host's half fails at [`at`]`(PLACE)`: `record`, `cgroup`, `spawn`, `supervise`, `cgroups`,
//!   `limits`, `gate`, `maps`, `network`, `devices`, `hooks`, `commit`, `reply` or `done`, in the order of a create;
//! * `die:PLACE` — the calling process is killed there.
//!
//! Only in builds with the feature `fault-injection`; in all others this is nothing.

use crate::error::Result;

/// The step that is to fail.
#[cfg(feature = "fault-injection")]
pub fn step() -> Option<u32> {
    std::env::var("BRIG_FAULT").ok()?.strip_prefix("step:")?.parse().ok()
}

/// A place where the host's half can be made to fail or to die.
#[cfg(feature = "fault-injection")]
pub fn at(place: &str) -> Result<()> {
    use crate::error::{Error, Kind};
    match std::env::var("BRIG_FAULT").ok().as_deref().and_then(|fault| fault.split_once(':')) {
        Some(("fail", name)) if name == place => Err(Error::new(Kind::Failed, format!("injected fault at {place}"))),
        Some(("die", name)) if name == place => {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// None.
#[cfg(not(feature = "fault-injection"))]
pub fn step() -> Option<u32> {
    None
}

/// Nothing.
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn at(_place: &str) -> Result<()> {
    Ok(())
}
