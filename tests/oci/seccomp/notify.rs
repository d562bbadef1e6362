// SPDX-License-Identifier: Apache-2.0
//! SCMP_ACT_NOTIFY, from a call in a container to an agent and back.

use std::time::Duration;

use serde_json::{Value, json};

use super::agent::{Agent, Answer, Call};
use super::deny;
use crate::common::until;
use crate::{edit, lab};

/// EDOM, which mkdir(2) never has.
const STRANGE: &str = "Numerical argument out of domain";

fn strange(_: &Call) -> Answer {
    Answer::Fails(33)
}

fn notify(spec: &mut Value, agent: &Agent, names: &[&str]) {
    spec["linux"]["seccomp"] = deny(names, "SCMP_ACT_NOTIFY");
    spec["linux"]["seccomp"]["listenerPath"] = json!(agent.path);
    spec["linux"]["seccomp"]["listenerMetadata"] = json!("what the \"agent\" is to know");
}

#[test]
fn the_agent_is_told_of_the_container() {
    for (no_new_privileges, uid) in [(true, 0), (false, 0), (true, 1000), (false, 1000)] {
        let lab = lab();
        let agent = Agent::start(&lab.path, 1, strange);
        lab.write(&["mkdir", "/tmp/x"], |spec| {
            edit::user(spec, uid, uid, &[]);
            spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
            notify(spec, &agent, &["mkdir", "mkdirat"]);
        });
        let id = lab.create("notify");
        let pid = lab.pid(&id);
        let created = lab.state(&id);
        assert_eq!(lab.brig(&["start", &id]).success(), "");
        lab.await_status(&id, "stopped");
        let met = agent.end();
        let state = &met[0].state;
        assert_eq!(state["ociVersion"], created["ociVersion"]);
        assert_eq!(state["fds"], json!(["seccompFd"]));
        assert_eq!(state["pid"], pid);
        assert_eq!(state["metadata"], "what the \"agent\" is to know");
        assert_eq!(state["state"], created);
        assert_eq!(met[0].calls.len(), 1, "{:?}", met[0].calls);
    }
}

#[test]
fn the_container_sees_the_answer() {
    let lab = lab();
    let agent = Agent::start(&lab.path, 1, |call| match call.name.as_str() {
        "getppid" => Answer::Returns(4321),
        "mkdir" | "mkdirat" => Answer::Fails(33),
        _ => Answer::Continues,
    });
    let script = "mkdir /tmp/x 2>&1; echo $PPID; rmdir /no/such 2>&1; grep Seccomp /proc/self/status; grep ^Cap /proc/self/status";
    let seen = lab.sh(script, |spec| {
        spec["process"]["noNewPrivileges"] = json!(false);
        spec["process"].as_object_mut().unwrap().remove("capabilities");
        notify(spec, &agent, &["mkdir", "mkdirat", "getppid", "rmdir", "unlinkat"]);
    });
    let mut lines = seen.lines();
    assert_eq!(lines.next().unwrap(), format!("mkdir: can't create directory '/tmp/x': {STRANGE}"));
    assert_eq!(lines.next().unwrap(), "4321");
    assert_eq!(lines.next().unwrap(), "rmdir: '/no/such': No such file or directory");
    // One that notifies, and one that does the rest.
    assert_eq!((lines.next(), lines.next()), (Some("Seccomp:\t2"), Some("Seccomp_filters:\t2")));
    assert!(lines.all(|line| line.ends_with("\t0000000000000000")), "{seen}");
    agent.end();
}

#[test]
fn an_exec_has_a_listener_of_its_own() {
    for no_new_privileges in [true, false] {
        let lab = lab();
        let agent = Agent::start(&lab.path, 3, strange);
        lab.write(&["sleep", "1000"], |spec| {
            spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
            notify(spec, &agent, &["mkdir", "mkdirat"]);
        });
        let id = lab.launch("exec");
        let running = lab.state(&id);
        for user in ["0", "1000"] {
            let done = lab.brig(&["exec", "--user", user, &id, "mkdir", "/tmp/x"]);
            assert!(done.err().contains(STRANGE), "{}", done.err());
        }
        lab.brig(&["delete", "--force", &id]).success();
        for met in &agent.end()[1..] {
            assert_eq!(met.state["state"], running);
            assert!(met.state["pid"].as_i64() > Some(1) && met.state["pid"] != running["pid"], "{}", met.state);
            assert_eq!(met.calls.len(), 1);
        }
    }
}

/// What init itself has to call behind the filter, and the call that says most of what other runtimes forbid.
#[test]
fn init_is_answered_as_well() {
    const CALLS: [&str; 7] = ["recvmsg", "seccomp", "mmap", "capset", "prctl", "execve", "write"];
    let lab = lab();
    let agent = Agent::start(&lab.path, 1, |_| Answer::Continues);
    let seen = lab.sh("echo said", |spec| {
        spec["process"]["noNewPrivileges"] = json!(false);
        notify(spec, &agent, &CALLS);
    });
    assert_eq!(seen, "said");
    let met = agent.end();
    for name in CALLS {
        assert!(met[0].calls.iter().any(|call| call == name), "{name}: {:?}", met[0].calls);
    }
}

/// What else the filter says counts only once the listener is away.
#[test]
fn a_profile_without_sockets() {
    for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"] {
        let lab = lab();
        let agent = Agent::start(&lab.path, 1, strange);
        let seen = lab.sh("mkdir /tmp/x 2>&1; true", |spec| {
            notify(spec, &agent, &["mkdir", "mkdirat"]);
            let rules = spec["linux"]["seccomp"]["syscalls"].as_array_mut().unwrap();
            rules.push(json!({ "names": ["sendmsg", "recvmsg", "socket", "close_range"], "action": action }));
        });
        assert!(seen.contains(STRANGE), "{seen}");
        agent.end();
    }
}

/// The agent may say that the program does not run.
#[test]
fn a_program_that_is_denied() {
    let lab = lab();
    let agent = Agent::start(&lab.path, 1, |_| Answer::Fails(13));
    lab.write(&["true"], |spec| notify(spec, &agent, &["execve"]));
    let id = lab.create("denied");
    let refusal = lab.brig(&["start", &id]).failure();
    assert!(refusal.contains("/process/args/0: true: cannot execute it: permission denied"), "{refusal}");
    lab.await_status(&id, "stopped");
    agent.end();
}

/// With the flag a signal does not interrupt a call that the agent has heard of (seccomp_unotify(2)).
#[test]
fn only_death_interrupts_what_the_agent_has_heard_of() {
    for (flags, uninterrupted) in [(json!(null), false), (json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), true)] {
        let lab = lab();
        let agent = Agent::start(&lab.path, 1, move |call| {
            // kill -28 $$, which the signal of a second one interrupts; the first time only.
            let pid = rustix::process::Pid::from_raw(call.pid as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
            match uninterrupted {
                true => std::thread::sleep(Duration::from_millis(100)),
                false => until("the call is interrupted", || !call.waits()),
            }
            assert_eq!((call.waits(), call.args[1]), (uninterrupted, 28));
            Answer::Returns(0)
        });
        let condition = json!([{ "index": 1, "value": 28, "op": "SCMP_CMP_EQ" }]);
        lab.write(&["sh", "-c", "trap 'exec echo interrupted' USR1; kill -28 $$; echo done"], |spec| {
            notify(spec, &agent, &["kill"]);
            spec["linux"]["seccomp"]["syscalls"][0]["args"] = condition;
            spec["linux"]["seccomp"]["flags"] = flags;
        });
        lab.run();
        agent.end();
    }
}
