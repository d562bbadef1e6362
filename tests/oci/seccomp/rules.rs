// SPDX-License-Identifier: Apache-2.0
//! What filters deny, for whom, and that they are compiled once.

use std::fs;
use std::os::unix::fs::MetadataExt;

use libseccomp::ScmpSyscall;
use serde_json::{Value, json};

use super::deny;
use crate::{edit, lab};

#[test]
fn a_call_is_denied() {
    // Action, errnoRet, and the status of mkdir(1) with what it says.
    let table = [
        ("SCMP_ACT_ERRNO", None, 1, "Operation not permitted"),
        ("SCMP_ACT_ERRNO", Some(38), 1, "Function not implemented"),
        ("SCMP_ACT_KILL_PROCESS", None, 159, "Bad system call"),
        ("SCMP_ACT_KILL", None, 159, "Bad system call"),
        ("SCMP_ACT_KILL_THREAD", None, 159, "Bad system call"),
        ("SCMP_ACT_TRAP", None, 159, "Bad system call"),
        // seccomp(2): of one that nobody traces.
        ("SCMP_ACT_TRACE", None, 1, "Function not implemented"),
        ("SCMP_ACT_TRACE", Some(7), 1, "Function not implemented"),
        ("SCMP_ACT_ALLOW", None, 0, ""),
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

/// The default action, with what it returns.
#[test]
fn what_no_rule_names() {
    for (action, errno, text) in [
        ("SCMP_ACT_ERRNO", None, "Operation not permitted"),
        ("SCMP_ACT_ERRNO", Some(13), "Permission denied"),
        ("SCMP_ACT_KILL_PROCESS", None, "Bad system call"),
        ("SCMP_ACT_LOG", None, "made"),
    ] {
        let lab = lab();
        lab.write(&["sh", "-c", "mkdir /tmp/x && echo made"], |spec| {
            edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &[]);
            // Newer than mkdir, so that this is not one that the profile could not know of.
            let mut names: Vec<_> = (0..440).filter_map(|number| ScmpSyscall::from(number).get_name().ok()).collect();
            names.retain(|name| !["mkdir", "mkdirat"].contains(&name.as_str()));
            spec["linux"]["seccomp"] = json!({ "defaultAction": action, "defaultErrnoRet": errno,
                "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }] });
        });
        let done = lab.run();
        assert!((done.out() + &done.err()).contains(text), "{action}: {}{}", done.out(), done.err());
    }
}

/// Which of the signals 18, 23 and 28, which do nothing, cannot be sent under a rule with these conditions.
fn denied(args: Value) -> String {
    let script = "for s in 18 23 28; do kill -$s $$ 2>/dev/null || printf '%s ' $s; done";
    lab().sh(script, |spec| {
        let rule = json!({ "names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": args });
        spec["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
    })
}

#[test]
fn arguments_are_compared() {
    let condition = |operator: &str| json!({ "index": 1, "value": 23, "op": operator });
    for (operator, expected) in [
        ("SCMP_CMP_NE", "18 28"),
        ("SCMP_CMP_LT", "18"),
        ("SCMP_CMP_LE", "18 23"),
        ("SCMP_CMP_EQ", "23"),
        ("SCMP_CMP_GE", "23 28"),
        ("SCMP_CMP_GT", "28"),
    ] {
        assert_eq!(denied(json!([condition(operator)])), expected, "{operator}");
    }
    let mask =
        |second: Option<u32>| json!([{ "index": 1, "value": 8, "valueTwo": second, "op": "SCMP_CMP_MASKED_EQ" }]);
    assert_eq!(denied(mask(Some(8))), "28");
    assert_eq!(denied(mask(None)), "18 23");
    // Of the shell, pid 1, and of another argument: both. Of the same one: either.
    let equal = |index: u32, value: u32| json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" });
    assert_eq!(denied(json!([equal(0, 1), equal(1, 23)])), "23");
    assert_eq!(denied(json!([equal(0, 2), equal(1, 23)])), "");
    assert_eq!(denied(json!([equal(1, 18), equal(1, 28)])), "18 28");
}

/// Those that the features tell of, one by one and all at once.
#[test]
fn architectures() {
    let lab = lab();
    let features: Value = serde_json::from_str(&lab.brig(&["features"]).success()).unwrap();
    let all = features["linux"]["seccomp"]["archs"].as_array().unwrap();
    assert!(all.len() > 3, "{all:?}");
    for list in all.iter().map(|arch| json!([arch])).chain([json!(all)]) {
        let seen = lab.sh("mkdir /tmp/x 2>&1; true", |spec| {
            spec["linux"]["seccomp"] = deny(&["mkdir", "mkdirat"], "SCMP_ACT_ERRNO");
            spec["linux"]["seccomp"]["architectures"] = list.clone();
        });
        assert!(seen.contains("Operation not permitted"), "{list}: {seen}");
    }
    lab.write(&["true"], |spec| {
        spec["linux"]["seccomp"] = deny(&["mkdir"], "SCMP_ACT_ERRNO");
        spec["linux"]["seccomp"]["architectures"] = json!(["SCMP_ARCH_S390X"]);
    });
    let refusal = lab.run().failure();
    assert!(refusal.contains("/linux/seccomp/architectures/0: SCMP_ARCH_S390X cannot be filtered here"), "{refusal}");
}

#[test]
fn flags() {
    let lab = lab();
    for (flags, expected) in [
        (json!(null), 4),
        (json!([]), 0),
        (json!(["SECCOMP_FILTER_FLAG_LOG"]), 2),
        (json!(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), 4),
        (json!(["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), 6),
        // Of no use without a listener, and refused by the kernel.
        (json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), 0),
    ] {
        let seen = lab.sh("grep Seccomp_filters: /proc/self/status", |spec| {
            spec["linux"]["seccomp"] = deny(&["mkdir"], "SCMP_ACT_ERRNO");
            spec["linux"]["seccomp"]["flags"] = flags.clone();
        });
        assert_eq!(seen, "Seccomp_filters:\t1", "{flags}");
        let plan = lab.brig(&["plan"]).success();
        let step = plan.lines().find(|line| line.contains(" Seccomp ")).unwrap();
        assert!(
            step.contains(&format!("flags=0x{expected:x} ")) || step.contains(&format!("flags={expected} ")),
            "{step}"
        );
    }
}

/// init has more to say and to do, but it is in the filter already.
#[test]
fn an_init_that_may_not_even_exit() {
    let lab = lab();
    lab.write(&["/bin/bad"], |spec| {
        spec["linux"]["seccomp"] = deny(&["exit", "exit_group"], "SCMP_ACT_ERRNO");
    });
    let bad = lab.rootfs().join("bin/bad");
    fs::write(&bad, "#!/no/such/interpreter\n").unwrap();
    edit::executable(&bad);
    let id = lab.create("bad");
    let refusal = lab.brig(&["start", &id]).failure();
    assert!(refusal.contains("/bin/bad: no such file or directory"), "{refusal}");
    lab.await_status(&id, "stopped");
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
