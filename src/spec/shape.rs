// SPDX-License-Identifier: Apache-2.0
//! What the types of oci-spec are too lenient, or too strict, to see: worked out on the raw document
//! before it gets its types.
//!
//! They read a struct from a JSON list too, take 0 for a required number that is missing, and parse what
//! is for other platforms; and JSON writers differ in whether "not set" is `""`, `null` or nothing.

use serde_json::{Map, Value};

use super::number_list::{CPUS_MAX, mask};
use super::parse::describe;
use super::pointer::{Place, each, each_mut};
use crate::error::Error;

/// Members that say nothing to Linux (config.md, "Platform-specific configuration"), or are not of the specification
/// though oci-spec has them. Their content is not our business, be it right or wrong.
const IGNORED: &[&str] = &["windows", "solaris", "zos", "freebsd", "vm", "uidMappings", "gidMappings"];

type IsEmpty = fn(&Value) -> bool;

/// Objects whose member, if it is this empty value, is as good as not there: that is how Go programs write "not set".
const EMPTY_IS_ABSENT: &[(&str, IsEmpty, &[&str])] = &[
    ("", is_empty_text, &["hostname", "domainname"]),
    ("/process", is_empty_text, &["apparmorProfile", "selinuxLabel"]),
    ("/mounts/*", is_empty_text, &["type", "source"]),
    ("/mounts/*", is_empty_list, &["uidMappings", "gidMappings"]),
    ("/linux", is_empty_text, &["cgroupsPath", "rootfsPropagation", "mountLabel"]),
    ("/linux", is_empty_object, &["netDevices", "timeOffsets"]),
    ("/linux/namespaces/*", is_empty_text, &["path"]),
    ("/linux/seccomp", is_empty_text, &["listenerPath", "listenerMetadata"]),
    ("/process/execCPUAffinity", is_empty_text, &["initial", "final"]),
    ("/linux/memoryPolicy", is_empty_text, &["nodes"]),
    ("/linux/intelRdt", is_empty_text, &["closID", "l3CacheSchema", "memBwSchema"]),
    ("/linux/intelRdt", is_empty_list, &["schemata"]),
];

/// The objects of the specification and the members that each must have.
const OBJECTS: &[(&str, &[&str])] = &[
    ("/root", &["path"]),
    ("/mounts/*", &["destination"]),
    ("/mounts/*/uidMappings/*", ID_MAPPING),
    ("/mounts/*/gidMappings/*", ID_MAPPING),
    ("/process", &["cwd", "args"]),
    ("/process/user", &[]),
    ("/process/consoleSize", &["height", "width"]),
    ("/process/capabilities", &[]),
    ("/process/rlimits/*", &["type", "soft", "hard"]),
    ("/process/scheduler", &["policy"]),
    ("/process/ioPriority", &["class", "priority"]),
    ("/process/execCPUAffinity", &[]),
    ("/hooks", &[]),
    ("/hooks/*/*", &["path"]),
    ("/linux", &[]),
    ("/linux/namespaces/*", &["type"]),
    ("/linux/uidMappings/*", ID_MAPPING),
    ("/linux/gidMappings/*", ID_MAPPING),
    ("/linux/timeOffsets/*", &[]),
    ("/linux/devices/*", &["type", "path"]),
    ("/linux/netDevices/*", &[]),
    ("/linux/resources", &[]),
    ("/linux/resources/devices/*", &["allow"]),
    ("/linux/resources/memory", &[]),
    ("/linux/resources/cpu", &[]),
    ("/linux/resources/pids", &[]),
    ("/linux/resources/blockIO", &[]),
    ("/linux/resources/blockIO/weightDevice/*", &["major", "minor"]),
    ("/linux/resources/blockIO/throttleReadBpsDevice/*", THROTTLE),
    ("/linux/resources/blockIO/throttleWriteBpsDevice/*", THROTTLE),
    ("/linux/resources/blockIO/throttleReadIOPSDevice/*", THROTTLE),
    ("/linux/resources/blockIO/throttleWriteIOPSDevice/*", THROTTLE),
    ("/linux/resources/hugepageLimits/*", &["pageSize", "limit"]),
    ("/linux/resources/network", &[]),
    ("/linux/resources/network/priorities/*", &["name", "priority"]),
    ("/linux/resources/rdma/*", &[]),
    ("/linux/intelRdt", &[]),
    ("/linux/memoryPolicy", &["mode"]),
    ("/linux/personality", &["domain"]),
    ("/linux/seccomp", &["defaultAction"]),
    ("/linux/seccomp/syscalls/*", &["names", "action"]),
    ("/linux/seccomp/syscalls/*/args/*", &["index", "value", "op"]),
];

const ID_MAPPING: &[&str] = &["containerID", "hostID", "size"];
const THROTTLE: &[&str] = &["major", "minor", "rate"];

/// Names out of a list, which oci-spec would also read from an object with the name as its only key.
const NAMES: &[&str] = &[
    "/process/rlimits/*/type",
    "/process/scheduler/policy",
    "/process/scheduler/flags/*",
    "/process/ioPriority/class",
    "/linux/namespaces/*/type",
    "/linux/devices/*/type",
    "/linux/resources/devices/*/type",
    "/linux/memoryPolicy/mode",
    "/linux/memoryPolicy/flags/*",
    "/linux/personality/domain",
    "/linux/seccomp/defaultAction",
    "/linux/seccomp/architectures/*",
    "/linux/seccomp/flags/*",
    "/linux/seccomp/syscalls/*/action",
    "/linux/seccomp/syscalls/*/args/*/op",
];

/// Lists of CPUs. The types of oci-spec refuse a wrong one without a word why.
const CPU_LISTS: &[&str] = &["/process/execCPUAffinity/initial", "/process/execCPUAffinity/final"];

/// The flags of `process.scheduler`, each with the name that oci-spec has for it.
const SCHEDULER_FLAGS: &[(&str, &str)] = &[
    ("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"),
    ("SCHED_FLAG_RECLAIM", "SCHED_FLAG_RECLAIM"),
    ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"),
    ("SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_POLICY"),
    ("SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_KEEP_PARAMS"),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MIN"),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", "SCHED_FLAG_UTIL_CLAMP_MAX"),
];

/// The members whose strings reach the kernel.
const KERNEL: &[&str] = &["root", "process", "hostname", "domainname", "mounts", "hooks", "linux"];

/// Brings different ways to say the same into one.
pub fn normalize(document: &mut Value) {
    if let Value::Object(object) = document {
        object.retain(|key, _| !IGNORED.contains(&key.as_str()));
    }
    for (object, is_empty, members) in EMPTY_IS_ABSENT {
        each_mut(document, object, &mut |value| {
            if let Value::Object(object) = value {
                object.retain(|key, value| !(members.contains(&key.as_str()) && is_empty(value)));
            }
        });
    }
    // Without a user it is root, as in every runtime; oci-spec insists on the object.
    each_mut(document, "/process", &mut |process| {
        if let Value::Object(process) = process {
            process.entry("user").or_insert_with(|| Value::Object(Map::new()));
        }
    });
    // Since 1.3 pids.limit is optional, and 0 is a limit. oci-spec takes 0 for no value.
    each_mut(document, "/linux/resources", &mut |resources| {
        if let Value::Object(resources) = resources {
            let is_unlimited = |pids: &Map<String, Value>| pids.get("limit").is_none_or(Value::is_null);
            resources.retain(|key, value| key != "pids" || !value.as_object().is_some_and(is_unlimited));
        }
    });
    // Until 1.2 there were two of them, for what resctrl only does together.
    each_mut(document, "/linux/intelRdt", &mut |rdt| {
        if let Value::Object(rdt) = rdt
            && ["enableCMT", "enableMBM"].iter().any(|name| rdt.get(*name) == Some(&Value::Bool(true)))
        {
            rdt.entry("enableMonitoring").or_insert(Value::Bool(true));
        }
    });
    // A relative destination is deprecated, but means one relative to "/" (config.md, "Mounts").
    each_mut(document, "/mounts/*/destination", &mut |destination| {
        if let Value::String(path) = destination
            && !path.is_empty()
            && !path.starts_with('/')
        {
            log::warn!("the mount destination {path:?} is relative, which is deprecated: taken as relative to \"/\"");
            path.insert(0, '/');
        }
    });
}

fn is_empty_text(value: &Value) -> bool {
    value.as_str().is_some_and(str::is_empty)
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// The places where the document has not the shape of a configuration.
pub fn check(document: &Value) -> Vec<Error> {
    let mut wrong = Vec::new();
    let mut refuse = |at: String, message: String| wrong.push(Error::config(at, message));
    for (pattern, members) in OBJECTS {
        each(document, pattern, &mut |at, value| match value {
            // `null` is how some write "not set"; in a list, the types refuse it.
            Value::Null => {}
            Value::Object(object) => {
                for key in members.iter().filter(|key| object.get(**key).is_none_or(Value::is_null)) {
                    refuse(format!("{at}/{key}"), "is missing".into());
                }
            }
            other => refuse(at.to_string(), format!("must be an object, not {}", describe(other))),
        });
    }
    for pattern in NAMES {
        each(document, pattern, &mut |at, value| {
            if !value.is_string() && !value.is_null() {
                refuse(at.to_string(), format!("must be a string, not {}", describe(value)));
            }
        });
    }
    for pattern in CPU_LISTS {
        each(document, pattern, &mut |at, list| {
            if let Some(Err(message)) = list.as_str().map(|list| mask(list, CPUS_MAX)) {
                refuse(at.to_string(), message);
            }
        });
    }
    each(document, "/process/scheduler/flags/*", &mut |at, flag| {
        if !SCHEDULER_FLAGS.iter().any(|known| flag == known.0) {
            let known: Vec<_> = SCHEDULER_FLAGS.iter().map(|known| known.0).collect();
            let message = format!("unknown scheduling flag {}; known are {}", describe(flag), known.join(", "));
            refuse(at.to_string(), message);
        }
    });
    each(document, "/linux/devices/*", &mut |at, device| {
        let is_pipe = device.get("type").is_some_and(|kind| kind == "p");
        for key in ["major", "minor"] {
            if !is_pipe && device.get(key).is_none_or(Value::is_null) {
                refuse(format!("{at}/{key}"), "is missing".into());
            }
        }
    });
    for member in KERNEL {
        if let Some(value) = document.get(member) {
            walk(value, &Place::document().key(member), &mut |at, text| {
                if text.contains('\0') {
                    refuse(at.to_string(), "has a NUL character".into());
                }
            });
        }
    }
    wrong
}

/// Writes the names that oci-spec has otherwise as it has them, in a document that was checked.
pub fn respell(document: &mut Value) {
    each_mut(document, "/process/scheduler/flags/*", &mut |flag| {
        if let Some((_, name)) = SCHEDULER_FLAGS.iter().find(|known| flag == known.0) {
            *flag = Value::from(*name);
        }
    });
}

/// Calls `visit` with every string and every key. A NUL would end one early in the kernel: what was checked would not be
/// what is used.
fn walk(value: &Value, at: &Place<'_>, visit: &mut impl FnMut(&Place<'_>, &str)) {
    match value {
        Value::String(text) => visit(at, text),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| walk(value, &at.index(index), visit));
        }
        Value::Object(object) => {
            for (key, value) in object {
                visit(&at.key(key), key);
                walk(value, &at.key(key), visit);
            }
        }
        _ => {}
    }
}
