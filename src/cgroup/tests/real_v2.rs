// SPDX-License-Identifier: Apache-2.0
//! On the unified hierarchy alone, as far as this kernel's has controllers.
//!
//! The test runs itself again in private mount and cgroup namespaces, in a cgroup of its own that is mounted as if
//! it were the whole: nothing of the host changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oci_spec::runtime::LinuxResources;

use super::super::*;
use super::fixture::{Fixture, create};
use crate::sys::bpf;

/// Removes a cgroup at the end.
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        if let Ok(dir) = Dir::open(&self.0) {
            dir.write("cgroup.kill", "1").ok();
            for _ in 0..200 {
                if dir.prune().is_ok() && fs::remove_dir(&self.0).is_ok() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

#[test]
fn real_unified_alone() {
    let host = Host::detect().unwrap();
    let unified = host.hierarchies().iter().find(|hierarchy| hierarchy.version == Version::V2);
    let (Some(unified), true) = (unified, rustix::process::geteuid().is_root()) else {
        eprintln!("SKIPPED real_unified_alone: needs root and the unified hierarchy");
        return;
    };
    let top = Remove(unified.mount_point.join(format!("brig-test-{}-v2", std::process::id())));
    fs::create_dir(&top.0).unwrap();
    let script = "echo $$ > \"$1/cgroup.procs\" && exec unshare --cgroup --mount --propagation private sh -c \
        'mount -t cgroup2 none /sys/fs/cgroup && exec \"$0\" --exact \"$1\" --ignored --nocapture --test-threads=1' \"$2\" \"$3\"";
    let output = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(&top.0)
        .arg(std::env::current_exe().unwrap())
        .arg("cgroup::tests::real_v2::inside")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A host with the unified hierarchy alone, with its controllers: the virtual machine of the test lab.
fn controllers(name: &str) -> Option<Fixture> {
    let host = Host::detect().unwrap();
    if host.layout() != Layout::V2 || !host.hierarchies()[0].controllers.iter().any(|name| name == "memory") {
        eprintln!("SKIPPED {name}: needs the unified hierarchy alone, with controllers");
        return None;
    }
    Fixture::created(name)
}

#[test]
fn real_unified_limits_read_back() {
    let Some(mut fixture) = controllers("v2limits") else { return };
    let disk = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let disk =
        disk.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap().split(' ').nth(2).unwrap().to_owned();
    let (major, minor) = disk.split_once(':').unwrap();
    let json = format!(
        r#"{{"memory": {{"limit": 67108864, "swap": 134217728, "reservation": 33554432}},
            "cpu": {{"shares": 512, "quota": 50000, "period": 200000, "burst": 1000, "cpus": "0", "mems": "0"}},
            "pids": {{"limit": 17}}, "hugepageLimits": [{{"pageSize": "2MB", "limit": 4194304}}],
            "blockIO": {{"weight": 505, "throttleReadBpsDevice": [{{"major": {major}, "minor": {minor}, "rate": 5000000}}],
                         "throttleWriteIOPSDevice": [{{"major": {major}, "minor": {minor}, "rate": 77}}]}},
            "unified": {{"memory.high": "50331648", "pids.max": "18"}}}}"#
    );
    fixture.cgroup.apply(&resources(&json)).unwrap();
    let throttled = format!("{disk} rbps=5000000 wbps=max riops=max wiops=77");
    for (file, value) in [
        ("memory.max", "67108864"),
        ("memory.swap.max", "67108864"),
        ("memory.low", "33554432"),
        ("memory.high", "50331648"),
        ("cpu.weight", "59"),
        ("cpu.max", "50000 200000"),
        ("cpu.max.burst", "1000"),
        ("cpuset.cpus", "0"),
        ("cpuset.mems", "0"),
        ("pids.max", "18"),
        ("hugetlb.2MB.max", "4194304"),
        ("hugetlb.2MB.rsvd.max", "4194304"),
        ("io.max", throttled.as_str()),
    ] {
        assert_eq!(fixture.read("memory", file), value, "{file}");
    }
    // A part is changed, the other part stays.
    fixture.cgroup.update(&resources(r#"{"cpu": {"period": 100000}, "memory": {"limit": -1}}"#)).unwrap();
    assert_eq!(fixture.read("memory", "cpu.max"), "50000 100000");
    assert_eq!(
        (fixture.read("memory", "memory.max"), fixture.read("memory", "memory.swap.max")),
        ("max".into(), "max".into())
    );
    fixture.cgroup.update(&resources(r#"{"cpu": {"quota": -1, "burst": 0}}"#)).unwrap();
    assert_eq!(fixture.read("memory", "cpu.max"), "max 100000");
    // Idle and back, with a weight.
    fixture.cgroup.update(&resources(r#"{"cpu": {"idle": 1, "shares": 2048}}"#)).unwrap();
    assert_eq!(fixture.read("memory", "cpu.idle"), "1");
    fixture.cgroup.update(&resources(r#"{"cpu": {"idle": 0, "shares": 2048}}"#)).unwrap();
    assert_eq!((fixture.read("memory", "cpu.idle"), fixture.read("memory", "cpu.weight")), ("0".into(), "174".into()));
    assert!(fixture.run("true").success());
}

#[test]
fn real_unified_check_before_update() {
    let Some(mut fixture) = controllers("v2check") else { return };
    fixture.spawn("x=$(head -c 8000000 /dev/zero | tr '\\0' x); sleep 100; :");
    while fixture.read("memory", "memory.current").parse::<u64>().unwrap() < 8_000_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    fixture.settle(2);
    let error =
        fixture.cgroup.update(&resources(r#"{"memory": {"limit": 1048576, "checkBeforeUpdate": true}}"#)).unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("/linux/resources/memory/limit"), "{}", error.message);
    assert_eq!(fixture.read("memory", "memory.max"), "max");
}

/// The parent has processes of its own, so that it cannot hand controllers down.
#[test]
fn real_unified_internal_processes() {
    let Some(mut fixture) = controllers("v2internal") else { return };
    fixture.cgroup.remove().unwrap();
    let leaf = fixture.cgroup.paths().next().unwrap().1.to_owned();
    let parent = leaf.parent().unwrap().to_owned();
    fs::create_dir(&parent).unwrap();
    let mut child = Command::new("sleep").arg("100").spawn().unwrap();
    fs::write(parent.join("cgroup.procs"), child.id().to_string()).unwrap();
    create(&mut fixture.cgroup).unwrap();
    let error = fixture.cgroup.apply(&resources(r#"{"memory": {"limit": 50000000}}"#)).unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((error.kind, error.pointer.as_deref()), (Kind::Unsupported, Some("/linux/resources/memory/limit")));
    assert!(error.message.contains("processes live in that cgroup"), "{}", error.message);
}

#[test]
#[ignore = "is run by real_unified_alone in its own namespaces"]
fn inside() {
    let host = Host::detect().unwrap();
    assert_eq!((host.layout(), host.hierarchies().len()), (Layout::V2, 1));
    assert_eq!(host.hierarchies()[0].mount_point, Path::new("/sys/fs/cgroup"));
    life();
    device_filter();
    device_filter_without_a_window();
    kill_and_freeze();
    threaded_parent();
    missing_controller();
}

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).unwrap()
}

fn life() {
    let mut fixture = Fixture::new("life").unwrap();
    let leaf = fixture.cgroup.paths().next().unwrap().1.to_owned();
    create(&mut fixture.cgroup).unwrap();
    assert!(leaf.is_dir() && fixture.cgroup.directory().unwrap().is_some());
    assert_eq!(fixture.cgroup.joined().count(), 0);
    fs::create_dir_all(leaf.join("a/b/c")).unwrap();
    fixture.cgroup.remove().unwrap();
    assert!(!leaf.parent().unwrap().exists());
}

fn device_filter() {
    let mut fixture = Fixture::created("devices").unwrap();
    let (open, zero) = ("exec 9</dev/kmsg", "exec 9</dev/zero");
    let leaf = Dir::open(fixture.cgroup.paths().next().unwrap().1).unwrap();
    assert!(fixture.run(open).success());
    fixture.cgroup.apply(&resources("{}")).unwrap();
    assert!(!fixture.run(open).success() && fixture.run(zero).success());
    let kmsg =
        r#"{"devices": [{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}"#;
    fixture.cgroup.update(&resources(kmsg)).unwrap();
    assert!(fixture.run(open).success() && !fixture.run("exec 9>/dev/kmsg").success());
    fixture
        .cgroup
        .update(&resources(r#"{"devices": [{"allow": true}, {"allow": false, "type": "c", "major": 1, "minor": 11}]}"#))
        .unwrap();
    assert!(!fixture.run(open).success() && fixture.run(zero).success());
    fixture.cgroup.update(&resources(r#"{"devices": [{"allow": true}]}"#)).unwrap();
    assert!(fixture.run(open).success());
    assert_eq!(bpf::device_filters(&leaf).unwrap().len(), 1, "each took the place of the former");
}

/// What both rules forbid is forbidden while one takes the place of the other.
fn device_filter_without_a_window() {
    let mut fixture = Fixture::created("window").unwrap();
    fixture.cgroup.apply(&resources("{}")).unwrap();
    let file = std::env::temp_dir().join(&fixture.top);
    let path = file.display();
    fixture.spawn(&format!(
        "echo begun > {path}; while [ -e {path} ]; do (exec 9</dev/kmsg) && echo open > {path}.open; done; :"
    ));
    while !file.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let rules = [r#"{"devices": []}"#, r#"{"devices": [{"allow": true, "type": "c", "major": 10, "access": "r"}]}"#];
    for index in 0..500 {
        fixture.cgroup.update(&resources(rules[index % 2])).unwrap();
    }
    fs::remove_file(&file).unwrap();
    fixture.reap();
    assert!(!file.with_extension("open").exists());
}

fn kill_and_freeze() {
    let mut fixture = Fixture::created("kill").unwrap();
    fixture.spawn("while :; do sleep 0.001 & sleep 0.001 & wait; done");
    fixture.cgroup.freeze(true).unwrap();
    assert!(fixture.cgroup.is_frozen().unwrap());
    let error = create(&mut fixture.cgroup.clone()).unwrap_err();
    assert_eq!(error.errno, libc::EBUSY);
    fixture.cgroup.freeze(false).unwrap();
    assert!(!fixture.cgroup.is_frozen().unwrap());
    fixture.cgroup.kill().unwrap();
    fixture.cgroup.remove().unwrap();
    fixture.reap();

    let mut fixture = Fixture::created("one-by-one").unwrap();
    fixture.spawn("while :; do sleep 0.001 & sleep 0.001 & wait; done");
    fixture.cgroup.kill_one_by_one(fixture.cgroup.unified().unwrap()).unwrap();
    assert!(fixture.cgroup.processes().unwrap().is_empty());
}

fn threaded_parent() {
    let mut fixture = Fixture::new("threaded").unwrap();
    let leaf = fixture.cgroup.paths().next().unwrap().1.to_owned();
    let parent = leaf.parent().unwrap();
    fs::create_dir(parent).unwrap();
    fs::write(parent.join("cgroup.type"), "threaded").unwrap();
    let error = create(&mut fixture.cgroup).unwrap_err();
    assert!(error.message.contains("threaded"), "{}", error.message);
    assert!(!leaf.exists());
}

fn missing_controller() {
    let mut fixture = Fixture::created("missing").unwrap();
    let error = fixture.cgroup.apply(&resources(r#"{"memory": {"limit": 5000000}}"#)).unwrap_err();
    assert_eq!((error.kind, error.pointer.as_deref()), (Kind::Unsupported, Some("/linux/resources/memory/limit")));
    let error = fixture.cgroup.apply(&resources(r#"{"unified": {"memory.high": "5"}}"#)).unwrap_err();
    assert_eq!(
        (error.kind, error.pointer.as_deref()),
        (Kind::Unsupported, Some("/linux/resources/unified/memory.high"))
    );
    assert!(error.message.contains("memory controller"), "{}", error.message);
    fixture.cgroup.apply(&resources(r#"{"unified": {"cgroup.max.descendants": "5"}}"#)).unwrap();
    let leaf = fixture.cgroup.paths().next().unwrap().1.to_owned();
    assert_eq!(fs::read_to_string(leaf.join("cgroup.max.descendants")).unwrap().trim(), "5");
    assert!(fixture.run("true").success());
}
