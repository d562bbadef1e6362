// SPDX-License-Identifier: Apache-2.0
//! `process.scheduler`, `process.ioPriority` and `process.execCPUAffinity`: of a container's program, and of an exec.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Done, Lab, skip};
use crate::{edit, lab};

/// Nice value, real-time priority and policy, by /proc/PID/stat.
fn stat(text: &str) -> [i32; 3] {
    let (_, rest) = text.rsplit_once(") ").unwrap();
    let fields: Vec<_> = rest.split(' ').collect();
    // The third field comes first here.
    [19, 40, 41].map(|number: usize| fields[number - 3].trim().parse().unwrap())
}

/// The same of a process of the host.
fn of(pid: i32) -> [i32; 3] {
    stat(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap())
}

/// What a command of util-linux says.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A share of the real-time budget for the container's cgroup of version 1, which has none otherwise; whether the machine
/// has one to give.
fn real_time(spec: &mut Value) {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return; // Version 2 has no such budgets.
    }
    spec["linux"]["resources"]["cpu"] = json!({ "realtimeRuntime": 1000, "realtimePeriod": 1_000_000 });
}

/// A failure for which this machine is the reason, told as the kernel tells it.
fn is_denied(done: &Done, what: &str) -> bool {
    let denied = done.code() != Some(0) && ["not permitted", "busy"].iter().any(|text| done.err().contains(text));
    if denied {
        assert!(done.err().contains("/scheduler: scheduling policy") || done.err().contains("realtimeRuntime"));
        skip(&format!("{what}: {}", done.err().trim()));
    }
    denied
}

/// `process.scheduler`, and what the program then has.
fn policies() -> Vec<(Value, [i32; 3])> {
    vec![
        (json!({ "policy": "SCHED_OTHER", "nice": 7 }), [7, 0, 0]),
        (json!({ "policy": "SCHED_OTHER", "nice": -5 }), [-5, 0, 0]),
        (json!({ "policy": "SCHED_BATCH", "nice": 19 }), [19, 0, 3]),
        (json!({ "policy": "SCHED_IDLE" }), [0, 0, 5]),
        (json!({ "policy": "SCHED_FIFO", "priority": 10 }), [0, 10, 1]),
        (json!({ "policy": "SCHED_RR", "priority": 99 }), [0, 99, 2]),
        (json!({ "policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"], "nice": 3 }), [3, 0, 3]),
        (
            json!({ "policy": "SCHED_DEADLINE", "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"],
                "nice": 19, "priority": 0, "runtime": 42_000, "deadline": 1_000_000, "period": 2_000_000 }),
            [0, 0, 6],
        ),
    ]
}

#[test]
fn the_program_has_its_policy() {
    for (scheduler, expected) in policies() {
        let lab = lab();
        lab.write(&["sleep", "1000"], |spec| {
            real_time(spec);
            spec["process"]["scheduler"] = scheduler.clone();
            // Nothing of it takes privileges of the program itself.
            edit::user(spec, 1000, 1000, &[]);
        });
        let id = lab.id("policy");
        let done = lab.brig(&["run", "--detach", &id]);
        if is_denied(&done, &scheduler.to_string()) {
            continue;
        }
        done.success();
        let pid = lab.pid(&id);
        let [nice, priority, policy] = of(pid);
        // A deadline has no nice value.
        let nice = if policy == 6 { 0 } else { nice };
        assert_eq!([nice, priority, policy], expected, "{scheduler}");
        let told = said("chrt", &["--pid", &pid.to_string()]);
        let resets = scheduler["flags"].as_array().is_some_and(|flags| !flags.is_empty());
        assert_eq!(told.contains("RESET_ON_FORK"), resets, "{told}");
        if policy == 6 {
            assert!(told.contains("42000/1000000/2000000"), "{told}");
        }
    }
}

/// The policy comes before the user namespace, in which no privilege counts for it.
#[test]
fn a_user_namespace_is_no_obstacle() {
    for (scheduler, expected) in policies().into_iter().take(6) {
        let lab = lab();
        lab.write(&["sleep", "1000"], |spec| {
            edit::user_namespace(spec);
            real_time(spec);
            spec["process"]["scheduler"] = scheduler.clone();
            spec["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_RT", "priority": 1 });
        });
        let id = lab.id("mapped");
        let done = lab.brig(&["run", "--detach", &id]);
        if is_denied(&done, &scheduler.to_string()) {
            continue;
        }
        done.success();
        assert_eq!(of(lab.pid(&id)), expected, "{scheduler}");
        assert_eq!(said("ionice", &["-p", &lab.pid(&id).to_string()]), "realtime: prio 1");
    }
}

/// The kernel has never had this policy.
#[test]
fn what_the_kernel_refuses_is_named() {
    let lab = lab();
    lab.write(&["true"], |spec| spec["process"]["scheduler"] = json!({ "policy": "SCHED_ISO" }));
    let error = lab.run().failure();
    assert!(error.contains("/process/scheduler: scheduling policy SCHED_ISO: Invalid argument"), "{error}");
    lab.assert_clean();
    for (value, text) in [
        (
            json!({ "policy": "SCHED_OTHER", "priority": 5 }),
            "/process/scheduler/priority: SCHED_OTHER has no priorities",
        ),
        (json!({ "policy": "SCHED_OTHER", "runtime": 5 }), "/process/scheduler/runtime: is for SCHED_DEADLINE"),
        (json!({ "policy": "SCHED_OTHER", "nice": 50 }), "/process/scheduler/nice: must be from -20 to 19, not 50"),
        (json!({ "policy": "SCHED_OTHER", "flags": ["RESET"] }), "/process/scheduler/flags/0: unknown scheduling flag"),
    ] {
        lab.write(&["true"], |spec| spec["process"]["scheduler"] = value.clone());
        let error = lab.run().failure();
        assert!(error.contains(text), "{error}");
        lab.assert_clean();
    }
}

/// What has a deadline cannot fork but with that flag, with which its hooks have none.
#[test]
fn a_deadline_and_hooks() {
    let lab = lab();
    let scheduler = |flags: &[&str]| json!({ "policy": "SCHED_DEADLINE", "flags": flags, "runtime": 42_000, "deadline": 1_000_000, "period": 0 });
    lab.write(&["cat", "/proc/self/stat"], |spec| {
        spec["process"]["scheduler"] = scheduler(&["SCHED_FLAG_RESET_ON_FORK"]);
        spec["hooks"]["startContainer"] = json!([{ "path": "/bin/true" }]);
    });
    let done = lab.run();
    if !is_denied(&done, "SCHED_DEADLINE") {
        assert_eq!(stat(&done.success())[2], 6);
    }
    lab.write(&["true"], |spec| {
        spec["process"]["scheduler"] = scheduler(&[]);
        spec["hooks"]["startContainer"] = json!([{ "path": "/bin/true" }]);
    });
    let error = lab.run().failure();
    assert!(error.contains("/process/scheduler/flags") && error.contains("cannot fork"), "{error}");
}

/// `brig exec` of a process.json.
fn exec(lab: &Lab, id: &str, change: impl FnOnce(&mut Value)) -> Done {
    let mut process = json!({ "args": ["cat", "/proc/self/stat"], "cwd": "/", "env": ["PATH=/bin"] });
    change(&mut process);
    let file = lab.path.join("process.json");
    fs::write(&file, process.to_string()).unwrap();
    lab.brig(&["exec", "--process", file.to_str().unwrap(), id])
}

#[test]
fn an_exec_has_its_policy() {
    let lab = lab();
    lab.write(&["sleep", "1000"], real_time);
    let id = lab.id("exec");
    let started = lab.brig(&["run", "--detach", &id]);
    if is_denied(&started, "policies of an exec") {
        return;
    }
    started.success();
    for (scheduler, expected) in policies() {
        let done = exec(&lab, &id, |process| {
            process["scheduler"] = scheduler.clone();
            process["user"] = json!({ "uid": 1000, "gid": 1000 });
        });
        if is_denied(&done, &scheduler.to_string()) {
            continue;
        }
        // SIGXCPU: it overran its runtime, as the flag has it told.
        if done.code() == Some(128 + 24) {
            skip(&format!("{scheduler}: this machine is too slow for it"));
            continue;
        }
        let [nice, priority, policy] = stat(&done.success());
        let nice = if policy == 6 { 0 } else { nice };
        assert_eq!([nice, priority, policy], expected, "{scheduler}");
    }
    let error = exec(&lab, &id, |process| process["scheduler"] = json!({ "policy": "SCHED_ISO" })).err();
    assert!(error.contains("/scheduler: scheduling policy SCHED_ISO: Invalid argument"), "{error}");
}

/// A policy that a fork resets comes last: the capability for it is gone before the program runs, with a filter or not.
#[test]
fn the_privilege_for_it_is_not_kept() {
    for (no_new_privileges, filter) in [(true, true), (false, true), (true, false), (false, false)] {
        let lab = lab();
        let kill = json!(["CAP_KILL"]);
        lab.write(&["sleep", "1000"], |spec| {
            spec["process"]["capabilities"] = json!({ "bounding": kill, "permitted": kill, "effective": kill });
            if filter {
                // What sets a policy is forbidden to the program.
                let calls = json!([{ "names": ["sched_setattr"], "action": "SCMP_ACT_ERRNO" }]);
                spec["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls });
            }
        });
        let id = lab.launch("late");
        let seen = exec(&lab, &id, |process| {
            process["args"] = json!(["cat", "/proc/self/stat", "/proc/self/status"]);
            process["noNewPrivileges"] = json!(no_new_privileges);
            process["scheduler"] =
                json!({ "policy": "SCHED_BATCH", "nice": -3, "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
        });
        let seen = seen.success();
        let (line, status) = seen.split_once('\n').unwrap();
        assert_eq!(stat(line), [-3, 0, 3]);
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert!(status.contains(&format!("{set}:\t0000000000000020")), "{no_new_privileges} {filter}: {status}");
        }
    }
}

#[test]
fn io_priorities() {
    for (class, priority, expected) in [
        ("IOPRIO_CLASS_BE", 3, "best-effort: prio 3"),
        ("IOPRIO_CLASS_RT", 0, "realtime: prio 0"),
        ("IOPRIO_CLASS_IDLE", 7, "idle"),
    ] {
        let lab = lab();
        let value = json!({ "class": class, "priority": priority });
        lab.write(&["sh", "-c", "sleep 1000 & wait"], |spec| {
            spec["process"]["ioPriority"] = value.clone();
            edit::user(spec, 1000, 1000, &[]);
        });
        let id = lab.launch("io");
        let pid = lab.pid(&id);
        assert_eq!(said("ionice", &["-p", &pid.to_string()]), expected);
        // The command starts with the container's own process.
        let io = |flags: &[&str]| lab.brig(&[&["exec"], flags, &[&id, "ionice"]].concat()).success();
        assert_eq!(io(&[]), expected);
        let other = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
        let seen = exec(&lab, &id, |process| {
            process["args"] = json!(["ionice"]);
            process["ioPriority"] = other;
        });
        assert_eq!(seen.success(), "best-effort: prio 6");
    }
    let lab = lab();
    lab.write(&["true"], |spec| spec["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 9 }));
    let error = lab.run().failure();
    assert!(error.contains("/process/ioPriority/priority: must be from 0 to 7, not 9"), "{error}");
}

/// The CPUs that a process may run on.
const CPUS: [&str; 3] = ["grep", "Cpus_allowed_list", "/proc/self/status"];

fn cpus(done: &Done) -> String {
    done.success().split_whitespace().nth(1).unwrap().to_owned()
}

fn has_two_cpus() -> bool {
    let has = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
    if !has {
        skip("CPU affinities: this machine has one CPU");
    }
    has
}

#[test]
fn an_exec_runs_on_its_cpus() {
    if !has_two_cpus() {
        return;
    }
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| spec["process"]["execCPUAffinity"] = json!({ "final": "1" }));
    let id = lab.launch("cpus");
    let all = fs::read_to_string("/proc/self/status").unwrap();
    let all = all.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned();
    let init = fs::read_to_string(format!("/proc/{}/status", lab.pid(&id))).unwrap();
    assert!(init.contains(&format!("Cpus_allowed_list:\t{all}\n")), "it is not for init: {init}");

    // What the container's own process says is for all that say nothing.
    assert_eq!(cpus(&lab.brig(&[&["exec", &id], &CPUS[..]].concat())), "1");
    for (affinity, expected) in [
        (json!(null), "1"),
        (json!({ "final": "0" }), "0"),
        (json!({ "initial": "1", "final": "0" }), "0"),
        (json!({ "initial": "0", "final": "0-1" }), "0-1"),
        (json!({ "initial": "0", "final": "" }), "0"),
    ] {
        let done = exec(&lab, &id, |process| {
            process["args"] = json!(CPUS);
            process["execCPUAffinity"] = affinity.clone();
        });
        if affinity["final"] == "" && !keeps_affinity() {
            skip("only `initial`: before Linux 6.2 a change of the cpuset forgets it");
            continue;
        }
        assert_eq!(cpus(&done), expected, "{affinity}");
    }
}

/// Since Linux 6.2 a change of the cpuset leaves what the process asked for, where that is possible.
fn keeps_affinity() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(2))
}

/// `initial` is set before the cgroups are entered, `final` behind that: it must be among theirs.
#[test]
fn the_cpus_are_before_and_behind_the_cgroups() {
    if !has_two_cpus() {
        return;
    }
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| spec["linux"]["resources"]["cpu"] = json!({ "cpus": "1" }));
    let id = lab.id("cpuset");
    let started = lab.brig(&["run", "--detach", &id]);
    if started.err().contains("cpuset") {
        return skip("CPU affinities and cpusets: no cpuset controller");
    }
    started.success();
    let run = |affinity: Value, args: &[&str]| {
        exec(&lab, &id, |process| {
            process["args"] = json!(args);
            process["execCPUAffinity"] = affinity;
        })
    };
    assert_eq!(cpus(&run(json!({ "initial": "0" }), &CPUS)), "1");
    assert_eq!(cpus(&run(json!({ "initial": "0", "final": "1" }), &CPUS)), "1");
    let error = run(json!({ "final": "0" }), &CPUS).err();
    assert!(error.contains("/execCPUAffinity/final: CPU affinity: Invalid argument"), "{error}");
    let error = run(json!({ "initial": "8191" }), &CPUS).err();
    assert!(error.contains("/execCPUAffinity/initial: CPU affinity: Invalid argument"), "{error}");
    // It is where it would be without.
    let place = ["cat", "/proc/self/cgroup"];
    assert_eq!(run(json!({ "initial": "0" }), &place).success(), run(json!({}), &place).success());
    let outside = fs::read_to_string(format!("/proc/{}/cgroup", lab.pid(&id))).unwrap();
    assert!(outside.lines().any(|line| line.starts_with("0::") && line.ends_with(&id)), "{outside}");
}
