// SPDX-License-Identifier: Apache-2.0
//! `linux.memoryPolicy`: from which nodes the memory of a container's programs comes.

use std::fs;
use std::path::Path;

use libseccomp::{ScmpAction, ScmpFilterContext, ScmpSyscall};
use serde_json::{Value, json};

use crate::common::skip;
use crate::{edit, lab};

const READ: &str = "head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2";

/// Whether this kernel shows policies.
fn has_numa() -> bool {
    let has = Path::new("/proc/self/numa_maps").exists();
    if !has {
        skip("memory policies: this kernel has no CONFIG_NUMA (or no /proc/self/numa_maps)");
    }
    has
}

fn policy(mode: &str, nodes: Option<&str>, flags: &[&str]) -> Value {
    json!({ "mode": mode, "nodes": nodes, "flags": flags })
}

#[test]
fn each_mode_is_set() {
    if !has_numa() {
        return;
    }
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut version = kernel.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (version.next().unwrap(), version.next().unwrap());
    // Mode, nodes, flags, as /proc/PID/numa_maps says it, and since which kernel.
    for (mode, nodes, flags, expected, since) in [
        ("MPOL_DEFAULT", None, &[][..], "default", (0, 0)),
        ("MPOL_LOCAL", None, &[], "local", (0, 0)),
        ("MPOL_BIND", Some("0"), &[], "bind:0", (0, 0)),
        ("MPOL_BIND", Some("0"), &["MPOL_F_STATIC_NODES"], "bind=static:0", (0, 0)),
        ("MPOL_BIND", Some("0-0,0"), &["MPOL_F_RELATIVE_NODES"], "bind=relative:0", (0, 0)),
        ("MPOL_BIND", Some("0"), &["MPOL_F_NUMA_BALANCING"], "bind=balancing:0", (6, 18)),
        ("MPOL_INTERLEAVE", Some("0"), &[], "interleave:0", (0, 0)),
        ("MPOL_PREFERRED", Some("0"), &[], "prefer:0", (0, 0)),
        ("MPOL_PREFERRED", None, &[], "local", (0, 0)),
        ("MPOL_PREFERRED_MANY", Some("0"), &[], "prefer (many):0", (5, 15)),
        ("MPOL_WEIGHTED_INTERLEAVE", Some("0"), &[], "weighted interleave:0", (6, 9)),
    ] {
        if version < since {
            skip(&format!("{mode} {flags:?}: Linux {}.{} is needed, this is {}", since.0, since.1, kernel.trim()));
            continue;
        }
        // The name of a mode may have a space in it; what follows are other fields.
        let seen = lab().sh("head -n 1 /proc/self/numa_maps", |spec| {
            spec["linux"]["memoryPolicy"] = policy(mode, nodes, flags);
        });
        let (_, seen) = seen.split_once(' ').unwrap();
        assert!(seen == expected || seen.starts_with(&format!("{expected} ")), "{mode} {flags:?}: {seen}");
    }
}

#[test]
fn an_exec_has_it_too() {
    if !has_numa() {
        return;
    }
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| {
        edit::user(spec, 1000, 1000, &[]);
        spec["linux"]["memoryPolicy"] = policy("MPOL_BIND", Some("0"), &["MPOL_F_STATIC_NODES"]);
    });
    let id = lab.launch("exec");
    assert_eq!(lab.brig(&["exec", &id, "sh", "-c", READ]).success(), "bind=static:0");
}

#[test]
fn nodes_that_are_not_there_are_refused() {
    if !has_numa() {
        return;
    }
    let lab = lab();
    lab.write(&["true"], |spec| spec["linux"]["memoryPolicy"] = policy("MPOL_BIND", Some("1000-1023"), &[]));
    let error = lab.run().failure();
    assert!(error.contains("/linux/memoryPolicy: memory policy MPOL_BIND: cannot set it: Invalid argument"), "{error}");
    lab.assert_clean();
    for (value, text) in [
        (policy("MPOL_BIND", None, &[]), "/linux/memoryPolicy/nodes: is missing"),
        (policy("MPOL_BIND", Some("x"), &[]), "/linux/memoryPolicy/nodes: \\\"x\\\" is not a list"),
        (policy("MPOL_LOCAL", None, &["MPOL_F_NUMA_BALANCING"]), "/linux/memoryPolicy/flags: MPOL_F_NUMA_BALANCING is"),
        (policy("MPOL_MINE", None, &[]), "/linux/memoryPolicy/mode: unknown mode"),
    ] {
        lab.write(&["true"], |spec| spec["linux"]["memoryPolicy"] = value.clone());
        let error = lab.run().failure();
        assert!(error.contains(text), "{error}");
        lab.assert_clean();
    }
}

/// A kernel without NUMA does not know the system call: a filter makes this one as such a kernel is.
#[test]
fn a_kernel_without_numa_is_named() {
    let lab = lab();
    lab.write(&["true"], |spec| spec["linux"]["memoryPolicy"] = policy("MPOL_DEFAULT", None, &[]));
    // The filter is of one thread, and of what it starts.
    let error = std::thread::scope(|scope| {
        let run = || {
            let mut filter = ScmpFilterContext::new(ScmpAction::Allow).unwrap();
            let call = ScmpSyscall::from_name("set_mempolicy").unwrap();
            filter.add_rule(ScmpAction::Errno(38), call).unwrap();
            filter.load().unwrap();
            lab.run().failure()
        };
        scope.spawn(run).join().unwrap()
    });
    assert!(error.contains("/linux/memoryPolicy: memory policy MPOL_DEFAULT: the kernel has no NUMA"), "{error}");
    lab.assert_clean();
}
