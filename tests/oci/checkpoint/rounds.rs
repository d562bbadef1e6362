// SPDX-License-Identifier: Apache-2.0
//! Ten rounds of checkpoint and restore: whatever the program is made of goes on, and nothing is lost.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use crate::checkpoint::{COUNTER, Subject, terminal};
use crate::common::until;
use crate::edit;

const ROUNDS: usize = 10;

#[test]
fn a_shell() {
    Subject::new(&COUNTER, edit::nothing).launch().rounds(ROUNDS);
}

#[test]
fn threads() {
    Subject::new(&["worker", "threads"], edit::nothing).launch().rounds(ROUNDS);
}

#[test]
fn an_open_connection() {
    Subject::new(&["worker", "connection"], edit::nothing).with(&["--tcp-established"]).launch().rounds(ROUNDS);
}

#[test]
fn mounts_of_its_own_and_of_the_host() {
    let edit = |spec: &mut serde_json::Value| {
        edit::mount(spec, "/etc/host-name", "bind", "/etc/hostname", &["bind", "ro"]);
        edit::mount(spec, "/scratch/inner", "tmpfs", "tmpfs", &["size=1m"]);
    };
    Subject::new(&["worker", "mounts"], edit).launch().rounds(ROUNDS);
}

/// Takes the terminal that is sent to `listener`.
fn take_terminal(listener: &UnixListener) -> File {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let (connection, _) = listener.accept().unwrap();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 64];
    let mut slices = [std::io::IoSliceMut::new(&mut name)];
    recvmsg(&connection, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    File::from(file.unwrap())
}

/// Types a line, and reads until `expected` comes.
#[track_caller]
fn types(master: &mut File, line: &str, expected: &str) {
    writeln!(master, "{line}").unwrap();
    let mut seen = String::new();
    until(expected, || {
        let mut bytes = [0; 256];
        let length = master.read(&mut bytes).unwrap();
        seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
        seen.contains(expected)
    });
}

#[test]
fn a_terminal() {
    let script = "n=0; while read -r line; do n=$((n + 1)); echo \"$n: $line\"; done";
    let mut subject = Subject::new(&["sh", "-c", script], |spec| terminal(spec, true));
    let socket = subject.lab.path.join("console");
    let listener = UnixListener::bind(&socket).unwrap();
    let console = ["--console-socket", socket.to_str().unwrap()];
    let run = [&["run", "--detach"][..], &console, &[&subject.id]].concat();
    subject.lab.brig(&run).success();
    let mut master = take_terminal(&listener);
    for round in 1..=ROUNDS {
        types(&mut master, "before", &format!("{}: before", 2 * round - 1));
        subject.checkpoint("images", &[]).success();
        let id = subject.lab.id(if round % 2 == 0 { "restored" } else { "subject" });
        subject.restore("images", &console, &id).success();
        subject.id = id;
        master = take_terminal(&listener);
        types(&mut master, "after", &format!("{}: after", 2 * round));
        std::fs::remove_dir_all(subject.images("images")).unwrap();
    }
    let seen = subject.lab.brig(&["exec", &subject.id, "ls", "/dev/pts", "/dev/console"]).success();
    assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["/dev/console", "/dev/pts:", "0", "ptmx"]);
}
