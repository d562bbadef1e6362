// SPDX-License-Identifier: Apache-2.0
//! What is refused: each with status 1, one line that names the field, file or flag, a sentence of its own, and
//! nothing left behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::common::Lab;
use crate::{edit, lab};

/// What is wrong, and texts that the error must have.
type Case<'a> = (&'a str, Value, &'a [&'a str]);

/// What is wrong with a refusal, or its message.
fn judge(lab: &Lab, args: &[&str], texts: &[&str]) -> Result<String, String> {
    let done = lab.brig(args);
    let (out, error) = (done.out(), done.err());
    if done.code() != Some(1) || !out.is_empty() || error.lines().count() != 1 {
        return Err(format!("status {:?}: {out}{error}", done.code()));
    }
    if let Some(text) = texts.iter().find(|text| !error.contains(**text)) {
        return Err(format!("{text:?} is not in {error}"));
    }
    match lab.leftovers() {
        left if left.is_empty() => Ok(error.split_once(" msg=").ok_or(&error)?.1.to_owned()),
        left => Err(format!("{left:?} are left after {error}")),
    }
}

/// Checks a refusal.
#[track_caller]
fn refusal(lab: &Lab, args: &[&str], texts: &[&str]) {
    judge(lab, args, texts).unwrap_or_else(|wrong| panic!("{args:?}: {wrong}"));
}

/// Puts a value at a JSON pointer, whose parents are made.
fn put(spec: &mut Value, pointer: &str, value: Value) {
    let mut place = spec;
    for key in pointer.split('/').skip(1) {
        place = match place {
            Value::Array(list) => {
                let index = key.parse().unwrap_or(list.len());
                if index >= list.len() {
                    list.push(json!({}));
                }
                let last = list.len() - 1;
                &mut list[index.min(last)]
            }
            other => &mut other[key],
        };
    }
    *place = value;
}

/// `brig run` of a spec with each of these values in turn; what the errors say of each must differ.
fn refused(cases: &[Case<'_>]) {
    let lab = lab();
    let (mut sentences, mut wrong) = (BTreeMap::new(), Vec::new());
    for (pointer, value, texts) in cases {
        lab.write(&["true"], |spec| put(spec, pointer, value.clone()));
        match judge(&lab, &["run", &lab.id("bad")], texts) {
            Err(why) => wrong.push(format!("{pointer}={value}: {why}")),
            Ok(sentence) => {
                if let Some(other) = sentences.insert(sentence.clone(), format!("{pointer}={value}")) {
                    wrong.push(format!("{pointer}={value} and {other} are both told {sentence}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_that_are_no_config() {
    let lab = lab();
    let bundle = lab.bundle();
    let run = |texts: &[&str]| refusal(&lab, &["run", "--bundle", bundle.to_str().unwrap(), &lab.id("bad")], texts);
    run(&["config.json", "No such file or directory"]);
    let whole = {
        lab.write(&["true"], edit::nothing);
        fs::read(bundle.join("config.json")).unwrap()
    };
    let contents: &[(&[u8], &str)] = &[
        (b"", "config.json: is empty"),
        (b" \n", "config.json: is empty"),
        (b"hello", "is not JSON"),
        (&whole[..whole.len() / 2], "ends before its JSON is complete"),
        (b"[]", "config.json: must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (b"{}", "/ociVersion"),
        (b"{\"a\":1,\"a\":2}", "the key"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"{} {}", "something follows"),
    ];
    for (content, text) in contents {
        fs::write(bundle.join("config.json"), content).unwrap();
        run(&[text]);
    }
    fs::remove_file(bundle.join("config.json")).unwrap();
    fs::create_dir(bundle.join("config.json")).unwrap();
    run(&["config.json", "Is a directory"]);
}

#[test]
fn bundles_that_are_none() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    for (path, text) in [("/no/such/bundle", "No such file or directory"), ("config.json", "is not a directory")] {
        refusal(&lab, &["run", "--bundle", path, &lab.id("bad")], &["bundle: cannot open", path, text]);
    }
}

#[test]
fn fields_of_the_wrong_type() {
    let pointers = [
        "/ociVersion",
        "/root",
        "/root/path",
        "/root/readonly",
        "/process",
        "/process/args",
        "/process/args/0",
        "/process/cwd",
        "/process/env",
        "/process/env/0",
        "/process/terminal",
        "/process/user",
        "/process/user/uid",
        "/process/user/additionalGids",
        "/process/capabilities",
        "/process/capabilities/bounding",
        "/process/capabilities/bounding/0",
        "/process/rlimits",
        "/process/rlimits/0",
        "/process/rlimits/0/soft",
        "/process/noNewPrivileges",
        "/process/oomScoreAdj",
        "/hostname",
        "/mounts",
        "/mounts/0",
        "/mounts/0/destination",
        "/mounts/1/options",
        "/mounts/1/options/0",
        "/hooks",
        "/hooks/prestart",
        "/annotations",
        "/linux",
        "/linux/namespaces",
        "/linux/namespaces/0",
        "/linux/namespaces/0/type",
        "/linux/namespaces/0/path",
        "/linux/devices",
        "/linux/resources",
        "/linux/resources/memory",
        "/linux/resources/memory/limit",
        "/linux/resources/devices/0/allow",
        "/linux/resources/pids/limit",
        "/linux/resources/cpu/shares",
        "/linux/cgroupsPath",
        "/linux/maskedPaths",
        "/linux/maskedPaths/0",
        "/linux/readonlyPaths",
        "/linux/sysctl",
        "/linux/seccomp",
        "/linux/rootfsPropagation",
    ];
    // No field is a broken number.
    let texts = pointers.map(|pointer| [format!("{pointer}: must be "), ", not 7.5".to_owned()]);
    let texts = texts.each_ref().map(|texts| texts.each_ref().map(String::as_str));
    let cases: Vec<Case<'_>> =
        pointers.iter().zip(&texts).map(|(pointer, texts)| (*pointer, json!(7.5), &texts[..])).collect();
    refused(&cases);
}

#[test]
fn values_that_make_no_sense() {
    refused(&[
        ("/ociVersion", json!("2.0.0"), &["/ociVersion", "2.0.0"]),
        ("/ociVersion", json!("one"), &["/ociVersion", "one"]),
        ("/process/args", json!([]), &["/process/args"]),
        ("/process/args/0", json!(""), &["/process/args/0"]),
        ("/process/args/0", json!("a\u{0}b"), &["/process/args/0", "NUL"]),
        ("/process/cwd", json!("relative"), &["/process/cwd", "relative"]),
        ("/process/env/0", json!("NOVALUE"), &["/process/env/0", "NAME=value"]),
        ("/process/env/0", json!("=x"), &["/process/env/0"]),
        ("/process/capabilities/bounding/0", json!("CAP_FLY"), &["/process/capabilities/bounding/0", "CAP_FLY"]),
        ("/process/rlimits/0/type", json!("RLIMIT_FUN"), &["/process/rlimits/0/type", "RLIMIT_FUN"]),
        ("/process/rlimits/0", json!({ "type": "RLIMIT_CORE", "soft": 2, "hard": 1 }), &["/process/rlimits/0"]),
        ("/process/oomScoreAdj", json!(5000), &["/process/oomScoreAdj", "5000"]),
        ("/process/user/uid", json!(-1), &["/process/user/uid", "-1"]),
        ("/process/user/uid", json!(4_294_967_296u64), &["/process/user/uid", "4294967296"]),
        ("/hostname", json!("h".repeat(65)), &["/hostname", "64"]),
        ("/mounts/0/destination", json!(""), &["/mounts/0/destination"]),
        ("/mounts/1/type", json!("nosuchfs"), &["/mounts/1", "nosuchfs", "No such device"]),
        ("/mounts/1/options/0", json!("nosuchoption"), &["/mounts/1", "nosuchoption"]),
        ("/mounts/1/options/3", json!("size=many"), &["/mounts/1", "size"]),
        (
            "/mounts/9",
            json!({ "destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"] }),
            &["/mounts/7", "/no/such"],
        ),
        ("/mounts/9", json!({ "destination": "/x", "type": "bind", "options": ["bind"] }), &["/mounts/7", "source"]),
        ("/mounts/9", json!({ "destination": "/x", "options": ["remount", "ro"] }), &["/mounts/7", "/x"]),
        (
            "/mounts/9",
            json!({ "destination": "/bin/busybox/x", "type": "tmpfs" }),
            &["/mounts/7", "/bin/busybox/x", "Not a directory"],
        ),
        ("/mounts/9", json!({ "destination": "/proc/1", "type": "tmpfs" }), &["/mounts/7", "/proc/1"]),
        ("/linux/namespaces/0/type", json!("space"), &["/linux/namespaces/0/type", "space"]),
        ("/linux/namespaces/9", json!({ "type": "pid" }), &["/linux/namespaces/6", "pid"]),
        (
            "/linux/namespaces/0/path",
            json!("/no/such/namespace"),
            &["/linux/namespaces/0/path", "/no/such/namespace", "No such file"],
        ),
        (
            "/linux/namespaces/0/path",
            json!("/etc/passwd"),
            &["/linux/namespaces/0/path", "/etc/passwd", "is not a namespace"],
        ),
        (
            "/linux/namespaces/0/path",
            json!("/proc/self/ns/net"),
            &["/linux/namespaces/0/path", "/proc/self/ns/net", "another type"],
        ),
        ("/linux/namespaces/0/path", json!("proc/self/ns/pid"), &["/linux/namespaces/0/path", "absolute"]),
        ("/linux/namespaces/9", json!({ "type": "user" }), &["/linux/uidMappings"]),
        (
            "/linux/uidMappings",
            json!([{ "containerID": 0, "hostID": 0, "size": 1 }]),
            &["/linux/uidMappings", "user namespace"],
        ),
        ("/linux/timeOffsets", json!({ "monotonic": { "secs": 1 } }), &["/linux/timeOffsets", "time namespace"]),
        ("/linux/cgroupsPath", json!("/a/../../b"), &["/linux/cgroupsPath", ".."]),
        ("/linux/cgroupsPath", json!("/"), &["/linux/cgroupsPath"]),
        ("/linux/resources/memory", json!({ "limit": -5 }), &["/linux/resources/memory/limit", "-5"]),
        ("/linux/resources/pids", json!({ "limit": -7 }), &["/linux/resources/pids/limit", "-7"]),
        ("/linux/resources/cpu", json!({ "cpus": "0-a" }), &["/linux/resources/cpu/cpus", "0-a"]),
        ("/linux/resources/devices/0/access", json!("rx"), &["/linux/resources/devices/0/access", "rx"]),
        (
            "/linux/devices",
            json!([{ "path": "/dev/x", "type": "q", "major": 1, "minor": 1 }]),
            &["/linux/devices/0/type", "q"],
        ),
        ("/linux/devices", json!([{ "path": "/dev/x", "type": "c", "major": 1 }]), &["/linux/devices/0/minor"]),
        ("/linux/devices", json!([{ "path": "dev/x", "type": "p" }]), &["/linux/devices/0/path"]),
        ("/linux/maskedPaths/0", json!("relative"), &["/linux/maskedPaths/0"]),
        ("/linux/rootfsPropagation", json!("sideways"), &["/linux/rootfsPropagation", "sideways"]),
        ("/linux/sysctl", json!({ "kernel.panic": "1" }), &["/linux/sysctl/kernel.panic"]),
        ("/linux/sysctl", json!({ "net.no.such.file": "1" }), &["/linux/sysctl/net.no.such.file", "No such file"]),
        (
            "/linux/sysctl",
            json!({ "net.ipv4.ip_default_ttl": "many" }),
            &["/linux/sysctl/net.ipv4.ip_default_ttl", "Invalid argument"],
        ),
        (
            "/linux/seccomp",
            json!({ "defaultAction": "SCMP_ACT_DANCE" }),
            &["/linux/seccomp/defaultAction", "SCMP_ACT_DANCE"],
        ),
        ("/hooks/prestart", json!([{ "path": "relative" }]), &["/hooks/prestart/0/path", "relative"]),
        ("/hooks/prestart", json!([{ "path": "/bin/true", "timeout": 0 }]), &["/hooks/prestart/0/timeout"]),
    ]);
}

#[test]
fn ids_that_are_none() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let long = "x".repeat(300);
    for id in ["", ".", "..", "a/b", "a b", "ä", "../x", "a\n", long.as_str()] {
        for command in ["run", "create"] {
            refusal(&lab, &[command, "--", id], &["invalid container ID format"]);
        }
        for command in ["state", "start", "delete"] {
            let error = lab.brig(&[command, "--", id]).failure();
            assert!(error.contains("invalid container ID format"), "{command} {id:?}: {error}");
        }
    }
    refusal(&lab, &["run"], &["ID"]);
}

#[test]
fn root_filesystems_that_are_none() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    fs::write(lab.bundle().join("file"), "").unwrap();
    symlink("loop", lab.bundle().join("loop")).unwrap();
    for (path, text) in [("missing", "No such file or directory"), ("file", "is not a directory"), ("loop", "Too many")]
    {
        lab.write(&["true"], |spec| spec["root"]["path"] = json!(path));
        refusal(&lab, &["run", &lab.id("bad")], &["/root/path", path, text]);
    }
}

#[test]
fn programs_that_are_none() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let file = |name: &str, content: &str, mode| {
        let path = lab.rootfs().join("tmp").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    file("plain", "#!/bin/sh\n", 0o644);
    file("lost", "#!/no/such/interpreter\n", 0o755);
    file("rubbish", "\u{7f}ELF rubbish", 0o755);
    symlink("loop", lab.rootfs().join("tmp/loop")).unwrap();
    // Each by create where that can be seen, else by start; in both cases nothing is left of it.
    for (program, text) in [
        ("nosuch", "nosuch: executable file not found in $PATH"),
        ("/no/such", "/no/such: no such file or directory"),
        ("no/such", "no/such: no such file or directory"),
        ("/tmp", "/tmp: cannot execute it: "),
        ("/tmp/plain", "/tmp/plain: cannot execute it: permission denied"),
        ("/tmp/loop", "/tmp/loop"),
        ("/tmp/lost", "/tmp/lost: no such file or directory"),
        ("/tmp/rubbish", "/tmp/rubbish: cannot execute it: exec format error"),
    ] {
        lab.write(&[program], edit::nothing);
        refusal(&lab, &["run", &lab.id("bad")], &["/process/args/0", text]);
    }
}

/// A program that its user may not execute is found out by create.
#[test]
fn programs_of_others() {
    let lab = lab();
    lab.write(&["/tmp/mine"], |spec| edit::user(spec, 1000, 1000, &[]));
    fs::write(lab.rootfs().join("tmp/mine"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(lab.rootfs().join("tmp/mine"), PermissionsExt::from_mode(0o700)).unwrap();
    refusal(&lab, &["create", &lab.id("bad")], &["/process/args/0", "/tmp/mine", "permission denied"]);
}

#[test]
fn cgroups_that_are_not_ours() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| spec["linux"]["cgroupsPath"] = json!(format!("/{}", lab.id("one"))));
    let first = lab.launch("first");
    let error = lab.brig(&["run", &lab.id("second")]).failure();
    for text in ["/linux/cgroupsPath", &lab.id("one"), "has processes"] {
        assert!(error.contains(text), "{error}");
    }
    assert_eq!(lab.state(&first)["status"], "running", "the first one lives");
}

#[test]
fn flags_that_make_no_sense() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let id = lab.id("bad");
    for (args, texts) in [
        (&["run", "--no-such-flag", &id][..], &["--no-such-flag"][..]),
        (&["run", "--preserve-fds", "3", &id], &["--preserve-fds 3", "file 3 is not open"]),
        (&["run", "--preserve-fds", "many", &id], &["--preserve-fds", "many"]),
        (&["create", "--console-socket", "/no/such", &id], &["console socket"]),
        (&["nosuchcommand"], &["nosuchcommand"]),
        (&["list", "--format", "xml"], &["--format", "xml"]),
    ] {
        refusal(&lab, args, texts);
    }
}

/// Of a hostile or broken file nothing reaches the host.
#[test]
fn a_config_that_is_too_large() {
    let lab = lab();
    lab.write(&["true"], |spec| spec["annotations"] = json!({ "x": "y".repeat(17 << 20) }));
    refusal(&lab, &["run", &lab.id("bad")], &["16 MiB"]);
    assert!(!Path::new("/run/brig").join(lab.id("bad")).exists());
}
