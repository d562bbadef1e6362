// SPDX-License-Identifier: Apache-2.0
//! init on the real kernel: each test hands a plan to the embedded program in namespaces of its own,
//! and looks at what it did. Needs root. Nothing outlives a test but its output: processes are killed
//! and directories removed by guards, mounts end with their namespace.

#![allow(clippy::expect_used, reason = "a test ends where an expectation does")]

mod faults;
mod files;
mod gate;
mod harness;
mod hooks;
mod hostile;
mod measure;
mod mounts;
mod namespaces;
mod process;
mod startup;
mod supervise;
mod terminal;
