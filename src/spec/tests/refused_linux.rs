// SPDX-License-Identifier: Apache-2.0
//! As `refused`: what is below `linux`.

use serde_json::{Value, json};

use super::refused::{refused, refused_together};
use super::*;

#[test]
fn namespaces() {
    refused(&[
        ("/linux/namespaces/-", json!({ "type": "ipc" }), "/linux/namespaces/6", "a second ipc namespace"),
        ("/linux/namespaces/0/path", json!("ns/pid"), "/linux/namespaces/0/path", "is not an absolute path"),
        ("/linux/namespaces/4", json!({ "type": "time" }), "/linux/namespaces", "needs a mount namespace"),
        ("/linux", json!(null), "/linux/namespaces", "needs a mount namespace"),
        ("/linux/namespaces/3", json!({ "type": "time" }), "/hostname", "needs a uts namespace"),
        ("/hostname", json!("x".repeat(65)), "/hostname", "at most 64 bytes long, not 65"),
        ("/domainname", json!("x".repeat(65)), "/domainname", "at most 64 bytes long, not 65"),
        ("/linux/timeOffsets/monotonic/secs", json!(1), "/linux/timeOffsets", "need a new time namespace"),
    ]);
    let time = |path: Value| ("/linux/namespaces/-", json!({ "type": "time", "path": path }));
    for (changes, at, words) in [
        ([time(json!("/x")), ("/linux/timeOffsets/boottime/secs", json!(1))], "/linux/timeOffsets", "need a new"),
        (
            [time(json!(null)), ("/linux/timeOffsets/real~1time/secs", json!(1))],
            "/linux/timeOffsets/real~1time",
            "no such",
        ),
        (
            [time(json!(null)), ("/linux/timeOffsets/boottime/nanosecs", json!(1_000_000_000))],
            "/linux/timeOffsets/boottime/nanosecs",
            "must be at most 999999999",
        ),
    ] {
        refused_together(&changes, Kind::Config, at, words);
    }
}

#[test]
fn mappings() {
    let range =
        |container: u32, host: u32, size: u32| json!({ "containerID": container, "hostID": host, "size": size });
    let many: Vec<_> = (0..341).map(|index| range(index, index, 1)).collect();
    let with_user = |uids: Value, gids: Value, at: &str, words: &str| {
        let user = ("/linux/namespaces/-", json!({ "type": "user" }));
        let changes = [user, ("/linux/uidMappings", uids), ("/linux/gidMappings", gids)];
        refused_together(&changes, Kind::Config, at, words);
    };
    let good = || json!([range(0, 1000, 10)]);
    with_user(good(), json!(null), "/linux/gidMappings", "is missing: a new user namespace needs it");
    with_user(json!([]), good(), "/linux/uidMappings", "is missing: a new user namespace needs it");
    with_user(json!([range(0, 1, 0)]), good(), "/linux/uidMappings/0/size", "must be at least 1, not 0");
    with_user(json!([range(0, 1, u32::MAX)]), good(), "/linux/uidMappings/0/size", "more than there are");
    with_user(json!([range(0, 9, 5), range(4, 99, 1)]), good(), "/linux/uidMappings/1/containerID", "overlaps");
    with_user(good(), json!([range(0, 9, 5), range(5, 8, 2)]), "/linux/gidMappings/1/hostID", "overlaps");
    with_user(json!(many), good(), "/linux/uidMappings", "341 ranges are more than the 340");
    with_user(json!([range(1, 1, 1)]), good(), "/process/user/uid", "0 is in none of the ranges of /linux/uidMappings");
    refused(&[("/linux/gidMappings", good(), "/linux/gidMappings", "need a user namespace")]);
}

#[test]
fn sysctls() {
    let all = "allowed are net.*, fs.mqueue.*";
    for (name, place, words) in [
        ("kernel.core_pattern", "kernel.core_pattern", all),
        ("vm.swappiness", "vm.swappiness", all),
        ("fs.mqueue", "fs.mqueue", all),
        ("kernel/../fs/x", "kernel~1..~1fs~1x", "is not the name of a sysctl"),
        ("net/../kernel/core_pattern", "net~1..~1kernel~1core_pattern", "is not the name"),
        ("net.//.kernel.core_pattern", "net.~1~1.kernel.core_pattern", "is not the name"),
        ("net", "net", "is not the name"),
        ("net..x", "net..x", "is not the name"),
        (".net.x", ".net.x", "is not the name"),
        ("/net/x", "~1net~1x", "is not the name"),
        ("kernel.hostname", "kernel.hostname", "is what /hostname is for"),
    ] {
        refused(&[("/linux/sysctl", json!({ name: "1" }), &format!("/linux/sysctl/{place}"), words)]);
    }
    for (name, kind) in [("kernel.sem", "ipc"), ("fs.mqueue.msg_max", "ipc"), ("net.core.somaxconn", "network")] {
        let changes = [
            ("/linux/namespaces", json!([{ "type": "mount" }, { "type": "uts" }])),
            ("/linux/sysctl", json!({ name: "1" })),
        ];
        refused_together(
            &changes,
            Kind::Config,
            &format!("/linux/sysctl/{name}"),
            &format!("a namespace of type {kind}"),
        );
    }
    let changes = [("/domainname", json!("a")), ("/linux/sysctl", json!({ "kernel.domainname": "b" }))];
    refused_together(&changes, Kind::Config, "/linux/sysctl/kernel.domainname", "contradicts /domainname");
}

#[test]
fn the_rest_of_linux() {
    let device = |path: &str, kind: &str, major: i64, minor: i64| json!({ "path": path, "type": kind, "major": major, "minor": minor });
    refused(&[
        ("/linux/maskedPaths/-", json!("proc/x"), "/linux/maskedPaths/12", "is not an absolute path"),
        ("/linux/readonlyPaths/0", json!("x"), "/linux/readonlyPaths/0", "is not an absolute path"),
        (
            "/linux/rootfsPropagation",
            json!("rsalve"),
            "/linux/rootfsPropagation",
            "\"rsalve\" is none of shared, slave",
        ),
        ("/linux/cgroupsPath", json!("/a/../b"), "/linux/cgroupsPath", "must have no \"..\""),
        ("/linux/devices/-", device("dev/x", "c", 1, 1), "/linux/devices/0/path", "is not an absolute path"),
        ("/linux/devices/-", device("/dev/../x", "c", 1, 1), "/linux/devices/0/path", "no \"..\""),
        ("/linux/devices/-", device("/", "c", 1, 1), "/linux/devices/0/path", "must name a file"),
        ("/linux/devices/-", device("/dev/x", "a", 1, 1), "/linux/devices/0/type", "unknown device type \"a\""),
        ("/linux/devices/-", device("/dev/x", "c", -1, 1), "/linux/devices/0/major", "from 0 to 4095, not -1"),
        ("/linux/devices/-", device("/dev/x", "b", 1, 1 << 20), "/linux/devices/0/minor", "from 0 to 1048575"),
        (
            "/linux/devices",
            json!([device("/dev/x", "c", 1, 1), device("/dev/x", "c", 1, 2)]),
            "/linux/devices/1/path",
            "is another device above",
        ),
        ("/linux/resources/devices/0/type", json!("p"), "/linux/resources/devices/0/type", "known are a, b, c"),
        ("/linux/resources/devices/0/access", json!("rx"), "/linux/resources/devices/0/access", "letters r, w and m"),
        ("/linux/resources/devices/0/major", json!(-2), "/linux/resources/devices/0/major", "-2 is not the number"),
        ("/linux/resources/memory/limit", json!(-2), "/linux/resources/memory/limit", "or -1 for no limit, not -2"),
        ("/linux/resources/memory/swappiness", json!(101), "/linux/resources/memory/swappiness", "from 0 to 100"),
        ("/linux/resources/cpu/idle", json!(2), "/linux/resources/cpu/idle", "must be 0 or 1"),
    ]);
}

#[test]
fn intel_rdt() {
    for (section, at, words) in [
        (json!({ "closID": "a/b" }), "closID", "\"a/b\" is no name of a class; \"/\" is the default class"),
        (json!({ "closID": ".." }), "closID", "is no name"),
        (json!({ "closID": "mon_groups" }), "closID", "is no name"),
        (json!({ "memBwSchema": "L3:0=f" }), "memBwSchema", "is not one line that starts with \"MB:\""),
        (json!({ "memBwSchema": "MB:0=1\nMB:1=1" }), "memBwSchema", "is not one line"),
        (json!({ "l3CacheSchema": "L3:0=f\n7" }), "l3CacheSchema", "line 2, \"7\", is none"),
        (json!({ "schemata": ["L3:0=f", "L3"] }), "schemata/1", "\"L3\" is not one line"),
        (json!({ "schemata": ["L3:0=f\nL2:0=f"] }), "schemata/0", "is not one line"),
        (json!({ "schemata": [1] }), "schemata/0", "must be a string, not 1"),
        (json!({ "enableMonitoring": "yes" }), "enableMonitoring", "must be true or false"),
    ] {
        refused(&[("/linux/intelRdt", section, &format!("/linux/intelRdt/{at}"), words)]);
    }
}

#[test]
fn personality_and_memory_policy() {
    let (persona, policy) = ("/linux/personality", "/linux/memoryPolicy");
    let numa = |mode: &str, nodes: &str, flags: &[&str]| json!({ "mode": mode, "nodes": nodes, "flags": flags });
    let (fixed, relative, balancing) = ("MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING");
    refused(&[
        (persona, json!({}), "/linux/personality/domain", "is missing"),
        (persona, json!({ "domain": "LINUX64" }), "/linux/personality/domain", "unknown domain \"LINUX64\""),
        (
            persona,
            json!({ "domain": "LINUX", "flags": ["UNAME26", "ADDR_COMPAT"] }),
            "/linux/personality/flags/1",
            "unknown personality flag \"ADDR_COMPAT\"; known are UNAME26, ADDR_NO_RANDOMIZE",
        ),
        (policy, json!({}), "/linux/memoryPolicy/mode", "is missing"),
        (policy, numa("MPOL_X", "", &[]), "/linux/memoryPolicy/mode", "unknown mode \"MPOL_X\""),
        (policy, numa("MPOL_LOCAL", "", &["MPOL_F_X"]), "/linux/memoryPolicy/flags/0", "unknown flag \"MPOL_F_X\""),
        (policy, numa("MPOL_DEFAULT", "0", &[]), "/linux/memoryPolicy/nodes", "MPOL_DEFAULT takes no nodes"),
        (policy, numa("MPOL_LOCAL", "0", &[]), "/linux/memoryPolicy/nodes", "MPOL_LOCAL takes no nodes"),
        (policy, numa("MPOL_BIND", "", &[]), "/linux/memoryPolicy/nodes", "is missing: MPOL_BIND needs it"),
        (policy, numa("MPOL_INTERLEAVE", "0,", &[]), "/linux/memoryPolicy/nodes", "\"0,\" is not a list of numbers"),
        (policy, numa("MPOL_BIND", "2-1", &[]), "/linux/memoryPolicy/nodes", "the range 2-1 ends before it begins"),
        (policy, numa("MPOL_BIND", "1024", &[]), "/linux/memoryPolicy/nodes", "there is no number above 1023"),
        (policy, numa("MPOL_BIND", "0", &[fixed, relative]), "/linux/memoryPolicy/flags", "exclude each other"),
        (policy, numa("MPOL_INTERLEAVE", "0", &[balancing]), "/linux/memoryPolicy/flags", "not for MPOL_INTERLEAVE"),
        (policy, numa("MPOL_PREFERRED", "", &[fixed]), "/linux/memoryPolicy/flags", "has no use without nodes"),
    ]);
}

#[test]
fn seccomp() {
    let rule = |action: &str, more: Value| {
        let mut rule = json!({ "names": ["mkdir"], "action": action });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([rule])
    };
    let (allow, notify) = ("SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY");
    for (mut section, at, words) in [
        (json!({ "syscalls": rule(allow, json!({ "names": [] })) }), "syscalls/0/names", "at least one name"),
        (json!({ "syscalls": rule(allow, json!({ "names": ["a", ""] })) }), "syscalls/0/names/1", "is empty"),
        (json!({ "syscalls": rule(allow, json!({ "errnoRet": 1 })) }), "syscalls/0/errnoRet", "returns no errno"),
        (
            json!({ "syscalls": rule("SCMP_ACT_ERRNO", json!({ "errnoRet": 4096 })) }),
            "syscalls/0/errnoRet",
            "at most 4095",
        ),
        (
            json!({ "syscalls": rule("SCMP_ACT_TRACE", json!({ "errnoRet": 65536 })) }),
            "syscalls/0/errnoRet",
            "at most 65535",
        ),
        (
            json!({ "syscalls": rule(allow, json!({ "args": [{ "index": 6, "value": 0, "op": "SCMP_CMP_EQ" }] })) }),
            "syscalls/0/args/0/index",
            "must be from 0 to 5, not 6",
        ),
        (json!({ "defaultAction": "SCMP_ACT_NOTIFY" }), "defaultAction", "must not be SCMP_ACT_NOTIFY"),
        (json!({ "defaultAction": allow, "defaultErrnoRet": 1 }), "defaultErrnoRet", "returns no errno"),
        (
            json!({ "listenerPath": "x", "syscalls": rule(notify, json!({})) }),
            "listenerPath",
            "is not an absolute path",
        ),
        (
            json!({ "listenerPath": format!("/{}", "x".repeat(107)), "syscalls": rule(notify, json!({})) }),
            "listenerPath",
            "at most 107 bytes",
        ),
        (json!({ "listenerMetadata": "x" }), "listenerMetadata", "has no use without a listenerPath"),
        (json!({ "listenerPath": 1 }), "listenerPath", "must be a string, not 1"),
        (json!({ "listenerPath": "/x", "listenerMetadata": [1] }), "listenerMetadata", "must be a string, not a list"),
        (
            json!({ "syscalls": rule(notify, json!({ "names": ["mkdir", "sendmsg"] })) }),
            "syscalls/0/names/1",
            "what the listener is sent with",
        ),
        (json!({ "syscalls": rule(notify, json!({ "errnoRet": 1 })) }), "syscalls/0/errnoRet", "returns no errno"),
        (json!({ "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"] }), "flags/0", "unknown flag"),
        (json!({ "architectures": ["X86"] }), "architectures/0", "unknown architecture"),
        (json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1 }), "defaultErrnoRet", "from 0 to"),
    ] {
        section.as_object_mut().unwrap().entry("defaultAction").or_insert(json!("SCMP_ACT_ERRNO"));
        refused(&[("/linux/seccomp", section, &format!("/linux/seccomp/{at}"), words)]);
    }
}

#[test]
fn network_devices() {
    let at = "/linux/netDevices";
    for (devices, place, words) in [
        (json!({ "": {} }), "/", "is not the name"),
        (json!({ "..": {} }), "/..", "is not the name"),
        (json!({ "a/b": {} }), "/a~1b", "is not the name"),
        (json!({ "a b": {} }), "/a b", "is not the name"),
        (json!({ "a:1": {} }), "/a:1", "is not the name"),
        (json!({ "sixteen-letters-": {} }), "/sixteen-letters-", "at most 15 bytes"),
        (json!({ "eth0": { "name": "sixteen-letters-" } }), "/eth0/name", "at most 15 bytes"),
        (json!({ "eth0": { "name": "." } }), "/eth0/name", "is not the name"),
        (json!({ "eth0": { "name": 7 } }), "/eth0/name", "must be a string"),
        (json!({ "eth0": [] }), "/eth0", "must be an object"),
        (json!([1]), "/0", "must be an object"),
        (json!({ "eth0": { "name": "a" }, "eth1": { "name": "a" } }), "/eth1", "a second device that is called \"a\""),
        (json!({ "eth0": { "name": "eth1" }, "eth1": {} }), "/eth1", "a second device that is called \"eth1\""),
    ] {
        refused(&[(at, devices, &format!("{at}{place}"), words)]);
    }
    let namespaces = json!([{ "type": "mount" }, { "type": "uts" }]);
    let changes = [("/linux/namespaces", namespaces), (at, json!({ "eth0": {} }))];
    refused_together(&changes, Kind::Config, at, "need a network namespace");
}
