// SPDX-License-Identifier: Apache-2.0
//! `brig update`: its flags, all or nothing, and what it refuses.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;

use super::{Version, created, disk, place, processors, update};
use crate::common::{Lab, skip};
use crate::{edit, lab};

/// Every setting in the container's cgroups.
fn settings(pid: i32) -> BTreeMap<PathBuf, String> {
    // What counts, or changes by itself.
    const OTHERS: [&str; 8] = ["usage", "failcnt", "peak", "stat", "procs", "tasks", "threads", "pressure"];
    let controllers = ["", "cpu", "cpuacct", "cpuset", "memory", "blkio", "pids", "hugetlb", "devices"];
    let mut found = BTreeMap::new();
    for (_, cgroup) in controllers.iter().filter_map(|name| place(pid, name)) {
        for entry in fs::read_dir(cgroup).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            if mode & 0o600 == 0o600
                && !OTHERS.iter().any(|other| name.contains(other))
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                found.insert(entry.path(), text);
            }
        }
    }
    found
}

fn has(controllers: &[&str]) -> bool {
    let own = std::process::id().try_into().unwrap();
    let missing = controllers.iter().find(|name| place(own, name).is_none());
    if let Some(name) = missing {
        skip(&format!("this host has no {name} cgroup controller"));
    }
    missing.is_none()
}

#[test]
fn all_or_nothing() {
    if !has(&["memory", "cpu", "cpuset", "pids", "blkio"]) {
        return;
    }
    let Some((major, minor)) = disk() else { return skip("this host has no disk to throttle") };
    let (all, first) = processors();
    let lab = lab();
    let old = json!({
        "memory": { "limit": 64 << 20, "swap": 96 << 20, "reservation": 8 << 20 },
        "cpu": { "shares": 512, "quota": 50_000, "period": 200_000, "burst": 1000, "cpus": all },
        "pids": { "limit": 33 },
        "blockIO": { "weight": 200, "throttleReadBpsDevice": [{ "major": major, "minor": minor, "rate": 70_000 }] },
    });
    let id = created(&lab, &old).unwrap();
    let before = settings(lab.pid(&id));
    // Higher and lower, a device that had no line, and one that there is not.
    for scale in [2, 1] {
        let new = json!({
            "memory": { "limit": scale * (48 << 20), "swap": scale * (49 << 20), "reservation": 4 << 20 },
            "cpu": { "shares": 2048, "quota": 20_000 * scale, "period": 100_000, "burst": 500, "cpus": first },
            "pids": { "limit": 44 },
            "blockIO": {
                "weight": 500,
                "throttleReadBpsDevice": [{ "major": major, "minor": minor, "rate": 60_000 }],
                "throttleWriteBpsDevice": [
                    { "major": major, "minor": minor, "rate": 50_000 },
                    { "major": 999, "minor": 0, "rate": 1 },
                ],
            },
        });
        let text = update(&lab, &id, &new).unwrap_err();
        assert!(text.contains("/blockIO/throttleWriteBpsDevice/1: cannot write"), "{text}");
        assert!(!text.contains("put back") && !text.contains("/linux/resources"), "{text}");
        assert_eq!(settings(lab.pid(&id)), before);
    }
    // To be idle takes the shares away.
    let idle = json!({ "cpu": { "idle": 1, "cpus": "4000" } });
    let text = update(&lab, &id, &idle).unwrap_err();
    assert!(text.contains("/cpu/cpus: "), "{text}");
    assert_eq!(settings(lab.pid(&id)), before);
    // Without the last one they are set.
    update(&lab, &id, &json!({ "cpu": { "idle": 1 }, "pids": { "limit": 44 } })).unwrap();
    assert_ne!(settings(lab.pid(&id)), before);
}

#[test]
fn its_flags_are_the_fields() {
    if !has(&["memory", "cpu", "cpuset", "pids", "blkio"]) {
        return;
    }
    let (_, first) = processors();
    let lab = lab();
    let id = created(&lab, &json!({ "memory": { "limit": 64 << 20, "swap": 64 << 20 } })).unwrap();
    let pid = lab.pid(&id);
    #[rustfmt::skip]
    let flags = [
        "--blkio-weight", "300", "--cpu-period", "200000", "--cpu-quota", "50000", "--cpu-burst", "1000", "--cpu-share",
        "512", "--cpuset-cpus", &first, "--cpuset-mems", "0", "--memory", "32m", "--memory-reservation", "8388608",
        "--memory-swap", "48MiB", "--pids-limit", "17",
    ];
    lab.brig(&[&["update"], &flags[..], &[&id]].concat()).success();
    let seen = |controller: &str, v1: &str, v2: &str| {
        let (version, cgroup) = place(pid, controller).unwrap();
        let file = if version == Version::V1 { v1 } else { v2 };
        fs::read_to_string(cgroup.join(file)).unwrap().trim().to_owned()
    };
    assert_eq!(seen("memory", "memory.limit_in_bytes", "memory.max"), (32 << 20).to_string());
    assert_eq!(seen("memory", "memory.soft_limit_in_bytes", "memory.low"), (8 << 20).to_string());
    assert!(["50331648", "16777216"].contains(&&*seen("memory", "memory.memsw.limit_in_bytes", "memory.swap.max")));
    assert!(["512", "59"].contains(&&*seen("cpu", "cpu.shares", "cpu.weight")));
    assert!(["50000", "50000 200000"].contains(&&*seen("cpu", "cpu.cfs_quota_us", "cpu.max")));
    assert_eq!(seen("cpu", "cpu.cfs_burst_us", "cpu.max.burst"), "1000");
    assert_eq!(seen("cpuset", "cpuset.cpus", "cpuset.cpus"), first);
    assert_eq!(seen("pids", "pids.max", "pids.max"), "17");

    // No limit; with one dash; and those that have no effect.
    let flags = ["--memory=-1", "--memory-swap", "-1", "-pids-limit", "-1", "--cpu-quota", "-1", "--cpu-burst", "0"];
    lab.brig(&[&["update"], &flags[..], &["--kernel-memory", "5", &id]].concat()).success();
    assert!(seen("memory", "memory.limit_in_bytes", "memory.max").len() != 8);
    assert_eq!(seen("pids", "pids.max", "pids.max"), "max");
    lab.brig(&["update", "--cpu-idle", "1", &id]).success();
    assert_eq!(seen("cpu", "cpu.idle", "cpu.idle"), "1");
    lab.brig(&["update", &id]).success();
}

/// As containerd sends them: all that it has of the container, on stdin. The devices stay as hooks may have left them.
#[test]
fn resources_from_stdin_leave_the_devices() {
    if !has(&["pids"]) {
        return;
    }
    let lab = lab();
    let id = created(&lab, &json!({})).unwrap();
    let list = place(lab.pid(&id), "devices").map(|(_, cgroup)| cgroup.join("devices.list")).filter(|it| it.exists());
    if let Some(list) = &list {
        fs::write(list.with_file_name("devices.allow"), "c 10:229 rw").unwrap();
    }
    let before = list.as_ref().map(|list| fs::read_to_string(list).unwrap());
    let mut command = lab.command(&["update", "-r", "-", &id]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let json = json!({ "devices": [{ "allow": false, "access": "rwm" }], "pids": { "limit": 12 } }).to_string();
    child.stdin.take().unwrap().write_all(json.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let (_, pids) = place(lab.pid(&id), "pids").unwrap();
    assert_eq!(fs::read_to_string(pids.join("pids.max")).unwrap(), "12\n");
    assert_eq!(list.map(|list| fs::read_to_string(list).unwrap()), before);
}

#[test]
fn while_it_runs_and_while_it_is_paused() {
    if !has(&["pids", "cpu"]) {
        return;
    }
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.launch("updated");
    let (_, pids) = place(lab.pid(&id), "pids").unwrap();
    for (limit, and_then) in [("21", "pause"), ("22", "resume")] {
        lab.brig(&["update", "--pids-limit", limit, "--cpu-share", "300", &id]).success();
        assert_eq!(fs::read_to_string(pids.join("pids.max")).unwrap().trim(), limit);
        lab.brig(&[and_then, &id]).success();
    }
}

#[test]
fn it_refuses_a_container_that_has_stopped() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let id = lab.launch("over");
    lab.await_status(&id, "stopped");
    let text = lab.brig(&["update", "--pids-limit", "5", &id]).failure();
    assert!(text.contains("container not running"), "{text}");
    let text = lab.brig(&["update", "--pids-limit", "5", "none"]).failure();
    assert!(text.contains("container does not exist"), "{text}");
}

/// A word of the failure; nothing is changed.
#[test]
fn what_makes_no_sense_is_named() {
    let lab = lab();
    let id = created(&lab, &json!({})).unwrap();
    let before = settings(lab.pid(&id));
    let flag = |flags: &[&str]| lab.brig(&[&["update"], flags, &[&id]].concat()).failure();
    for (flags, expected) in [
        (&["--memory", "12q"][..], "invalid value for --memory"),
        (&["--memory", "-5"], "invalid value for --memory"),
        (&["--cpu-share", "many"], "invalid value for --cpu-share"),
        (&["--cpu-share", "-5"], "invalid value for --cpu-share"),
        (&["--blkio-weight", "70000"], "invalid value for --blkio-weight"),
        (&["--blkio-weight", "1001"], "/blockIO/weight: 1001 is not between 10 and 1000"),
        (&["--cpu-idle", "2"], "/cpu/idle: must be 0 or 1, not 2"),
        (&["--cpu-quota", "-7"], "/cpu/quota: -7 is negative"),
        (&["--cpu-quota", "999"], "/cpu/quota: 999 is less than"),
        (&["--cpu-period", "5"], "/cpu/period: 5 is not between"),
        (&["--cpuset-cpus", "a-b"], "/cpu/cpus: \\\"a-b\\\" is not a list"),
        (&["--cpuset-cpus", "4000"], "/cpu/cpus: "),
        (&["--cpuset-mems", "900"], "/cpu/mems: "),
        (&["--memory", "64m", "--memory-swap", "32m"], "/memory/swap: 33554432 is less than the 67108864"),
        (&["--pids-limit", "-9"], "/pids/limit: -9 is negative"),
        (&["--l3-cache-schema", "L3:0=f"], "created without linux.intelRdt"),
        (&["--resources", "/nonexistent"], "--resources: cannot read /nonexistent"),
        (&["--resources", "/nonexistent", "--memory", "5"], "--memory"),
        (&[], ""),
    ] {
        if !flags.is_empty() {
            let text = flag(flags);
            assert!(text.contains(expected), "{flags:?}: {text}");
        }
    }
    for (json, expected) in [
        ("nonsense", "resources: line 1"),
        ("[]", "resources: must be an object"),
        (r#"{"memory": {"limit": "1G"}}"#, "/memory/limit: must be"),
        (r#"{"memory": {"limit": 99999999999999999999}}"#, "/memory/limit: "),
        (r#"{"memory": {"limit": 1.5}}"#, "/memory/limit: "),
        (r#"{"cpu": {"shares": -1}}"#, "/cpu/shares: "),
        (r#"{"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}"#, "/hugepageLimits/0/limit: "),
        (r#"{"unified": {"cgroup.procs": "1"}}"#, "/unified/cgroup.procs: "),
        (r#"{"pids": {"limit": 5}, "unified": {"memory.nonsense": "1"}}"#, "/unified/memory.nonsense: "),
    ] {
        fs::write(lab.path.join("bad.json"), json).unwrap();
        let text = flag(&["-r", lab.path.join("bad.json").to_str().unwrap()]);
        assert!(text.contains(expected), "{json}: {text}");
    }
    assert_eq!(settings(lab.pid(&id)), before);
}

/// On version 1 the kernel refuses a limit below what is in use; on the unified hierarchy it would kill, unless
/// checkBeforeUpdate forbids that.
#[test]
fn a_memory_limit_below_what_is_in_use() {
    if !has(&["memory"]) {
        return;
    }
    let lab = lab();
    // On a tmpfs, from where nothing can go without swap.
    lab.write(
        &[
            "sh",
            "-c",
            "dd if=/dev/zero of=/dev/shm/full bs=1M count=12 2>/dev/null; touch /dev/shm/ready; exec sleep 1000",
        ],
        |_| {},
    );
    let id = lab.launch("full");
    ready(&lab, &id);
    if fs::read_to_string("/proc/swaps").unwrap().lines().count() > 1 {
        return skip("this host has swap, where the memory may go");
    }
    let before = settings(lab.pid(&id));
    let text = update(
        &lab,
        &id,
        &json!({ "pids": { "limit": 5 }, "memory": { "limit": 4 << 20, "checkBeforeUpdate": true } }),
    );
    let text = text.unwrap_err();
    assert!(text.contains("/memory/limit: ") && text.contains("in use"), "{text}");
    assert_eq!(settings(lab.pid(&id)), before);
    assert_eq!(lab.state(&id)["status"], "running");
}

fn ready(lab: &Lab, id: &str) {
    let file = format!("/proc/{}/root/dev/shm/ready", lab.pid(id));
    crate::common::until("the container is ready", || fs::exists(&file).unwrap_or(false));
}
