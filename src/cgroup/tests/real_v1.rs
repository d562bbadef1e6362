// SPDX-License-Identifier: Apache-2.0
//! On the host's own hierarchies.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::runtime::LinuxResources;

use super::super::*;
use super::fixture::{Fixture, create};

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).unwrap()
}

#[test]
fn real_create_makes_and_remove_unmakes() {
    let Some(mut fixture) = Fixture::new("life") else { return };
    let leaves: Vec<PathBuf> = fixture.cgroup.paths().map(|(_, path)| path.to_owned()).collect();
    create(&mut fixture.cgroup).unwrap();
    assert!(leaves.iter().all(|path| path.is_dir()));
    assert_eq!(fixture.cgroup.join_files().unwrap().len(), fixture.cgroup.joined().count());
    fixture.cgroup.remove().unwrap();
    assert!(leaves.iter().all(|path| !path.parent().unwrap().exists()), "the ancestors that create made go too");
    fixture.cgroup.remove().unwrap();
}

#[test]
fn real_remove_leaves_what_was_there() {
    let Some(mut fixture) = Fixture::new("there") else { return };
    let leaves: Vec<PathBuf> = fixture.cgroup.paths().map(|(_, path)| path.to_owned()).collect();
    leaves.iter().for_each(|path| fs::create_dir_all(path).unwrap());
    create(&mut fixture.cgroup).unwrap();
    fixture.cgroup.remove().unwrap();
    assert!(leaves.iter().all(|path| path.is_dir()));
}

#[test]
fn real_remove_takes_cgroups_of_the_container_too() {
    let Some(fixture) = Fixture::created("below") else { return };
    let leaves: Vec<PathBuf> = fixture.cgroup.paths().map(|(_, path)| path.to_owned()).collect();
    let deep: PathBuf = std::iter::repeat_n("d", 60).collect();
    for path in &leaves {
        fs::create_dir_all(path.join(&deep)).unwrap();
        fs::create_dir_all(path.join("d/d/side/a")).unwrap();
        fs::create_dir_all(path.join("side/b")).unwrap();
    }
    fixture.cgroup.remove().unwrap();
    assert!(leaves.iter().all(|path| !path.exists()));
}

#[test]
fn real_a_populated_cgroup_is_refused_and_left_alone() {
    let Some(mut fixture) = Fixture::created("taken") else { return };
    let pid = fixture.spawn("sleep 100");
    fixture.settle(2);
    let mut second = fixture.cgroup.clone();
    second.places.iter_mut().for_each(|place| place.made = None);
    let error = create(&mut second).unwrap_err();
    assert_eq!((error.errno, error.pointer.as_deref()), (libc::EBUSY, Some("/linux/cgroupsPath")), "{}", error.message);
    second.kill().unwrap();
    second.remove().unwrap();
    assert!(fixture.settle(2).contains(&pid));
}

#[test]
fn real_create_is_all_or_nothing() {
    let Some(mut fixture) = Fixture::new("nothing") else { return };
    // A hierarchy that refuses: there is no such place.
    let mut broken = fixture.cgroup.places[0].clone();
    (broken.mount_point, broken.path) = ("/nonexistent".into(), "/nonexistent/a/b".into());
    fixture.cgroup.places.push(broken);
    let leaves: Vec<PathBuf> = fixture.cgroup.paths().map(|(_, path)| path.to_owned()).collect();
    assert_eq!(create(&mut fixture.cgroup).unwrap_err().errno, libc::ENOENT);
    // What is left is the unified one, which the launch undoes.
    assert!(fixture.cgroup.places.iter().all(|place| place.version == Version::V2));
    fixture.cgroup.remove().unwrap();
    assert!(leaves.iter().all(|path| !path.parent().unwrap().exists()));
}

#[test]
fn real_crash_before_the_second_record_can_be_cleaned() {
    let Some(fixture) = Fixture::new("crash") else { return };
    let mut lost = fixture.cgroup.clone();
    create(&mut lost).unwrap();
    fixture.cgroup.kill().unwrap();
    fixture.cgroup.remove().unwrap();
    assert!(fixture.cgroup.paths().all(|(_, path)| !path.exists()));
}

#[test]
fn real_limits_read_back() {
    let Some(fixture) = Fixture::created("limits") else { return };
    if !["memory", "cpu", "cpuset", "pids", "blkio"].iter().all(|name| fixture.has(name)) {
        return;
    }
    fixture
        .cgroup
        .apply(&resources(
            r#"{"memory": {"limit": 67108864, "swap": 134217728, "reservation": 33554432, "swappiness": 10, "kernelTCP": 8388608,
                           "disableOOMKiller": true},
                "cpu": {"shares": 512, "quota": 50000, "period": 200000, "burst": 1000, "cpus": "0", "mems": "0"},
                "pids": {"limit": 17},
                "blockIO": {"weight": 300}}"#,
        ))
        .unwrap();
    for (controller, file, value) in [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.memsw.limit_in_bytes", "134217728"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("memory", "memory.swappiness", "10"),
        ("memory", "memory.kmem.tcp.limit_in_bytes", "8388608"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.cfs_period_us", "200000"),
        ("cpu", "cpu.cfs_burst_us", "1000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("cpuset", "cpuset.mems", "0"),
        ("pids", "pids.max", "17"),
        ("blkio", "blkio.bfq.weight", "300"),
    ] {
        assert_eq!(fixture.read(controller, file), value, "{file}");
    }
    assert!(fixture.read("memory", "memory.oom_control").contains("oom_kill_disable 1"));
}

/// Each of these values is bounded by another one: the order must fit both ways.
#[test]
fn real_limits_rise_and_fall() {
    let Some(fixture) = Fixture::created("order") else { return };
    if !fixture.has("memory") || !fixture.has("cpu") {
        return;
    }
    for scale in [1, 8, 2, 64, 1] {
        let (limit, quota) = (scale << 20, scale * 2000);
        let json = format!(
            r#"{{"memory": {{"limit": {limit}, "swap": {}}}, "cpu": {{"quota": {quota}, "period": 100000, "burst": {quota}}}}}"#,
            limit * 2
        );
        fixture.cgroup.apply(&resources(&json)).unwrap();
        assert_eq!(fixture.read("memory", "memory.memsw.limit_in_bytes"), (limit * 2).to_string());
        assert_eq!(fixture.read("cpu", "cpu.cfs_burst_us"), quota.to_string());
    }
    fixture.cgroup.update(&resources(r#"{"memory": {"limit": -1}, "cpu": {"quota": -1, "burst": 0}}"#)).unwrap();
    assert_eq!(fixture.read("cpu", "cpu.cfs_quota_us"), "-1");
    assert!(fixture.read("memory", "memory.memsw.limit_in_bytes").len() > 15);
}

#[test]
fn real_refusals_of_the_kernel_name_the_field() {
    let Some(fixture) = Fixture::created("refused") else { return };
    for (json, pointer) in [
        (r#"{"cpu": {"cpus": "4000"}}"#, "/linux/resources/cpu/cpus"),
        (r#"{"cpu": {"quota": 5000, "burst": 9000}}"#, "/linux/resources/cpu/burst"),
        (
            r#"{"blockIO": {"throttleReadBpsDevice": [{"major": 999, "minor": 0, "rate": 5}]}}"#,
            "/linux/resources/blockIO/throttleReadBpsDevice/0",
        ),
    ] {
        let error = fixture.cgroup.apply(&resources(json)).unwrap_err();
        assert_eq!(error.pointer.as_deref(), Some(pointer), "{}", error.message);
        assert!(error.errno != 0, "{}", error.message);
    }
}

#[test]
fn real_memory_limit_below_what_is_in_use() {
    let Some(mut fixture) = Fixture::created("inuse") else { return };
    if !fixture.has("memory") {
        return;
    }
    // A shell variable of some megabytes, which cannot be reclaimed without swap.
    fixture.spawn("x=$(head -c 8000000 /dev/zero | tr '\\0' x); sleep 100");
    let deadline = Instant::now() + Duration::from_secs(5);
    while fixture.read("memory", "memory.usage_in_bytes").parse::<u64>().unwrap() < 8_000_000 {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    fixture.settle(2);
    let swapless = fs::read_to_string("/proc/swaps").unwrap().lines().count() < 2;
    let result = fixture.cgroup.update(&resources(r#"{"memory": {"limit": 1048576}}"#));
    if swapless {
        let error = result.unwrap_err();
        assert_eq!(error.errno, libc::EBUSY, "{}", error.message);
        assert_eq!(error.pointer.as_deref(), Some("/linux/resources/memory/limit"));
    }
}

#[test]
fn real_device_list() {
    let Some(mut fixture) = Fixture::created("devices") else { return };
    if !fixture.has("devices") {
        return;
    }
    let open = "exec 9</dev/kmsg";
    let zero = "exec 9</dev/zero";
    assert!(fixture.run(open).success());
    fixture.cgroup.apply(&resources("{}")).unwrap();
    let defaults = fixture.read("devices", "devices.list");
    assert_eq!(defaults.lines().count(), 10, "{defaults}");
    assert!(!fixture.run(open).success());
    assert!(fixture.run(zero).success());

    let kmsg =
        r#"{"devices": [{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}"#;
    fixture.cgroup.update(&resources(kmsg)).unwrap();
    assert!(fixture.run(open).success() && !fixture.run("exec 9>/dev/kmsg").success());
    fixture.cgroup.update(&resources(r#"{"pids": {"limit": 100}}"#)).unwrap();
    assert!(fixture.run(open).success(), "an update without devices leaves them");
    fixture.cgroup.update(&resources(r#"{"devices": []}"#)).unwrap();
    assert_eq!(fixture.read("devices", "devices.list"), defaults);
    fixture
        .cgroup
        .update(&resources(r#"{"devices": [{"allow": true}, {"allow": false, "type": "c", "major": 1, "minor": 11}]}"#))
        .unwrap();
    assert!(!fixture.run(open).success() && fixture.run(zero).success());
    fixture.cgroup.update(&resources(r#"{"devices": [{"allow": true}]}"#)).unwrap();
    assert!(fixture.run(open).success());
}

#[test]
fn real_kill_and_processes() {
    let Some(mut fixture) = Fixture::created("kill") else { return };
    let pids = [fixture.spawn("sleep 100 & sleep 100; :"), fixture.spawn("exec sleep 100")];
    let found = fixture.settle(4);
    assert!(pids.iter().all(|pid| found.contains(pid)), "{found:?}");
    let start = Instant::now();
    fixture.cgroup.kill().unwrap();
    fixture.cgroup.remove().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1));
    fixture.reap();
    assert!(!Path::new(fixture.cgroup.paths().next().unwrap().1).exists());
}

/// Without `cgroup.kill`: processes that multiply, and some in a cgroup of their own below.
#[test]
fn real_kill_on_version_1_alone() {
    let Some(mut fixture) = Fixture::only("killv1", Version::V1) else { return };
    fixture.spawn("while :; do sleep 0.001 & sleep 0.001 & wait; done");
    fixture.spawn("trap '' TERM; sleep 100; :");
    let inner = fixture.file("freezer", "inner");
    fs::create_dir(&inner).unwrap();
    let third = fixture.spawn("exec sleep 100");
    fs::write(inner.join("cgroup.procs"), third.to_string()).unwrap();
    fixture.cgroup.kill().unwrap();
    assert!(fixture.cgroup.processes().unwrap().is_empty());
    fixture.cgroup.remove().unwrap();
    fixture.reap();
}

/// A process that writes ever more shows whether it runs.
fn freeze_and_thaw(fixture: &mut Fixture) {
    let file = std::env::temp_dir().join(&fixture.top);
    fixture.spawn(&format!("while :; do echo >> {}; done", file.display()));
    let size = || fs::metadata(&file).map_or(0, |data| data.len());
    let grows = || {
        let before = size();
        (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            size() > before
        })
    };
    let stands = || {
        let before = size();
        std::thread::sleep(Duration::from_millis(100));
        size() == before
    };
    assert!(grows() && !fixture.cgroup.is_frozen().unwrap());
    fixture.cgroup.freeze(true).unwrap();
    assert!(fixture.cgroup.is_frozen().unwrap() && stands());
    fixture.cgroup.freeze(false).unwrap();
    assert!(!fixture.cgroup.is_frozen().unwrap() && grows());
    // What is frozen can be killed.
    fixture.cgroup.freeze(true).unwrap();
    fixture.cgroup.kill().unwrap();
    fixture.cgroup.remove().unwrap();
    fs::remove_file(&file).unwrap();
}

#[test]
fn real_freeze_on_version_1_alone() {
    let Some(mut fixture) = Fixture::only("freezev1", Version::V1) else { return };
    freeze_and_thaw(&mut fixture);
}

#[test]
fn real_freeze_by_the_unified_hierarchy() {
    let Some(mut fixture) = Fixture::created("freeze") else { return };
    freeze_and_thaw(&mut fixture);
}

/// What the kernel refuses leaves everything as it was, what has a line a device as well.
#[test]
fn real_an_update_is_all_or_nothing() {
    let Some(fixture) = Fixture::created("undone") else { return };
    if !["memory", "cpu", "pids", "cpuset", "devices"].iter().all(|name| fixture.has(name)) {
        return;
    }
    let old = r#"{"memory": {"limit": 67108864, "swap": 67108864}, "cpu": {"shares": 512, "quota": 9000}, "pids": {"limit": 7}}"#;
    fixture.cgroup.apply(&resources(old)).unwrap();
    let files = [
        ("memory", "memory.limit_in_bytes"),
        ("memory", "memory.memsw.limit_in_bytes"),
        ("memory", "memory.oom_control"),
        ("cpu", "cpu.shares"),
        ("cpu", "cpu.idle"),
        ("cpu", "cpu.cfs_quota_us"),
        ("cpu", "cpu.cfs_period_us"),
        ("pids", "pids.max"),
        ("devices", "devices.list"),
    ];
    let all = || files.map(|(controller, file)| fixture.read(controller, file));
    let before = all();
    for new in [
        r#"{"memory": {"limit": 33554432, "swap": 33554432, "disableOOMKiller": true}, "cpu": {"idle": 1, "cpus": "4000"}}"#,
        r#"{"memory": {"limit": 134217728, "swap": 134217728}, "cpu": {"shares": 2, "quota": -1, "period": 50000, "cpus": "4000"}}"#,
        r#"{"pids": {"limit": -1}, "cpu": {"mems": "900"}, "devices": [{"allow": true}]}"#,
    ] {
        let error = fixture.cgroup.update(&resources(new)).unwrap_err();
        assert!(!error.message.contains("put back"), "{}", error.message);
        assert_eq!(all(), before, "{new}");
    }
}

/// The parent forbids what is asked for, in the middle of the list.
#[test]
fn real_a_device_list_that_is_refused() {
    let Some(fixture) = Fixture::created("parent") else { return };
    if !fixture.has("devices") {
        return;
    }
    fixture.cgroup.apply(&resources("{}")).unwrap();
    let own = fixture.file("devices", "devices.list");
    let parent = own.ancestors().nth(2).unwrap();
    fs::write(parent.join("devices.deny"), "c 10:200 rwm").unwrap();
    let before = fixture.read("devices", "devices.list");
    let wish = r#"{"pids": {"limit": 9}, "devices": [{"allow": true, "type": "c", "major": 1, "minor": 11},
                   {"allow": true, "type": "c", "major": 10, "minor": 200}]}"#;
    let error = fixture.cgroup.update(&resources(wish)).unwrap_err();
    assert_eq!((error.errno, error.pointer.as_deref()), (libc::EPERM, Some("/linux/resources/devices")));
    assert_eq!(fixture.read("devices", "devices.list"), before);
    if fixture.has("pids") {
        assert_eq!(fixture.read("pids", "pids.max"), "max");
    }
}
