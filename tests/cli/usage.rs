// SPDX-License-Identifier: Apache-2.0
//! What needs no container: flags, help, logs, spec, and ids that nobody has.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::common::Done;
use crate::lab;

/// The message of a failure's one line in logrus' text format.
fn message(done: &Done) -> String {
    let text = done.failure();
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "more than a line: {text}");
    let (time, rest) = line.strip_prefix("time=\"").unwrap().split_once('"').unwrap();
    assert!(time.len() > 19 && time.ends_with('Z'), "{time}");
    serde_json::from_str(rest.strip_prefix(" level=error msg=").unwrap()).unwrap()
}

#[test]
fn a_wrong_command_line_is_one_error_line_and_exit_1() {
    let lab = lab();
    for (arguments, expected) in [
        (&["nosuch"][..], "unknown command: nosuch"),
        (&["state"], "missing argument: <ID>"),
        (&["state", "--nosuch", "x"], "unknown flag: --nosuch"),
        (&["--log-format", "xml", "state", "x"], "invalid value for --log-format: xml, not one of text, json"),
        (&["create", "--bundle"], "flag needs an argument: --bundle"),
        (&["kill", "x", "-9"], "unknown signal: -9"),
        (&["kill", "x", "NOPE"], "unknown signal: NOPE"),
        (&["list", "--format", "xml"], "invalid value for --format: xml, not one of table, json"),
        (&["run", "--preserve-fds", "900", "x"], "--preserve-fds 900: file 3 is not open"),
    ] {
        assert_eq!(message(&lab.brig(arguments)), expected, "{arguments:?}");
    }
}

#[test]
fn help_is_on_stdout() {
    let lab = lab();
    for arguments in [&[][..], &["help"], &["--help"], &["-h"], &["-help"]] {
        let text = lab.brig(arguments).success();
        assert!(text.contains("Usage: brig") && text.contains("create") && text.contains("--log-format"), "{text}");
    }
    for arguments in [&["help", "create"][..], &["create", "--help"], &["create", "-help"]] {
        let text = lab.brig(arguments).success();
        assert!(text.contains("Usage: brig create") && text.contains("--console-socket"), "{text}");
    }
}

#[test]
fn the_version_is_as_tools_read_it() {
    let lab = lab();
    let text = lab.brig(&["--version"]).success();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(concat!("brig version ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(lines.next(), Some("spec: 1.3.0"));
    assert_eq!(lab.brig(&["-v"]).success(), text);
    assert_eq!(lab.brig(&["--root", "/x", "--debug", "--version"]).success(), text);
}

#[test]
fn nobody_has_this_id() {
    let lab = lab();
    for arguments in [&["state", "none"][..], &["start", "none"], &["kill", "none", "KILL"], &["delete", "none"]] {
        assert_eq!(message(&lab.brig(arguments)), "container does not exist", "{arguments:?}");
    }
    assert_eq!(lab.brig(&["delete", "--force", "none"]).success(), "");
    assert_eq!(lab.brig(&["delete", "-force", "none"]).success(), "");
}

#[test]
fn an_id_is_checked() {
    let lab = lab();
    for id in ["a/b", "..", "ü", ""] {
        let text = message(&lab.brig(&["state", id]));
        assert!(text.contains("invalid container ID format"), "{text}");
    }
}

#[test]
fn an_empty_list() {
    let lab = lab();
    let table = lab.brig(&["list"]).success();
    assert_eq!(table, "ID          PID         STATUS      BUNDLE      CREATED     OWNER");
    assert_eq!(lab.brig(&["list", "-format=json"]).success(), "[]");
    assert_eq!(lab.brig(&["list", "-q"]).success(), "");
}

#[test]
fn the_log_has_exactly_one_object() {
    let lab = lab();
    let log = lab.path.join("log.json");
    let done = lab.brig(&["--log", log.to_str().unwrap(), "--log-format", "json", "state", "none"]);
    // For people, and for conmon.
    assert_eq!(done.failure(), "container does not exist\n");
    let object: Value = serde_json::from_slice(&fs::read(&log).unwrap()).unwrap();
    let keys: Vec<_> = object.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["level", "msg", "time"]);
    assert_eq!((&object["level"], &object["msg"]), (&"error".into(), &"container does not exist".into()));
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn the_log_grows_and_has_usage_errors_too() {
    let lab = lab();
    let log = lab.path.join("log");
    let flag = format!("-log={}", log.display());
    for arguments in [["state", "none"], ["state", "--nosuch"]] {
        lab.brig(&[&[flag.as_str()], &arguments[..]].concat()).failure();
    }
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].ends_with(" level=error msg=\"container does not exist\""), "{text}");
    assert!(lines[1].ends_with(" level=error msg=\"unknown flag: --nosuch\""), "{text}");
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_log_that_cannot_be_had() {
    let lab = lab();
    let text = message(&lab.brig(&["--log", "/nonexistent/log", "list"]));
    assert_eq!(text, "cannot open the log /nonexistent/log: No such file or directory");
}

#[test]
fn spec_makes_a_config_and_overwrites_none() {
    let lab = lab();
    let path = lab.bundle().join("config.json");
    lab.brig(&["spec"]).success();
    let spec: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(spec["root"]["path"], "rootfs");
    assert!(spec["linux"]["uidMappings"].is_null());

    let text = message(&lab.brig(&["spec", "-b", lab.bundle().to_str().unwrap()]));
    assert!(text.ends_with("config.json exists: remove it first"), "{text}");

    fs::remove_file(&path).unwrap();
    lab.brig(&["spec", "-rootless"]).success();
    let spec: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(spec["linux"]["uidMappings"].is_array());
}

#[test]
fn spec_check_tells_all_mistakes() {
    let lab = lab();
    lab.brig(&["spec"]).success();
    assert_eq!(lab.brig(&["spec", "--check", "config.json"]).success(), "");
    let path = lab.bundle().join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    spec["process"]["terminal"] = false.into();
    spec["process"]["cwd"] = "here".into();
    spec["root"]["readonly"] = 1.into();
    fs::write(&path, spec.to_string()).unwrap();
    let lines = "/root/readonly: must be true or false, not 1\n/process/cwd: \"here\" is not an absolute path\n";
    for file in ["config.json", "-"] {
        let mut command = lab.command(&["spec", "--check", file]);
        let checked = lab.end(command.stdin(fs::File::open(&path).unwrap()));
        assert_eq!((checked.code(), checked.out().as_str(), checked.err().as_str()), (Some(1), lines, ""), "{file}");
    }
    let text = message(&lab.brig(&["create", "x"]));
    assert_eq!(text, "/root/readonly: must be true or false, not 1 (and one more mistake: brig spec --check)");

    fs::write(&path, "{}\0").unwrap();
    let checked = lab.brig(&["spec", "--check", "config.json"]);
    assert_eq!((checked.code(), checked.out().as_str()), (Some(1), "config.json: byte 2 is NUL, which is not JSON\n"));
    let text = message(&lab.brig(&["spec", "--check", "missing"]));
    assert_eq!(text, "cannot read missing: No such file or directory");
    let text = message(&lab.brig(&["spec", "--rootless", "--check", "-"]));
    assert!(text.contains("--check"), "{text}");
}

#[test]
fn features_are_json() {
    let lab = lab();
    let features: Value = serde_json::from_str(&lab.brig(&["features"]).success()).unwrap();
    assert_eq!(features["ociVersionMax"], "1.3.0");
}

#[test]
fn a_plan_changes_nothing() {
    let lab = lab();
    lab.write(&["true"], |_| ());
    let plan = lab.brig(&["plan"]).success();
    assert!(plan.lines().count() > 10, "{plan}");
    assert!(!lab.path.join("state").exists());
}

#[test]
fn a_missing_config_is_named() {
    let lab = lab();
    for command in ["create", "run", "plan"] {
        let text = message(&lab.brig(&[command, &lab.id("x")]));
        assert!(text.contains("config.json: No such file or directory"), "{text}");
    }
    let text = message(&lab.brig(&["create", "--console-socket", "/nonexistent", &lab.id("x")]));
    assert!(text.contains("config.json: No such file or directory"), "{text}");
}

#[test]
fn stdout_may_be_gone() {
    let lab = lab();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done = Done(lab.command(&["list"]).stdout(full).output().unwrap());
    assert_eq!(message(&done), "cannot write to stdout: No space left on device");
}
