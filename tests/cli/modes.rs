// SPDX-License-Identifier: Apache-2.0
//! The four modes of a process's files: on a new terminal or on the caller's own files, in the foreground or
//! detached. The first, a new terminal in the foreground, has `terminal.rs` for itself.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::handover::received;
use crate::lab;
use crate::person::{Person, WAYS, Way};

/// The same arguments, detached.
fn detached<'a>(arguments: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let (command, rest) = arguments.split_first().unwrap();
    let flags = ["--detach"].into_iter().chain(more.iter().copied());
    [command.as_str()].into_iter().chain(flags).chain(rest.iter().map(String::as_str)).collect()
}

#[test]
fn a_new_terminal_in_the_foreground() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "[ -t 0 ] && tty; read line; echo got $line");
        person.sees("/dev/pts/0");
        person.types("word\r");
        person.sees("got word\r\n");
        assert_eq!(person.waits(), Some(0), "{way:?}");
    }
}

#[test]
fn the_callers_terminal_in_the_foreground() {
    for way in WAYS {
        let lab = lab();
        let script = "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; trap 'exit 8' INT; read line; echo got $line; \
                      while :; do sleep 0.02; done";
        let mut person = Person::starts(&lab, &way.passed_through(&lab, script));
        person.sees("terminal\r\n");
        // It is the caller's: nobody changes its modes, and lines are edited and echoed there.
        assert!(!person.has_raw_modes());
        person.types("wosrd\x7f\x7f\x7frd\r");
        person.sees("got word\r\n");
        // It is not the controlling one of the container, so that brig gets the signal and passes it on.
        person.types("\x03");
        person.sees("as before");
        assert_eq!(person.waits(), Some(8), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn the_callers_pipes_in_the_foreground() {
    for way in WAYS {
        let lab = lab();
        let arguments = way.passed_through(&lab, "cat; echo error >&2; exit 6");
        let mut command = lab.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let sent = vec![b'x'; 1 << 20];
        let mut input = child.stdin.take().unwrap();
        let typist = std::thread::spawn({
            let sent = sent.clone();
            move || input.write_all(&sent).unwrap()
        });
        let done = child.wait_with_output().unwrap();
        typist.join().unwrap();
        assert!(done.stdout == sent, "{way:?}: {} bytes of {}", done.stdout.len(), sent.len());
        assert_eq!((done.stderr.as_slice(), done.status.code()), (&b"error\n"[..], Some(6)), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn the_callers_pipe_may_be_closed_at_the_other_end() {
    for way in WAYS {
        let lab = lab();
        // brig has no part in it: the program is told, as it would be anywhere.
        let arguments = way.passed_through(&lab, "trap '' PIPE; read go; echo lost || exit 5");
        let mut command = lab.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(5), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn a_new_terminal_for_whoever_listens() {
    for way in WAYS {
        let lab = lab();
        let path = lab.path.join("console.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let arguments = way.on_a_terminal(&lab, "tty; read line; echo got $line");
        let done = lab.brig(&detached(&arguments, &["--console-socket", path.to_str().unwrap()]));
        assert_eq!(done.success(), "", "{way:?}");
        let (name, mut files) = received(&listener);
        assert_eq!((name.as_str(), files.len()), ("/dev/ptmx", 1));
        let mut master = File::from(files.remove(0));
        master.write_all(b"word\n").unwrap();
        let mut text = Vec::new();
        // It ends with EIO, as terminals do.
        let _ = master.read_to_end(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("/dev/pts/0\r\n") && text.contains("got word\r\n"), "{way:?}: {text:?}");
    }
}

#[test]
fn the_callers_pipes_without_the_caller() {
    for way in WAYS {
        let lab = lab();
        let arguments = way.passed_through(&lab, "read line; echo got $line");
        let mut command = lab.command(&detached(&arguments, &[]));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        assert!(child.wait().unwrap().success(), "{way:?}");
        input.write_all(b"word\n").unwrap();
        let mut text = String::new();
        // The pipe ends with the program: brig keeps none of it.
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "got word\n", "{way:?}");
    }
}

#[test]
fn the_callers_terminal_without_the_caller() {
    for way in WAYS {
        let lab = lab();
        let arguments = way.passed_through(&lab, "[ -t 1 ] && echo terminal; sleep 1000");
        let mut person = Person::starts(&lab, &detached(&arguments, &[]));
        person.sees("as before");
        person.sees("terminal");
        assert_eq!(person.waits(), Some(0), "{way:?}");
        if way == Way::Run {
            assert_eq!(lab.state(&lab.id("run"))["status"], "running");
        }
    }
}

#[test]
fn signals_do_not_reach_what_is_detached() {
    let lab = lab();
    let arguments = Way::Run.passed_through(&lab, "trap 'exit 1' HUP; echo ready; sleep 1000");
    let mut person = Person::starts(&lab, &detached(&arguments, &[]));
    person.sees("ready");
    person.hangs_up();
    assert_eq!(lab.state(&lab.id("run"))["status"], "running");
}
