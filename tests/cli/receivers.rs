// SPDX-License-Identifier: Apache-2.0
//! Those who are to be told of a process and cannot be: each has a text of its own, and nothing is left.

use std::fs;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Stdio;

use serde_json::json;

use crate::common::{Done, Lab};
use crate::lab;

/// A container that runs, for execs; and the bundle after that for creates, with or without a terminal.
fn prepare(lab: &Lab, terminal: bool) -> String {
    lab.write(&["sleep", "1000"], |_| ());
    let id = lab.launch("exec");
    lab.write(&["sleep", "1000"], |spec| spec["process"]["terminal"] = json!(terminal));
    id
}

/// A failure with this text in it and the status of its command, after which only the one container is left.
#[track_caller]
fn refused(lab: &Lab, exec: &str, arguments: &[&str], expected: &str) {
    let done = lab.brig(arguments);
    check(lab, exec, arguments, expected, &done);
}

#[track_caller]
fn check(lab: &Lab, exec: &str, arguments: &[&str], expected: &str, done: &Done) {
    assert!(done.err().contains(expected), "{arguments:?}: {}", done.err());
    assert_eq!(done.code(), Some(if arguments[0] == "exec" { 255 } else { 1 }), "{arguments:?}");
    assert_eq!(lab.brig(&["list", "--quiet"]).success(), exec, "{arguments:?}");
    let processes = lab.brig(&["ps", "--format", "json", exec]).success();
    assert_eq!(processes, format!("[{}]", lab.pid(exec)), "{arguments:?}");
}

#[test]
fn nobody_can_be_told() {
    let lab = lab();
    let exec = prepare(&lab, true);
    let path = |name: &str| lab.path.join(name).to_str().unwrap().to_owned();
    fs::write(path("file"), "").unwrap();
    drop(UnixListener::bind(path("left")).unwrap());
    let _datagrams = UnixDatagram::bind(path("datagrams")).unwrap();
    let long = path(&"x/".repeat(2500));
    for (name, expected) in [
        (path("none"), "No such file or directory"),
        (path("file"), "Socket operation on non-socket"),
        (path("file/below"), "Not a directory"),
        (path("left"), "Connection refused"),
        (path("datagrams"), "Protocol wrong type for socket"),
        (long, "File name too long"),
    ] {
        let text = |what: &str| format!("cannot send {what} to {name}: {expected}");
        for command in [&["create"][..], &["run", "--detach"]] {
            let id = lab.id("new");
            let flags = ["--console-socket", &name, &id];
            refused(&lab, &exec, &[command, &flags].concat(), &text("/dev/ptmx"));
        }
        refused(&lab, &exec, &["exec", "-dt", "--console-socket", &name, &exec, "sleep", "1000"], &text("/dev/ptmx"));
        refused(&lab, &exec, &["exec", "-d", "--pidfd-socket", &name, &exec, "sleep", "1000"], &text("pidfd"));
        refused(&lab, &exec, &["run", "--pidfd-socket", &name, &lab.id("new")], &text("pidfd"));
    }
}

#[test]
fn a_peer_that_closes() {
    let lab = lab();
    let exec = prepare(&lab, false);
    let path = lab.path.join("socket");
    let socket = path.to_str().unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let expected = format!("cannot send pidfd to {socket}: Broken pipe");

    // The hook gives it the time to close.
    let hook = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", "read x < \"$0\"", lab.path.join("fifo")] }] });
    rustix::fs::mkfifoat(rustix::fs::CWD, lab.path.join("fifo"), rustix::fs::Mode::RWXU).unwrap();
    lab.write(&["sleep", "1000"], |spec| spec["hooks"] = hook);
    for command in [&["create"][..], &["run"], &["run", "--detach"]] {
        let id = lab.id("new");
        let arguments = [command, &["--pidfd-socket", socket, &id]].concat();
        let child = lab.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        drop(listener.accept().unwrap());
        fs::write(lab.path.join("fifo"), "go\n").unwrap();
        check(&lab, &exec, &arguments, &expected, &Done(child.wait_with_output().unwrap()));
    }

    // So does a pause.
    lab.brig(&["pause", &exec]).success();
    let arguments = ["exec", "--ignore-paused", "--pidfd-socket", socket, &exec, "sleep", "1000"];
    let child = lab.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    drop(listener.accept().unwrap());
    lab.brig(&["resume", &exec]).success();
    check(&lab, &exec, &arguments, &expected, &Done(child.wait_with_output().unwrap()));
}

#[test]
fn a_pid_file_that_cannot_be_written() {
    let lab = lab();
    let exec = prepare(&lab, false);
    let directory = lab.path.to_str().unwrap();
    let new = lab.id("new");
    for (file, why) in [("/nonexistent/pid", "No such file or directory"), (directory, "Is a directory")] {
        let expected = format!("cannot write the pid file {file}: {why}");
        for arguments in [
            &["create", "--pid-file", file, &new][..],
            &["run", "--pid-file", file, &new],
            &["run", "--detach", "--pid-file", file, &new],
            &["exec", "--pid-file", file, &exec, "sleep", "1000"],
            &["exec", "--detach", "--pid-file", file, &exec, "sleep", "1000"],
        ] {
            refused(&lab, &exec, arguments, &expected);
        }
    }
    assert!(!lab.path.with_file_name(format!(".{}", lab.path.file_name().unwrap().display())).exists());
}

#[test]
fn a_terminal_needs_somebody_to_take_it() {
    let lab = lab();
    let socket = lab.path.join("console.sock");
    let socket = socket.to_str().unwrap();
    let needs = "cannot allocate tty if brig will detach without setting console socket";
    let useless = "cannot use console socket if brig will not detach or allocate tty";

    let exec = prepare(&lab, true);
    refused(&lab, &exec, &["create", &lab.id("new")], needs);
    refused(&lab, &exec, &["run", "--detach", &lab.id("new")], needs);
    refused(&lab, &exec, &["exec", "--detach", "--tty", &exec, "sleep", "1000"], needs);
    refused(&lab, &exec, &["run", "--console-socket", socket, &lab.id("new")], useless);
    refused(&lab, &exec, &["exec", "--tty", "--console-socket", socket, &exec, "sleep", "1000"], useless);
    lab.write(&["true"], |_| ());
    refused(&lab, &exec, &["create", "--console-socket", socket, &lab.id("new")], useless);
    refused(&lab, &exec, &["exec", "--detach", "--console-socket", socket, &exec, "sleep", "1000"], useless);
}
