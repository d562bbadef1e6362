// SPDX-License-Identifier: Apache-2.0
//! Signals to this program: while it creates they undo it, then they are the container's.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::common::Lab;
use crate::lab;

/// A running `brig run`, once its container has printed "ready".
fn ready(lab: &Lab, script: &str) -> (Child, BufReader<ChildStdout>) {
    lab.write(&["sh", "-c", script], |_| ());
    let mut child = lab.command(&["run", &lab.id("signals")]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, output)
}

fn kill(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn they_go_on_to_init() {
    let lab = lab();
    for (name, signal) in [("TERM", Signal::TERM), ("INT", Signal::INT), ("HUP", Signal::HUP), ("USR1", Signal::USR1)] {
        let script = format!("trap 'exit 9' {name}; echo ready; while :; do sleep 0.02; done");
        let (mut child, _output) = ready(&lab, &script);
        kill(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(9), "{name}");
        lab.assert_clean();
    }
}

#[test]
fn the_window_size_too_without_a_terminal() {
    let lab = lab();
    let (mut child, _output) = ready(&lab, "trap 'exit 9' WINCH; echo ready; while :; do sleep 0.02; done");
    kill(&child, Signal::WINCH);
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn the_program_starts_without_a_trace_of_ours() {
    let lab = lab();
    let output = lab.write(&["grep", "-E", "^Sig(Blk|Ign|Pnd)", "/proc/self/status"], |_| ()).run().success();
    for line in output.lines() {
        assert!(line.ends_with("\t0000000000000000"), "{output}");
    }
    assert_eq!(output.lines().count(), 3);
}

#[test]
fn hooks_start_without_a_trace_of_ours() {
    let lab = lab();
    let file = lab.path.join("hook");
    let line = format!("grep -E '^Sig(Blk|Ign)' /proc/self/status > {}", file.display());
    lab.write(&["true"], |spec| {
        spec["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", line] }] });
    });
    lab.run().success();
    let text = fs::read_to_string(file).unwrap();
    assert!(text.lines().count() == 2 && text.lines().all(|line| line.ends_with("\t0000000000000000")), "{text}");
}

#[test]
fn during_create_they_undo_it() {
    let lab = lab();
    let file = lab.path.join("hook");
    let line = format!("touch {}; sleep 0.3", file.display());
    lab.write(&["sleep", "1000"], |spec| {
        spec["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sh", "args": ["sh", "-c", line] }] });
    });
    let id = lab.id("cancel");
    for arguments in [&["run", &id][..], &["run", "--detach", &id], &["create", &id]] {
        let _ = fs::remove_file(&file);
        let mut child = lab.command(arguments).stderr(Stdio::null()).spawn().unwrap();
        while !file.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        kill(&child, Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(1), "{arguments:?}");
        lab.assert_clean();
    }
}
