// SPDX-License-Identifier: Apache-2.0
//! `brig run` with process.terminal, seen from the outer terminal or from pipes in its place.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;

use crate::common::{Done, Lab};
use crate::lab;

/// A person in front of a terminal of 33 × 77, in which `brig run` runs.
struct Person {
    screen: File,
    brig: Child,
    seen: String,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Person {
    fn runs(lab: &Lab, script: &str) -> Self {
        write(lab, &["sh", "-c", script]);
        Self::runs_the_bundle(lab)
    }

    fn runs_the_bundle(lab: &Lab) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let terminal = open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        tcsetwinsize(&terminal, size(33, 77)).unwrap();

        // A shell that has it as its controlling terminal, and looks what is left of its modes.
        let line = r#"modes=$(stty -g); "$0" "$@"; code=$?; [ "$modes" = "$(stty -g)" ] && echo as before; exit $code"#;
        let inner = lab.command(&["run", &lab.id("person")]);
        let mut command = Command::new("setsid");
        command.args(["--ctty", "sh", "-c", line]).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(lab.bundle());
        let file = || Stdio::from(terminal.try_clone().unwrap());
        let brig = command.stdin(file()).stdout(file()).stderr(file()).spawn().unwrap();
        Self { screen: File::from(screen), brig, seen: String::new() }
    }

    fn types(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).unwrap();
    }

    /// Watches until this is on the screen.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.seen);
            let mut files = [PollFd::new(&self.screen, PollFlags::IN)];
            if poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 })).unwrap() > 0 {
                let mut bytes = [0; 4096];
                let count = self.screen.read(&mut bytes).unwrap();
                self.seen += &String::from_utf8_lossy(&bytes[..count]);
            }
        }
    }

    fn resizes(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.screen, size(rows, columns)).unwrap();
    }

    fn waits(mut self) -> Option<i32> {
        self.brig.wait().unwrap().code()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Nothing to do if it has ended, as it should have.
        let _ = self.brig.kill();
        let _ = self.brig.wait();
    }
}

fn size(ws_row: u16, ws_col: u16) -> Winsize {
    Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }
}

fn write(lab: &Lab, arguments: &[&str]) {
    lab.write(arguments, |spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"].as_object_mut().unwrap().remove("consoleSize");
    });
}

/// A run with pipes where a terminal is expected.
fn piped(lab: &Lab, script: &str, input: &[u8]) -> Done {
    write(lab, &["sh", "-c", script]);
    let mut command = lab.command(&["run", &lab.id("piped")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Done(child.wait_with_output().unwrap())
}

#[test]
fn it_is_a_terminal_of_the_same_size() {
    let lab = lab();
    let mut person = Person::runs(&lab, "tty; stty size; exit 6");
    person.sees("/dev/pts/0\r\n33 77\r\n");
    assert_eq!(person.waits(), Some(6));
    lab.assert_clean();
}

#[test]
fn the_size_follows() {
    let lab = lab();
    let mut person = Person::runs(&lab, "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.02; done");
    person.sees("ready");
    person.resizes(44, 101);
    person.sees("44 101");
    assert_eq!(person.waits(), Some(0));
}

#[test]
fn keys_go_to_the_program() {
    let lab = lab();
    let script = "trap 'echo interrupted; exit 5' INT; echo ready; read line; echo \"line is $line\"; read line";
    let mut person = Person::runs(&lab, script);
    person.sees("ready");
    person.types("some words\r");
    person.sees("line is some words");
    // With our terminal in its usual modes this would be a signal to brig.
    person.types("\x03");
    person.sees("interrupted");
    assert_eq!(person.waits(), Some(5));
}

#[test]
fn our_terminal_is_as_before() {
    let lab = lab();
    let mut person = Person::runs(&lab, "stty -echo; echo ready; read line");
    person.sees("ready");
    // A terminal's two ends have one set of modes.
    assert!(!tcgetattr(&person.screen).unwrap().local_modes.intersects(LocalModes::ECHO | LocalModes::ICANON));
    person.types("\r");
    person.sees("as before");
    assert_eq!(person.waits(), Some(0));
}

#[test]
fn our_terminal_is_as_before_after_a_failure() {
    let lab = lab();
    write(&lab, &["/nonexistent"]);
    let mut person = Person::runs_the_bundle(&lab);
    person.sees("as before");
    assert_eq!(person.waits(), Some(1));
}

#[test]
fn nothing_of_a_long_output_is_lost() {
    let lab = lab();
    let done = piped(&lab, "seq 1 200000", b"");
    let expected: String = (1..=200_000).map(|number| format!("{number}\r\n")).collect();
    assert_eq!(done.code(), Some(0));
    assert!(done.out() == expected, "{} bytes of {}", done.out().len(), expected.len());
}

#[test]
fn nor_if_it_is_read_late() {
    let lab = lab();
    write(&lab, &["seq", "1", "30000"]);
    let mut command = lab.command(&["run", &lab.id("late")]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(text.ends_with("\r\n30000\r\n") && text.lines().count() == 30_000);
}

#[test]
fn the_end_of_input_is_told() {
    let lab = lab();
    let done = piped(&lab, "cat; echo end", b"a line\nand a half");
    // The terminal echoes what is typed.
    assert!(done.success().ends_with("and a halfend"), "{:?}", done.out());
}

#[test]
fn nobody_reads() {
    let lab = lab();
    write(&lab, &["sh", "-c", "seq 1 100000; exit 4"]);
    let mut command = lab.command(&["run", &lab.id("deaf")]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(4));
    lab.assert_clean();
}

#[test]
fn the_terminal_may_be_closed_and_opened_again() {
    let lab = lab();
    let done = piped(&lab, "exec < /dev/null > /dev/null 2>&1; sleep 0.2; echo again > /dev/pts/0", b"");
    assert!(done.success().ends_with("again"), "{:?}", done.out());
}
