// SPDX-License-Identifier: Apache-2.0
//! All that is wrong with a configuration is told at once, whatever it is, and in the words that `load` has for it.

use std::fmt::Write as _;

use super::fuzz::{everything, places};
use super::*;

/// What is wrong: pointers and messages.
fn mistakes(text: &[u8]) -> Vec<(String, String)> {
    let list: Vec<Value> = serde_json::from_str(&validate(text).unwrap()).unwrap();
    let text = |mistake: &Value, member: &str| mistake[member].as_str().unwrap().to_owned();
    list.iter().map(|mistake| (text(mistake, "pointer"), text(mistake, "message"))).collect()
}

/// Every field of the specification for Linux.
fn every_field() -> Value {
    let mut document = everything();
    let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
    let throttle = json!([{ "major": 8, "minor": 0, "rate": 1 }]);
    let hook = json!([{ "path": "/h" }]);
    for (pointer, value) in [
        ("/root/readonly", json!(true)),
        ("/process/apparmorProfile", json!("p")),
        ("/process/selinuxLabel", json!("l")),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_DEADLINE", "nice": 1, "priority": 2, "flags": ["SCHED_FLAG_RECLAIM"],
            "runtime": 3, "deadline": 4, "period": 5 }),
        ),
        ("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_BE", "priority": 4 })),
        ("/process/execCPUAffinity", json!({ "initial": "0", "final": "1" })),
        ("/process/capabilities/inheritable", json!(["CAP_KILL"])),
        ("/process/capabilities/ambient", json!(["CAP_KILL"])),
        ("/mounts/1/uidMappings", ids.clone()),
        ("/mounts/1/gidMappings", ids),
        ("/hooks/createRuntime", hook.clone()),
        ("/hooks/startContainer", hook.clone()),
        ("/hooks/poststart", hook),
        ("/linux/namespaces/0/path", json!("/proc/1/ns/pid")),
        ("/linux/mountLabel", json!("l")),
        ("/linux/devices/0/gid", json!(5)),
        ("/linux/netDevices", json!({ "eth0": { "name": "e" } })),
        ("/linux/intelRdt", json!({ "closID": "c", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=10" })),
        ("/linux/memoryPolicy", json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] })),
        ("/linux/personality", json!({ "domain": "LINUX32" })),
        ("/linux/timeOffsets/boottime", json!({ "secs": 1 })),
        ("/linux/seccomp/defaultErrnoRet", json!(1)),
        ("/linux/seccomp/listenerPath", json!("/s")),
        ("/linux/seccomp/listenerMetadata", json!("m")),
        ("/linux/seccomp/syscalls/-", json!({ "names": ["dup"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 })),
        ("/linux/resources/devices/-", json!({ "allow": true, "type": "c", "major": 1, "minor": 3, "access": "r" })),
        ("/linux/resources/memory/reservation", json!(1)),
        ("/linux/resources/memory/kernel", json!(1)),
        ("/linux/resources/memory/kernelTCP", json!(1)),
        ("/linux/resources/memory/useHierarchy", json!(true)),
        ("/linux/resources/memory/checkBeforeUpdate", json!(true)),
        ("/linux/resources/cpu/mems", json!("0")),
        ("/linux/resources/cpu/realtimeRuntime", json!(1)),
        ("/linux/resources/cpu/realtimePeriod", json!(1)),
        ("/linux/resources/blockIO/leafWeight", json!(10)),
        ("/linux/resources/blockIO/weightDevice/0/leafWeight", json!(10)),
        ("/linux/resources/blockIO/throttleWriteBpsDevice", throttle.clone()),
        ("/linux/resources/blockIO/throttleReadIOPSDevice", throttle.clone()),
        ("/linux/resources/blockIO/throttleWriteIOPSDevice", throttle),
        ("/linux/resources/rdma/x/hcaObjects", json!(1)),
    ] {
        set(&mut document, pointer, value);
    }
    document
}

/// Places of values that have a type of their own, lists and objects included.
fn typed_places(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    places(document, "", &mut found);
    found.remove(0);
    found
}

/// A value of another type, which the field cannot take for "not set".
fn of_another_type(value: &Value) -> Value {
    match value {
        Value::String(_) => json!(5),
        Value::Object(_) => json!(["x"]),
        _ => json!("x"),
    }
}

#[test]
fn all_kinds_at_once() {
    let text = with(&[
        ("/ociVersion", json!("2.0.0")),
        ("/root", json!({ "readonly": "yes" })),
        ("/process/user/uid", json!("root")),
        ("/process/user/gid", json!(-1)),
        ("/process/env", json!(["A=b", 7, "PATH"])),
        ("/process/rlimits", json!([{ "type": "RLIMIT_NO" }, { "type": "RLIMIT_CORE", "soft": 2, "hard": 1 }])),
        ("/mounts", json!([5, { "destination": "/a/../b", "type": "tmpfs" }, "x", { "type": "tmpfs" }])),
        ("/mounts/-", json!({ "destination": "/proc/1", "type": "tmpfs" })),
        ("/linux/namespaces/0/type", json!("pit")),
        ("/linux/namespaces/1/path", json!("relative")),
        ("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["F"], "listenerMetadata": "m" })),
        ("/linux/sysctl", json!({ "a\nb": "1" })),
    ]);
    let found = mistakes(text.as_bytes());
    let mut pointers: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/linux/namespaces/0/type",
            "/linux/namespaces/1/path",
            "/linux/seccomp/flags/0",
            "/linux/seccomp/listenerMetadata",
            "/linux/sysctl/a\nb",
            "/mounts/0",
            "/mounts/1/destination",
            "/mounts/2",
            "/mounts/3/destination",
            "/mounts/4/destination",
            "/ociVersion",
            "/process/env/1",
            "/process/env/2",
            "/process/rlimits/0/hard",
            "/process/rlimits/0/soft",
            "/process/rlimits/0/type",
            "/process/rlimits/1/soft",
            "/process/user/gid",
            "/process/user/uid",
            "/root/path",
            "/root/readonly",
        ]
    );
    for (pointer, message) in &found {
        assert!(message.starts_with(&format!("{}: ", pointer.replace('\n', "\\n"))), "{message}");
    }
    let error = load(text.as_bytes()).unwrap_err();
    assert_eq!(error.message, format!("{} (and 20 more mistakes: brig spec --check)", found[0].1));
    assert_eq!(error.pointer.as_deref(), Some(found[0].0.as_str()));
}

#[test]
fn nothing_is_wrong_with_what_loads() {
    for rootless in [false, true] {
        assert_eq!(validate(default_spec(rootless).unwrap().as_bytes()).unwrap(), "[]");
    }
    assert_eq!(validate(everything().to_string().as_bytes()).unwrap(), "[]");
    let one = with(&[("/process/cwd", json!("x"))]);
    assert_eq!(load(one.as_bytes()).unwrap_err().message, "/process/cwd: \"x\" is not an absolute path");
}

#[test]
fn each_field_of_the_wrong_type() {
    let whole = every_field();
    for place in typed_places(&whole) {
        let mut document = whole.clone();
        let value = document.pointer_mut(&place).unwrap();
        *value = of_another_type(value);
        let found = mistakes(document.to_string().as_bytes());
        let there: Vec<_> = found.iter().filter(|(pointer, _)| *pointer == place).collect();
        assert!(there.len() == 1 && there[0].1.contains(": must be "), "{place}: {found:?}");
    }
}

#[test]
fn each_number_out_of_range() {
    let whole = every_field();
    for place in typed_places(&whole) {
        for far in [json!(1e30), json!(-1e30), json!(0.5)] {
            let mut document = whole.clone();
            let value = document.pointer_mut(&place).unwrap();
            if !value.is_number() {
                continue;
            }
            *value = far;
            let found = mistakes(document.to_string().as_bytes());
            let is_there =
                |(pointer, message): &(String, String)| *pointer == place && message.contains("whole number");
            assert!(found.iter().any(is_there), "{place}: {found:?}");
        }
    }
}

/// One mistake does not hide another, wherever the two are.
#[test]
fn each_field_together_with_the_next() {
    let whole = every_field();
    let is_leaf = |place: &String| !matches!(whole.pointer(place), Some(Value::Object(_) | Value::Array(_)));
    let leaves: Vec<_> = typed_places(&whole).into_iter().filter(is_leaf).collect();
    for pair in leaves.windows(2) {
        let mut document = whole.clone();
        for place in pair {
            let value = document.pointer_mut(place).unwrap();
            *value = of_another_type(value);
        }
        let found = mistakes(document.to_string().as_bytes());
        for place in pair {
            assert_eq!(found.iter().filter(|(pointer, _)| pointer == place).count(), 1, "{pair:?}: {found:?}");
        }
    }
}

/// Neither many mistakes nor a large document keep anybody busy for long.
#[test]
fn large_documents() {
    let mount = |n: usize| format!(r#"{{"destination": "/{n:0200}", "type": "tmpfs", "options": 5}}"#);
    let list = |count: usize, element: &dyn Fn(usize) -> String| {
        let mut text = String::from(r#"{"ociVersion": "1.3.0", "mounts": ["#);
        (0..count).for_each(|n| write!(text, "{}{}", if n == 0 { "" } else { "," }, element(n)).unwrap());
        text + "]}"
    };
    // 100 kB of mounts, each with a mistake (CVE-2021-43784): all of them are told.
    let found = mistakes(list(400, &mount).as_bytes());
    assert_eq!(found.iter().filter(|(pointer, _)| pointer.ends_with("/options")).count(), 400);
    assert!(found.iter().any(|(pointer, _)| pointer == "/process"));
    // 10 MB of them: not all.
    let found = mistakes(list(10_000, &|n| mount(n) + &" ".repeat(800)).as_bytes());
    assert_eq!(found.last().unwrap().1, "config.json: has too many mistakes to tell all of them");
    // 10 MB of another kind, and of no kind at all.
    let found = mistakes(list(10_000, &|n| format!(r#"{{"destination": "/{n:01000}/..", "type": "a"}}"#)).as_bytes());
    assert!(found.len() > 10_000);
    assert!(mistakes(list(1 << 17, &|_| "[[]]".into()).as_bytes()).len() > 1 << 17);
    for text in [&b"\xff{}"[..], b"", "[".repeat(1 << 20).as_bytes(), "{\"a\":".repeat(1 << 20).as_bytes()] {
        let found = mistakes(text);
        assert!(found.len() == 1 && found[0].0.is_empty(), "{found:?}");
    }
}
