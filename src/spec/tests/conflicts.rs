// SPDX-License-Identifier: Apache-2.0
//! Fields that are good by themselves and cannot be together, or not without another: each pair once, with what is told of
//! it. A value that nothing beside it makes wrong is in `refused` and `refused_linux`.

use super::*;

type Change = (&'static str, Value);

/// A conflict: what is good, what is added to it or taken out, and the mistake then. It may be in conflict with more.
struct Conflict {
    good: Vec<Change>,
    change: Change,
    pointer: &'static str,
    words: &'static str,
}

fn conflict(good: &[Change], change: Change, pointer: &'static str, words: &'static str) -> Conflict {
    Conflict { good: good.to_vec(), change, pointer, words }
}

/// The namespaces of the default without one, with one more.
fn namespaces(without: &str, more: &[&str]) -> Change {
    let kinds = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    let kinds = kinds.iter().filter(|kind| **kind != without).chain(more);
    ("/linux/namespaces", kinds.map(|kind| json!({ "type": kind })).collect())
}

fn ids() -> Value {
    json!([{ "containerID": 0, "hostID": 1000, "size": 10 }])
}

fn user_namespace() -> Vec<Change> {
    vec![namespaces("", &["user"]), ("/linux/uidMappings", ids()), ("/linux/gidMappings", ids())]
}

/// A bind mount with these members beside it.
fn bind(members: Value) -> Change {
    let mut mount = json!({ "destination": "/d", "source": "/s", "options": ["bind"] });
    members.as_object().unwrap().iter().for_each(|(key, value)| mount[key] = value.clone());
    ("/mounts/-", mount)
}

fn of_namespaces() -> Vec<Conflict> {
    let without = |kind: &str| namespaces(kind, &[]);
    let no_name = ("/hostname", Value::Null);
    let mapped = user_namespace();
    vec![
        conflict(&[], without("uts"), "/hostname", "needs a uts namespace"),
        conflict(
            &[no_name.clone(), ("/domainname", json!("d"))],
            without("uts"),
            "/domainname",
            "needs a uts namespace",
        ),
        conflict(
            &[("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }))],
            without("network"),
            "/linux/sysctl/net.ipv4.ip_forward",
            "needs a namespace of type network",
        ),
        conflict(
            &[("/linux/sysctl", json!({ "kernel.msgmax": "1" }))],
            without("ipc"),
            "/linux/sysctl/kernel.msgmax",
            "needs a namespace of type ipc",
        ),
        conflict(
            &[no_name, ("/linux/sysctl", json!({ "kernel.domainname": "d" }))],
            without("uts"),
            "/linux/sysctl/kernel.domainname",
            "needs a namespace of type uts",
        ),
        conflict(&[], ("/linux/sysctl", json!({ "kernel.hostname": "other" })), "/linux/sysctl/kernel.hostname", ""),
        conflict(
            &[("/linux/netDevices", json!({ "eth0": {} }))],
            without("network"),
            "/linux/netDevices",
            "need a network namespace",
        ),
        conflict(
            &[],
            ("/linux/namespaces/-", json!({ "type": "pid" })),
            "/linux/namespaces/6",
            "a second pid namespace",
        ),
        conflict(&[], without("mount"), "/linux/namespaces", "needs a mount namespace"),
        conflict(&mapped, ("/linux/uidMappings", Value::Null), "/linux/uidMappings", "is missing"),
        conflict(&mapped, ("/linux/gidMappings", Value::Null), "/linux/gidMappings", "is missing"),
        conflict(&[], ("/linux/uidMappings", ids()), "/linux/uidMappings", "need a user namespace"),
        conflict(&[], ("/linux/gidMappings", ids()), "/linux/gidMappings", "need a user namespace"),
        conflict(&mapped, ("/linux/uidMappings/-", ids()[0].clone()), "/linux/uidMappings/1/containerID", "overlaps"),
        conflict(&mapped, ("/process/user/uid", json!(10)), "/process/user/uid", "in none of the ranges"),
        conflict(&mapped, ("/process/user/gid", json!(10)), "/process/user/gid", "in none of the ranges"),
        conflict(
            &mapped,
            ("/process/user/additionalGids", json!([1, 10])),
            "/process/user/additionalGids/1",
            "in none of the ranges",
        ),
        conflict(
            &[namespaces("", &["time"]), ("/linux/timeOffsets", json!({ "boottime": { "secs": 1 } }))],
            without(""),
            "/linux/timeOffsets",
            "need a new time namespace",
        ),
    ]
}

fn of_processes() -> Vec<Conflict> {
    let set = |name: &str, list: Value| (format!("/process/capabilities/{name}").leak() as &'static str, list);
    let all =
        ["bounding", "effective", "permitted", "inheritable", "ambient"].map(|name| set(name, json!(["CAP_KILL"])));
    let scheduler = |members: Value| ("/process/scheduler", members);
    let fifo = [scheduler(json!({ "policy": "SCHED_FIFO", "priority": 1 }))];
    let deadline =
        [scheduler(json!({ "policy": "SCHED_DEADLINE", "runtime": 10_000, "deadline": 20_000, "period": 30_000 }))];
    let limit = json!({ "type": "RLIMIT_CORE", "soft": 1, "hard": 2 });
    vec![
        conflict(&all, set("permitted", json!([])), "/process/capabilities/effective", "without being permitted"),
        conflict(
            &[("/process/rlimits", json!([limit]))],
            ("/process/rlimits/0/soft", json!(3)),
            "/process/rlimits/0/soft",
            "at most the hard limit",
        ),
        conflict(
            &[("/process/rlimits", json!([limit]))],
            ("/process/rlimits/-", limit),
            "/process/rlimits/1/type",
            "is there twice",
        ),
        conflict(&fifo, ("/process/scheduler/policy", json!("SCHED_OTHER")), "/process/scheduler/priority", "has no"),
        conflict(&fifo, ("/process/scheduler/priority", json!(0)), "/process/scheduler/priority", "from 1 to 99"),
        conflict(&fifo, ("/process/scheduler/runtime", json!(1)), "/process/scheduler/runtime", "for SCHED_DEADLINE"),
        conflict(&fifo, ("/process/scheduler/deadline", json!(1)), "/process/scheduler/deadline", "for SCHED_DEADLINE"),
        conflict(&fifo, ("/process/scheduler/period", json!(1)), "/process/scheduler/period", "for SCHED_DEADLINE"),
        conflict(
            &deadline,
            ("/process/scheduler/runtime", json!(20_001)),
            "/process/scheduler/deadline",
            "the runtime",
        ),
        conflict(
            &deadline,
            ("/process/scheduler/deadline", json!(30_001)),
            "/process/scheduler/period",
            "the deadline",
        ),
    ]
}

fn of_mounts() -> Vec<Conflict> {
    let both = [bind(json!({ "uidMappings": ids(), "gidMappings": ids() }))];
    let last = "/mounts/7";
    let options = format!("{last}/options").leak() as &'static str;
    let tmpfs = json!({ "destination": "/d", "type": "tmpfs", "options": ["tmpcopyup"] });
    vec![
        conflict(&[bind(json!({}))], ("/mounts/7/source", Value::Null), "/mounts/7/source", "a bind mount needs it"),
        conflict(&both, ("/mounts/7/uidMappings", Value::Null), "/mounts/7/uidMappings", ""),
        conflict(&both, ("/mounts/7/gidMappings", Value::Null), "/mounts/7/gidMappings", ""),
        conflict(&both, (options, json!([])), "/mounts/7/type", ""),
        conflict(&both, ("/mounts/7", tmpfs_with_ids()), "/mounts/7/uidMappings", "only a bind mount"),
        conflict(&both, (options, json!(["remount", "bind"])), "/mounts/7/uidMappings", "mounted already"),
        conflict(&[bind(json!({}))], (options, json!(["bind", "idmap"])), "/mounts/7/options/1", "needs mappings"),
        conflict(
            &[("/mounts/-", tmpfs)],
            ("/mounts/7", json!({ "destination": "/d", "source": "/s", "options": ["bind", "tmpcopyup"] })),
            "/mounts/7/options/1",
            "of type tmpfs only",
        ),
    ]
}

fn tmpfs_with_ids() -> Value {
    json!({ "destination": "/d", "type": "tmpfs", "uidMappings": ids(), "gidMappings": ids() })
}

fn of_linux() -> Vec<Conflict> {
    let policy = |members: Value| ("/linux/memoryPolicy", members);
    let bound = [policy(json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }))];
    let device = json!({ "path": "/dev/x", "type": "c", "major": 1, "minor": 3 });
    let other = json!({ "path": "/dev/x", "type": "c", "major": 1, "minor": 5 });
    let devices = [("/linux/devices", json!([device]))];
    let told = json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/l", "listenerMetadata": "m",
        "syscalls": [{ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }] });
    let told = [("/linux/seccomp", told)];
    let moved = [("/linux/netDevices", json!({ "eth0": {} }))];
    vec![
        conflict(
            &bound,
            ("/linux/memoryPolicy", json!({ "mode": "MPOL_LOCAL", "nodes": "0" })),
            "/linux/memoryPolicy/nodes",
            "takes no nodes",
        ),
        conflict(&bound, ("/linux/memoryPolicy/nodes", Value::Null), "/linux/memoryPolicy/nodes", "is missing"),
        conflict(
            &bound,
            ("/linux/memoryPolicy/flags/-", json!("MPOL_F_RELATIVE_NODES")),
            "/linux/memoryPolicy/flags",
            "exclude each other",
        ),
        conflict(
            &bound,
            policy(json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"] })),
            "/linux/memoryPolicy/flags",
            "is for MPOL_BIND",
        ),
        conflict(
            &bound,
            policy(json!({ "mode": "MPOL_LOCAL", "flags": ["MPOL_F_STATIC_NODES"] })),
            "/linux/memoryPolicy/flags",
            "has no use without nodes",
        ),
        conflict(&devices, ("/linux/devices/-", other), "/linux/devices/1/path", "is another device above"),
        conflict(&devices, ("/linux/devices/0/major", Value::Null), "/linux/devices/0/major", "is missing"),
        conflict(&devices, ("/linux/devices/0/minor", Value::Null), "/linux/devices/0/minor", "is missing"),
        conflict(&told, ("/linux/seccomp/listenerPath", Value::Null), "/linux/seccomp/listenerMetadata", "no use"),
        conflict(
            &told,
            ("/linux/seccomp/syscalls/0/action", json!("SCMP_ACT_KILL")),
            "/linux/seccomp/syscalls/0/errnoRet",
            "returns no errno",
        ),
        conflict(&told, ("/linux/seccomp/defaultErrnoRet", json!(1)), "/linux/seccomp/defaultErrnoRet", "no errno"),
        conflict(
            &told,
            ("/linux/seccomp/syscalls/-", json!({ "names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY" })),
            "/linux/seccomp/syscalls/1/names/0",
            "what the listener is sent with",
        ),
        conflict(
            &moved,
            ("/linux/netDevices/eth1", json!({ "name": "eth0" })),
            "/linux/netDevices/eth1",
            "a second device that is called",
        ),
    ]
}

#[test]
fn each_conflict_is_told() {
    let mut wrong = Vec::new();
    for (index, conflict) in
        [of_namespaces(), of_processes(), of_mounts(), of_linux()].into_iter().flatten().enumerate()
    {
        let Conflict { mut good, change, pointer, words } = conflict;
        let told = |changes: &[Change]| -> Vec<Value> {
            serde_json::from_str(&validate(with(changes).as_bytes()).unwrap()).unwrap()
        };
        let before = told(&good);
        good.push(change);
        let after = told(&good);
        let is_told = after.iter().any(|mistake| {
            mistake["pointer"] == pointer && mistake["message"].as_str().is_some_and(|message| message.contains(words))
        });
        if !before.is_empty() || !is_told {
            wrong.push(format!("{index}, {pointer}: before {before:?}, after {after:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
