// SPDX-License-Identifier: Apache-2.0
//! Real containers of the built command: what the runtime specification and brig promise, checked from inside and
//! from outside. As root; each test has a laboratory of its own and leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod bad_input;
mod cgroup_paths;
mod cgroups;
mod checkpoint;
mod copy_up;
mod edit;
mod environment;
mod events;
mod exec;
mod hooks;
mod id_mapped;
mod keyring;
mod labels;
mod lifecycle;
mod memory_policy;
mod mount_options;
mod net_devices;
mod pause;
mod personality;
mod plans;
mod rdt;
mod resources;
mod rootless;
mod scheduling;
mod seccomp;
#[cfg(feature = "fault-injection")]
mod supervised;
mod systemd;
#[cfg(feature = "fault-injection")]
mod undo;

use common::Lab;

/// A laboratory for the command that was built with these tests.
fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_brig"))
}
