// SPDX-License-Identifier: Apache-2.0
//! What a restored container is: one like any other; and what the flags do.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::checkpoint::{COUNTER, Subject};
use crate::common::{skip, until};
use crate::edit;

#[test]
fn a_restored_container_is_like_any_other() {
    let mut subject = Subject::new(&COUNTER, |spec| {
        edit::writable(spec);
        spec["annotations"] = json!({ "color": "blue" });
        spec["linux"]["resources"]["pids"] = json!({ "limit": 77 });
    })
    .launch();
    subject.counts_on();
    subject.checkpoint("images", &[]).success();
    // It is deleted, as runc does it.
    assert!(subject.lab.brig(&["state", &subject.id]).failure().contains("container does not exist"));
    let id = subject.lab.id("restored");
    let pid_file = subject.images("pid");
    subject.restore("images", &["--pid-file", &pid_file, "-no-subreaper", "--no-pivot"], &id).success();
    subject.id = id.clone();
    let lab = &subject.lab;

    let state = lab.state(&id);
    assert_eq!(state["status"], "running");
    assert_eq!(state["annotations"]["color"], "blue");
    assert_eq!(fs::read_to_string(pid_file).unwrap(), state["pid"].to_string());
    let taken = subject.restore("images", &[], &id).failure();
    assert!(taken.contains("container with given ID already exists"), "{taken}");
    let inside =
        lab.brig(&["exec", &id, "sh", "-c", "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; hostname"]);
    assert_eq!(inside.out().split_whitespace().collect::<Vec<_>>(), ["77", "brig"], "{}", inside.err());
    lab.brig(&["pause", &id]).success();
    assert_eq!(lab.state(&id)["status"], "paused");
    lab.brig(&["resume", &id]).success();
    subject.counts_on();
    lab.brig(&["update", "--pids-limit", "55", &id]).success();
    let stats: Value = serde_json::from_str(&lab.brig(&["events", "--stats", &id]).success()).unwrap();
    assert_eq!(stats["data"]["pids"]["limit"], 55);
    let processes: Vec<i64> = serde_json::from_str(&lab.brig(&["ps", "--format", "json", &id]).success()).unwrap();
    assert!(processes.contains(&state["pid"].as_i64().unwrap()), "{processes:?}");
    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    lab.brig(&["delete", &id]).success();
    subject.is_whole();
    lab.assert_clean();
}

#[test]
fn it_runs_on_if_it_is_to() {
    let subject = Subject::new(&COUNTER, edit::nothing).launch();
    let pid = subject.lab.pid(&subject.id);
    for mode in ["soft", "full", "strict", "ignore"] {
        let flags = ["--leave-running", "--manage-cgroups-mode", mode];
        subject.checkpoint(mode, &flags).success();
        assert_eq!(subject.lab.pid(&subject.id), pid);
        subject.counts_on();
    }
    subject.lab.brig(&["delete", "--force", &subject.id]).success();
    for mode in ["soft", "full", "ignore"] {
        fs::remove_file(subject.lab.path.join("log/count")).unwrap();
        fs::write(subject.lab.path.join("log/count"), "").unwrap();
        let id = subject.lab.id(mode);
        subject.restore(mode, &["--manage-cgroups-mode", mode], &id).success();
        until("it counts on", || fs::metadata(subject.lab.path.join("log/count")).unwrap().len() > 10);
        let processes = subject.lab.brig(&["ps", "--format", "json", &id]).success();
        assert_ne!(processes, "[]", "{mode}: it is in its cgroup");
        subject.lab.brig(&["delete", "--force", &id]).success();
        subject.lab.assert_clean();
    }
}

/// In the foreground, between pipes: what was a pipe becomes another one, and the exit status is the program's.
#[test]
fn pipes_are_replaced() {
    let script = "n=0; while read -r line; do n=$((n + 1)); echo \"$n $line\"; done; exit 9";
    let subject = Subject::new(&["sh", "-c", script], edit::nothing);
    let piped = |arguments: &[&str]| {
        let mut command = subject.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut first = piped(&["run", &subject.id]);
    let mut word = [0; 4];
    first.stdin.as_mut().unwrap().write_all(b"a\n").unwrap();
    first.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"1 a\n");
    // The one who waits deletes it first.
    let images = subject.images("images");
    let dumped = subject.lab.end(&mut subject.command(&["checkpoint", "--image-path", &images, &subject.id]));
    dumped.success();
    assert_eq!(first.wait().unwrap().code(), Some(137));

    let id = subject.lab.id("restored");
    let mut second = piped(&["restore", "--image-path", &images, &id]);
    second.stdin.as_mut().unwrap().write_all(b"b\n").unwrap();
    second.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"2 b\n");
    drop(second.stdin.take());
    assert_eq!(second.wait().unwrap().code(), Some(9));
    subject.lab.assert_clean();
}

/// runc's #1849: the network namespace is another's, before and afterwards.
#[test]
fn into_a_foreign_network_namespace() {
    let namespace = |lab: &crate::common::Lab, name: &str| {
        let name = lab.id(name);
        let ip = |arguments: &[&str]| assert!(Command::new("ip").args(arguments).status().unwrap().success());
        ip(&["netns", "add", &name]);
        ip(&["-n", &name, "link", "add", "dummy0", "type", "veth", "peer", "name", "dummy1"]);
        Namespace(name)
    };
    let subject = Subject::new(&COUNTER, edit::nothing);
    let (first, second) = (namespace(&subject.lab, "a"), namespace(&subject.lab, "b"));
    let log = subject.images("log");
    let write = |namespace: &Namespace| {
        subject.lab.write(&COUNTER, |spec| {
            edit::mount(spec, "/log", "bind", &log, &["bind"]);
            edit::mount(spec, "/scratch", "tmpfs", "tmpfs", &[]);
            edit::namespace(spec, "network", Some(&namespace.path()));
        });
    };
    write(&first);
    subject.lab.brig(&["run", "--detach", &subject.id]).success();
    subject.counts_on();
    subject.checkpoint("images", &[]).success();
    write(&second);
    let id = subject.lab.id("restored");
    subject.restore("images", &[], &id).success();
    subject.counts_on();
    subject.is_whole();
    let own = fs::metadata(format!("/proc/{}/ns/net", subject.lab.pid(&id))).unwrap();
    let wanted = fs::metadata(second.path()).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&own), std::os::unix::fs::MetadataExt::ino(&wanted));
    subject.lab.brig(&["delete", "--force", &id]).success();
}

struct Namespace(String);

impl Namespace {
    fn path(&self) -> String {
        format!("/run/netns/{}", self.0)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

#[test]
fn hooks_run_where_runc_runs_them() {
    let subject = Subject::new(&COUNTER, |_| ());
    let (log, ran) = (subject.images("log"), subject.images("ran"));
    let hook = |name: &str| json!([{ "path": "/bin/sh", "args": ["sh", "-c", format!("echo {name} >> {ran}")] }]);
    subject.lab.write(&COUNTER, |spec| {
        edit::mount(spec, "/log", "bind", &log, &["bind"]);
        spec["hooks"] = json!({
            "createRuntime": hook("createRuntime"), "poststart": hook("poststart"), "poststop": hook("poststop"),
        });
    });
    let subject = subject.launch();
    subject.counts_on();
    subject.checkpoint("images", &[]).success();
    let id = subject.lab.id("restored");
    subject.restore("images", &[], &id).success();
    subject.lab.brig(&["delete", "--force", &id]).success();
    let ran = fs::read_to_string(ran).unwrap();
    let expected = ["createRuntime", "poststart", "poststop", "createRuntime", "poststop"];
    assert_eq!(ran.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn in_a_user_namespace() {
    let subject = Subject::new(&COUNTER, edit::user_namespace);
    edit::give_away(&subject.lab.rootfs());
    edit::give_away(&subject.lab.path.join("log"));
    let quietly =
        |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success();
    assert!(quietly(&mut subject.command(&["run", "--detach", &subject.id])));
    subject.counts_on();
    subject.checkpoint("images", &[]).success();
    let id = subject.lab.id("restored");
    // What takes the place of stdio is opened anew, by root of that namespace.
    let images = subject.images("images");
    let mut restore = subject.command(&["restore", "--detach", "--image-path", &images, &id]);
    assert!(quietly(&mut restore), "{}", fs::read_to_string(format!("{images}/restore.log")).unwrap());
    subject.counts_on();
    subject.is_whole();
    let map = fs::read_to_string(format!("/proc/{}/uid_map", subject.lab.pid(&id))).unwrap();
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "100000", "65536"]);
    assert_eq!(subject.lab.brig(&["exec", &id, "id", "-u"]).success(), "0");
    subject.lab.brig(&["delete", "--force", &id]).success();
    subject.lab.assert_clean();
}

#[test]
fn memory_in_steps() {
    let subject = Subject::new(&["worker", "memory", "8"], edit::nothing).launch();
    subject.counts_on();
    let done = subject.checkpoint("one", &["--pre-dump"]);
    if done.code() != Some(0) {
        return skip(done.failure().trim());
    }
    subject.counts_on();
    subject.checkpoint("two", &["--pre-dump", "--parent-path", "../one"]).success();
    subject.counts_on();
    subject.checkpoint("three", &["--parent-path", "../two"]).success();
    let size = |name: &str| -> u64 {
        let entries = fs::read_dir(subject.images(name)).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("pages-"))
            .map(|it| it.metadata().unwrap().len())
            .sum()
    };
    assert!(
        size("one") > 8 << 20 && size("two") < 1 << 20 && size("three") < 1 << 20,
        "{} {} {}",
        size("one"),
        size("two"),
        size("three")
    );
    let pre = subject.lab.id("none");
    assert!(subject.restore("two", &[], &pre).failure().contains("it is that of a pre-dump"));
    let id = subject.lab.id("restored");
    subject.restore("three", &[], &id).success();
    subject.counts_on();
    subject.is_whole();
    subject.lab.brig(&["delete", "--force", &id]).success();
    subject.lab.assert_clean();
}
