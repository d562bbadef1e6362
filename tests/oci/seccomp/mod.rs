// SPDX-License-Identifier: Apache-2.0
//! Seccomp filters: what they do to system calls, and who is told.

mod agent;
mod listener;
mod notify;
mod rules;
mod silent;

use serde_json::{Value, json};

/// Everything is allowed but these.
fn deny(syscalls: &[&str], action: &str) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": syscalls, "action": action }] })
}
