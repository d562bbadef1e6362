// SPDX-License-Identifier: Apache-2.0
//! Namespaces: new ones, joined ones, and what lives in them.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::common::{Beside, until};
use crate::{edit, lab};

/// The names of config.json, and those of /proc/PID/ns.
const KINDS: [(&str, &str); 8] = [
    ("cgroup", "cgroup"),
    ("ipc", "ipc"),
    ("mount", "mnt"),
    ("network", "net"),
    ("pid", "pid"),
    ("time", "time"),
    ("user", "user"),
    ("uts", "uts"),
];
const READ_ALL: &str = "cd /proc/$$/ns; for kind in cgroup ipc mnt net pid time user uts; do readlink $kind; done";

fn own(name: &str) -> String {
    of("self", name)
}

fn of(process: impl ToString, name: &str) -> String {
    let link = fs::read_link(format!("/proc/{}/ns/{name}", process.to_string())).unwrap();
    link.to_str().unwrap().to_owned()
}

#[test]
fn the_container_has_the_new_namespaces_and_no_other() {
    let lab = lab();
    let seen = lab.sh(READ_ALL, |spec| edit::remove_namespace(spec, "ipc"));
    for ((kind, name), seen) in KINDS.iter().zip(seen.lines()) {
        let is_new = !["ipc", "time", "user"].contains(kind);
        assert_eq!(seen != own(name), is_new, "{kind}: {seen}, the host's is {}", own(name));
    }
}

#[test]
fn with_only_a_mount_namespace_the_rest_is_the_hosts() {
    let lab = lab();
    let seen = lab.sh(READ_ALL, |spec| {
        for kind in ["pid", "network", "ipc", "uts", "cgroup"] {
            edit::remove_namespace(spec, kind);
        }
    });
    for ((kind, name), seen) in KINDS.iter().zip(seen.lines()) {
        assert_eq!(seen != own(name), *kind == "mount", "{kind}");
    }
}

#[test]
fn each_kind_is_joined_by_its_path() {
    let holder = lab();
    holder.write(&["sleep", "1000"], |spec| edit::namespace(spec, "time", None));
    let pid = holder.pid(&holder.launch("holder"));
    for kind in ["cgroup", "ipc", "network", "pid", "time", "uts"] {
        let name = KINDS.iter().find(|known| known.0 == kind).unwrap().1;
        let path = format!("/proc/{pid}/ns/{name}");
        let lab = lab();
        let seen = lab.sh(&format!("readlink /proc/self/ns/{name}"), |spec| {
            edit::namespace(spec, kind, Some(&path));
        });
        assert_eq!(seen, of(pid, name), "{kind}");
    }
}

#[test]
fn a_mount_namespace_is_joined_by_its_path() {
    let holder = Beside::start(Command::new("unshare").args(["--mount", "sleep", "1000"]));
    until("the holder has its namespace", || of(holder.pid(), "mnt") != own("mnt"));
    let lab = lab();
    let path = format!("/proc/{}/ns/mnt", holder.pid());
    let seen = lab.sh("readlink /proc/self/ns/mnt", |spec| edit::namespace(spec, "mount", Some(&path)));
    assert_eq!(seen, of(holder.pid(), "mnt"));
}

#[test]
fn a_user_namespace_is_joined_by_its_path() {
    let holder = lab();
    holder.write(&["sleep", "1000"], edit::user_namespace);
    let pid = holder.pid(&holder.launch("holder"));
    let lab = lab();
    let path = format!("/proc/{pid}/ns/user");
    let seen = lab.sh("readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map", |spec| {
        edit::namespace(spec, "user", Some(&path));
    });
    let map = format!("{} 0 {:>10} {:>10}", "", edit::FIRST_ID, 65536);
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[..2], [of(pid, "user").as_str(), "0"]);
    assert!(lines[2].split_whitespace().eq(map.split_whitespace()), "{seen}");
}

/// As containerd and podman do it, which repeat the mappings.
#[test]
fn mappings_beside_a_user_namespace_to_join_must_be_its_own() {
    let holder = lab();
    holder.write(&["sleep", "1000"], edit::user_namespace);
    let path = format!("/proc/{}/ns/user", holder.pid(&holder.launch("holder")));
    let joined = |spec: &mut serde_json::Value| {
        edit::user_namespace(spec);
        edit::namespace(spec, "user", Some(&path));
    };
    assert_eq!(lab().sh("id -u", joined), "0");
    let range = json!({ "containerID": 0, "hostID": edit::FIRST_ID, "size": 10 });
    for name in ["uidMappings", "gidMappings"] {
        let lab = lab();
        lab.write(&["true"], |spec| {
            joined(spec);
            spec["linux"][name] = json!([range]);
        });
        let error = lab.run().failure();
        for text in [&format!("/linux/{name}: "), "0 100000 10", "differs from", "0 100000 65536"] {
            assert!(error.contains(text), "{text:?} is not in {error}");
        }
        lab.assert_clean();
    }
}

/// As the containers of a pod are.
#[test]
fn several_namespaces_of_another_container_are_joined() {
    let first = lab();
    first.write(&["sleep", "1000"], |spec| {
        edit::user_namespace(spec);
        edit::namespace(spec, "time", None);
    });
    let pid = first.pid(&first.launch("first"));
    let joined = ["ipc", "network", "pid", "time", "user", "uts"];
    let second = lab();
    let seen = second.sh(READ_ALL, |spec| {
        for (kind, name) in KINDS.iter().filter(|(kind, _)| joined.contains(kind)) {
            edit::namespace(spec, kind, Some(&format!("/proc/{pid}/ns/{name}")));
        }
    });
    for ((kind, name), seen) in KINDS.iter().zip(seen.lines()) {
        assert_eq!(seen == of(pid, name), joined.contains(kind), "{kind}");
    }
}

#[test]
fn clocks_are_moved_in_a_time_namespace() {
    const WEEK: f64 = 604_800.0;
    let uptime = |text: &str| text.split(' ').next().unwrap().parse::<f64>().unwrap();
    let lab = lab();
    let before = uptime(&fs::read_to_string("/proc/uptime").unwrap());
    let seen = lab.sh("cat /proc/uptime; readlink /proc/self/ns/time", |spec| {
        edit::namespace(spec, "time", None);
        spec["linux"]["timeOffsets"] = json!({
            "boottime": { "secs": WEEK as u64, "nanosecs": 5 },
            "monotonic": { "secs": 86_400 },
        });
    });
    let (clock, link) = seen.split_once('\n').unwrap();
    let moved = uptime(clock) - before;
    assert!((WEEK..WEEK + 60.0).contains(&moved), "moved by {moved}");
    assert_ne!(link, own("time"));
}

#[test]
fn the_loopback_interface_is_up() {
    let flags = lab().sh(
        "cat /sys/class/net/lo/flags; ls /sys/class/net; ping -c 1 -w 5 127.0.0.1 >/dev/null && echo ok",
        |spec| {
            spec["process"]["capabilities"]["bounding"] = json!(["CAP_NET_RAW"]);
            spec["process"]["capabilities"]["permitted"] = json!(["CAP_NET_RAW"]);
            spec["process"]["capabilities"]["effective"] = json!(["CAP_NET_RAW"]);
        },
    );
    assert_eq!(flags, "0x9\nlo\nok");
}

#[test]
fn names_are_set_for_the_container_alone() {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let seen = lab().sh("hostname; cat /proc/sys/kernel/domainname", |spec| {
        spec["hostname"] = json!("ship.test");
        spec["domainname"] = json!("fleet.test");
    });
    assert_eq!(seen, "ship.test\nfleet.test");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), host);
}

#[test]
fn sysctls_are_set_for_the_container_alone() {
    let host = fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap();
    let table = [
        ("net.ipv4.ip_default_ttl", "net/ipv4/ip_default_ttl", "33"),
        ("net/ipv4/conf/lo/log_martians", "net/ipv4/conf/lo/log_martians", "1"),
        ("net.ipv4.conf.lo.rp_filter", "net/ipv4/conf/lo/rp_filter", "2"),
        ("kernel.shm_rmid_forced", "kernel/shm_rmid_forced", "1"),
        ("kernel.msgmax", "kernel/msgmax", "4096"),
        ("fs.mqueue.msg_max", "fs/mqueue/msg_max", "7"),
    ];
    let script: String = table.iter().map(|(_, file, _)| format!("cat /proc/sys/{file};")).collect();
    let seen = lab().sh(&script, |spec| {
        spec["linux"]["sysctl"] = table.iter().map(|(name, _, value)| (name.to_string(), json!(value))).collect();
    });
    assert_eq!(seen.lines().collect::<Vec<_>>(), table.map(|(.., value)| value));
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap(), host);
}

/// A path may lead to the namespace that the caller is in.
#[test]
fn what_would_be_set_for_the_host_is_refused() {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for (kind, name, sysctl) in [
        ("network", "net", Some("net.ipv4.ip_default_ttl")),
        ("ipc", "ipc", Some("kernel.msgmax")),
        ("uts", "uts", Some("kernel.domainname")),
        ("uts", "uts", None),
    ] {
        let lab = lab();
        lab.write(&["true"], |spec| {
            edit::namespace(spec, kind, Some(&format!("/proc/{}/ns/{name}", std::process::id())));
            match sysctl {
                Some(sysctl) => spec["linux"]["sysctl"] = json!({ sysctl: "77" }),
                None => spec["hostname"] = json!("ship.test"),
            }
        });
        let error = lab.run().failure();
        let pointer = sysctl.map_or("/hostname".to_owned(), |sysctl| format!("/linux/sysctl/{sysctl}"));
        assert!(error.contains(&format!("{pointer}: would be set for the host, whose own namespace")), "{error}");
        lab.assert_clean();
    }
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), hostname);
}

#[test]
fn offsets_that_clocks_cannot_have_are_refused() {
    let lab = lab();
    for (offsets, texts) in [
        (json!({ "monotonic": { "secs": 1, "nanosecs": 1_000_000_000 } }), ["/monotonic/nanosecs: ", "999999999"]),
        (json!({ "boottime": { "nanosecs": -1 } }), ["/boottime/nanosecs: ", "a whole number from 0"]),
        (json!({ "realtime": { "secs": 1 } }), ["/realtime: ", "there are monotonic and boottime"]),
        // What only the kernel knows: the clock would be before 0.
        (
            json!({ "monotonic": { "secs": -4_000_000_000_i64 } }),
            [": ", "cannot write the value: Numerical result out of range"],
        ),
    ] {
        lab.write(&["true"], |spec| {
            edit::namespace(spec, "time", None);
            spec["linux"]["timeOffsets"] = offsets.clone();
        });
        let error = lab.run().failure();
        assert!(error.contains("/linux/timeOffsets") && texts.iter().all(|text| error.contains(text)), "{error}");
        lab.assert_clean();
    }
    lab.write(&["true"], |spec| spec["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 1 } }));
    let error = lab.run().failure();
    assert!(error.contains("/linux/timeOffsets: offsets need a new time namespace"), "{error}");
}
