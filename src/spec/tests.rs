// SPDX-License-Identifier: Apache-2.0
//! Tables of what is refused, where and in which words, and of what is not.

mod accepted;
mod conflicts;
mod fuzz;
mod mistakes;
mod refused;
mod refused_linux;

use serde_json::{Value, json};

use super::*;
use crate::error::Kind;

/// The default configuration.
fn default() -> Value {
    serde_json::from_str(&default_spec(false).unwrap()).unwrap()
}

/// Sets the member at `pointer`, whose parents are made if missing; `-` appends to a list, and a `null`
/// removes.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    if !parent.is_empty() && document.pointer(parent).is_none_or(Value::is_null) {
        set(document, parent, if key == "-" { json!([]) } else { json!({}) });
    }
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        Value::Object(object) if value.is_null() => drop(object.remove(&key)),
        Value::Object(object) => drop(object.insert(key, value)),
        other => panic!("{pointer}: {other}"),
    }
}

/// The default configuration with some members set.
fn with(changes: &[(&str, Value)]) -> String {
    let mut document = default();
    for (pointer, value) in changes {
        set(&mut document, pointer, value.clone());
    }
    document.to_string()
}

#[test]
fn the_defaults_load() {
    for rootless in [false, true] {
        let text = default_spec(rootless).unwrap();
        let spec = load(text.as_bytes()).unwrap();
        assert!(text.starts_with("{\n  \"ociVersion\": \"1.3.0\",\n  \"root\""));
        assert_eq!(spec.linux().as_ref().unwrap().uid_mappings().is_some(), rootless);
    }
}

#[test]
fn a_part_is_what_is_written() {
    let section = "{ \"defaultAction\":\n\"SCMP_ACT_ALLOW\", \"x\": \"{]\" }";
    let mut document = default();
    document["linux"].as_object_mut().unwrap().remove("seccomp");
    let without = document.to_string();
    let with = without.replacen("\"linux\":{", &format!("\"linux\":{{\"seccomp\" : {section} ,"), 1);
    let parts = Parts::of(with.as_bytes()).unwrap();
    assert_eq!(parts.seccomp(), Some(section));
    assert_eq!(parts.without_seccomp(), with.replace(section, "null").as_bytes());
    let (full, rest) = (load(with.as_bytes()).unwrap(), load(&parts.without_seccomp()).unwrap());
    assert!(full.linux().as_ref().unwrap().seccomp().is_some());
    assert_eq!(rest, load(without.as_bytes()).unwrap());

    for absent in [without.clone(), with.replace(section, "null")] {
        let parts = Parts::of(absent.as_bytes()).unwrap();
        assert_eq!((parts.seccomp(), parts.without_seccomp()), (None, absent.clone().into_bytes()));
    }
    let pretty = serde_json::to_string_pretty(&document).unwrap();
    assert!(!Parts::of(pretty.as_bytes()).unwrap().process().unwrap().get().contains('\n'));
    // Of what is there twice there is no part, and no error but that of `load`.
    for twice in [with.replacen("\"linux\":", "\"linux\":{},\"linux\":", 1), with.replacen(",", ",\"linux\":7,", 1)] {
        assert!(Parts::of(twice.as_bytes()).is_err());
        assert!(load(twice.as_bytes()).is_err());
    }
}

#[test]
fn the_features_are_those_of_the_tables() {
    let features: Value = serde_json::from_str(&features().unwrap()).unwrap();
    let names = |pointer: &str| -> Vec<_> {
        features.pointer(pointer).unwrap().as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
    };
    // What is told can be asked for.
    for name in names("/mountOptions") {
        let mut change =
            json!({ "destination": "/data", "type": "none", "source": "/data", "options": ["bind", name] });
        match name {
            "tmpcopyup" => {
                change["type"] = json!("tmpfs");
                change["options"] = json!([name]);
            }
            "idmap" | "ridmap" => {
                let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
                (change["uidMappings"], change["gidMappings"]) = (ids.clone(), ids);
            }
            _ => {}
        }
        load(with(&[("/mounts/-", change)]).as_bytes()).unwrap();
    }
    for name in names("/linux/capabilities") {
        load(with(&[("/process/capabilities/bounding", json!([name]))]).as_bytes()).unwrap();
    }
    assert!(names("/linux/capabilities").contains(&"CAP_CHOWN"));
    for kind in names("/linux/namespaces") {
        let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
        let mut changes = vec![("/linux/namespaces", json!([{ "type": "mount" }, { "type": kind }]))];
        changes.push(("/hostname", json!("")));
        match kind {
            "mount" => changes[0].1 = json!([{ "type": "mount" }]),
            "user" => changes.extend([("/linux/uidMappings", ids.clone()), ("/linux/gidMappings", ids)]),
            _ => {}
        }
        load(with(&changes).as_bytes()).unwrap();
    }
    for (list, field) in [("actions", "syscalls/-"), ("archs", "architectures/-"), ("supportedFlags", "flags/-")] {
        for name in names(&format!("/linux/seccomp/{list}")) {
            let rule = json!({ "names": ["mkdir"], "action": name });
            let value = if list == "actions" { rule } else { json!(name) };
            let changes = [
                ("/linux/seccomp/defaultAction", json!("SCMP_ACT_ALLOW")),
                (&format!("/linux/seccomp/{field}"), value),
            ];
            load(with(&changes).as_bytes()).unwrap();
        }
    }
    for (list, field) in [("modes", "mode"), ("flags", "flags/-")] {
        for name in names(&format!("/linux/memoryPolicy/{list}")) {
            let nodes = if ["MPOL_DEFAULT", "MPOL_LOCAL"].contains(&name) { "" } else { "0" };
            let changes = [
                ("/linux/memoryPolicy/mode", json!("MPOL_BIND")),
                ("/linux/memoryPolicy/nodes", json!(nodes)),
                (&format!("/linux/memoryPolicy/{field}"), json!(name)),
            ];
            load(with(&changes).as_bytes()).unwrap();
        }
    }
}

#[test]
fn parts_have_pointers_of_their_own() {
    let error = load_process(br#"{"cwd": "/", "args": ["a"], "env": ["PATH"]}"#, None).unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("/env/0"));
    assert!(error.message.starts_with("/env/0: has no '='"), "{error}");
    let error = load_process(br#"{"cwd": 1, "args": ["a"]}"#, None).unwrap_err();
    assert_eq!(error.message, "/cwd: must be a string, not 1");
    let error = load_process(b"[]", None).unwrap_err();
    assert_eq!(error.message, "process: must be an object, not a list");
    let error =
        load_process(br#"{"cwd": "/", "args": ["a"], "scheduler": {"policy": "SCHED_OTHER", "nice": 20}}"#, None)
            .unwrap_err();
    assert_eq!((error.kind, error.pointer.as_deref()), (Kind::Config, Some("/scheduler/nice")));
    let process = load_process(br#"{"cwd": "/", "args": ["a"], "user": {"uid": 7}}"#, None).unwrap();
    assert_eq!((process.user().uid(), process.user().gid()), (7, 0));

    let error = load_resources(br#"{"memory": {"limit": "1G"}}"#).unwrap_err();
    assert!(error.message.starts_with("/memory/limit: must be a whole number"), "{error}");
    let error = load_resources(b"nonsense").unwrap_err();
    assert!(error.message.starts_with("resources: line 1, column 2: is not JSON"), "{error}");
    let resources = load_resources(br#"{"pids": {}, "memory": {"limit": -1}}"#).unwrap();
    assert_eq!((resources.pids().is_none(), resources.memory().unwrap().limit()), (true, Some(-1)));
    load_resources(b"{}").unwrap();
}

#[test]
fn mounts_in_proc() {
    for (path, allowed) in [
        ("/proc/meminfo", true),
        ("/proc//./meminfo", true),
        ("/proc/sys/kernel/ns_last_pid", true),
        ("/proc/meminfo/x", false),
        ("/proc/sys", false),
        ("/proc", false),
        ("/proc/../meminfo", false),
        ("meminfo", false),
    ] {
        assert_eq!(may_be_mounted_in_proc(std::path::Path::new(path)), allowed, "{path}");
    }
}

#[test]
fn sysctls_are_files() {
    for (name, path) in [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ] {
        assert_eq!(sysctl_path(name), path, "{name}");
    }
}
