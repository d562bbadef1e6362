// SPDX-License-Identifier: Apache-2.0
//! Whatever comes in, what goes out is a specification or an error with a place in it.

use proptest::prelude::*;

use super::*;

/// All places of a document.
pub(super) fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| places(value, &pointer::join(at, key), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| places(value, &pointer::join(at, index), found));
        }
        _ => {}
    }
}

/// A configuration that uses nearly every field.
pub(super) fn everything() -> Value {
    let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
    let hook = json!([{ "path": "/h", "args": ["h"], "env": ["A=b"], "timeout": 3 }]);
    let throttle = json!([{ "major": 8, "minor": 0, "rate": 1 }]);
    let mut document = default();
    for (pointer, value) in [
        ("/domainname", json!("d")),
        ("/process/consoleSize", json!({ "height": 24, "width": 80 })),
        ("/process/user", json!({ "uid": 1, "gid": 2, "umask": 18, "additionalGids": [3] })),
        ("/process/oomScoreAdj", json!(5)),
        ("/process/execCPUAffinity", json!({ "initial": "1" })),
        (
            "/process/scheduler",
            json!({ "policy": "SCHED_DEADLINE", "nice": 0, "flags": ["SCHED_FLAG_DL_OVERRUN"],
            "runtime": 2000, "deadline": 3000, "period": 4000 }),
        ),
        ("/process/ioPriority", json!({ "class": "IOPRIO_CLASS_RT", "priority": 0 })),
        (
            "/linux/intelRdt",
            json!({ "closID": "gold", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=1", "schemata": ["L2:0=1"],
            "enableMonitoring": true }),
        ),
        ("/linux/personality", json!({ "domain": "LINUX32", "flags": ["UNAME26"] })),
        ("/linux/memoryPolicy", json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] })),
        ("/hooks", json!({ "prestart": hook, "createContainer": hook, "poststop": hook })),
        ("/annotations", json!({ "a": "b" })),
        ("/linux/namespaces/-", json!({ "type": "user" })),
        ("/linux/namespaces/-", json!({ "type": "time" })),
        ("/linux/uidMappings", ids.clone()),
        ("/linux/gidMappings", ids),
        ("/linux/timeOffsets", json!({ "monotonic": { "secs": 1, "nanosecs": 2 } })),
        ("/linux/devices", json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": 2, "fileMode": 3, "uid": 4 }])),
        ("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" })),
        ("/linux/cgroupsPath", json!("/a/b")),
        ("/linux/rootfsPropagation", json!("slave")),
        ("/linux/resources/memory", json!({ "limit": 1, "swap": 2, "swappiness": 3, "disableOOMKiller": true })),
        ("/linux/resources/cpu", json!({ "shares": 2, "quota": 3, "period": 4, "cpus": "0", "idle": 1, "burst": 1 })),
        ("/linux/resources/pids", json!({ "limit": 5 })),
        (
            "/linux/resources/blockIO",
            json!({ "weight": 10, "throttleReadBpsDevice": throttle,
            "weightDevice": [{ "major": 8, "minor": 0, "weight": 5 }] }),
        ),
        ("/linux/resources/hugepageLimits", json!([{ "pageSize": "2MB", "limit": 1 }])),
        ("/linux/resources/network", json!({ "classID": 1, "priorities": [{ "name": "lo", "priority": 1 }] })),
        ("/linux/resources/rdma", json!({ "x": { "hcaHandles": 1 } })),
        ("/linux/resources/unified", json!({ "memory.high": "1" })),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"], "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW",
            "args": [{ "index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ" }] }] }),
        ),
    ] {
        set(&mut document, pointer, value);
    }
    document
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-2_i64..70_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "", "/", "/proc", "..", "a", "mount", "user", "CAP_KILL", "bind", "=", "\0", "/a/../b"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z~/]{0,4}", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Loads, and looks at the error.
fn judge(text: &[u8]) {
    let mistakes: Vec<Value> = serde_json::from_str(&validate(text).unwrap()).unwrap();
    let Err(error) = load(text) else { return assert!(mistakes.is_empty(), "{mistakes:?}") };
    let told = mistakes[0]["message"].as_str().unwrap();
    assert!(error.message.starts_with(told) && mistakes[0]["pointer"] == *error.pointer.as_ref().unwrap(), "{told}");
    assert!(matches!(error.kind, Kind::Config | Kind::Unsupported), "{error:?}");
    let pointer = error.pointer.expect("no pointer");
    assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer}");
    assert!(!error.message.contains('\n') && error.message.len() < 1000, "{}", error.message);
    // The place is in the document, or what is missing there would be.
    if let Ok(document) = serde_json::from_slice::<Value>(text) {
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        assert!(document.pointer(parent).is_some() || parent == "/linux", "{} is nowhere", pointer);
    }
}

#[test]
fn everything_loads() {
    load(everything().to_string().as_bytes()).unwrap();
}

#[test]
fn one_member_less() {
    let whole = everything();
    let mut found = Vec::new();
    places(&whole, "", &mut found);
    for place in found.iter().filter(|place| !place.is_empty()) {
        let (parent, key) = place.rsplit_once('/').unwrap();
        let mut document = whole.clone();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(object) => drop(object.remove(&key.replace("~1", "/").replace("~0", "~"))),
            Value::Array(list) => drop(list.remove(key.parse().unwrap())),
            _ => unreachable!(),
        }
        judge(document.to_string().as_bytes());
    }
}

#[test]
fn cut_anywhere() {
    let text = everything().to_string();
    (0..text.len()).for_each(|end| assert!(load(&text.as_bytes()[..end]).is_err(), "{end}"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn other_values(choices in prop::collection::vec((any::<prop::sample::Index>(), value()), 1..3)) {
        let mut document = everything();
        for (choice, value) in choices {
            let mut found = Vec::new();
            places(&document, "", &mut found);
            *document.pointer_mut(&found[choice.index(found.len())]).unwrap() = value;
        }
        judge(document.to_string().as_bytes());
    }

    #[test]
    fn other_bytes(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let mut text = everything().to_string().into_bytes();
        for (choice, byte) in changes {
            let at = choice.index(text.len());
            text[at] = byte;
        }
        judge(&text);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        judge(&bytes);
        let _ = load_process(&bytes, None);
        let _ = load_resources(&bytes);
    }
}
