// SPDX-License-Identifier: Apache-2.0
//! A service manager that waits for READY=1, and a container that says so.

use std::fs;
use std::io::{IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use crate::common::{Lab, until};
use crate::lab;

/// What systemd is in this: a socket.
struct Manager(UnixDatagram);

impl Manager {
    fn listens(lab: &Lab) -> Self {
        Self::on(UnixDatagram::bind(lab.path.join("manager")).unwrap())
    }

    fn on(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(socket)
    }

    /// The next message, and how many files came with it; they are closed, which is what a barrier waits for.
    fn hears(&self) -> (String, usize) {
        let mut bytes = [0; 256];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let files = control.drain().map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => files.count(),
            _ => 0,
        });
        (String::from_utf8(bytes[..got.bytes].to_vec()).unwrap(), files.sum())
    }

    #[track_caller]
    fn hears_of(&self, pid: i32) {
        assert_eq!(self.hears(), ("READY=1".into(), 0));
        assert_eq!(self.hears(), (format!("MAINPID={pid}"), 0));
        assert_eq!(self.hears(), ("BARRIER=1".into(), 1));
    }

    fn hears_nothing(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.recv(&mut [0; 16]).is_err()
    }
}

/// The container's program: busybox has nothing that writes to such a socket, so the test does, in its place.
const PROGRAM: &str = "echo $NOTIFY_SOCKET; grep -c \" /run/notify [a-z0-9]* ro,\" /proc/mounts; read line; exit 4";

fn write(lab: &Lab) {
    lab.write(&["sh", "-c", PROGRAM], |_| ());
}

fn command(lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = lab.command(arguments);
    command.env("NOTIFY_SOCKET", lab.path.join("manager"));
    command
}

/// What the container's program would do.
fn says(lab: &Lab, id: &str, text: &str) {
    // Through the container's own root, as it sees it.
    let path = format!("/proc/{}/root/run/notify/notify.sock", lab.pid(id));
    until("the socket is there", || fs::metadata(&path).is_ok());
    UnixDatagram::unbound().unwrap().send_to(text.as_bytes(), path).unwrap();
}

fn started(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn in_the_foreground() {
    let lab = lab();
    write(&lab);
    let manager = Manager::listens(&lab);
    let id = lab.id("run");
    let mut child = started(&mut command(&lab, &["run", &id]));
    until("it runs", || lab.brig(&["state", &id]).out().contains("\"running\""));
    says(&lab, &id, "STATUS=nearly");
    says(&lab, &id, "STATUS=there\nREADY=1\n");
    manager.hears_of(lab.pid(&id));
    says(&lab, &id, "READY=1");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "/run/notify/notify.sock\n1\n");
    assert_eq!(done.status.code(), Some(4));
    assert!(manager.hears_nothing());
    lab.assert_clean();
}

#[test]
fn start_and_a_detached_run_wait_for_it() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |_| ());
    let manager = Manager::listens(&lab);
    let id = lab.id("two");
    for last in [&["start"][..], &["run", "--detach"]] {
        if last == ["start"] {
            assert!(lab.end(&mut command(&lab, &["create", &id])).0.status.success());
        }
        let mut child = started(&mut command(&lab, &[last, &[&id]].concat()));
        until("it runs", || lab.brig(&["state", &id]).out().contains("\"running\""));
        assert!(child.try_wait().unwrap().is_none(), "it did not wait");
        says(&lab, &id, "READY=1");
        manager.hears_of(lab.pid(&id));
        assert!(child.wait().unwrap().success(), "{last:?}");
        lab.brig(&["delete", "--force", &id]).success();
        lab.assert_clean();
    }
}

#[test]
fn one_that_ends_first_is_not_waited_for() {
    let lab = lab();
    lab.write(&["true"], |_| ());
    let manager = Manager::listens(&lab);
    let id = lab.id("end");
    assert!(lab.end(&mut command(&lab, &["run", "--detach", &id])).0.status.success());
    lab.brig(&["delete", &id]).success();
    assert!(manager.hears_nothing());
    lab.assert_clean();
}

#[test]
fn a_manager_without_a_path() {
    let lab = lab();
    write(&lab);
    let name = lab.id("abstract");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::on(UnixDatagram::bind_addr(&address).unwrap());
    let id = lab.id("run");
    let mut child = started(lab.command(&["run", &id]).env("NOTIFY_SOCKET", format!("@{name}")));
    until("it runs", || lab.brig(&["state", &id]).out().contains("\"running\""));
    says(&lab, &id, "READY=1");
    manager.hears_of(lab.pid(&id));
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn a_manager_that_is_gone_ends_nothing() {
    let lab = lab();
    write(&lab);
    let id = lab.id("run");
    let mut child = started(command(&lab, &["run", &id]).stderr(Stdio::piped()));
    until("it runs", || lab.brig(&["state", &id]).out().contains("\"running\""));
    says(&lab, &id, "READY=1");
    drop(child.stdin.take());
    let done = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&done.stderr).contains("cannot notify the service manager: No such file"));
    assert_eq!(done.status.code(), Some(4));
}

#[test]
fn a_failed_create_leaves_no_socket() {
    let lab = lab();
    for edit in [
        |spec: &mut Value| spec["process"]["args"] = json!(["/nonexistent"]),
        |spec: &mut Value| spec["mounts"] = json!(7),
    ] {
        lab.write(&["true"], edit);
        let id = lab.id("x");
        for arguments in [&["run", &id][..], &["create", &id]] {
            assert_eq!(lab.end(&mut command(&lab, arguments)).code(), Some(1));
            lab.assert_clean();
        }
    }
}

#[test]
fn nothing_stays_whoever_deletes_it() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |_| ());
    let _manager = Manager::listens(&lab);
    let id = lab.id("other");
    assert!(lab.end(&mut command(&lab, &["create", &id])).0.status.success());
    let directory = lab.path.join("state/@notify").join(&id);
    assert!(directory.is_dir());
    // What a client of the library does that knows nothing of it: the command itself does no more.
    fs::write(directory.join("notify.sock"), "").unwrap();
    lab.brig(&["delete", "--force", &id]).success();
    assert!(!directory.exists());
    lab.assert_clean();
}
