// SPDX-License-Identifier: Apache-2.0
//! A program that cannot be executed is told of, however little the filter lets init do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::deny;
use crate::common::{Done, Lab};
use crate::{edit, lab};

/// Every call by which init could tell anybody, and the one by which it ends.
const WORDS: [&str; 6] = ["sendmsg", "sendmmsg", "sendto", "write", "writev", "exit_group"];

/// Programs that are found and are executable, but not for the kernel; and what is said of them.
const BROKEN: [(&str, &str, &str); 2] = [
    ("no-interpreter", "#!/no/such/interpreter\n", "no such file or directory"),
    ("no-format", "\u{1}\u{2}\u{3}", "cannot execute it: exec format error"),
];

const ACTIONS: [&str; 3] = ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"];

type Change = fn(&mut Value);

fn write_programs(rootfs: &Path) {
    for (name, text, _) in BROKEN {
        let path = rootfs.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
}

/// A bundle of this program under this filter, without and with no_new_privs, in containers of one init and of two.
fn bundles(program: &[&str], filter: &Value, mut test: impl FnMut(&Lab, &str)) {
    let kinds: [(&str, Change); 3] = [
        ("plain", edit::nothing),
        ("time", |spec| edit::namespace(spec, "time", None)),
        ("user", edit::user_namespace),
    ];
    for (kind, change) in kinds {
        for no_new_privileges in [true, false] {
            let lab = lab();
            lab.write(program, |spec| {
                change(spec);
                spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
                spec["linux"]["seccomp"] = filter.clone();
            });
            write_programs(&lab.rootfs());
            edit::give_away(&lab.rootfs());
            test(&lab, &format!("{kind}, no_new_privs {no_new_privileges}, {filter}"));
        }
    }
}

#[track_caller]
fn assert_told(done: &Done, code: i32, text: &str, what: &str) {
    assert_eq!(done.code(), Some(code), "{what}: {}{}", done.out(), done.err());
    assert!(done.err().contains(text), "{what}: {}", done.err());
}

#[test]
fn start_tells_of_a_program_that_cannot_be_executed() {
    for action in ACTIONS {
        for (name, _, text) in BROKEN {
            let path = format!("/bin/{name}");
            let text = format!("/process/args/0: {path}: {text}");
            bundles(&[&path], &deny(&WORDS, action), |lab, what| {
                let id = lab.create("silent");
                assert_told(&lab.brig(&["start", &id]), 1, &text, what);
                lab.await_status(&id, "stopped");
                lab.brig(&["delete", &id]).success();
                assert_told(&lab.run(), 1, &text, what);
                lab.assert_clean();
            });
        }
    }
}

#[test]
fn exec_tells_of_a_program_that_cannot_be_executed() {
    for action in ACTIONS {
        bundles(&["sleep", "1000"], &deny(&WORDS, action), |lab, what| {
            let id = lab.launch("silent");
            for (name, _, text) in BROKEN {
                let path = format!("/bin/{name}");
                for flags in [&[][..], &["--detach"], &["--user", "5:5"]] {
                    let done = lab.brig(&[&["exec"], flags, &[&id, &path]].concat());
                    assert_told(&done, 255, &format!("/args/0: {path}: {text}"), what);
                }
            }
            let alone = format!("[{}]", lab.pid(&id));
            assert_eq!(lab.brig(&["ps", "--format", "json", &id]).success(), alone, "{what}");
            // And before the filter is loaded.
            let done = lab.brig(&["exec", "--cwd", "/no/such", &id, "true"]);
            assert_told(&done, 255, "/cwd: /no/such: cannot change the directory", what);
        });
    }
}

/// One that went away between start and exec, as only the exec itself can find out.
#[test]
fn start_tells_of_a_program_that_has_gone() {
    bundles(&["/bin/gone"], &deny(&WORDS, "SCMP_ACT_ERRNO"), |lab, what| {
        let program = lab.rootfs().join("bin/gone");
        fs::hard_link(lab.rootfs().join("bin/busybox"), &program).unwrap();
        let id = lab.create("gone");
        fs::remove_file(&program).unwrap();
        assert_told(&lab.brig(&["start", &id]), 1, "/process/args/0: /bin/gone: no such file or directory", what);
    });
}

/// What init does between the filter and the program can be denied as well.
#[test]
fn the_filter_may_end_init_before_the_program() {
    for (syscall, says_why) in [("mmap", true), ("capset", false)] {
        for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] {
            let filter = deny(&[&WORDS[..], &[syscall]].concat(), action);
            let lab = lab();
            lab.write(&["true"], |spec| {
                // So that capabilities change behind the filter.
                spec["process"]["noNewPrivileges"] = json!(false);
                spec["linux"]["seccomp"] = filter;
            });
            let id = lab.create("silent");
            let error = lab.brig(&["start", &id]).failure();
            let text = match (action, says_why) {
                ("SCMP_ACT_ERRNO", true) => "/process/args/0: true: Operation not permitted",
                ("SCMP_ACT_ERRNO", false) => "/process/capabilities: capabilities: Operation not permitted",
                _ => "init was killed by signal 31",
            };
            // Before Linux 6.15 only its parent learns how a process ended.
            let unknown = action != "SCMP_ACT_ERRNO" && error.contains("\"init ended\"");
            assert!(error.contains(text) || unknown, "{syscall}, {action}: {error}");
        }
    }
}

/// A program that runs is no failure, whatever comes of it.
#[test]
fn a_program_that_ends_at_once_was_executed() {
    for (script, code) in [("exit 127", 127), ("exit 126", 126), ("exit 1", 1), ("kill -9 $$", 0), ("kill -SEGV $$", 0)]
    {
        // Not the first process, which no signal kills.
        let script = if code == 0 { format!("sh -c '{script}'; exit 3") } else { script.to_owned() };
        bundles(&["sh", "-c", &script], &deny(&["sendmsg", "sendto"], "SCMP_ACT_KILL_PROCESS"), |lab, what| {
            let id = lab.create("quick");
            lab.brig(&["start", &id]).success();
            lab.await_status(&id, "stopped");
            lab.brig(&["delete", &id]).success();
            assert_eq!(lab.run().code(), Some(if code == 0 { 3 } else { code }), "{what}");
        });
    }
    // Killed by the filter itself, with its first word.
    bundles(&["echo", "x"], &deny(&["write", "writev"], "SCMP_ACT_KILL_PROCESS"), |lab, what| {
        let id = lab.create("quick");
        lab.brig(&["start", &id]).success();
        lab.brig(&["delete", "--force", &id]).success();
        assert_eq!(lab.run().code(), Some(159), "{what}");
    });
    bundles(&["sleep", "1000"], &deny(&WORDS[..5], "SCMP_ACT_KILL_PROCESS"), |lab, what| {
        let id = lab.launch("quick");
        for (script, code) in [("exit 127", 127), ("exit 126", 126), ("exit 1", 1), ("kill -9 $$", 137)] {
            assert_eq!(lab.brig(&["exec", &id, "sh", "-c", script]).code(), Some(code), "{what}");
        }
        assert_eq!(lab.brig(&["exec", &id, "echo", "x"]).code(), Some(159), "{what}");
    });
}

/// Of a filter that kills whoever executes a program nobody could tell whether it was init or the program that it killed.
#[test]
fn a_filter_that_kills_an_execve_is_refused() {
    for (action, refused) in [
        ("SCMP_ACT_KILL", true),
        ("SCMP_ACT_KILL_PROCESS", true),
        ("SCMP_ACT_TRAP", true),
        ("SCMP_ACT_ERRNO", false),
        ("SCMP_ACT_TRACE", false),
        ("SCMP_ACT_LOG", false),
    ] {
        let lab = lab();
        lab.write(&["true"], |spec| spec["linux"]["seccomp"] = deny(&["execve", "execveat"], action));
        if refused {
            // Once more with the filter that is known by then.
            for _ in 0..2 {
                let error = lab.brig(&["create", &lab.id("killed")]).failure();
                assert!(error.contains("/linux/seccomp: the filter kills whoever calls execve"), "{action}: {error}");
                lab.assert_clean();
            }
            continue;
        }
        let id = lab.create("denied");
        let done = lab.brig(&["start", &id]);
        let text = match action {
            "SCMP_ACT_ERRNO" => "/process/args/0: true: cannot execute it: operation not permitted",
            "SCMP_ACT_TRACE" => "/process/args/0: true: cannot execute it: function not implemented",
            _ => {
                done.success();
                continue;
            }
        };
        assert!(done.failure().contains(text), "{action}: {}", done.err());
    }
}
