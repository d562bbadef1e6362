// SPDX-License-Identifier: Apache-2.0
//! The `brig` command as its callers see it: words, exit codes, files and sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod crash;
mod handover;
mod lifecycle;
mod modes;
mod notify;
mod person;
mod receivers;
mod signals;
mod terminal;
mod usage;

use std::fs::{self, File};
use std::process::{Output, Stdio};

use common::{Done, Lab};

/// A laboratory for the command of this build.
fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_brig"))
}

/// Runs a command that leaves a container behind: it must not hold a pipe whose end is waited for.
fn leave(lab: &Lab, arguments: &[&str]) -> Done {
    let errors = lab.path.join("stderr");
    let mut command = lab.command(arguments);
    let status = command.stdout(Stdio::null()).stderr(File::create(&errors).unwrap()).status().unwrap();
    Done(Output { status, stdout: Vec::new(), stderr: fs::read(&errors).unwrap() })
}
