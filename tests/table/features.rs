// SPDX-License-Identifier: Apache-2.0
//! What `brig features` promises by name is what the rows show.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::row::{Outcome, Row};

/// Lists, and how the names of the rows for their elements begin.
const LISTS: [(&str, &str); 7] = [
    ("/mountOptions", "mount option "),
    ("/hooks", "hooks."),
    ("/linux/namespaces", "linux.namespaces: "),
    ("/linux/memoryPolicy/modes", "linux.memoryPolicy.mode: "),
    ("/linux/memoryPolicy/flags", "linux.memoryPolicy.flags: "),
    ("/linux/seccomp/operators", "linux.seccomp.syscalls.args.op: "),
    ("/linux/seccomp/actions", "linux.seccomp.syscalls.action: "),
];

/// What is there or not, and the rows that show it.
const SWITCHES: [(&str, &[&str]); 8] = [
    ("/linux/apparmor/enabled", &["process.apparmorProfile"]),
    ("/linux/selinux/enabled", &["process.selinuxLabel", "linux.mountLabel"]),
    ("/linux/seccomp/enabled", &["linux.seccomp.defaultAction"]),
    ("/linux/netDevices/enabled", &["linux.netDevices", "linux.netDevices.name"]),
    ("/linux/mountExtensions/idmap/enabled", &["mounts.uidMappings", "mounts.gidMappings"]),
    ("/linux/intelRdt/enabled", &["linux.intelRdt.closID"]),
    ("/linux/intelRdt/schemata", &["linux.intelRdt.schemata"]),
    ("/linux/intelRdt/monitoring", &["linux.intelRdt.enableMonitoring"]),
];

/// The lists are those of the table, what is said to be enabled was not refused, and what the kernel is said to lack it
/// lacked: `rows` came out as `outcomes`, and all there are is the table.
pub fn agree_with(rows: &[Row], outcomes: &[Outcome]) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_brig")).arg("features").output().unwrap();
    let features: Value = serde_json::from_slice(&output.stdout).unwrap();
    let table = crate::table();
    let missing = features.pointer("/annotations/org.brig.kernel.lacks").unwrap().as_str().unwrap();
    let missing: BTreeSet<_> = missing.split_ascii_whitespace().collect();
    let outcome = |name: &str| rows.iter().position(|row| row.name == name).map(|index| &outcomes[index]);
    let agree = |pointer: &str, name: &str| match (outcome(name), missing.contains(pointer)) {
        (Some(Outcome::Yes), lacks) => assert!(!lacks, "{pointer} is said to be missing, but {name} is honoured"),
        (Some(Outcome::Lacks(what)), lacks) if !what.starts_with("a /proc") => {
            assert!(lacks, "{pointer} is said to be there, but {name} needs {what}");
        }
        _ => {}
    };
    for (pointer, prefix) in LISTS {
        let promised = features.pointer(pointer).unwrap().as_array().unwrap();
        let promised: BTreeSet<_> = promised.iter().map(|name| name.as_str().unwrap()).collect();
        let shown = table.iter().filter_map(|row| row.name.strip_prefix(prefix));
        let shown: BTreeSet<_> = shown.filter(|name| !name.starts_with("*.")).collect();
        assert_eq!(promised, shown, "{pointer}");
        promised.iter().for_each(|name| agree(&format!("{pointer}/{name}"), &format!("{prefix}{name}")));
    }
    for (pointer, names) in SWITCHES {
        assert_eq!(features.pointer(pointer), Some(&Value::Bool(true)), "{pointer}");
        for name in names {
            assert!(table.iter().any(|row| row.name == *name), "{name}");
            agree(pointer.trim_end_matches("/enabled"), name);
        }
    }
}
