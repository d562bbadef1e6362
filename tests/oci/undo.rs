// SPDX-License-Identifier: Apache-2.0
//! Every step of a create fails in turn, and the caller dies at every place: nothing is left that stays.
//!
//! Needs a build with the feature `fault-injection` (src/launch/fault.rs).

use std::fs;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};

use crate::common::{Done, Lab, until};
use crate::{edit, lab, supervised};

/// The places of the host's half, in their order.
const PLACES: [&str; 13] = [
    "record",
    "cgroup",
    "spawn",
    "supervise",
    "cgroups",
    "limits",
    "gate",
    "maps",
    "devices",
    "hooks",
    "commit",
    "reply",
    "done",
];

/// What is to be created: the plain one, or one with all that makes a create long.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    /// With two inits (user and time namespace), hooks, a terminal and a filter.
    Full,
    /// The same with a supervisor, which the command does not ask for.
    Supervised,
}

/// A laboratory with a bundle, and what is needed to create from it.
struct Bench {
    lab: Lab,
    kind: Kind,
    /// Where the terminal goes to.
    _console: UnixListener,
    mounts: String,
}

impl Bench {
    fn new(kind: Kind) -> Self {
        let lab = lab();
        lab.write(&["sleep", "1000"], |spec| {
            if kind != Kind::Plain {
                full(&lab, spec);
            }
        });
        let console = UnixListener::bind(lab.path.join("console")).unwrap();
        Self { lab, kind, _console: console, mounts: mounts() }
    }

    /// `brig create`, with a fault.
    fn create(&self, fault: &str) -> Done {
        if self.kind == Kind::Supervised {
            return self.lab.end(supervised::create(&self.lab, &self.id()).env("BRIG_FAULT", fault));
        }
        let (console, id) = (self.lab.path.join("console"), self.id());
        let mut args = vec!["create", &id];
        if self.kind == Kind::Full {
            args.extend(["--console-socket", console.to_str().unwrap()]);
        }
        self.lab.end(self.lab.command(&args).env("BRIG_FAULT", fault))
    }

    fn id(&self) -> String {
        self.lab.id("undo")
    }

    /// All is as it was at the beginning.
    #[track_caller]
    fn assert_as_before(&self, after: &str) {
        let left = self.lab.leftovers();
        assert!(left.is_empty(), "after {after}: {left:?}");
        until(&format!("the mounts are as they were before {after}"), || mounts() == self.mounts);
    }

    /// The id is free again.
    #[track_caller]
    fn assert_free(&self, after: &str) {
        let done = self.create("none");
        assert!(done.0.status.success(), "after {after}: {}", done.err());
        self.lab.brig(&["delete", &self.id()]).success();
        self.assert_as_before(after);
    }

    /// How often the poststop hook ran since it was last asked.
    fn poststops(&self) -> usize {
        let log = self.lab.path.join("poststop");
        let count = fs::read_to_string(&log).map_or(0, |text| text.lines().count());
        let _ = fs::remove_file(log);
        count
    }
}

fn full(lab: &Lab, spec: &mut Value) {
    edit::user_namespace(spec);
    edit::namespace(spec, "time", None);
    spec["process"]["terminal"] = json!(true);
    spec["process"]["oomScoreAdj"] = json!(100);
    spec["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 2 });
    spec["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
    spec["linux"]["personality"] = json!({ "domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"] });
    spec["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 10 } });
    spec["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" }],
    });
    spec["linux"]["sysctl"] = json!({ "net.ipv4.ip_default_ttl": "33" });
    for kind in ["createRuntime", "createContainer", "startContainer", "poststart"] {
        spec["hooks"][kind] = json!([{ "path": "/bin/true" }]);
    }
    let script = format!("echo ran >> {}/poststop", lab.path.display());
    spec["hooks"]["poststop"] = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

fn every_step_fails(kind: Kind) {
    let bench = Bench::new(kind);
    let plan = bench.lab.brig(&["plan"]).success();
    let supervise = (kind == Kind::Supervised).then_some("0  Supervise");
    let steps: Vec<_> = supervise.into_iter().chain(plan.lines()).collect();
    let gate = steps.iter().position(|line| line.split_whitespace().nth(1) == Some("Gate")).unwrap();
    for (index, step) in steps.iter().enumerate() {
        let id = bench.id();
        let mut done = bench.create(&format!("step:{index}"));
        if index >= gate {
            done.success();
            done = bench.lab.brig(&["start", &id]);
        }
        let error = done.failure();
        // At the gate itself nobody listens yet, and then nobody waits any more.
        let text = if index == gate { "cannot start a container that is" } else { "injected fault" };
        assert!(error.contains(text) && error.lines().count() == 1, "{step}: {error}");
        // A failed hook deletes the container, but this is no hook's own failure.
        if index >= gate {
            bench.lab.await_status(&id, "stopped");
            bench.lab.brig(&["delete", &id]).success();
        }
        bench.assert_as_before(step);
    }
    println!("{} steps failed", steps.len());
    bench.assert_free("all of them");
}

#[test]
fn every_step_of_a_plain_create_fails() {
    every_step_fails(Kind::Plain);
}

#[test]
fn every_step_of_a_full_create_fails() {
    every_step_fails(Kind::Full);
}

#[test]
fn every_step_of_a_supervised_create_fails() {
    every_step_fails(Kind::Supervised);
}

/// The places that a create of this kind comes to.
fn places(kind: Kind) -> impl Iterator<Item = &'static str> {
    let with_hooks = move |place: &&str| kind != Kind::Plain || !["maps", "hooks"].contains(place);
    PLACES.into_iter().filter(with_hooks).filter(move |&place| kind == Kind::Supervised || place != "supervise")
}

fn the_host_fails(kind: Kind) {
    let bench = Bench::new(kind);
    for place in places(kind) {
        let error = bench.create(&format!("fail:{place}")).failure();
        assert!(error.contains(&format!("injected fault at {place}")) && error.lines().count() == 1, "{error}");
        bench.assert_as_before(place);
        // Hooks that ran, or may have run, are followed by the poststop hooks.
        let hooked = kind != Kind::Plain && ["commit", "reply", "done"].contains(&place);
        assert_eq!(bench.poststops(), usize::from(hooked), "{place}");
        bench.assert_free(place);
        bench.poststops();
    }
}

#[test]
fn the_host_fails_in_a_plain_create() {
    the_host_fails(Kind::Plain);
}

#[test]
fn the_host_fails_in_a_full_create() {
    the_host_fails(Kind::Full);
}

#[test]
fn the_host_fails_in_a_supervised_create() {
    the_host_fails(Kind::Supervised);
}

fn the_caller_dies(kind: Kind) {
    let bench = Bench::new(kind);
    for place in places(kind) {
        let done = bench.create(&format!("die:{place}"));
        assert_eq!(done.0.status.signal(), Some(9), "{place}: {}", done.err());
        let id = bench.id();
        if place == "done" {
            // By then all is done, and the container waits for its start.
            assert_eq!(bench.lab.state(&id)["status"], "created");
            assert!(bench.create("none").failure().contains("already exists"));
        } else {
            until(&format!("init is gone after {place}"), || {
                !bench.lab.leftovers().iter().any(|left| left.starts_with("/proc"))
            });
            assert_eq!(bench.lab.state(&id)["status"], "stopped", "{place}");
            let error = bench.lab.brig(&["start", &id]).failure();
            assert!(error.contains("not") && error.lines().count() == 1, "{place}: {error}");
        }
        bench.lab.brig(&["delete", "--force", &id]).success();
        bench.assert_as_before(place);
        bench.assert_free(place);
        bench.poststops();
    }
}

#[test]
fn the_caller_dies_in_a_plain_create() {
    the_caller_dies(Kind::Plain);
}

#[test]
fn the_caller_dies_in_a_full_create() {
    the_caller_dies(Kind::Full);
}

#[test]
fn the_caller_dies_in_a_supervised_create() {
    the_caller_dies(Kind::Supervised);
}

/// Killed at any instant, not only at the places that have a name.
#[test]
fn the_caller_is_killed_at_random() {
    let bench = Bench::new(Kind::Plain);
    let mut killed = 0;
    for round in 0..60u64 {
        let id = bench.id();
        let mut child = bench.lab.command(&["create", &id]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(round * 400));
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().signal().is_some());
        let created = || bench.lab.brig(&["state", &id]).out().contains("\"created\"");
        until("init waits or is gone", || {
            created() || !bench.lab.leftovers().iter().any(|left| left.starts_with("/proc"))
        });
        bench.lab.brig(&["delete", "--force", &id]).success();
        bench.assert_as_before(&format!("{} µs", round * 400));
    }
    println!("killed in {killed} of 60 rounds");
    bench.assert_free("all of them");
}

/// Every step of an exec fails in turn: nothing is left in the container, which goes on.
#[test]
fn every_step_of_an_exec_fails() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| {
        edit::user_namespace(spec);
        edit::namespace(spec, "time", None);
        spec["process"]["noNewPrivileges"] = json!(false);
        spec["process"]["oomScoreAdj"] = json!(100);
        spec["process"]["execCPUAffinity"] = json!({ "initial": "0", "final": "0" });
        spec["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
        spec["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" },
        ] });
    });
    let id = lab.launch("exec");
    let alone = || lab.brig(&["ps", "-f", "json", &id]).success() == format!("[{}]", lab.pid(&id));
    for step in 0.. {
        let mut command = lab.command(&["exec", "--tty", "--user", "7", &id, "true"]);
        let done = lab.end(command.env("BRIG_FAULT", format!("step:{step}")));
        if done.code() == Some(0) {
            assert!(step > 20, "only {step} steps");
            break;
        }
        assert_eq!(done.code(), Some(255), "{}", done.err());
        assert!(done.err().contains("injected fault"), "step {step}: {}", done.err());
        until("nobody is left", alone);
    }
    assert_eq!(lab.state(&id)["status"], "running");
}
