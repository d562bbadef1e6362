// SPDX-License-Identifier: Apache-2.0
//! Each row: what is changed in the default configuration, the pointer of the error, words of it.

use serde_json::{Value, json};

use super::*;

/// One change, its error.
pub(super) fn refused(rows: &[(&str, Value, &str, &str)]) {
    for (pointer, value, at, words) in rows {
        refused_together(&[(*pointer, value.clone())], Kind::Config, at, words);
    }
}

pub(super) fn refused_together(changes: &[(&str, Value)], kind: Kind, at: &str, words: &str) {
    let text = with(changes);
    let Err(error) = load(text.as_bytes()) else { panic!("{changes:?} is not refused") };
    assert_eq!(error.pointer.as_deref(), Some(at), "{changes:?}: {error}");
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.message.contains(words), "{changes:?}: {error:?} has no {words:?}");
    assert!(error.message.starts_with(&format!("{}: ", at.replace('\0', "\\0"))), "{error}");
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
    // Only what is empty and of the right type is as good as not there.
    for (at, value) in [("/hostname", json!([])), ("/mounts/0/source", json!({})), ("/linux/resources/pids", json!([]))]
    {
        refused(&[(at, value, at, "must be ")]);
    }
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
fn limits_of_huge_pages_are_not_negative() {
    let limit = |limit: i64| json!([{ "pageSize": "2MB", "limit": limit }]);
    let at = "/linux/resources/hugepageLimits";
    refused(&[(at, limit(-1), "/linux/resources/hugepageLimits/0/limit", "must be a number of bytes, not -1")]);
    load(with(&[(at, limit(0))]).as_bytes()).unwrap();
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
        ("/process/oomScoreAdj", json!(-1001), "/process/oomScoreAdj", "from -1000 to 1000, not -1001"),
        ("/process/oomScoreAdj", json!(1001), "/process/oomScoreAdj", "from -1000 to 1000, not 1001"),
        ("/hooks/createRuntime/-", json!({ "path": "x" }), "/hooks/createRuntime/0/path", "not an absolute path"),
        ("/hooks/poststart/-", json!({ "path": "/x", "timeout": 0 }), "/hooks/poststart/0/timeout", "more than 0"),
        (
            "/hooks/poststart/-",
            json!({ "path": "/x", "timeout": -5 }),
            "/hooks/poststart/0/timeout",
            "0 seconds, not -5",
        ),
        ("/hooks/poststop/-", json!({ "path": "/x", "env": ["A"] }), "/hooks/poststop/0/env/0", "has no '='"),
        ("/annotations", json!({ "": "x" }), "/annotations/", "must not be empty"),
    ]);
    // The value of a variable is not shown.
    let error = load(with(&[("/process/env/-", json!("SECRET"))]).as_bytes()).unwrap_err();
    assert!(!error.message.contains("SECRET"));
}

#[test]
fn scheduling() {
    let scheduler = |more: Value| {
        let mut scheduler = json!({ "policy": "SCHED_OTHER" });
        scheduler.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        scheduler
    };
    let deadline = |runtime: u64, deadline: u64, period: u64| json!({ "policy": "SCHED_DEADLINE", "runtime": runtime, "deadline": deadline, "period": period });
    for (value, at, words) in [
        (json!({}), "policy", "is missing"),
        (json!({ "policy": "SCHED_X" }), "policy", "unknown scheduling policy \"SCHED_X\"; known are SCHED_OTHER"),
        (scheduler(json!({ "nice": 20 })), "nice", "must be from -20 to 19, not 20"),
        (scheduler(json!({ "nice": -21 })), "nice", "must be from -20 to 19, not -21"),
        (scheduler(json!({ "priority": 1 })), "priority", "SCHED_OTHER has no priorities; SCHED_FIFO and SCHED_RR"),
        (json!({ "policy": "SCHED_IDLE", "priority": -1 }), "priority", "SCHED_IDLE has no priorities"),
        (json!({ "policy": "SCHED_FIFO" }), "priority", "must be from 1 to 99 for SCHED_FIFO, not 0"),
        (json!({ "policy": "SCHED_RR", "priority": 100 }), "priority", "must be from 1 to 99 for SCHED_RR, not 100"),
        (scheduler(json!({ "runtime": 1 })), "runtime", "is for SCHED_DEADLINE, not for SCHED_OTHER"),
        (json!({ "policy": "SCHED_BATCH", "deadline": 1 }), "deadline", "is for SCHED_DEADLINE, not for SCHED_BATCH"),
        (scheduler(json!({ "period": 1 })), "period", "is for SCHED_DEADLINE"),
        (json!({ "policy": "SCHED_DEADLINE" }), "runtime", "must be at least 1024 nanoseconds, not 0"),
        (deadline(2000, 1999, 0), "deadline", "must be at least the runtime, 2000, not 1999"),
        (deadline(2000, 3000, 2999), "period", "must be at least the deadline, 3000, or 0, not 2999"),
        (scheduler(json!({ "flags": ["SCHED_FLAG_X"] })), "flags/0", "unknown scheduling flag \"SCHED_FLAG_X\""),
        // The names of oci-spec, which are nobody else's.
        (scheduler(json!({ "flags": ["SCHED_RESET_ON_FORK"] })), "flags/0", "known are SCHED_FLAG_RESET_ON_FORK"),
        (
            scheduler(json!({ "flags": ["SCHED_FLAG_D_L_OVERRUN"] })),
            "flags/0",
            "SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP",
        ),
        (scheduler(json!({ "flags": [1] })), "flags/0", "must be a string, not 1"),
    ] {
        refused(&[("/process/scheduler", value, &format!("/process/scheduler/{at}"), words)]);
    }
    let changes =
        [("/process/scheduler", deadline(2000, 3000, 0)), ("/hooks/startContainer/-", json!({ "path": "/x" }))];
    refused_together(&changes, Kind::Config, "/process/scheduler/flags", "SCHED_FLAG_RESET_ON_FORK is missing");

    let io = "/process/ioPriority";
    let cpus = "/process/execCPUAffinity";
    refused(&[
        (io, json!({ "priority": 0 }), "/process/ioPriority/class", "is missing"),
        (io, json!({ "class": "IOPRIO_CLASS_BE" }), "/process/ioPriority/priority", "is missing"),
        (io, json!({ "class": "IOPRIO_CLASS_NONE", "priority": 0 }), "/process/ioPriority/class", "I/O priority class"),
        (
            io,
            json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 }),
            "/process/ioPriority/priority",
            "from 0 to 7, not 8",
        ),
        (io, json!({ "class": "IOPRIO_CLASS_BE", "priority": -1 }), "/process/ioPriority/priority", "0 to 7, not -1"),
        (cpus, json!({ "initial": "0-" }), "/process/execCPUAffinity/initial", "\"0-\" is not a list of numbers"),
        (cpus, json!({ "final": "3-1" }), "/process/execCPUAffinity/final", "the range 3-1 ends before it begins"),
        (cpus, json!({ "final": "8192" }), "/process/execCPUAffinity/final", "there is no number above 8191"),
        (cpus, json!({ "final": 1 }), "/process/execCPUAffinity/final", "must be a string, not 1"),
    ]);
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
fn id_mapped_mounts() {
    let ids = || json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
    let bind = json!({ "destination": "/a", "type": "bind", "source": "b", "options": ["nodev", "ro,idmap"] });
    let tmpfs = json!({ "destination": "/a", "type": "tmpfs", "options": ["tmpcopyup"] });
    let of = |mount: &Value, changes: &[(&str, Value)]| {
        let mut mount = mount.clone();
        for (member, value) in changes {
            mount[*member] = value.clone();
        }
        mount
    };
    let overlapping = json!([
        { "containerID": 0, "hostID": 0, "size": 10 },
        { "containerID": 9, "hostID": 20, "size": 10 },
    ]);
    let mappings = |uids: Value, gids: Value| [("uidMappings", uids), ("gidMappings", gids)];
    let many: Vec<_> = (0..341).map(|id| json!({ "containerID": id, "hostID": id, "size": 1 })).collect();
    for (mount, at, words) in [
        (bind.clone(), "options/1", "needs mappings, or a user namespace"),
        (of(&bind, &[("uidMappings", ids())]), "gidMappings", "is missing"),
        (of(&bind, &[("gidMappings", ids())]), "uidMappings", "is missing"),
        (of(&bind, &[("options", json!(["bind", "ro,idmap=uids=0-1-10"]))]), "options/1", "belong into uidMappings"),
        (of(&tmpfs, &mappings(ids(), ids())), "uidMappings", "only a bind mount"),
        (of(&tmpfs, &[("options", json!(["ridmap"]))]), "options/0", "only a bind mount"),
        (of(&bind, &[("options", json!(["bind", "remount", "idmap"]))]), "options/2", "mounted already"),
        (of(&bind, &mappings(overlapping, ids())), "uidMappings/1/containerID", "overlaps"),
        (
            of(&bind, &mappings(ids(), json!([{ "containerID": 0, "hostID": 1, "size": 0 }]))),
            "gidMappings/0/size",
            "at least 1",
        ),
        (of(&bind, &mappings(ids(), json!([{ "containerID": 0, "hostID": 1 }]))), "gidMappings/0/size", "is missing"),
        (of(&bind, &mappings(json!(many), ids())), "uidMappings", "341 ranges are more than"),
        (of(&bind, &mappings(json!("x"), ids())), "uidMappings", "must be a list"),
        (of(&tmpfs, &[("type", json!("ramfs"))]), "options/0", "of type tmpfs only"),
        (of(&bind, &[("options", json!(["rbind", "tmpcopyup"]))]), "options/1", "of type tmpfs only"),
    ] {
        refused(&[("/mounts/-", mount, &format!("/mounts/7/{at}"), words)]);
    }
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
