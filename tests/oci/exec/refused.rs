// SPDX-License-Identifier: Apache-2.0
//! Containers that cannot be joined, and command lines that make no sense.

use std::fs;

use super::{exec, idle, refused};
use crate::{edit, lab};

#[test]
fn a_container_that_is_not_there() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    assert_eq!(refused(&exec(&lab, &[], "nobody", &["true"])).matches("container does not exist").count(), 1);
    let error = refused(&exec(&lab, &[], "../x", &["true"]));
    assert!(error.contains("invalid container ID format"), "{error}");
}

#[test]
fn a_container_that_has_stopped() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    assert!(refused(&exec(&lab, &[], &id, &["true"])).contains("cannot exec in a stopped container"));
    assert!(refused(&exec(&lab, &["--ignore-paused"], &id, &["true"])).contains("cannot exec in a stopped container"));
}

#[test]
fn what_is_no_cgroup_of_the_container() {
    let lab = lab();
    let id = idle(&lab, edit::nothing);
    // crun 1.29 lets a program escape by the first ones.
    for (cgroup, text) in [
        ("..", "\"..\" is not allowed"),
        ("../..", "\"..\" is not allowed"),
        ("a/../../b", "\"..\" is not allowed"),
        ("cpu:../x", "\"..\" is not allowed"),
        ("nosuch", "No such file or directory"),
        ("nosuch:a", "there is no such controller"),
        (":a", "there is no such controller"),
        ("cpu,,pids:a", "there is no such controller"),
    ] {
        let error = refused(&exec(&lab, &["--cgroup", cgroup], &id, &["true"]));
        assert!(error.contains("cgroup") && error.contains(text), "{cgroup}: {error}");
    }
    assert_eq!(lab.brig(&["ps", "-f", "json", &id]).success(), format!("[{}]", lab.pid(&id)));
}

#[test]
fn command_lines() {
    let lab = lab();
    let id = &*idle(&lab, edit::nothing);
    let file = lab.path.join("process.json");
    fs::write(&file, "{").unwrap();
    let file = file.to_str().unwrap();
    for (args, text) in [
        (&[][..], "missing argument: <ID>"),
        (&[id], "missing argument: <COMMAND>"),
        (&["--nosuch", id, "true"], "unknown flag: --nosuch"),
        (&[id, "--nosuch", "true"], "unknown flag: --nosuch"),
        (&["--env"], "flag needs an argument: --env"),
        (&["--preserve-fds", "x", id, "true"], "invalid value for --preserve-fds: x"),
        (&["--process", "/no/such", id], "cannot read /no/such: No such file or directory"),
        (&["--process", file, id], "process: line 1, column 1: ends before its JSON is complete"),
        (&["--process", file, id, "true"], "cannot be used with"),
        (&["--process", file, "--cwd", "/", id], "cannot be used with"),
    ] {
        let error = refused(&lab.brig(&[&["exec"], args].concat()));
        assert!(error.contains(text), "{args:?}: {error}");
    }
}
