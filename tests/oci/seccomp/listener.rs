// SPDX-License-Identifier: Apache-2.0
//! Listeners that are not there, and what is left then: nothing.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};

use super::agent::{Agent, Answer};
use super::deny;
use crate::lab;

fn notify(spec: &mut Value, path: Option<&Path>) {
    spec["linux"]["seccomp"] = deny(&["mkdir", "mkdirat"], "SCMP_ACT_NOTIFY");
    spec["linux"]["seccomp"]["listenerPath"] = json!(path);
}

#[test]
fn what_is_no_listener_is_refused_at_once() {
    let lab = lab();
    let long = lab.path.join("x".repeat(100));
    let file = lab.path.join("file");
    fs::write(&file, "").unwrap();
    for (path, words) in [
        (None, "/linux/seccomp/syscalls/0/action: SCMP_ACT_NOTIFY needs a listener in /linux/seccomp/listenerPath"),
        (Some(Path::new("/no/such/socket")), "/linux/seccomp/listenerPath: cannot reach /no/such/socket: No such file"),
        (Some(file.as_path()), "file is not a socket"),
        (Some(long.as_path()), "/linux/seccomp/listenerPath: must have at most 107 bytes"),
    ] {
        lab.write(&["true"], |spec| notify(spec, path));
        let refusal = lab.run().failure();
        assert!(refusal.contains(words), "{refusal}");
        lab.assert_clean();
    }
}

#[test]
fn nobody_listens() {
    let lab = lab();
    let path = lab.path.join("gone.sock");
    drop(UnixListener::bind(&path).unwrap());
    lab.write(&["touch", "/tmp/ran"], |spec| {
        crate::edit::writable(spec);
        notify(spec, Some(&path));
    });
    let refusal = lab.run().failure();
    assert!(refusal.contains("/linux/seccomp/listenerPath: cannot send the seccomp listener to "), "{refusal}");
    assert!(refusal.contains("gone.sock: Connection refused"), "{refusal}");
    lab.assert_clean();

    let id = lab.create("gone");
    assert!(lab.brig(&["start", &id]).failure().contains("Connection refused"));
    assert_eq!(lab.state(&id)["status"], "stopped");
    lab.brig(&["delete", &id]).success();
    assert!(!lab.rootfs().join("tmp/ran").exists(), "it ran without anybody who answers");
}

#[test]
fn nobody_listens_to_an_exec() {
    let lab = lab();
    let agent = Agent::start(&lab.path, 1, |_| Answer::Continues);
    lab.write(&["sleep", "1000"], |spec| notify(spec, Some(&agent.path)));
    let id = lab.launch("exec");
    // It attends no more.
    fs::remove_file(&agent.path).unwrap();
    let done = lab.brig(&["exec", &id, "true"]);
    assert_eq!(done.code(), Some(255), "{}", done.err());
    assert!(done.err().contains("/linux/seccomp/listenerPath: cannot send the seccomp listener to "), "{}", done.err());
    let processes = lab.brig(&["ps", "--format", "json", &id]).success();
    assert_eq!(serde_json::from_str::<Value>(&processes).unwrap().as_array().unwrap().len(), 1, "{processes}");
    lab.brig(&["delete", "--force", &id]).success();
    agent.end();
}

/// One that takes the file away with it: the kernel says that there is no such call.
#[test]
fn an_agent_that_goes_away() {
    let lab = lab();
    let path = lab.path.join("short.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let agent = std::thread::spawn(move || drop(socket.accept().unwrap()));
    lab.write(&["mkdir", "/tmp/x"], |spec| notify(spec, Some(&path)));
    let done = lab.run();
    agent.join().unwrap();
    // Before it has the file, or after.
    let expected = ["Broken pipe", "Connection reset by peer", "Function not implemented"];
    assert!(done.code() == Some(1) && expected.iter().any(|text| done.err().contains(text)), "{}", done.err());
    lab.assert_clean();
}

/// The filter is the same whoever listens, and is compiled once.
#[test]
fn the_listener_is_no_part_of_the_filter() {
    let lab = lab();
    for metadata in ["one", "two"] {
        let agent = Agent::start(&lab.path, 1, |_| Answer::Continues);
        lab.sh("true", |spec| {
            notify(spec, Some(&agent.path));
            spec["linux"]["seccomp"]["listenerMetadata"] = json!(metadata);
        });
        assert_eq!(agent.end()[0].state["metadata"], metadata);
    }
    assert_eq!(fs::read_dir(lab.path.join("state/@seccomp")).unwrap().count(), 1);
}
