// SPDX-License-Identifier: Apache-2.0
//! A new terminal in the foreground, of `brig run` and of `brig exec --tty`, seen from the outer terminal or from pipes
//! in its place.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::common::{Done, Lab, until};
use crate::lab;
use crate::person::{Person, WAYS, Way, write};

/// The command with pipes where a terminal is expected.
fn piped(lab: &Lab, way: Way, script: &str, input: &[u8]) -> Done {
    let mut command = command(lab, way, script);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Done(child.wait_with_output().unwrap())
}

fn command(lab: &Lab, way: Way, script: &str) -> Command {
    let arguments = way.on_a_terminal(lab, script);
    lab.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Ten megabytes with every byte in them, and no regularity.
fn ten_megabytes() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..10 << 17).flat_map(|_| word()).collect()
}

#[test]
fn it_is_a_terminal_of_the_same_size() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "tty; stty size; exit 6");
        person.sees("/dev/pts/0\r\n33 77\r\n");
        assert_eq!(person.waits(), Some(6), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn without_an_outer_one_it_has_the_size_of_the_spec() {
    let lab = lab();
    lab.write(&["stty", "size"], |spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"]["consoleSize"] = json!({ "height": 21, "width": 43 });
    });
    assert_eq!(lab.run().success(), "21 43");
    let id = {
        write(&lab, &["sleep", "1000"], false);
        lab.launch("exec")
    };
    let file = lab.path.join("process.json");
    let process = json!({ "terminal": true, "consoleSize": { "height": 22, "width": 44 }, "cwd": "/",
                          "user": { "uid": 0, "gid": 0 }, "args": ["stty", "size"], "env": ["PATH=/bin"] });
    fs::write(&file, process.to_string()).unwrap();
    assert_eq!(lab.brig(&["exec", "--process", file.to_str().unwrap(), &id]).success(), "22 44");
}

#[test]
fn the_size_follows() {
    for way in WAYS {
        let lab = lab();
        let mut person =
            Person::runs(&lab, way, "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.02; done");
        person.sees("ready");
        person.resizes(44, 101);
        person.sees("44 101");
        assert_eq!(person.waits(), Some(0), "{way:?}");
    }
}

#[test]
fn keys_go_to_the_program() {
    let script = "trap 'echo interrupted; exit 5' INT; echo ready; read line; echo \"line is $line\"; read line";
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, script);
        person.sees("ready");
        person.types("some words\r");
        person.sees("line is some words");
        // With our terminal in its usual modes this would be a signal to brig.
        person.types("\x03");
        person.sees("interrupted");
        assert_eq!(person.waits(), Some(5), "{way:?}");
    }
}

#[test]
fn a_ctrl_c_is_for_the_group_in_the_foreground() {
    // A shell with job control gives each command a group of its own, and is not in it.
    let script = "set -m; trap 'echo wrong' INT; echo ready; sleep 1000; echo \"code $?\"; exit 3";
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, script);
        person.sees("ready\r\n");
        let id = lab.id(if way == Way::Run { "run" } else { "exec" });
        until("the command runs", || {
            let pids = lab.brig(&["ps", "--format", "json", &id]).success();
            let pids: Vec<i32> = serde_json::from_str(&pids).unwrap();
            let asleep = |pid: &&i32| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                line.starts_with(b"sleep\x001000") && **pid != lab.pid(&id)
            };
            pids.iter().any(|pid| asleep(&pid))
        });
        person.types("\x03");
        person.sees("code 130");
        assert_eq!(person.waits(), Some(3), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn ten_megabytes_come_out_as_they_are() {
    let data = ten_megabytes();
    for way in WAYS {
        let lab = lab();
        write(&lab, &["true"], false);
        fs::write(lab.rootfs().join("data"), &data).unwrap();
        let mut person = Person::runs(&lab, way, "stty raw -echo; cat /data; exit 3");
        person.watches("all was seen", |seen| seen.ends_with(b"as before\r\n"));
        let seen = person.seen().strip_suffix(b"as before\r\n").unwrap();
        assert!(seen == data, "{way:?}: {} bytes of {}", seen.len(), data.len());
        assert_eq!(person.waits(), Some(3));
    }
}

#[test]
fn ten_megabytes_go_in_as_they_are() {
    let data = ten_megabytes();
    let expected = md5(&data);
    for way in WAYS {
        let lab = lab();
        let script = format!("stty raw -echo; echo ready; head -c {} | md5sum; echo done", data.len());
        let mut person = Person::runs(&lab, way, &script);
        person.sees("ready");
        let paste = person.pastes(data.clone());
        person.sees("done");
        person.sees(&expected);
        paste.join().unwrap();
        assert_eq!(person.waits(), Some(0), "{way:?}");
    }
}

fn md5(data: &[u8]) -> String {
    let mut child = Command::new("busybox").arg("md5sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(data).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout[..32].to_vec()).unwrap()
}

#[test]
fn our_terminal_is_as_before() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "stty -echo; echo ready; read line");
        person.sees("ready");
        assert!(person.has_raw_modes());
        person.types("\r");
        person.sees("as before");
        assert_eq!(person.waits(), Some(0), "{way:?}");
    }
}

#[test]
fn our_terminal_is_as_before_after_a_failure() {
    for (way, code) in [(Way::Run, 1), (Way::Exec, 255)] {
        let lab = lab();
        let mut arguments = way.on_a_terminal(&lab, "");
        match way {
            Way::Run => write(&lab, &["/nonexistent"], true),
            Way::Exec => *arguments.iter_mut().find(|word| *word == "sh").unwrap() = "/nonexistent".into(),
        }
        let mut person = Person::starts(&lab, &arguments);
        person.sees("as before");
        assert_eq!(person.waits(), Some(code), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn our_terminal_is_as_before_after_a_signal() {
    let script = "trap 'exit 9' TERM INT HUP QUIT ABRT SEGV; stty -echo; echo ready; while :; do sleep 0.02; done";
    for way in WAYS {
        // To brig they are all the same: they are passed on, even those of a crash.
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::ABORT, Signal::SEGV] {
            let lab = lab();
            let mut person = Person::runs(&lab, way, script);
            person.sees("ready");
            person.signals(signal);
            person.sees("as before");
            assert_eq!(person.waits(), Some(9), "{way:?} {signal:?}");
            way.assert_clean(&lab);
        }
    }
}

#[test]
fn our_terminal_is_as_before_when_the_container_is_killed() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "stty -echo; echo ready; sleep 1000");
        person.sees("ready");
        let id = lab.id(if way == Way::Run { "run" } else { "exec" });
        lab.brig(&["kill", &id, "KILL"]).success();
        person.sees("as before");
        assert_eq!(person.waits(), Some(137), "{way:?}");
    }
}

#[test]
fn a_closed_window_is_a_hangup() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "trap 'exit 0' HUP; echo ready; while :; do sleep 0.02; done");
        person.sees("ready");
        person.hangs_up();
        match way {
            Way::Run => until("nothing is left", || lab.leftovers().is_empty()),
            Way::Exec => until("the program has ended", || {
                lab.brig(&["ps", "--format", "json", &lab.id("exec")]).success()
                    == format!("[{}]", lab.pid(&lab.id("exec")))
            }),
        }
    }
}

#[test]
fn nothing_of_a_long_output_is_lost() {
    let expected: String = (1..=200_000).map(|number| format!("{number}\r\n")).collect();
    for way in WAYS {
        let lab = lab();
        let done = piped(&lab, way, "seq 1 200000", b"");
        assert_eq!(done.code(), Some(0));
        assert!(done.out() == expected, "{way:?}: {} bytes of {}", done.out().len(), expected.len());
    }
}

#[test]
fn nor_if_it_is_read_late() {
    for way in WAYS {
        let lab = lab();
        // As much as fits into the terminal and the pipe is written and the program has ended before anything is read.
        for count in [300, 30_000] {
            let mut child = command(&lab, way, &format!("seq 1 {count}")).stdout(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(300));
            let mut text = String::new();
            child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            assert!(child.wait().unwrap().success());
            assert!(text.ends_with(&format!("\r\n{count}\r\n")) && text.lines().count() == count, "{way:?}");
            way.assert_clean(&lab);
        }
    }
}

#[test]
fn the_end_of_input_is_told() {
    for way in WAYS {
        let lab = lab();
        let done = piped(&lab, way, "cat; echo end", b"a line\nand a half");
        // The terminal echoes what is typed.
        assert!(done.success().ends_with("and a halfend"), "{way:?}: {:?}", done.out());
    }
}

#[test]
fn nobody_reads() {
    for way in WAYS {
        let lab = lab();
        let mut child = command(&lab, way, "seq 1 100000; exit 4").stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(4), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn the_terminal_may_be_closed_and_opened_again() {
    let lab = lab();
    let done = piped(&lab, Way::Run, "exec < /dev/null > /dev/null 2>&1; sleep 0.2; echo again > /dev/pts/0", b"");
    assert!(done.success().ends_with("again"), "{:?}", done.out());
}
