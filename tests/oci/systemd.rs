// SPDX-License-Identifier: Apache-2.0
//! The systemd driver: scopes of real containers, their properties beside the files of cgroupfs, and their end. They
//! need systemd as process 1 and cgroup version 2 alone, as in the guest of `make test-vm`.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Done, Lab, skip};
use crate::{edit, lab};

/// Whether systemd is process 1 here.
pub fn is_booted() -> bool {
    let booted = Path::new("/run/systemd/system").is_dir();
    if !booted {
        skip("systemd is not process 1 here (no /run/systemd/system)");
    }
    booted
}

/// `brig --systemd-cgroup ...`
fn brig(lab: &Lab, args: &[&str]) -> Done {
    lab.brig(&[&["--systemd-cgroup"], args].concat())
}

/// A container that sleeps; its id.
#[track_caller]
fn sleeping(lab: &Lab, edit: impl FnOnce(&mut Value)) -> String {
    lab.write(&["sh", "-c", "cat /proc/self/cgroup > /tmp/cgroup; exec sleep 1000"], |spec| {
        edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &[]);
        edit(spec);
    });
    let id = lab.id("scope");
    brig(lab, &["create", &id]).success();
    lab.brig(&["start", &id]).success();
    id
}

/// A property of a unit, as `systemctl show` prints it.
pub fn property(unit: &str, name: &str) -> String {
    let shown = Command::new("systemctl").args(["show", "--value", "-p", name, unit]).output().unwrap();
    String::from_utf8_lossy(&shown.stdout).trim().to_owned()
}

/// The cgroup of a process.
fn cgroup(pid: i32) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    Path::new("/sys/fs/cgroup").join(text.trim().strip_prefix("0::/").unwrap())
}

#[test]
fn a_container_lives_in_a_scope() {
    if !is_booted() {
        return;
    }
    for edit in [edit::nothing, edit::user_namespace] {
        let lab = lab();
        let id = sleeping(&lab, edit);
        let scope = format!("brig-{id}.scope");
        let place = cgroup(lab.pid(&id));
        assert_eq!(place, Path::new("/sys/fs/cgroup/system.slice").join(&scope));
        for (name, expected) in [
            ("ActiveState", "active"),
            ("Slice", "system.slice"),
            ("Delegate", "yes"),
            ("Transient", "yes"),
            ("DefaultDependencies", "no"),
            ("Description", &format!("brig container {id}")),
            ("ControlGroup", place.to_str().unwrap().strip_prefix("/sys/fs/cgroup").unwrap()),
        ] {
            assert_eq!(property(&scope, name), expected, "{name}");
        }
        // The cgroup namespace starts at the scope, so that it was made in there.
        assert_eq!(lab.brig(&["exec", &id, "cat", "/tmp/cgroup", "/proc/self/cgroup"]).success(), "0::/\n0::/");
        lab.brig(&["pause", &id]).success();
        lab.await_status(&id, "paused");
        lab.brig(&["resume", &id]).success();
        lab.brig(&["delete", "--force", &id]).success();
        assert_eq!(property(&scope, "LoadState"), "not-found");
        assert!(!place.exists());
        lab.assert_clean();
    }
}

#[test]
fn run_leaves_no_unit() {
    if !is_booted() {
        return;
    }
    let lab = lab();
    lab.write(&["sh", "-c", "exit 7"], edit::nothing);
    let id = lab.id("run");
    assert_eq!(brig(&lab, &["run", &id]).code(), Some(7));
    assert_eq!(property(&format!("brig-{id}.scope"), "LoadState"), "not-found");
    // Nor does one that fails on the way.
    lab.write(&["/nosuch"], edit::nothing);
    brig(&lab, &["run", &id]).failure();
    assert_eq!(property(&format!("brig-{id}.scope"), "LoadState"), "not-found");
    lab.assert_clean();
}

#[test]
fn properties_and_files_agree() {
    if !is_booted() {
        return;
    }
    let lab = lab();
    let id = sleeping(&lab, |spec| {
        spec["linux"]["resources"] = json!({
            "memory": { "limit": 64 << 20, "reservation": 32 << 20, "swap": 96 << 20 },
            "cpu": { "shares": 2048, "quota": 33_333, "period": 100_000, "cpus": "0", "mems": "0" },
            "pids": { "limit": 33 },
            "unified": { "memory.high": "50331648" },
        });
    });
    let (scope, place) = (format!("brig-{id}.scope"), cgroup(lab.pid(&id)));
    for (file, text, name, shown) in [
        ("memory.max", "67108864", "MemoryMax", "67108864"),
        ("memory.high", "50331648", "MemoryHigh", "50331648"),
        ("memory.low", "33554432", "MemoryLow", "33554432"),
        ("memory.swap.max", "33554432", "MemorySwapMax", "33554432"),
        ("cpu.weight", "174", "CPUWeight", "174"),
        ("cpu.max", "33333 100000", "CPUQuotaPerSecUSec", "340ms"),
        ("cpuset.cpus", "0", "AllowedCPUs", "0"),
        ("cpuset.mems", "0", "AllowedMemoryNodes", "0"),
        ("pids.max", "33", "TasksMax", "33"),
    ] {
        assert_eq!(fs::read_to_string(place.join(file)).unwrap().trim(), text, "{file}");
        assert_eq!(property(&scope, name), shown, "{name}");
    }
    assert_eq!(property(&scope, "DevicePolicy"), "strict");
    let allowed = property(&scope, "DeviceAllow");
    for device in ["/dev/char/1:3 rwm", "char-pts rwm", "char-* m", "block-* m"] {
        assert!(allowed.contains(device), "{device} is not in {allowed}");
    }
    assert_eq!(
        lab.brig(&["exec", &id, "sh", "-c", "echo x > /dev/null && head -c 1 /dev/zero | wc -c"]).success(),
        "1"
    );
}

#[test]
fn the_scope_is_where_the_spec_says() {
    if !is_booted() {
        return;
    }
    for (path, below) in [
        ("machine.slice:libpod:ID", "machine.slice/libpod-ID.scope"),
        ("brigtest-one-two.slice:x:ID", "brigtest.slice/brigtest-one.slice/brigtest-one-two.slice/x-ID.scope"),
        ("-.slice::ID", "ID.scope"),
        ("::ID", "system.slice/ID.scope"),
    ] {
        let lab = lab();
        let name = lab.id("scope");
        let id = sleeping(&lab, |spec| spec["linux"]["cgroupsPath"] = json!(path.replace("ID", &name)));
        assert_eq!(cgroup(lab.pid(&id)), Path::new("/sys/fs/cgroup").join(below.replace("ID", &name)));
        lab.brig(&["delete", "--force", &id]).success();
        lab.assert_clean();
    }
    // A slice that systemd made for a scope it keeps: that is nothing of brig's.
    Command::new("systemctl").args(["stop", "brigtest.slice"]).status().unwrap();
}

#[test]
fn annotations_set_properties() {
    if !is_booted() {
        return;
    }
    let lab = lab();
    let id = sleeping(&lab, |spec| {
        spec["annotations"] = json!({
            "org.systemd.property.CollectMode": "'inactive-or-failed'",
            "org.systemd.property.TimeoutStopUSec": "uint64 3000000",
            "org.systemd.property.RuntimeMaxSec": "4000",
            "org.systemd.property.Documentation": "['man:brig(8)']",
        });
    });
    let scope = format!("brig-{id}.scope");
    for (name, shown) in [
        ("CollectMode", "inactive-or-failed"),
        ("TimeoutStopUSec", "3s"),
        ("RuntimeMaxUSec", "1h 6min 40s"),
        ("Documentation", "man:brig(8)"),
    ] {
        let found = property(&scope, name);
        assert!(found.contains(shown), "{name}: {found}");
    }
}

/// systemd's own refusal is told, and nothing stays.
#[test]
fn a_property_that_systemd_does_not_take() {
    if !is_booted() {
        return;
    }
    let lab = lab();
    lab.write(&["true"], |spec| spec["annotations"] = json!({ "org.systemd.property.NoSuchThing": "true" }));
    let id = lab.id("run");
    let error = brig(&lab, &["run", &id]).failure();
    assert!(error.contains(&format!("brig-{id}.scope: cannot start it: systemd:")), "{error}");
    assert!(error.contains("NoSuchThing"), "{error}");
    assert_eq!(property(&format!("brig-{id}.scope"), "LoadState"), "not-found");
    lab.assert_clean();
}

/// Two containers cannot have one scope, and the first does not suffer from the second.
#[test]
fn a_scope_that_is_taken() {
    if !is_booted() {
        return;
    }
    let lab = lab();
    let path = format!("system.slice:brig:{}", lab.id("shared"));
    let id = sleeping(&lab, |spec| spec["linux"]["cgroupsPath"] = json!(path));
    let error = brig(&lab, &["create", &lab.id("second")]).failure();
    assert!(error.contains("already"), "{error}");
    lab.await_status(&id, "running");
    assert_eq!(property(&format!("brig-{}.scope", lab.id("shared")), "ActiveState"), "active");
}

/// What is no slice:prefix:name is refused before systemd is asked, so that this runs anywhere.
#[test]
fn bad_paths_and_annotations_are_refused() {
    let lab = lab();
    for (field, key, value, expected) in [
        ("linux", "cgroupsPath", json!("/some/where"), "/linux/cgroupsPath: \"/some/where\" is not slice:prefix:name"),
        ("linux", "cgroupsPath", json!("a.slice:b"), "/linux/cgroupsPath: \"a.slice:b\" is not slice:prefix:name"),
        ("linux", "cgroupsPath", json!("a:b:c"), "/linux/cgroupsPath: \"a\" is no slice: it does not end in"),
        ("linux", "cgroupsPath", json!("a--b.slice:b:c"), "/linux/cgroupsPath: \"a--b.slice\" is no slice: a part"),
        ("linux", "cgroupsPath", json!("a/b.slice:b:c"), "/linux/cgroupsPath: \"a/b.slice\" is no slice: units have"),
        ("linux", "cgroupsPath", json!("a.slice:b:"), "/linux/cgroupsPath: \"a.slice:b:\" has no name"),
        ("linux", "cgroupsPath", json!("a.slice:b:c/d"), "/linux/cgroupsPath: \"b-c/d.scope\" is no name"),
        (
            "annotations",
            "org.systemd.property.CollectMode",
            json!("inactive"),
            "/annotations/org.systemd.property.CollectMode: \"inactive\" is no value (texts need quotes)",
        ),
        (
            "annotations",
            "org.systemd.property.a-b",
            json!("1"),
            "/annotations/org.systemd.property.a-b: \"a-b\" is no name of a property",
        ),
        (
            "annotations",
            "org.systemd.property.TimeoutStopSec",
            json!("'soon'"),
            "/annotations/org.systemd.property.TimeoutStopSec: 'soon' is no number of seconds",
        ),
    ] {
        lab.write(&["true"], |spec| spec[field][key] = value);
        let error = brig(&lab, &["run", &lab.id("run")]).failure().replace("\\\"", "\"");
        assert!(error.contains(expected), "{error} is not {expected}");
        lab.assert_clean();
    }
}

#[test]
fn a_host_without_systemd() {
    if Path::new("/run/systemd/system").exists() {
        return skip("systemd is process 1 here");
    }
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let error = brig(&lab, &["run", &lab.id("run")]).failure();
    assert!(error.contains("the systemd driver: "), "{error}");
    lab.assert_clean();
}

/// A bus that takes what it is sent and never answers, and one that hangs up: an error in bounded time, and nothing made.
#[test]
fn a_systemd_that_does_not_answer() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let socket = lab.path.join("bus");
    let bus = UnixListener::bind(&socket).unwrap();
    let run = |lab: &Lab| {
        // What brig looks at, for a host that is not like that: the unified hierarchy alone, and that systemd was booted.
        let setup = "mount -t cgroup2 cgroup2 /sys/fs/cgroup; mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system";
        let mut command = lab.behind(setup, &lab.command(&["--systemd-cgroup", "run", &lab.id("run")]));
        command.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", socket.display()));
        let start = Instant::now();
        let error = lab.end(&mut command).failure();
        (error, start.elapsed())
    };
    let (error, took) = run(&lab);
    assert!(error.contains("cannot ask for its cgroup: systemd: no answer in time"), "{error}");
    assert!(took > Duration::from_secs(20) && took < Duration::from_secs(60), "{took:?}");
    lab.assert_clean();

    let hangs_up = std::thread::spawn(move || bus.incoming().take(2).for_each(drop));
    let (error, _) = run(&lab);
    assert!(error.contains("systemd: the bus hung up") || error.contains("systemd: cannot"), "{error}");
    hangs_up.join().unwrap();
    lab.assert_clean();
}
