// SPDX-License-Identifier: Apache-2.0
//! Hooks that init runs.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use brig_wire::{Act, Message, POINT_COMMIT, POINT_HOOKS, Step, kind};

use crate::harness::{BUSYBOX, Plan, Temp, failure, memfd, string, strings};

fn hook(path: &str, args: &[&str], timeout_ms: u64) -> Step<'static> {
    Step::RunHook { path: string(path), args: strings(args), env: strings(&["MARK=yes"]), timeout_ms }
}

fn script(script: &str, timeout_ms: u64) -> Step<'static> {
    hook(BUSYBOX, &["sh", "-c", script], timeout_ms)
}

fn failing(step: Step) -> (Act, Message, String) {
    Plan::new().step(step).fail(0)
}

#[test]
fn a_hook_gets_the_state_each_time() {
    let out = Temp::new();
    let mut state = fs::File::from(memfd(b"{\"ociVersion\":1}"));
    state.seek(SeekFrom::End(0)).expect("the end");
    let mut plan = Plan::new();
    let fd = plan.fd(&state);
    let copy = |name| {
        let file = out.path(name);
        script(&format!("cat > {0}; echo \"$0 $MARK $(env | wc -l)\" >> {0}", file.display()), 0)
    };
    let session = plan.step(Step::HookState { fd }).steps([copy("one"), copy("two")]).step(Step::HooksDone {}).start(0);
    let (message, ..) = session.receive().expect("a message");
    assert_eq!((message.kind, message.step), (kind::HOOK_DONE, 3));
    for name in ["one", "two"] {
        let text = fs::read_to_string(out.path(name)).expect("its output");
        assert!(text.starts_with("{\"ociVersion\":1}sh yes "), "{text}");
    }
}

#[test]
fn the_state_may_come_with_a_reply() {
    let session = Plan::new().sync(POINT_HOOKS).step(script("cat; exit 3", 0)).start(0);
    session.reached(POINT_HOOKS);
    session.reply(Some(&memfd(b"the state")));
    let (message, text, _) = session.receive().expect("a message");
    assert_eq!((Act::from_code(message.act), message.value, &*text), (Some(Act::HookExit), 3, "the state"));
}

#[test]
fn a_hook_runs_alone() {
    // Its own group, nothing open but stdio, nothing blocked or ignored.
    let probe =
        "set -- $(cat /proc/self/stat); echo $5 $$ $(ls /proc/self/fd | wc -l); grep Sig /proc/self/status; exit 1";
    let session = Plan::new().step(script(probe, 0)).start(0);
    let (_, text, _) = session.receive().expect("a message");
    let mut lines = text.lines();
    let first: Vec<&str> = lines.next().expect("a line").split(' ').collect();
    assert_eq!(first[0], first[1], "a group of its own");
    assert_eq!(first[2], "4", "stdio, and what ls reads");
    for set in ["SigBlk", "SigIgn", "SigCgt"] {
        let line = lines.clone().find(|line| line.starts_with(set)).expect("a line");
        assert!(line.ends_with("0000000000000000"), "{line}");
    }
}

#[test]
fn a_hook_that_fails_is_told() {
    let (act, message, text) = failing(script("echo out; echo err >&2; exit 42", 0));
    assert_eq!((act, message.errno, message.value, &*text), (Act::HookExit, 0, 42, "out\nerr\n"));
    let (act, message, text) = failing(script("echo dying; kill -TERM $$", 0));
    assert_eq!((act, message.value, &*text), (Act::HookSignal, libc::SIGTERM.into(), "dying\n"));
    let after = Plan::new().step(script("echo well", 0)).step(hook("/no/such/hook", &["x"], 0));
    assert_eq!(after.fail(0).2, "", "what another step said");
    let (act, message, text) = failing(script("head -c 200000 /dev/zero | tr '\\0' x; exit 1", 0));
    assert_eq!((act, message.value), (Act::HookExit, 1));
    assert_eq!(text, "x".repeat(512));
}

#[test]
fn a_hook_that_cannot_be_executed_is_told() {
    assert_eq!(failure(&Plan::new().step(hook("/no/such/hook", &["x"], 0))), (Act::HookExec, libc::ENOENT));
    assert_eq!(failure(&Plan::new().step(hook("/etc/passwd", &["x"], 1000))), (Act::HookExec, libc::EACCES));
    let temp = Temp::new();
    let mut file = fs::File::create(temp.path("garbage")).expect("a file");
    file.write_all(b"\x01\x02\x03").expect("room");
    fs::set_permissions(temp.path("garbage"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    drop(file);
    let garbage = hook(temp.path("garbage").to_str().expect("text"), &["x"], 0);
    assert_eq!(failure(&Plan::new().step(garbage)), (Act::HookExec, libc::ENOEXEC));
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_its_group() {
    let temp = Temp::new();
    let mark = temp.path("late");
    let begin = Instant::now();
    let slow = format!("echo waiting; (sleep 1; echo > {}) & sleep 60", mark.display());
    let (act, message, text) = failing(script(&slow, 300));
    assert_eq!((act, message.errno, &*text), (Act::HookTimeout, libc::ETIME, "waiting\n"));
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!mark.exists(), "the group lives on");
    assert_eq!(Plan::new().step(script("sleep 0.1", 30_000)).run(0), 0);
}

#[test]
fn a_daemon_is_not_waited_for() {
    let begin = Instant::now();
    assert_eq!(Plan::new().step(script("sleep 3 & exit 0", 0)).run(0), 0);
    let (act, _, text) = failing(script("sleep 3 & echo last; exit 1", 10_000));
    assert_eq!((act, &*text), (Act::HookExit, "last\n"));
    // One that closes its output early is waited for, without spinning.
    assert_eq!(Plan::new().step(script("exec >&- 2>&-; sleep 0.3", 0)).run(0), 0);
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_hook_in_the_container_sees_its_root() {
    let root = Temp::root(&["proc", "dev"]);
    fs::write(root.path("marker"), "").expect("a file");
    let plan = Plan::within(&root).pivot().step(hook("/bin/busybox", &["ls", "/"], 0)).sync(POINT_COMMIT);
    // Without a state its input is /dev/null, which this root does not have.
    assert_eq!(failure(&plan), (Act::HookExec, libc::ENOENT));
    let null = Step::Device { path: c"/dev/null", mode: libc::S_IFCHR | 0o666, major: 1, minor: 3, uid: 0, gid: 0 };
    let list = "test -e /marker && test ! -e /etc && exit 7";
    let plan = Plan::within(&root).step(null).pivot().step(hook("/bin/busybox", &["sh", "-c", list], 0));
    assert_eq!(plan.fail(0).1.value, 7);
}
