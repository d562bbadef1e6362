// SPDX-License-Identifier: Apache-2.0
//! What the specification has and brig does not do yet. To ignore it would be to lie: it is refused.
//!
//! Whoever builds one of these removes its row ; the features structure follows.

use serde_json::Value;

use super::pointer::each;
use crate::error::{Error, Kind, Result};

/// A place (see [`each`]), the value there that it is about (any, if `None`), and what is missing.
type Row = (&'static str, Option<&'static str>, &'static str);

const TABLE: &[Row] = &[
    ("/process/apparmorProfile", None, "AppArmor"),
    ("/process/selinuxLabel", None, "SELinux"),
    ("/process/scheduler", None, "scheduling policies"),
    ("/process/ioPriority", None, "I/O priorities"),
    ("/linux/mountLabel", None, "SELinux"),
    ("/linux/netDevices", None, "network devices"),
    ("/linux/intelRdt", None, "Intel RDT"),
    ("/linux/memoryPolicy", None, "memory policies"),
    ("/linux/personality", None, "personalities"),
    ("/linux/seccomp/listenerPath", None, SECCOMP_NOTIFY),
    ("/linux/seccomp/syscalls/*/action", Some("SCMP_ACT_NOTIFY"), SECCOMP_NOTIFY),
];

/// What is of no concern to a create.
const EXEC: &[Row] = &[("/process/execCPUAffinity", None, "CPU affinities")];

const SECCOMP_NOTIFY: &str = "seccomp notifications";

/// Whether a configuration that uses `place` is refused.
pub fn refuses(place: &str) -> bool {
    TABLE.iter().any(|row| row.0 == place)
}

/// Refuses what an exec cannot do yet.
pub fn check_exec(document: &Value) -> Result<()> {
    check_table(EXEC, document)?;
    check(document)
}

/// Refuses what cannot be done yet.
pub fn check(document: &Value) -> Result<()> {
    check_table(TABLE, document)
}

fn check_table(table: &[Row], document: &Value) -> Result<()> {
    let mut refusal = None;
    let mut refuse = |at: String, what: &str| {
        refusal.get_or_insert_with(|| {
            Error::config(at, format!("brig does not support {what} yet")).kind(Kind::Unsupported)
        });
    };
    for (place, only, what) in table {
        each(document, place, &mut |at, value| {
            if !value.is_null() && only.is_none_or(|only| value == only) {
                refuse(at.to_string(), what);
            }
        });
    }
    refusal.map_or(Ok(()), Err)
}
