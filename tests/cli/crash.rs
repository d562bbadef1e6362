// SPDX-License-Identifier: Apache-2.0
//! A crash of brig itself while it shows a container's terminal on ours: that is as before afterwards, by a process that
//! is there for nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{is_alive, until};
use crate::lab;
use crate::person::{Person, WAYS, Way};

/// The process that guards the terminal of this brig, once it does nothing else.
fn guard(person: &Person) -> i32 {
    let guards = guards(person.brig());
    assert_eq!(guards.len(), 1, "one guards the terminal");
    until("it is at its post", || files(guards[0]).len() == 2);
    guards[0]
}

/// The children of a brig that are brig themselves.
fn guards(brig: i32) -> Vec<i32> {
    let own = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(brig_path()));
    children(brig).into_iter().filter(own).collect()
}

/// What a process has open.
fn files(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    // One may be closed while we look.
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let mut targets: Vec<_> = targets.map(|target| target.to_str().unwrap().to_owned()).collect();
    targets.sort();
    targets
}

fn brig_path() -> PathBuf {
    fs::canonicalize(env!("CARGO_BIN_EXE_brig")).unwrap()
}

fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn exists(pid: i32) -> bool {
    is_alive(Path::new(&format!("/proc/{pid}")))
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn a_killed_brig_leaves_our_terminal_as_before() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "stty -echo; echo ready; read line; sleep 1000");
        person.sees("ready");
        assert!(person.has_raw_modes());
        let guard = guard(&person);
        person.signals(Signal::KILL);
        until("the terminal is as before", || person.has_modes_of_before());
        assert_eq!(person.waits(), Some(137), "{way:?}");
        until("nobody guards it any more", || !exists(guard));
        if way == Way::Exec {
            // Its terminal has hung up.
            until("the program has ended", || {
                let processes = lab.brig(&["ps", "--format", "json", &lab.id("exec")]).success();
                processes == format!("[{}]", lab.pid(&lab.id("exec")))
            });
            way.assert_clean(&lab);
        }
    }
}

#[test]
fn a_killed_brig_leaves_a_container_that_can_be_deleted() {
    let lab = lab();
    // A shell that reads is ended by the hangup of its terminal; this one is not.
    let mut person = Person::runs(&lab, Way::Run, "trap : HUP; echo ready; while :; do sleep 0.05; done");
    person.sees("ready");
    person.signals(Signal::KILL);
    assert_eq!(person.waits(), Some(137));
    assert_eq!(lab.state(&lab.id("run"))["status"], "running");
    lab.brig(&["delete", "--force", &lab.id("run")]).success();
    lab.assert_clean();
}

#[cfg(feature = "fault-injection")]
#[test]
fn so_do_a_panic_and_an_abort() {
    for (fault, code) in [("panic:terminal", 101), ("abort:terminal", 134)] {
        for way in WAYS {
            let lab = lab();
            let arguments = way.on_a_terminal(&lab, "sleep 1000");
            let mut person = Person::starts_with(&lab, &arguments, &[("BRIG_FAULT", fault)]);
            assert_eq!(person.waits(), Some(code), "{way:?} {fault}");
            until("the terminal is as before", || person.has_modes_of_before());
            if fault.starts_with("panic") && way == Way::Run {
                lab.assert_clean();
            }
        }
    }
}

#[test]
fn the_guard_has_nothing_but_the_terminal() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "echo ready; read line; exit 4");
        person.sees("ready");
        let guard = guard(&person);
        let files = files(guard);
        assert!(
            matches!(&files[..], [tty, pipe] if tty.starts_with("/dev/pts/") && pipe.starts_with("pipe:")),
            "{files:?}"
        );
        // No signal of ours reaches it: neither those of the terminal, nor those that are sent to it.
        let stat = fs::read_to_string(format!("/proc/{guard}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        assert_eq!([fields[2], fields[3]], [guard.to_string(), guard.to_string()], "a group and a session of its own");
        for number in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP, Signal::TSTP] {
            signal(guard, number);
        }
        person.types("\r");
        person.sees("as before");
        // It is gone with brig, and nobody has to wait for it.
        assert!(!Path::new(&format!("/proc/{guard}")).exists());
        assert_eq!(person.waits(), Some(4), "{way:?}");
        way.assert_clean(&lab);
    }
}

#[test]
fn without_a_guard_brig_goes_on() {
    for way in WAYS {
        let lab = lab();
        let mut person = Person::runs(&lab, way, "echo ready; read line; exit 4");
        person.sees("ready");
        let guard = guard(&person);
        signal(guard, Signal::KILL);
        until("it is gone, and no zombie", || !Path::new(&format!("/proc/{guard}")).exists());
        person.types("\r");
        person.sees("as before");
        assert_eq!(person.waits(), Some(4), "{way:?}");
        way.assert_clean(&lab);
    }
}

/// A shell that was quicker, and has set modes of its own.
#[test]
fn what_others_have_set_since_stays() {
    let lab = lab();
    let mut person = Person::runs(&lab, Way::Run, "echo ready; read line");
    person.sees("ready");
    let guard = guard(&person);
    signal(guard, Signal::STOP);
    person.signals(Signal::KILL);
    person.sets_modes_of_a_shell();
    signal(guard, Signal::CONT);
    until("the guard has ended", || !exists(guard));
    assert!(person.has_modes_of_a_shell());
    assert_eq!(person.waits(), Some(137));
}

#[test]
fn nobody_guards_what_is_no_terminal() {
    for way in WAYS {
        let lab = lab();
        let arguments = way.on_a_terminal(&lab, "echo ready; sleep 1000");
        let mut command = lab.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let mut brig = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let pid = brig.id() as i32;
        let runs = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\0"));
        until("the program runs", || children(pid).iter().any(runs));
        assert!(guards(pid).is_empty(), "{way:?}");
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        until("it is over", || {
            lab.brig(&["kill", &lab.id(if way == Way::Run { "run" } else { "exec" }), "KILL"]);
            brig.try_wait().unwrap().is_some()
        });
    }
}
