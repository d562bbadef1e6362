// SPDX-License-Identifier: Apache-2.0
//! Which of the features this kernel, and this host as it is set up, do not have.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{NAMESPACES, SECCOMP_ACTIONS};
use crate::sys;

/// As JSON pointers into `features`, with the name of an element of a list in the place of its number.
pub fn lacks(features: &Value) -> String {
    let mut lacks: Vec<String> = Vec::new();
    let mut say = |there: bool, pointer: &str| {
        if !there {
            lacks.push(pointer.to_owned());
        }
    };
    for (name, file) in NAMESPACES {
        let there = Path::new("/proc/self/ns").join(file).symlink_metadata().is_ok();
        say(there, &format!("/linux/namespaces/{name}"));
    }
    let capabilities = caps::runtime::thread_all_supported();
    for capability in caps::all() {
        say(capabilities.contains(&capability), &format!("/linux/capabilities/{capability}"));
    }
    let cgroups = Cgroups::of_host();
    say(cgroups.v1, "/linux/cgroup/v1");
    say(cgroups.v2, "/linux/cgroup/v2");
    say(cgroups.rdma, "/linux/cgroup/rdma");
    say(Path::new("/run/systemd/system").is_dir(), "/linux/cgroup/systemd");
    for (name, code) in SECCOMP_ACTIONS {
        say(sys::seccomp::has_action(*code), &format!("/linux/seccomp/actions/{name}"));
    }
    say(sys::security::has_apparmor(), "/linux/apparmor");
    say(sys::security::has_selinux(), "/linux/selinux");
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    // It is registered only where the processor has something to control or to measure.
    let resctrl = filesystems.lines().any(|line| line.ends_with("\tresctrl"));
    for pointer in ["/linux/intelRdt", "/linux/intelRdt/schemata", "/linux/intelRdt/monitoring"] {
        say(resctrl, pointer);
    }
    for (list, has) in [("modes", sys::memory::has_mode as fn(&str) -> bool), ("flags", sys::memory::has_flag)] {
        for name in features["linux"]["memoryPolicy"][list].as_array().into_iter().flatten().filter_map(Value::as_str) {
            say(has(name), &format!("/linux/memoryPolicy/{list}/{name}"));
        }
    }
    lacks.join(" ")
}

/// The kernel's security modules, as it lists them where securityfs is mounted; those that there is a field for, where
/// it is not.
pub fn security_modules() -> String {
    fs::read_to_string("/sys/kernel/security/lsm").map(|list| list.trim().to_owned()).unwrap_or_else(|_| {
        let own = [("apparmor", sys::security::has_apparmor()), ("selinux", sys::security::has_selinux())];
        own.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect::<Vec<_>>().join(",")
    })
}

/// Which cgroups are mounted.
struct Cgroups {
    v1: bool,
    v2: bool,
    rdma: bool,
}

impl Cgroups {
    fn of_host() -> Self {
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
        let has = |kind: &str| mounts.lines().any(|line| line.contains(&format!(" - {kind} ")));
        // A line for each controller: name, hierarchy, number of cgroups, enabled.
        let controllers = fs::read_to_string("/proc/cgroups").unwrap_or_default();
        let rdma = controllers.lines().any(|line| line.starts_with("rdma\t") && line.ends_with("\t1"));
        Self { v1: has("cgroup"), v2: has("cgroup2"), rdma }
    }

    fn layout(&self) -> &'static str {
        match (self.v1, self.v2) {
            (true, true) => "hybrid",
            (true, false) => "v1",
            (false, true) => "v2",
            (false, false) => "none",
        }
    }
}

/// The versions of cgroups that are mounted: v1, v2, both (hybrid), or none.
pub fn cgroups() -> &'static str {
    Cgroups::of_host().layout()
}
