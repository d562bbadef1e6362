// SPDX-License-Identifier: Apache-2.0
//! Seccomp filters: what they deny, for whom, and that they are compiled once.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::{edit, lab};

fn deny(syscalls: &[&str], action: &str) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": syscalls, "action": action }] })
}

#[test]
fn a_call_is_denied() {
    // Action, errnoRet, and the status of mkdir(1) with what it says.
    let table = [
        ("SCMP_ACT_ERRNO", None, 1, "Operation not permitted"),
        ("SCMP_ACT_ERRNO", Some(38), 1, "Function not implemented"),
        ("SCMP_ACT_KILL_PROCESS", None, 159, "Bad system call"),
        ("SCMP_ACT_KILL", None, 159, "Bad system call"),
        ("SCMP_ACT_TRAP", None, 159, "Bad system call"),
        ("SCMP_ACT_LOG", None, 0, ""),
    ];
    for (action, errno, status, text) in table {
        for (no_new_privileges, uid) in [(true, 0), (false, 0), (true, 1000), (false, 1000)] {
            let lab = lab();
            lab.write(&["sh", "-c", "mkdir /tmp/x; echo $?; grep Seccomp: /proc/self/status"], |spec| {
                edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &["mode=1777"]);
                edit::user(spec, uid, uid, &[]);
                spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
                spec["linux"]["seccomp"] = deny(&["mkdir", "mkdirat"], action);
                if let Some(errno) = errno {
                    spec["linux"]["seccomp"]["syscalls"][0]["errnoRet"] = json!(errno);
                }
            });
            let done = lab.run();
            let expected = format!("{status}\nSeccomp:\t2");
            assert_eq!(
                done.success(),
                expected,
                "{action}, uid {uid}, no_new_privs {no_new_privileges}: {}",
                done.err()
            );
            assert!(done.err().contains(text), "{action}: {}", done.err());
        }
    }
}

/// The container gets no capability for its filter.
#[test]
fn the_filter_leaves_no_privilege() {
    for uid in [0, 1000] {
        let lab = lab();
        lab.write(&["grep", "^Cap", "/proc/self/status"], |spec| {
            edit::user(spec, uid, uid, &[]);
            spec["process"]["noNewPrivileges"] = json!(false);
            spec["process"].as_object_mut().unwrap().remove("capabilities");
            spec["linux"]["seccomp"] = deny(&["mkdir"], "SCMP_ACT_ERRNO");
        });
        let seen = lab.run().success();
        assert!(seen.lines().all(|line| line.ends_with("\t0000000000000000")), "uid {uid}: {seen}");
    }
}

#[test]
fn arguments_are_looked_at() {
    let seen = lab().sh("kill -0 $$ && echo asked; kill -10 $$ 2>/dev/null || echo denied", |spec| {
        spec["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{
                "names": ["kill"], "action": "SCMP_ACT_ERRNO",
                "args": [{ "index": 1, "value": 10, "op": "SCMP_CMP_EQ" }],
            }],
        });
    });
    assert_eq!(seen, "asked\ndenied");
}

#[test]
fn a_list_of_what_is_allowed() {
    let lab = lab();
    let allow = |names: Value| json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }] });
    // All that busybox needs for this, and a name that no kernel has.
    let needed = json!([
        "execve",
        "brk",
        "arch_prctl",
        "set_tid_address",
        "set_robust_list",
        "rseq",
        "prlimit64",
        "readlink",
        "readlinkat",
        "getrandom",
        "mprotect",
        "prctl",
        "getuid",
        "write",
        "writev",
        "exit",
        "exit_group",
        "mmap",
        "munmap",
        "fstat",
        "newfstatat",
        "ioctl",
        "rt_sigaction",
        "rt_sigprocmask",
        "futex",
        "no_such_call_anywhere",
        "capget",
        "capset",
    ]);
    let out = lab.write(&["echo", "allowed"], |spec| spec["linux"]["seccomp"] = allow(needed)).run();
    assert_eq!(out.success(), "allowed");
}

#[test]
fn filters_are_kept() {
    let lab = lab();
    let files = || {
        let mut files: Vec<_> =
            fs::read_dir(lab.path.join("state/@seccomp")).unwrap().flatten().map(|file| file.path()).collect();
        files.sort();
        files
    };
    let run = |call: &str| {
        lab.sh("true", |spec| spec["linux"]["seccomp"] = deny(&[call], "SCMP_ACT_ERRNO"));
    };
    run("mkdir");
    let first = files();
    assert_eq!(first.len(), 1);
    let before = fs::metadata(&first[0]).unwrap();
    assert_eq!(before.mode() & 0o077, 0, "others could write it: {:o}", before.mode());
    run("mkdir");
    assert_eq!(files(), first);
    assert_eq!(fs::metadata(&first[0]).unwrap().ino(), before.ino(), "it was compiled again");
    run("rmdir");
    assert_eq!(files().len(), 2);

    // What is damaged is not used, and replaced.
    fs::write(&first[0], "rubbish").unwrap();
    run("mkdir");
    assert!(fs::metadata(&first[0]).unwrap().len() > 40);
}
