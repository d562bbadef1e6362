// SPDX-License-Identifier: Apache-2.0
//! Each row: what is changed in the default configuration, the pointer of the error, words of it.

use serde_json::{Value, json};

use super::*;

/// One change, its error.
fn refused(rows: &[(&str, Value, &str, &str)]) {
    for (pointer, value, at, words) in rows {
        refused_together(&[(*pointer, value.clone())], Kind::Config, at, words);
    }
}

fn refused_together(changes: &[(&str, Value)], kind: Kind, at: &str, words: &str) {
    let text = with(changes);
    let Err(error) = load(text.as_bytes()) else { panic!("{changes:?} is not refused") };
    assert_eq!(error.pointer.as_deref(), Some(at), "{changes:?}: {error}");
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(words), "{changes:?}: {error:?} has no {words:?}");
    assert!(error.message.starts_with(&format!("{at}: ")), "{error}");
    for leak in ["u32", "i64", "usize", "struct", "variant", "Option", "LinuxSec"] {
        assert!(!error.message.contains(leak), "{error}");
    }
}

#[test]
fn what_is_no_json_object() {
    let cut = default_spec(false).unwrap();
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(16 << 20));
    let deep = format!("{{\"a\": {}", "[".repeat(10_000));
    for (json, words) in [
        (&b""[..], "is empty"),
        (b" \n\t", "is empty"),
        (b"[]", "must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (b"\"{}\"", "must be an object, not \"{}\""),
        (b"{", "line 1, column 1: ends before its JSON is complete"),
        (&cut.as_bytes()[..200], "ends before its JSON is complete"),
        (b"{\n  \"a\": 1,\n}", "line 3, column 1: is not JSON: trailing comma"),
        (b"{\"a\" 1}", "line 1, column 6: is not JSON: expected `:`"),
        (b"{} {}", "line 1, column 4: something follows the JSON object"),
        (b"{}\0", "something follows"),
        (b"{\"a\": nope}", "is not JSON"),
        (b"{\"a\": 01}", "is not JSON"),
        (b"{\"a\": \"\xff\"}", "byte 7 is not UTF-8"),
        (b"\xff\xfe{\0}\0", "byte 0 is not UTF-8"),
        (b"{\"root\": {\"path\": \"x\", \"path\": \"y\"}}", "line 1, column 29: the key \"path\" is there twice"),
        (long.as_bytes(), "16777225 bytes are more than the allowed 16 MiB"),
        (deep.as_bytes(), "is nested too deeply"),
    ] {
        let error = load(json).unwrap_err();
        assert_eq!((error.kind, error.pointer.as_deref()), (Kind::Config, Some("")), "{error}");
        assert!(error.message.starts_with("config.json: "), "{error}");
        assert!(error.message.contains(words), "{error} has no {words:?}");
    }
}

#[test]
fn wrong_types() {
    refused(&[
        ("/ociVersion", json!(1), "/ociVersion", "must be a string, not 1"),
        ("/root", json!(["rootfs"]), "/root", "must be an object, not a list"),
        ("/root", json!("rootfs"), "/root", "must be an object, not \"rootfs\""),
        ("/root/readonly", json!("yes"), "/root/readonly", "must be true or false, not \"yes\""),
        ("/process", json!([]), "/process", "must be an object, not a list"),
        ("/process/args", json!("sh"), "/process/args", "must be a list, not \"sh\""),
        ("/process/args/-", json!(5), "/process/args/1", "must be a string, not 5"),
        ("/process/args/-", json!(null), "/process/args/1", "must be a string, not null"),
        ("/process/user/uid", json!(-1), "/process/user/uid", "must be a whole number from 0 to 4294967295, not -1"),
        ("/process/user/gid", json!(1.5), "/process/user/gid", "whole number from 0 to 4294967295, not 1.5"),
        ("/process/user/uid", json!(1_u64 << 32), "/process/user/uid", "not 4294967296"),
        ("/process/user/additionalGids", json!([1, "x"]), "/process/user/additionalGids/1", "not \"x\""),
        ("/process/oomScoreAdj", json!(1_i64 << 40), "/process/oomScoreAdj", "from -2147483648 to 2147483647"),
        ("/process/rlimits/0/soft", json!(-1), "/process/rlimits/0/soft", "from 0 to 18446744073709551615, not -1"),
        ("/mounts", json!({}), "/mounts", "must be a list, not an object"),
        ("/mounts/2", json!("x"), "/mounts/2", "must be an object, not \"x\""),
        ("/mounts/1/options", json!("ro"), "/mounts/1/options", "must be a list"),
        ("/annotations", json!({ "a/b~c": 1 }), "/annotations/a~1b~0c", "must be a string, not 1"),
        ("/hooks/poststop", json!([{ "path": "/x", "timeout": "5" }]), "/hooks/poststop/0/timeout", "not \"5\""),
        ("/linux/resources/memory/limit", json!("1G"), "/linux/resources/memory/limit", "not \"1G\""),
        ("/linux/resources/pids/limit", json!(true), "/linux/resources/pids/limit", "not true"),
        ("/linux/resources/unified", json!({ "a": 1 }), "/linux/resources/unified/a", "must be a string"),
        ("/linux/resources/blockIO/weight", json!(70_000), "/linux/resources/blockIO/weight", "from 0 to 65535"),
        ("/linux/sysctl", json!({ "net.a/b": 1 }), "/linux/sysctl/net.a~1b", "must be a string, not 1"),
        ("/linux/namespaces/0/type", json!({ "pid": null }), "/linux/namespaces/0/type", "must be a string"),
    ]);
    let long = "x".repeat(1000);
    refused(&[("/root/readonly", json!(long), "/root/readonly", &format!("\"{}…\"", "x".repeat(60)))]);
}

#[test]
fn unknown_names() {
    refused(&[
        (
            "/process/capabilities/bounding/-",
            json!("CAP_FOO"),
            "/process/capabilities/bounding/3",
            "unknown capability \"CAP_FOO\"",
        ),
        (
            "/process/rlimits/0/type",
            json!("RLIMIT_X"),
            "/process/rlimits/0/type",
            "unknown resource limit \"RLIMIT_X\"; known are RLIMIT_CPU, RLIMIT_FSIZE",
        ),
        (
            "/linux/namespaces/0/type",
            json!("net"),
            "/linux/namespaces/0/type",
            "unknown namespace type \"net\"; known are mount, cgroup, uts, ipc, user, pid, network, time",
        ),
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "x", "major": 1, "minor": 1 }]),
            "/linux/devices/0/type",
            "unknown device type \"x\"",
        ),
        ("/linux/resources/devices/0/type", json!("x"), "/linux/resources/devices/0/type", "unknown device type \"x\""),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "ALLOW" }),
            "/linux/seccomp/defaultAction",
            "unknown action \"ALLOW\"; known are SCMP_ACT_KILL",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x86"] }),
            "/linux/seccomp/architectures/0",
            "unknown architecture \"x86\"; known are SCMP_ARCH_NATIVE",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["LOG"] }),
            "/linux/seccomp/flags/0",
            "unknown flag \"LOG\"",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["a"], "action": "DENY" }] }),
            "/linux/seccomp/syscalls/0/action",
            "unknown action \"DENY\"",
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["a"], "action": "SCMP_ACT_LOG",
                "args": [{ "index": 0, "value": 0, "op": "==" }] }] }),
            "/linux/seccomp/syscalls/0/args/0/op",
            "unknown operator \"==\"",
        ),
    ]);
}

#[test]
fn what_is_missing() {
    let missing: &[&str] = &[
        "/ociVersion",
        "/root",
        "/root/path",
        "/process",
        "/process/args",
        "/process/cwd",
        "/process/rlimits/0/soft",
        "/process/rlimits/0/hard",
        "/process/rlimits/0/type",
        "/mounts/3/destination",
        "/mounts/3/type",
        "/linux/namespaces/2/type",
        "/linux/resources/devices/0/allow",
    ];
    for at in missing {
        refused(&[(at, json!(null), at, "is missing")]);
    }
    for (at, value, member) in [
        ("/process/consoleSize", json!({ "width": 80 }), "height"),
        ("/hooks/prestart/-", json!({ "args": ["x"] }), "path"),
        ("/linux/uidMappings/-", json!({ "containerID": 0, "size": 1 }), "hostID"),
        ("/linux/devices/-", json!({ "path": "/dev/x", "type": "c", "minor": 1 }), "major"),
        ("/linux/devices/-", json!({ "path": "/dev/x", "type": "b", "major": 1 }), "minor"),
        ("/linux/seccomp", json!({ "syscalls": [] }), "defaultAction"),
        ("/linux/resources/hugepageLimits/-", json!({ "limit": 1 }), "pageSize"),
    ] {
        let place = format!("{}/{member}", at.replace('-', "0"));
        refused(&[(at, value, &place, "is missing")]);
    }
}

#[test]
fn versions() {
    for version in
        ["1", "1.0", "one", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0+", "1.0.0-a..b", " 1.0.0", "1.0.x", "v1.0.0"]
    {
        refused(&[("/ociVersion", json!(version), "/ociVersion", "is not a version such as 1.3.0")]);
    }
    for version in ["0.5.0", "2.0.0", "10.0.0-rc1"] {
        refused(&[("/ociVersion", json!(version), "/ociVersion", &format!("version {version} is not supported"))]);
    }
    refused(&[("/ociVersion", json!(""), "/ociVersion", "is missing")]);
}

#[test]
fn processes() {
    let terminal = ("/process/consoleSize", json!({ "height": 65536, "width": 80 }));
    refused_together(&[terminal], Kind::Config, "/process/consoleSize/height", "must be at most 65535, not 65536");
    let limit = json!({ "type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 });
    refused(&[
        ("/root/path", json!(""), "/root/path", "is empty"),
        ("/process/args", json!([]), "/process/args", "is empty"),
        ("/process/args/0", json!(""), "/process/args/0", "is empty"),
        ("/process/cwd", json!("home"), "/process/cwd", "\"home\" is not an absolute path"),
        ("/process/cwd", json!(""), "/process/cwd", "is not an absolute path"),
        ("/process/env/-", json!("SECRET"), "/process/env/2", "has no '='"),
        ("/process/env/0", json!("=x"), "/process/env/0", "has no name"),
        ("/process/user/uid", json!(u32::MAX), "/process/user/uid", "is no id"),
        ("/process/user/additionalGids", json!([5, u32::MAX]), "/process/user/additionalGids/1", "is no id"),
        ("/process/user/additionalGids", json!(vec![1; 65537]), "/process/user/additionalGids", "65537 groups"),
        ("/process/user/umask", json!(0o1000), "/process/user/umask", "at most 511 (0777), not 512 (0o1000)"),
        ("/process/rlimits/-", limit, "/process/rlimits/1/type", "RLIMIT_NOFILE is there twice"),
        ("/process/rlimits/0/soft", json!(1025), "/process/rlimits/0/soft", "at most the hard limit, 1024, not 1025"),
        (
            "/process/capabilities/effective/-",
            json!("CAP_CHOWN"),
            "/process/capabilities/effective",
            "CAP_CHOWN cannot be effective without being permitted",
        ),
        ("/process/oomScoreAdj", json!(1001), "/process/oomScoreAdj", "from -1000 to 1000, not 1001"),
        ("/hooks/createRuntime/-", json!({ "path": "x" }), "/hooks/createRuntime/0/path", "not an absolute path"),
        ("/hooks/poststart/-", json!({ "path": "/x", "timeout": 0 }), "/hooks/poststart/0/timeout", "more than 0"),
        ("/hooks/poststop/-", json!({ "path": "/x", "env": ["A"] }), "/hooks/poststop/0/env/0", "has no '='"),
        ("/annotations", json!({ "": "x" }), "/annotations/", "must not be empty"),
    ]);
    // The value of a variable is not shown.
    let error = load(with(&[("/process/env/-", json!("SECRET"))]).as_bytes()).unwrap_err();
    assert!(!error.message.contains("SECRET"));
}

#[test]
fn nul_characters() {
    for at in [
        "/root/path",
        "/process/args/0",
        "/process/cwd",
        "/process/env/1",
        "/hostname",
        "/mounts/1/destination",
        "/mounts/1/source",
        "/mounts/1/type",
        "/mounts/1/options/0",
        "/linux/maskedPaths/3",
        "/linux/cgroupsPath",
    ] {
        refused(&[(at, json!("/a=\0b"), at, "has a NUL character")]);
    }
    refused(&[("/linux/sysctl", json!({ "net.a\0": "1" }), "/linux/sysctl/net.a\0", "has a NUL character")]);
}

#[test]
fn mounts() {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({ "destination": destination, "type": kind, "source": "x", "options": options });
    refused(&[
        ("/mounts/-", mount("/", "tmpfs", &[]), "/mounts/7/destination", "over the root"),
        ("/mounts/-", mount("//.", "none", &["bind"]), "/mounts/7/destination", "over the root"),
        ("/mounts/-", mount("", "tmpfs", &[]), "/mounts/7/destination", "is empty"),
        ("/mounts/-", mount("/a/../../b", "tmpfs", &[]), "/mounts/7/destination", "must have no \"..\""),
        ("/mounts/-", mount("/proc", "tmpfs", &[]), "/mounts/7/destination", "only a filesystem of type proc"),
        ("/mounts/-", mount("/proc/sys", "tmpfs", &[]), "/mounts/7/destination", "is inside /proc"),
        ("/mounts/-", mount("/proc//self/attr", "none", &["bind"]), "/mounts/7/destination", "is inside /proc"),
        ("/mounts/-", mount("proc/1", "none", &["bind"]), "/mounts/7/destination", "is inside /proc"),
        ("/mounts/-", json!({ "destination": "/a", "options": ["rbind"] }), "/mounts/7/source", "is missing"),
        ("/mounts/-", json!({ "destination": "/a", "type": "bind" }), "/mounts/7/source", "is missing"),
        ("/mounts/-", json!({ "destination": "/a", "source": "b" }), "/mounts/7/type", "is missing"),
        ("/mounts/-", json!({ "destination": "/a", "source": "b", "type": "" }), "/mounts/7/type", "is missing"),
    ]);
}

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
fn seccomp() {
    let rule = |action: &str, more: Value| {
        let mut rule = json!({ "names": ["mkdir"], "action": action });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([rule])
    };
    let allow = "SCMP_ACT_ALLOW";
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
        (json!({ "listenerPath": "/run/x" }), "listenerPath", "has no use: no action is SCMP_ACT_NOTIFY"),
        (json!({ "listenerPath": "x" }), "listenerPath", "is not an absolute path"),
        (json!({ "listenerMetadata": "x" }), "listenerMetadata", "has no use without a listenerPath"),
        (json!({ "syscalls": rule("SCMP_ACT_NOTIFY", json!({})) }), "syscalls/0/action", "needs a listener"),
    ] {
        section.as_object_mut().unwrap().entry("defaultAction").or_insert(json!("SCMP_ACT_ERRNO"));
        refused(&[("/linux/seccomp", section, &format!("/linux/seccomp/{at}"), words)]);
    }
}

#[test]
fn not_yet() {
    let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
    for (at, value, place, words) in [
        ("/process/apparmorProfile", json!("x"), "/process/apparmorProfile", "does not support AppArmor yet"),
        ("/process/selinuxLabel", json!("x"), "/process/selinuxLabel", "SELinux"),
        ("/process/scheduler", json!({ "policy": "SCHED_OTHER" }), "/process/scheduler", "scheduling policies"),
        ("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_BE", "priority": 1 }), "/process/ioPriority", "I/O"),
        ("/mounts/1/uidMappings", ids.clone(), "/mounts/1/uidMappings", "ID-mapped mounts"),
        ("/mounts/1/gidMappings", ids, "/mounts/1/gidMappings", "ID-mapped mounts"),
        ("/mounts/1/options/-", json!("ridmap"), "/mounts/1/options/4", "mounts with the option ridmap"),
        ("/mounts/1/options/-", json!("tmpcopyup"), "/mounts/1/options/4", "mounts with the option tmpcopyup"),
        ("/linux/mountLabel", json!("x"), "/linux/mountLabel", "SELinux"),
        ("/linux/netDevices", json!({ "eth0": {} }), "/linux/netDevices", "network devices"),
        ("/linux/intelRdt", json!({}), "/linux/intelRdt", "Intel RDT"),
        ("/linux/memoryPolicy", json!({ "mode": "MPOL_DEFAULT" }), "/linux/memoryPolicy", "memory policies"),
        ("/linux/personality", json!({ "domain": "LINUX32" }), "/linux/personality", "personalities"),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x",
                "syscalls": [{ "names": ["a"], "action": "SCMP_ACT_NOTIFY" }] }),
            "/linux/seccomp/listenerPath",
            "seccomp notifications",
        ),
    ] {
        refused_together(&[(at, value)], Kind::Unsupported, place, words);
    }
}
