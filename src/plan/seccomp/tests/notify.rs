// SPDX-License-Identifier: Apache-2.0
//! Filters that notify: whom, and as two programs.

use libc::{SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_LOG, SECCOMP_RET_USER_NOTIF};
use serde_json::{Value, json};

use super::super::*;
use super::run;
use super::{NATIVE, RISCV64, errno, number, section};

fn filter(json: Value) -> Filter {
    super::filter(json).unwrap().unwrap()
}

fn notify(names: &[&str]) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_NOTIFY" })
}

#[test]
fn two_filters_say_what_the_one_says() {
    let filter = filter(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            notify(&["mkdir", "mkdirat"]),
            { "names": ["getpid"], "action": "SCMP_ACT_ALLOW" },
            { "names": ["getuid"], "action": "SCMP_ACT_LOG" },
            { "names": ["personality"], "action": "SCMP_ACT_NOTIFY",
              "args": [{ "index": 0, "value": 5, "op": "SCMP_CMP_NE" }] },
        ],
    }));
    let [notifying, rest] = split(&filter);
    for (call, first, whole, second) in [
        ("mkdirat", 0, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ALLOW),
        ("getpid", 0, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW),
        ("getuid", 0, SECCOMP_RET_LOG, SECCOMP_RET_LOG),
        ("sendmsg", 0, errno(libc::EPERM), errno(libc::EPERM)),
        ("personality", 4, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ALLOW),
        ("personality", 5, errno(libc::EPERM), errno(libc::EPERM)),
    ] {
        let outcome = |program: &[u8]| run(program, NATIVE, number(call), [first, 0, 0, 0, 0, 0]);
        let notified = if whole == SECCOMP_RET_USER_NOTIF { whole } else { SECCOMP_RET_ALLOW };
        assert_eq!(outcome(&filter.program), whole, "{call}");
        assert_eq!((outcome(&notifying), outcome(&rest)), (notified, second), "{call}");
    }
    assert_eq!(run(&notifying, RISCV64, 1, [0; 6]), SECCOMP_RET_ALLOW);
    assert_eq!(run(&rest, RISCV64, 1, [0; 6]), SECCOMP_RET_KILL_THREAD);
}

#[test]
fn whom() {
    let with = |rule: Value| json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x", "listenerMetadata": "m", "syscalls": [rule] });
    let expected = Listener { path: Some("/run/x".into()), metadata: Some("m".into()) };
    assert_eq!(filter(with(notify(&["mkdir"]))).listener, Some(expected));
    // What no kernel has is never called.
    assert_eq!(filter(with(notify(&["no_such_call"]))).listener, None);
    assert_eq!(filter(with(json!({ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }))).listener, None);
}

#[test]
fn somebody_has_to_answer() {
    let check = |names: &[&str], path: Option<&str>, taken| {
        let json = json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "syscalls": [notify(names)] });
        let filter = filter(json.clone());
        let error = filter.listener.unwrap().check(&section(json), taken).err()?;
        Some((error.pointer.unwrap(), error.message))
    };
    for (names, path, taken, at, words) in [
        (&["mkdir"][..], None, false, "syscalls/0/action", "needs a listener in /linux/seccomp/listenerPath"),
        (&["mkdir", "execve"], None, true, "syscalls/0/names/1", "nobody could answer"),
        (&["mkdir"], Some("/no/such"), true, "listenerPath", "cannot reach /no/such: No such file"),
        (&["mkdir"], Some("/etc/passwd"), false, "listenerPath", "/etc/passwd is not a socket"),
    ] {
        let (pointer, message) = check(names, path, taken).unwrap();
        assert_eq!(pointer, format!("/linux/seccomp/{at}"));
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(check(&["mkdir"], None, true), None);
}
