// SPDX-License-Identifier: Apache-2.0
//! What a manager gets, and what it passes in: pid file, sockets, stdio, more files.

use std::fs;
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::json;

use crate::common::Done;
use crate::{lab, leave};

/// What comes over a socket: the payload, and the files.
pub fn received(listener: &UnixListener) -> (String, Vec<OwnedFd>) {
    let (stream, _) = listener.accept().unwrap();
    let mut bytes = [0; 256];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let files = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    (String::from_utf8(bytes[..got.bytes].to_vec()).unwrap(), files.collect())
}

#[test]
fn stdio_is_the_callers() {
    let lab = lab();
    lab.write(&["sh", "-c", "cat; echo error >&2"], |_| ());
    let mut command = lab.command(&["run", &lab.id("stdio")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"in and out").unwrap();
    let done = Done(child.wait_with_output().unwrap());
    assert_eq!((done.out().as_str(), done.err().as_str()), ("in and out", "error\n"));
}

#[test]
fn the_pid_file() {
    let lab = lab();
    let (id, file) = (lab.id("pid"), lab.path.join("init.pid"));
    let flags = ["--pid-file", file.to_str().unwrap()];
    lab.write(&["sh", "-c", "cat /init.pid; sleep 1000"], |_| ());
    for command in [&["create"][..], &["run", "--detach"]] {
        leave(&lab, &[command, &flags, &[&id]].concat()).success();
        assert_eq!(fs::read_to_string(&file).unwrap(), lab.state(&id)["pid"].to_string(), "{command:?}");
        if command == ["create"] {
            lab.brig(&["delete", "--force", &id]).success();
        }
    }
    let exec = |more: &[&str]| lab.brig(&[&["exec"], more, &flags, &[&id, "sleep", "1000"]].concat());
    exec(&["--detach"]).success();
    let pid = fs::read_to_string(&file).unwrap();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(line, b"sleep\x001000\x00");
    // Nothing but it was made.
    assert_eq!(fs::read_dir(&lab.path).unwrap().flatten().filter(|entry| entry.file_name() == ".init.pid").count(), 0);
}

#[test]
fn a_pid_file_in_the_foreground() {
    let lab = lab();
    let file = lab.path.join("init.pid");
    let script = "grep ^NSpid /proc/self/status >/dev/null; read line; exit 3";
    lab.write(&["sh", "-c", script], |_| ());
    let id = lab.id("pid");
    let mut child = lab.command(&["run", "--pid-file", file.to_str().unwrap(), &id]);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    crate::common::until("it is written", || file.exists());
    assert_eq!(fs::read_to_string(&file).unwrap(), lab.pid(&id).to_string());
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn the_console_goes_over_its_socket() {
    let lab = lab();
    let (id, path) = (lab.id("tty"), lab.path.join("console.sock"));
    let listener = UnixListener::bind(&path).unwrap();
    lab.write(&["sh", "-c", "tty; read line; echo got $line"], |spec| spec["process"]["terminal"] = json!(true));
    leave(&lab, &["create", "--console-socket", path.to_str().unwrap(), &id]).success();
    let (name, mut files) = received(&listener);
    assert_eq!((name.as_str(), files.len()), ("/dev/ptmx", 1));
    lab.brig(&["start", &id]).success();

    let mut master = fs::File::from(files.remove(0));
    master.write_all(b"word\n").unwrap();
    let mut text = Vec::new();
    // It ends with EIO, as terminals do.
    let _ = master.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("/dev/pts/0\r\n") && text.contains("got word\r\n"), "{text:?}");
    lab.brig(&["delete", "--force", &id]).success();
}

#[test]
fn a_pidfd_goes_over_its_socket() {
    let lab = lab();
    let (id, path) = (lab.id("pidfd"), lab.path.join("pidfd.sock"));
    let listener = UnixListener::bind(&path).unwrap();
    lab.write(&["sleep", "1000"], |_| ());
    leave(&lab, &["run", "--detach", "--pidfd-socket", path.to_str().unwrap(), &id]).success();
    let (_, files) = received(&listener);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", files[0].as_raw_fd())).unwrap();
    assert!(info.contains(&format!("Pid:\t{}\n", lab.state(&id)["pid"])), "{info}");
    lab.brig(&["delete", "--force", &id]).success();
}

/// One file over each socket, of the process that was executed and not of the container.
#[test]
fn an_exec_is_handed_over() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |_| ());
    let id = lab.launch("exec");
    let [console, pidfd, file] = ["console.sock", "pidfd.sock", "exec.pid"].map(|name| lab.path.join(name));
    let listeners = [&console, &pidfd].map(|path| UnixListener::bind(path).unwrap());
    let [console, pidfd] = [&console, &pidfd].map(|path| path.to_str().unwrap());
    let flags = ["--tty", "--detach", "--console-socket", console, "--pidfd-socket", pidfd, "--pid-file"];
    lab.brig(
        &[&["exec"], &flags[..], &[file.to_str().unwrap(), &id, "sh", "-c", "read line; echo got $line"]].concat(),
    )
    .success();
    let (name, mut files) = received(&listeners[0]);
    assert_eq!((name.as_str(), files.len()), ("/dev/ptmx", 1));
    let (_, pidfds) = received(&listeners[1]);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfds[0].as_raw_fd())).unwrap();
    assert!(info.contains(&format!("Pid:\t{}\n", fs::read_to_string(&file).unwrap())), "{info}");

    let mut master = fs::File::from(files.remove(0));
    master.write_all(b"word\n").unwrap();
    let mut text = Vec::new();
    let _ = master.read_to_end(&mut text);
    assert_eq!(String::from_utf8(text).unwrap(), "word\r\ngot word\r\n");
}

#[test]
fn preserved_files_and_no_others() {
    let lab = lab();
    lab.write(&["sh", "-c", "cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '"], |_| ());
    for (name, text) in [("three", "3\n"), ("four", "4\n"), ("five", "5\n")] {
        fs::write(lab.path.join(name), text).unwrap();
    }
    let inner = lab.command(&["run", "--preserve-fds", "2", &lab.id("fds")]);
    let line = "exec \"$0\" \"$@\" 3< ../three 4< ../four 5< ../five";
    let mut command = Command::new("sh");
    command.args(["-c", line]).arg(inner.get_program()).args(inner.get_args()).current_dir(lab.bundle());
    let done = Done(command.stdin(Stdio::null()).output().unwrap());
    // 5 is what ls has open itself: the directory.
    assert_eq!(done.success(), "3\n4\n0 1 2 3 4 5");
}

#[test]
fn a_file_of_our_own_is_not_preserved() {
    let lab = lab();
    lab.write(&["true"], |_| ());
    let log = lab.path.join("log");
    let mut command = lab.command(&["--log", log.to_str().unwrap(), "run", "--preserve-fds", "1", &lab.id("fds")]);
    let done = Done(command.arg0("brig").output().unwrap());
    assert_eq!(done.failure(), "--preserve-fds 1: file 3 is not open\n");
}

/// The command with the files `three`, `four` and `five` open as these numbers.
fn with_files(lab: &crate::common::Lab, arguments: &[&str]) -> Command {
    for (name, text) in [("three", "3\n"), ("four", "4\n"), ("five", "5\n")] {
        fs::write(lab.path.join(name), text).unwrap();
    }
    let inner = lab.command(arguments);
    let files = format!("3< {0}/three 4< {0}/four 5< {0}/five", lab.path.display());
    let line = format!("[ -z \"$OURS\" ] || export LISTEN_PID=$$; exec \"$0\" \"$@\" {files}");
    let mut command = Command::new("sh");
    command.args(["-c", &line]).arg(inner.get_program()).args(inner.get_args()).current_dir(lab.bundle());
    command.stdin(Stdio::null());
    command
}

const LISTENER: &str =
    "cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '; echo; env | grep ^LISTEN | sort | tr '\\n' ' '";

#[test]
fn a_socket_activation_is_passed_on() {
    let lab = lab();
    lab.write(&["sh", "-c", LISTENER], |spec| {
        spec["process"]["env"].as_array_mut().unwrap().push(json!("LISTEN_PID=77"));
    });
    for arguments in [&["run"][..], &["run", "--preserve-fds", "1"]] {
        let id = lab.id("listen");
        let mut command = with_files(&lab, &[arguments, &[id.as_str()]].concat());
        command.env("LISTEN_FDS", "2").env("OURS", "yes").env("LISTEN_FDNAMES", "a:b");
        let open = if arguments.len() == 1 { "0 1 2 3 4 5" } else { "0 1 2 3 4 5 6" };
        let expected = format!("3\n4\n{open} \nLISTEN_FDNAMES=a:b LISTEN_FDS=2 LISTEN_PID=1");
        assert_eq!(lab.end(&mut command).success(), expected, "{arguments:?}");
    }
}

#[test]
fn nor_is_one_that_is_meant_for_another() {
    let lab = lab();
    lab.write(&["sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; env | grep ^LISTEN"], |_| ());
    let mut command = with_files(&lab, &["run", &lab.id("listen")]);
    command.env("LISTEN_FDS", "2").env("LISTEN_PID", "1");
    let done = lab.end(&mut command);
    assert_eq!((done.out().as_str(), done.code()), ("0 1 2 3 ", Some(1)), "{}", done.err());
}

#[test]
fn a_socket_activation_without_its_files_is_refused() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |_| ());
    let (id, new) = (lab.launch("exec"), lab.id("new"));
    for (arguments, code) in [
        (&["run", &new][..], 1),
        (&["create", &new], 1),
        (&["exec", &id, "true"], 255),
        (&["exec", "-d", &id, "true"], 255),
    ] {
        let done = lab.end(with_files(&lab, arguments).env("LISTEN_FDS", "4"));
        assert!(done.err().contains("\"LISTEN_FDS=4: file 6 is not open\""), "{}", done.err());
        assert_eq!(done.code(), Some(code), "{arguments:?}");
    }
}

/// What [`LISTENER`] and `$$` say.
fn assert_told(said: &str, files: &str) {
    let (seen, pid) = said.rsplit_once('\n').unwrap();
    assert_ne!(pid, "1");
    assert_eq!(seen, format!("3\n4\n{files} \nLISTEN_FDS=2 LISTEN_PID={pid} "));
}

#[test]
fn an_exec_gets_the_files_too() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |_| ());
    let id = lab.launch("exec");
    let script = format!("{LISTENER}; echo; echo $$");
    let mut command = with_files(&lab, &["exec", "--preserve-fds", "1", &id, "sh", "-c", &script]);
    let done = lab.end(command.env("LISTEN_FDS", "2"));
    assert_told(&done.success(), "0 1 2 3 4 5 6");
}

#[test]
fn the_pid_is_that_of_the_program_where_it_is_not_1() {
    let lab = lab();
    lab.write(&["sh", "-c", &format!("{LISTENER}; echo; echo $$")], |spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    });
    let mut command = with_files(&lab, &["run", &lab.id("shared")]);
    let done = lab.end(command.env("LISTEN_FDS", "2"));
    assert_told(&done.success(), "0 1 2 3 4 5");
}
