// SPDX-License-Identifier: Apache-2.0
//! What a machine's administrator has forbidden, where the kernel has but an errno for it.

use std::fs;

use crate::error::Error;
use crate::plan::Plan;
use crate::sys::privilege;

/// The limits of how many namespaces there are (namespaces(7)), with the CLONE_NEW* flag of the kind.
const LIMITS: [(i32, &str); 8] = [
    (libc::CLONE_NEWUSER, "user.max_user_namespaces"),
    (libc::CLONE_NEWPID, "user.max_pid_namespaces"),
    (libc::CLONE_NEWNET, "user.max_net_namespaces"),
    (libc::CLONE_NEWNS, "user.max_mnt_namespaces"),
    (libc::CLONE_NEWIPC, "user.max_ipc_namespaces"),
    (libc::CLONE_NEWUTS, "user.max_uts_namespaces"),
    (libc::CLONE_NEWCGROUP, "user.max_cgroup_namespaces"),
    (libc::CLONE_NEWTIME, "user.max_time_namespaces"),
];

/// Switches of distributions against user namespaces of ordinary users, with the value that forbids them.
const SWITCHES: [(&str, &str); 2] =
    [("kernel.unprivileged_userns_clone", "0"), ("kernel.apparmor_restrict_unprivileged_userns", "1")];

/// Says which sysctl may be behind the failure of a create.
pub fn explain(error: Error, plan: &Plan) -> Error {
    let hint = match error.errno {
        libc::ENOSPC | libc::EUSERS => limit(plan.namespaces.new),
        libc::EPERM | libc::EACCES if plan.namespaces.new & libc::CLONE_NEWUSER as u64 != 0 => switch(),
        _ => None,
    };
    match hint {
        Some(hint) => Error { message: format!("{} ({hint})", error.message), ..error },
        None => error,
    }
}

/// The limit that is in the way, if one is 0; one that is reached need not be that of the caller's own namespace.
fn limit(new: u64) -> Option<String> {
    let asked = LIMITS.iter().filter(|(flag, _)| new & *flag as u64 != 0).map(|(_, name)| *name);
    asked.into_iter().find(|name| value(name).as_deref() == Some("0")).map(|name| format!("the sysctl {name} is 0"))
}

fn switch() -> Option<String> {
    let found = SWITCHES.iter().find(|(name, bad)| privilege::is_limited() && value(name).as_deref() == Some(bad));
    found.map(|(name, bad)| format!("the sysctl {name} is {bad}"))
}

fn value(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
    Some(text.trim().to_owned())
}
