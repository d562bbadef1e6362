// SPDX-License-Identifier: Apache-2.0
//! The supervisor: what it tells, what it keeps, what it writes down.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use brig_wire::{Act, Ended, POINT_COMMIT, Step, fd, kind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Plan, Session, Temp};

/// A supervised plan in the making, and where the record goes.
fn supervised(temp: &Temp, flags: i32) -> (Plan, OwnedFd, PathBuf) {
    let path = temp.path("exit");
    let file = OwnedFd::from(File::create(&path).expect("a file"));
    let mut plan = Plan::new();
    let exit = plan.fd(&file);
    (plan.step(Step::Supervise { exit, cgroup: fd::NONE, flags: flags as u64 }), file, path)
}

/// The init of which the supervisor tells.
fn told(supervisor: &Session) -> i32 {
    let (message, _, pidfd) = supervisor.receive().expect("init to live");
    assert_eq!(message.kind, kind::SUPERVISED, "{message:?}");
    assert!(pidfd.is_some());
    message.value as i32
}

fn records(path: &PathBuf) -> Vec<Ended> {
    let bytes = fs::read(path).expect("a record");
    bytes.chunks(Ended::SIZE).map(|record| Ended::decode(record).expect("a whole record")).collect()
}

#[test]
fn it_records_a_code() {
    let temp = Temp::new();
    let (plan, _file, path) = supervised(&temp, 0);
    // The connection ends with the program, which the supervisor does not hold.
    let mut session = plan.sync(POINT_COMMIT).start(0);
    let pid = told(&session);
    session.reached(POINT_COMMIT);
    assert_eq!(session.status("NSsid"), session.pid.to_string());
    let files = || fs::read_dir(format!("/proc/{}/fd", session.pid)).expect("files").flatten().collect::<Vec<_>>();
    let mut held = files();
    // Its child may be quicker than it is with closing the others.
    for _ in 0..2000 {
        if held.len() == 1 {
            break;
        }
        sleep(Duration::from_millis(5));
        held = files();
    }
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(fs::read_link(held[0].path()).expect("a link"), path);
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", session.pid)).expect("a link"), PathBuf::from("/"));
    session.reply(None);
    assert!(session.receive().is_none());
    assert_eq!(session.exit_code(), 0);
    assert_eq!(records(&path), [Ended { pid, status: 0 }]);
}

#[test]
fn it_records_a_signal() {
    let temp = Temp::new();
    let (plan, _file, path) = supervised(&temp, libc::CLONE_NEWPID);
    let mut session = plan.sync(POINT_COMMIT).start(0);
    let pid = told(&session);
    session.reached(POINT_COMMIT);
    assert!(fs::read_to_string(format!("/proc/{pid}/status")).expect("a status").contains("\nNSpid:\t"));
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("init to live");
    assert_eq!(session.exit_code(), 0);
    assert_eq!(records(&path), [Ended { pid, status: libc::SIGKILL }]);
}

#[test]
fn it_is_the_parent_of_a_second_init_too() {
    let temp = Temp::new();
    let (plan, _file, path) = supervised(&temp, 0);
    let mut session = plan.step(Step::Fork { flags: 0 }).sync(POINT_COMMIT).start(0);
    let first = told(&session);
    let (message, _, _) = session.receive().expect("init to live");
    assert_eq!(message.kind, kind::FORKED);
    let second = message.value as i32;
    session.reached(POINT_COMMIT);
    let status = fs::read_to_string(format!("/proc/{second}/status")).expect("a status");
    assert!(status.contains(&format!("\nPPid:\t{}\n", session.pid)), "{status}");
    // An init that lost its host ends.
    session.socket = None;
    assert_eq!(session.exit_code(), 0);
    assert_eq!(records(&path), [Ended { pid: first, status: 0 }, Ended { pid: second, status: 0x100 }]);
}

#[test]
fn a_failure_of_the_child_is_told_by_the_child() {
    let temp = Temp::new();
    let (plan, _file, path) = supervised(&temp, 0);
    let mut session = plan.step(Step::Cwd { path: c"/no/such/directory" }).start(0);
    let pid = told(&session);
    let (message, _, _) = session.receive().expect("a message");
    assert_eq!((message.kind, message.step, message.errno), (kind::FAILED, 1, libc::ENOENT));
    assert_eq!(session.exit_code(), 0);
    assert_eq!(records(&path), [Ended { pid, status: 0x100 }]);
}

#[test]
fn what_is_no_cgroup_cannot_be_entered() {
    let temp = Temp::new();
    let file = OwnedFd::from(File::create(temp.path("exit")).expect("a file"));
    let other = OwnedFd::from(File::open("/").expect("a directory"));
    let mut plan = Plan::new();
    let (exit, cgroup) = (plan.fd(&file), plan.fd(&other));
    assert_eq!(cgroup as i32, other.as_raw_fd());
    let (act, message, _) = plan.step(Step::Supervise { exit, cgroup, flags: 0 }).fail(0);
    assert_eq!((act, message.errno), (Act::Fork, libc::EBADF));
}
