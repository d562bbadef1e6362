// SPDX-License-Identifier: Apache-2.0
//! What the plans of a few specs are, step by step: files in plans/, rewritten with UPDATE_PLANS=1. A change there is
//! a change of what containers get, for a reviewer to see.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::Lab;
use crate::{edit, lab};

/// The plan without what differs between machines: where things are, and which cgroup hierarchies there are.
fn plan(lab: &Lab, edit: fn(&mut Value)) -> String {
    lab.write(&["sh", "-c", "true"], |spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| mount["type"] != "cgroup");
        edit(spec);
    });
    let text = lab.brig(&["plan"]).success().replace(lab.path.to_str().unwrap(), "/LAB");
    // The filter is as libseccomp compiles it.
    let program = |line: &str| match line.split_once(" program=<") {
        Some((start, end)) => format!("{start} program=<bytes>{}", end.split_once(" bytes>").unwrap().1),
        None => line.to_owned(),
    };
    let steps = text.lines().map(|line| program(line.trim_start().split_once("  ").unwrap().1));
    steps.filter(|step| !step.starts_with("JoinCgroup")).map(|step| step + "\n").collect()
}

fn check(name: &str, edit: fn(&mut Value)) {
    let lab = lab();
    let (found, path) = (plan(&lab, edit), Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/oci/plans").join(name));
    if std::env::var_os("UPDATE_PLANS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(found.lines()).position(|(expected, found)| expected != found);
    let line = differs.unwrap_or(expected.lines().count().min(found.lines().count()));
    assert!(
        expected == found,
        "{name}, line {}: UPDATE_PLANS=1 would rewrite\n{}\nas\n{}",
        line + 1,
        expected.lines().nth(line).unwrap_or_default(),
        found.lines().nth(line).unwrap_or_default()
    );
}

#[test]
fn the_default() {
    check("default.txt", edit::nothing);
}

#[test]
fn a_user_and_a_time_namespace() {
    check("two-stages.txt", |spec| {
        edit::user_namespace(spec);
        edit::namespace(spec, "time", None);
        spec["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 1 }, "boottime": { "secs": 2, "nanosecs": 3 } });
        spec["process"]["oomScoreAdj"] = json!(100);
    });
}

#[test]
fn namespaces_to_join() {
    check("joined.txt", |spec| {
        for (kind, name) in [("network", "net"), ("pid", "pid"), ("ipc", "ipc"), ("user", "user")] {
            edit::namespace(spec, kind, Some(&format!("/proc/1/ns/{name}")));
        }
    });
}

#[test]
fn a_terminal_and_hooks() {
    check("hooks.txt", |spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"]["consoleSize"] = json!({ "height": 25, "width": 80 });
        let hook = |name: &str| json!([{ "path": format!("/hooks/{name}"), "args": [name, "a b"], "env": ["A=1"], "timeout": 3 }]);
        for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            spec["hooks"][kind] = hook(kind);
        }
    });
}

#[test]
fn mounts_of_all_kinds() {
    check("mounts.txt", |spec| {
        spec["linux"]["rootfsPropagation"] = json!("rshared");
        edit::mount(spec, "/data", "bind", "data", &["rbind", "rro", "nosuid", "rslave"]);
        edit::mount(spec, "/file", "none", "/etc/hostname", &["bind", "ro", "private"]);
        edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &["noatime", "nr_inodes=5,size=1k", "mode=1777"]);
        edit::mount(spec, "/tmp", "none", "", &["remount", "ro"]);
        edit::mount(spec, "/proc/uptime", "bind", "/etc/hostname", &["bind"]);
        edit::mount(spec, "/disk", "ext4", "/dev/disk", &["ro", "sync", "data=ordered"]);
    });
}

#[test]
fn a_user_with_few_privileges_and_a_filter() {
    check("privileges.txt", |spec| {
        edit::user(spec, 1000, 1001, &[5, 7]);
        spec["process"]["user"]["umask"] = json!(0o027);
        spec["process"]["noNewPrivileges"] = json!(false);
        spec["process"]["cwd"] = json!("/home/user");
        spec["process"]["capabilities"]["inheritable"] = json!(["CAP_KILL"]);
        spec["process"]["capabilities"]["ambient"] = json!(["CAP_KILL"]);
        spec["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }],
        });
        spec["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "1" });
        spec["linux"]["devices"] =
            json!([{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600 }]);
    });
}

#[test]
fn a_policy_a_personality_and_a_memory_policy() {
    check("policies.txt", |spec| {
        spec["process"]["scheduler"] =
            json!({ "policy": "SCHED_FIFO", "priority": 7, "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
        spec["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 2 });
        spec["linux"]["personality"] = json!({ "domain": "LINUX32", "flags": ["ADDR_NO_RANDOMIZE"] });
        spec["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0-2" });
    });
}

/// The host sends the files of the cgroups when they are made, whatever init does meanwhile. So until it has joined them
/// init must not ask for anything else: what came would be another answer. The id maps come before, since they are what a
/// new user namespace begins with.
#[test]
fn what_waits_for_an_answer_comes_after_the_cgroups() {
    const WAITS: [&str; 6] =
        ["Sync point=hooks", "Sync point=limits", "Sync point=commit", "NetSocket", "SeccompListener", "Gate"];
    type Case = (&'static str, fn(&mut Value));
    let cases: [Case; 5] = [
        ("Gate", edit::nothing),
        ("Sync point=hooks", |spec| spec["hooks"]["createRuntime"] = json!([{ "path": "/bin/true" }])),
        ("NetSocket", |spec| spec["linux"]["netDevices"] = json!({ "lo9": {} })),
        ("Sync point=limits", |spec| spec["process"]["scheduler"] = json!({ "policy": "SCHED_FIFO", "priority": 7 })),
        ("SeccompListener", |spec| {
            spec["linux"]["seccomp"] = json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "listenerPath": "",
                "syscalls": [{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }],
            });
        }),
    ];
    let everything = |spec: &mut Value| {
        cases.iter().for_each(|(_, edit)| edit(spec));
        edit::user_namespace(spec);
        edit::namespace(spec, "time", None);
        spec["process"]["terminal"] = json!(true);
    };
    let check = |wanted: &str, edit: &dyn Fn(&mut Value)| {
        let lab = lab();
        let agent = lab.path.join("agent");
        let _agent = std::os::unix::net::UnixListener::bind(&agent).unwrap();
        lab.write(&["true"], |spec| {
            edit(spec);
            if let Some(path) = spec.pointer_mut("/linux/seccomp/listenerPath") {
                *path = json!(agent);
            }
        });
        let text = lab.brig(&["plan"]).success();
        let steps: Vec<_> = text.lines().filter_map(|line| Some(line.trim_start().split_once("  ")?.1)).collect();
        let waits = |step: &&str| WAITS.iter().any(|wait| step.starts_with(wait));
        assert!(steps.iter().any(|step| step.starts_with(wanted)), "{wanted} is not in\n{text}");
        match steps.iter().rposition(|step| step.starts_with("JoinCgroups")) {
            Some(joins) => assert!(!steps[..joins].iter().any(waits), "{wanted}:\n{text}"),
            None => crate::common::skip("this host has no cgroups of version 1 that init would join"),
        }
    };
    cases.iter().for_each(|(wanted, edit)| check(wanted, edit));
    for (wanted, _) in cases {
        check(wanted, &everything);
    }
}
