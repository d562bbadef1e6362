// SPDX-License-Identifier: Apache-2.0
//! How it ends: exit statuses, signals, and programs that cannot be executed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::json;

use super::{exec, exec_json, idle, refused, sh};
use crate::common::until;
use crate::{edit, lab};

#[test]
fn the_exit_status_is_the_programs() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    for (script, code) in [("exit 0", 0), ("exit 42", 42), ("exit 255", 255), ("kill -9 $$", 137), ("kill $$", 143)] {
        assert_eq!(sh(&lab, &[], &id, script).code(), Some(code), "{script}");
    }
    assert_eq!(lab.state(&id)["status"], "running");
}

#[test]
fn output_and_input_are_the_callers() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let done = sh(&lab, &[], &id, "echo out; echo error >&2; cat");
    assert_eq!((done.success().as_str(), done.err().as_str()), ("out", "error\n"));
    let input = fs::File::open(lab.bundle().join("config.json")).unwrap();
    let done = lab.end(lab.command(&["exec", &id, "cat"]).stdin(input));
    assert_eq!(done.success(), fs::read_to_string(lab.bundle().join("config.json")).unwrap());
}

#[test]
fn what_is_behind_the_program_is_its_own() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    for (args, seen) in [
        (&["echo", "-d", "--detach", "-detach", "--"][..], "-d --detach -detach --"),
        (&["--", "echo", "-t"], "-t"),
        (&["echo", "--", "x"], "-- x"),
    ] {
        assert_eq!(exec(&lab, &[], &id, args).success(), seen);
    }
}

#[test]
fn signals_reach_the_program() {
    let lab = lab();
    let id = idle(&lab, |spec| edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &[]));
    let script = "trap 'exit 9' TERM; touch /tmp/ready; while :; do sleep 0.05; done";
    let mut command = lab.command(&["exec", &id, "sh", "-c", script]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    until("it is ready", || exec(&lab, &[], &id, &["test", "-e", "/tmp/ready"]).code() == Some(0));
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn a_program_that_cannot_be_executed() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let script = |name: &str, text: &str, mode: u32| {
        let path = lab.rootfs().join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    };
    script("no-interpreter", "#!/no/such/interpreter\n", 0o755);
    script("no-format", "\u{1}\u{2}\u{3}", 0o755);
    script("no-mode", "#!/bin/sh\n", 0o644);
    let table = [
        ("nosuch", "nosuch: executable file not found in $PATH"),
        ("/no/such", "/no/such: no such file or directory"),
        ("/bin", "/bin: cannot execute it: permission denied"),
        ("/bin/no-mode", "/bin/no-mode: cannot execute it: permission denied"),
        ("no-mode", "no-mode: cannot execute it: permission denied"),
        ("no-interpreter", "no-interpreter: executable file not found in $PATH"),
        ("/bin/no-interpreter", "/bin/no-interpreter: no such file or directory"),
        ("no-format", "no-format: cannot execute it: exec format error"),
    ];
    for (program, text) in table {
        for flags in [&[][..], &["--detach"]] {
            let error = refused(&exec(&lab, flags, &id, &[program]));
            assert!(error.contains(&format!("/args/0: {text}")), "{error}");
        }
    }
    assert_eq!(lab.brig(&["ps", "-f", "json", &id]).success(), format!("[{}]", lab.pid(&id)), "nothing is left");
}

#[test]
fn a_detached_program_goes_on() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let file = lab.path.join("exec.pid");
    exec(&lab, &["-d", "--pid-file", file.to_str().unwrap()], &id, &["sleep", "1000"]).success();
    let pid = fs::read_to_string(&file).unwrap();
    assert!(pid.bytes().all(|byte| byte.is_ascii_digit()), "{pid:?}");
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap(), "sleep\u{0}1000\u{0}");
    assert_eq!(lab.brig(&["ps", "-f", "json", &id]).success(), format!("[{},{pid}]", lab.pid(&id)));
}

#[test]
fn nothing_is_left_when_the_caller_cannot_be_told() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let alone = || lab.brig(&["ps", "-f", "json", &id]).success() == format!("[{}]", lab.pid(&id));
    for flags in [
        &["--pid-file", "/nonexistent/pid"][..],
        &["-d", "--pid-file", "/nonexistent/pid"],
        &["-d", "--pidfd-socket", "/nonexistent/socket"],
        &["-d", "--tty", "--console-socket", "/nonexistent/socket"],
    ] {
        let error = refused(&exec(&lab, flags, &id, &["sleep", "1000"]));
        assert!(error.contains("/nonexistent/") && error.contains("No such file or directory"), "{error}");
        until("nobody is left", alone);
    }
}

/// The container's end is the end of all that was executed in it.
#[test]
fn the_container_ends_first() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let mut child = lab.command(&["exec", &id, "sleep", "999"]).stdout(Stdio::null()).spawn().unwrap();
    until("it runs", || {
        let pids: Vec<i32> = serde_json::from_str(&lab.brig(&["ps", "-f", "json", &id]).success()).unwrap();
        let line = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        pids.iter().any(|pid| line(pid) == "sleep\u{0}999\u{0}")
    });
    lab.brig(&["kill", &id, "KILL"]).success();
    assert_eq!(child.wait().unwrap().code(), Some(137));
}

#[test]
fn a_large_environment() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    let value = "x".repeat(100_000);
    let mut env = vec!["PATH=/bin".to_owned()];
    env.extend((0..10).map(|index| format!("LARGE{index}={value}")));
    let mut process = json!({ "args": ["sh", "-c", "env | wc -c"], "cwd": "/", "env": env });
    let size: usize = exec_json(&lab, &[], &id, &process).success().parse().unwrap();
    assert!(size > 1_000_000, "{size}");
    process["env"] = json!([format!("LARGE={}", "x".repeat(2_000_000))]);
    assert!(refused(&exec_json(&lab, &[], &id, &process)).contains("cannot execute it: argument list too long"));
}
