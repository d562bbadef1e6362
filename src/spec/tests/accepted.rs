// SPDX-License-Identifier: Apache-2.0
//! What must not be refused, and what it becomes.

use std::path::Path;

use super::*;

fn accepted(changes: &[(&str, Value)]) -> Spec {
    load(with(changes).as_bytes()).unwrap_or_else(|error| panic!("{changes:?}: {error}"))
}

#[test]
fn versions() {
    for version in ["1.0.0", "1.0.2-dev", "1.1.0-rc.1", "1.3.0", "1.99.12+build.5", "1.2.1-0a.b-c+x"] {
        accepted(&[("/ociVersion", json!(version))]);
    }
}

#[test]
fn what_is_not_for_linux_or_not_known() {
    let spec = accepted(&[
        ("/windows", json!("nonsense")),
        ("/solaris", json!(5)),
        ("/zos", json!([])),
        ("/freebsd", json!({ "jail": 1 })),
        ("/vm", json!({ "kernel": 7 })),
        ("/uidMappings", json!("old")),
        ("/process/unknown", json!({ "type": 1 })),
        ("/unknown", json!("with \0")),
        ("/linux/unknown", json!({})),
        ("/mounts/0/unknown", json!(1)),
    ]);
    assert!(spec.windows().is_none() && spec.vm().is_none());
}

#[test]
fn what_is_empty_is_not_there() {
    let spec = accepted(&[
        ("/hostname", json!("")),
        ("/domainname", json!("")),
        ("/process/apparmorProfile", json!("")),
        ("/process/selinuxLabel", json!("")),
        ("/linux/mountLabel", json!("")),
        ("/linux/cgroupsPath", json!("")),
        ("/linux/rootfsPropagation", json!("")),
        ("/linux/netDevices", json!({})),
        ("/linux/timeOffsets", json!({})),
        ("/linux/uidMappings", json!([])),
        ("/linux/namespaces/0/path", json!("")),
        ("/mounts/1/uidMappings", json!([])),
    ]);
    assert_eq!((spec.hostname(), spec.domainname()), (&None, &None));
    let linux = spec.linux().as_ref().unwrap();
    assert_eq!((linux.cgroups_path(), linux.rootfs_propagation()), (&None, &None));
    assert_eq!(linux.namespaces().as_ref().unwrap()[0].path(), &None);
}

#[test]
fn null_is_not_there() {
    let mut document = default();
    for member in ["mounts", "hooks", "annotations", "hostname"] {
        document[member] = Value::Null;
    }
    document["process"]["capabilities"] = Value::Null;
    document["linux"]["resources"] = Value::Null;
    document["linux"]["intelRdt"] = Value::Null;
    load(document.to_string().as_bytes()).unwrap();
}

#[test]
fn a_user_is_root_unless_told() {
    let spec = accepted(&[("/process/user", json!(null))]);
    let user = spec.process().as_ref().unwrap().user();
    assert_eq!((user.uid(), user.gid()), (0, 0));
}

#[test]
fn a_limit_of_processes_may_be_missing() {
    let limit = |value: Value| {
        let spec = accepted(&[("/linux/resources/pids", value)]);
        spec.linux().as_ref().unwrap().resources().as_ref().unwrap().pids().map(|pids| pids.limit())
    };
    assert_eq!(limit(json!({})), None);
    assert_eq!(limit(json!({ "limit": 0 })), Some(0));
    assert_eq!(limit(json!({ "limit": -1 })), Some(-1));
}

#[test]
fn relative_destinations_are_below_the_root() {
    let spec = accepted(&[("/mounts/-", json!({ "destination": "data", "type": "tmpfs" }))]);
    assert_eq!(spec.mounts().as_ref().unwrap()[7].destination(), Path::new("/data"));
}

#[test]
fn mounts() {
    for mount in [
        json!({ "destination": "/a", "type": "bind", "source": "b" }),
        json!({ "destination": "/a", "source": "b", "options": ["bind", "ro", "rw"] }),
        json!({ "destination": "/dev", "type": "tmpfs" }),
        json!({ "destination": "/dev", "options": ["remount", "ro"] }),
        json!({ "destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"] }),
        json!({ "destination": "/proc/", "type": "proc", "source": "proc" }),
        json!({ "destination": "/proc/cpuinfo", "source": "x", "options": ["bind"] }),
        json!({ "destination": "/processes", "type": "tmpfs" }),
        json!({ "destination": "/a/..b/c..", "type": "tmpfs" }),
    ] {
        accepted(&[("/mounts/-", mount)]);
    }
}

#[test]
fn namespaces_to_join() {
    let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
    let user = json!({ "type": "user", "path": "/proc/1/ns/user" });
    accepted(&[("/linux/namespaces/-", user.clone())]);
    // As containerd, CRI-O and podman do it.
    accepted(&[("/linux/namespaces/-", user), ("/linux/uidMappings", ids.clone()), ("/linux/gidMappings", ids)]);
    accepted(&[("/linux/namespaces/4/path", json!("/proc/1/ns/mnt"))]);
    accepted(&[
        ("/linux/namespaces/-", json!({ "type": "time" })),
        ("/linux/timeOffsets", json!({ "monotonic": { "secs": -5 }, "boottime": { "nanosecs": 999_999_999 } })),
    ]);
}

#[test]
fn sysctls() {
    for name in [
        "net.ipv4.ip_forward",
        "net/ipv4/conf/eth0.1/rp_filter",
        "net.ipv4.conf.eth0/1.rp_filter",
        "kernel.shmmax",
        "fs.mqueue.msg_max",
        "kernel.domainname",
        "kernel/shm_rmid_forced",
    ] {
        accepted(&[("/linux/sysctl", json!({ name: "1" }))]);
    }
    accepted(&[("/domainname", json!("a")), ("/linux/sysctl", json!({ "kernel.domainname": "a" }))]);
}

#[test]
fn schedulers() {
    let flags = [
        "SCHED_FLAG_RESET_ON_FORK",
        "SCHED_FLAG_RECLAIM",
        "SCHED_FLAG_DL_OVERRUN",
        "SCHED_FLAG_KEEP_POLICY",
        "SCHED_FLAG_KEEP_PARAMS",
        "SCHED_FLAG_UTIL_CLAMP_MIN",
        "SCHED_FLAG_UTIL_CLAMP_MAX",
    ];
    for scheduler in [
        json!({ "policy": "SCHED_OTHER", "nice": -20, "flags": flags }),
        json!({ "policy": "SCHED_BATCH", "nice": 19, "priority": 0, "runtime": 0 }),
        json!({ "policy": "SCHED_IDLE" }),
        json!({ "policy": "SCHED_ISO" }),
        json!({ "policy": "SCHED_FIFO", "priority": 1 }),
        json!({ "policy": "SCHED_RR", "priority": 99 }),
        // As the tests of runc have it.
        json!({ "policy": "SCHED_DEADLINE", "nice": 19, "runtime": 42_000, "deadline": 1_000_000, "period": 1_000_000 }),
        json!({ "policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024 }),
    ] {
        let spec = accepted(&[("/process/scheduler", scheduler)]);
        let found = spec.process().as_ref().unwrap().scheduler().as_ref().unwrap().flags().as_ref().map_or(0, Vec::len);
        assert!([0, flags.len()].contains(&found));
    }
}

#[test]
fn the_rest() {
    let unlimited = json!({ "type": "RLIMIT_CORE", "soft": 0, "hard": u64::MAX });
    for (at, value) in [
        ("/process/rlimits/-", unlimited),
        ("/process/oomScoreAdj", json!(-1000)),
        ("/process/env", json!(["A=", "B==", "C=x y", "A=again"])),
        ("/process/user/umask", json!(0o777)),
        ("/process/capabilities", json!({ "bounding": ["CAP_CHOWN", "chown", "cap_kill"] })),
        ("/process/execCPUAffinity", json!({ "initial": "0-3,7", "final": "1" })),
        ("/process/execCPUAffinity", json!({ "initial": "", "final": "" })),
        ("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 7 })),
        ("/linux/personality", json!({ "domain": "LINUX", "flags": [] })),
        ("/linux/memoryPolicy", json!({ "mode": "MPOL_PREFERRED", "nodes": "" })),
        ("/linux/intelRdt", json!({})),
        ("/linux/intelRdt", json!({ "closID": "", "schemata": [], "l3CacheSchema": "", "memBwSchema": "" })),
        ("/linux/intelRdt", json!({ "closID": "/", "l3CacheSchema": "L3:0=f\nMB:0=1\n", "enableCMT": true })),
        ("/linux/memoryPolicy", json!({ "mode": "MPOL_BIND", "nodes": "0-1,7", "flags": ["MPOL_F_NUMA_BALANCING"] })),
        ("/linux/devices/-", json!({ "path": "/dev/fifo", "type": "p" })),
        ("/linux/devices/-", json!({ "path": "/x", "type": "u", "major": 10, "minor": 229, "fileMode": 0o20666 })),
        ("/linux/resources/memory", json!({ "limit": 100_000, "reservation": 200_000, "swap": -1 })),
        ("/linux/resources/devices/-", json!({ "allow": true, "type": "c", "major": 5, "access": "rwm" })),
        ("/linux/cgroupsPath", json!("system.slice:brig:x..y")),
        ("/linux/rootfsPropagation", json!("rslave")),
        ("/hooks/prestart/-", json!({ "path": "/bin/hook", "timeout": 1 })),
        ("/annotations", json!({ "org.example/x": "" })),
        ("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38 })),
        // Ignored where nothing is notified of.
        ("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "x", "listenerMetadata": "" })),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x", "listenerMetadata": "{}",
                "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
                "syscalls": [{ "names": ["write", "execve"], "action": "SCMP_ACT_NOTIFY" }] }),
        ),
    ] {
        accepted(&[(at, value)]);
    }
    // Sizes count with a terminal only.
    accepted(&[
        ("/process/terminal", json!(false)),
        ("/process/consoleSize", json!({ "height": 1 << 20, "width": 1 })),
    ]);
    accepted(&[(
        "/linux/devices",
        json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": 1 }, { "path": "/dev/x", "type": "u", "major": 1, "minor": 1 }]),
    )]);
}
