// SPDX-License-Identifier: Apache-2.0
//! The terminal: made, attached, handed over, used.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, symlink};

use brig_wire::{Act, Numbers, POINT_COMMIT, Step, fd, kind};

use crate::harness::{Plan, Session, Temp, failure};

const CONSOLE: Step = Step::Console { rows: 33, columns: 99, uid: 1000 };

fn with_devpts(root: &Temp) -> Plan {
    Plan::within(root).proc().mount("devpts", &["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"], "/dev/pts")
}

fn list(numbers: &[u32]) -> Numbers<'static> {
    Numbers::pack(numbers.iter().copied(), Box::leak(Box::default()))
}

fn master(session: &Session, step: u32) -> OwnedFd {
    let (message, _, fd) = session.receive().expect("a message");
    assert_eq!((message.kind, message.step), (kind::CONSOLE, step), "{message:?}");
    fd.expect("the master")
}

#[test]
fn a_terminal_is_made_and_used() {
    let root = Temp::root(&["proc", "dev"]);
    let plan = with_devpts(&root)
        .step(Step::Device { path: c"/dev/tty", mode: libc::S_IFCHR | 0o666, major: 5, minor: 0, uid: 0, gid: 0 })
        .step(CONSOLE)
        .step(Step::AttachConsole {})
        .pivot()
        .step(Step::Setsid {})
        .step(Step::Fds { list: list(&[fd::TTY; 3]) })
        .step(Step::ControllingTty {})
        .sync(POINT_COMMIT)
        .shell("stty size; tty; read line < /dev/tty; echo \"<$line>\" > /dev/console");
    let at = plan.count() - 8;
    let mut session = plan.start(libc::CLONE_NEWPID);
    let mut master = File::from(master(&session, at));
    session.reached(POINT_COMMIT);
    let console = fs::metadata(session.path("/dev/console")).expect("a console");
    let peer = fs::metadata(session.path("/dev/pts/0")).expect("a terminal");
    assert_eq!((console.rdev(), console.uid()), (peer.rdev(), 1000));
    assert_eq!((peer.uid(), peer.gid(), peer.mode() & 0o777), (1000, 5, 0o620));
    session.reply(None);
    master.write_all(b"hello\n").expect("a terminal");
    assert_eq!(session.exit_code(), 0);
    let mut text = Vec::new();
    let end = master.read_to_end(&mut text).expect_err("no more writers");
    assert_eq!(end.raw_os_error(), Some(libc::EIO));
    let text = String::from_utf8(text).expect("text");
    for part in ["33 99", "/dev/pts/0", "<hello>"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_terminal_of_the_image_is_none() {
    // What looks like a devpts is a directory with a link to the host's.
    let root = Temp::root(&["proc", "dev/pts"]);
    symlink("/dev/ptmx", root.path("dev/pts/ptmx")).expect("a link");
    assert_eq!(failure(&Plan::within(&root).step(CONSOLE)).0, Act::WrongFs);
    let none = Temp::root(&[]);
    assert_eq!(failure(&Plan::within(&none).step(CONSOLE)), (Act::Open, libc::ENOENT));
    let link = Temp::root(&["dev"]);
    symlink("/proc/self/fd", link.path("dev/pts")).expect("a link");
    assert_eq!(failure(&Plan::within(&link).step(CONSOLE)), (Act::Open, libc::ENOENT));
}

#[test]
fn a_console_of_the_image_leads_nowhere() {
    let root = Temp::root(&["proc", "dev", "etc"]);
    fs::write(root.path("etc/passwd"), "image").expect("a file");
    let canary = Temp::new();
    for target in ["/proc/sys/kernel/core_pattern", "/proc/self/attr/exec"] {
        let _ = fs::remove_file(root.path("dev/console"));
        symlink(target, root.path("dev/console")).expect("a link");
        let plan = with_devpts(&root).step(CONSOLE).step(Step::AttachConsole {});
        let session = plan.start(libc::CLONE_NEWPID);
        let _master = master(&session, plan.count() - 2);
        let (message, ..) = session.receive().expect("a message");
        assert_eq!(Act::from_code(message.act), Some(Act::InsideProc), "{target}");
    }
    fs::remove_file(root.path("dev/console")).expect("the link");
    symlink(format!("../../../..{}/x", canary.path("").display()), root.path("dev/console")).expect("a link");
    let plan = with_devpts(&root).step(CONSOLE).step(Step::AttachConsole {}).sync(POINT_COMMIT);
    let session = plan.start(libc::CLONE_NEWPID);
    let _master = master(&session, plan.count() - 3);
    session.reached(POINT_COMMIT);
    assert_eq!(fs::read_dir(canary.path("")).expect("a directory").count(), 0);
}
