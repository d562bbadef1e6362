// SPDX-License-Identifier: Apache-2.0
//! Containers that are paused, resumed, and asked who is in them.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{Lab, skip, until};
use crate::{edit, lab};

/// The host's view without the unified hierarchy: there the freezer is the one of version 1.
const V1: &str = "umount -l /sys/fs/cgroup/unified";

/// Whether this host can be seen as one of version 1.
fn is_hybrid() -> bool {
    let hybrid = Path::new("/sys/fs/cgroup/unified").exists();
    if !hybrid {
        skip("this host has no hierarchies of cgroup version 1");
    }
    hybrid
}

/// A container that counts in a file of the host; its id.
fn counting(lab: &Lab) -> String {
    let log = lab.path.join("log");
    fs::create_dir(&log).unwrap();
    let script = "n=0; while :; do n=$((n + 1)); echo $n > /log/count; sleep 0.01; done";
    lab.write(&["sh", "-c", script], |spec| edit::mount(spec, "/log", "bind", log.to_str().unwrap(), &["bind"]));
    let id = lab.launch("counting");
    until("it counts", || count(lab) > 0);
    id
}

/// Whether a process blocks this signal, as the command does once it listens for it.
fn blocks(pid: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
    u64::from_str_radix(mask, 16).unwrap() & 1 << (signal - 1) != 0
}

fn count(lab: &Lab) -> u64 {
    fs::read_to_string(lab.path.join("log/count")).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn a_paused_container_stands_still() {
    let lab = lab();
    let id = counting(&lab);
    lab.brig(&["pause", &id]).success();
    assert_eq!(lab.state(&id)["status"], "paused");
    let before = count(&lab);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(count(&lab), before);
    assert!(lab.brig(&["pause", &id]).failure().contains("container not running: it is paused"));

    lab.brig(&["resume", &id]).success();
    assert_eq!(lab.state(&id)["status"], "running");
    until("it goes on", || count(&lab) > before + 1);
    assert!(lab.brig(&["resume", &id]).failure().contains("container not paused: it is running"));
}

#[test]
fn what_cannot_be_paused() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.create("unborn");
    assert!(lab.brig(&["pause", &id]).failure().contains("container not running: it is created"));
    assert!(lab.brig(&["resume", &id]).failure().contains("container not paused: it is created"));
    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    assert!(lab.brig(&["pause", &id]).failure().contains("container not running"));
    assert!(lab.brig(&["resume", &id]).failure().contains("container not paused: it is stopped"));
    for command in ["pause", "resume", "ps"] {
        assert!(lab.brig(&[command, "nobody"]).failure().contains("container does not exist"));
    }
}

#[test]
fn an_exec_into_a_paused_container() {
    let lab = lab();
    let id = counting(&lab);
    lab.brig(&["pause", &id]).success();
    let done = lab.brig(&["exec", &id, "true"]);
    assert_eq!(done.code(), Some(255));
    assert!(
        done.err().contains("cannot exec in a paused container (use --ignore-paused to override)"),
        "{}",
        done.err()
    );

    let spawn = |args: &[&str]| lab.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let patient = ["exec", "--ignore-paused", &id, "sh", "-c", "exit 3"];
    let mut waits = spawn(&patient);
    until("it listens for signals", || blocks(waits.id(), 15));

    // Who gives up need not wait.
    let mut gives_up = spawn(&patient);
    until("it listens for signals", || blocks(gives_up.id(), 15));
    assert!(std::process::Command::new("kill").arg(gives_up.id().to_string()).status().unwrap().success());
    assert_eq!(gives_up.wait().unwrap().code(), Some(255));

    assert!(waits.try_wait().unwrap().is_none(), "it does not run while the container stands still");
    lab.brig(&["resume", &id]).success();
    assert_eq!(waits.wait().unwrap().code(), Some(3));

    lab.brig(&["pause", &id]).success();
    let mut waits = spawn(&patient);
    until("it listens for signals", || blocks(waits.id(), 15));
    lab.brig(&["delete", "--force", &id]).success();
    assert_eq!(waits.wait().unwrap().code(), Some(255));
    lab.assert_clean();
}

#[test]
fn a_pause_does_not_catch_an_exec_half_way() {
    for setup in ["true", V1] {
        if setup == V1 && !is_hybrid() {
            continue;
        }
        let lab = lab();
        lab.write(&["sleep", "1000"], edit::nothing);
        let id = lab.id("race");
        let brig = |args: &[&str]| lab.end(&mut lab.behind(setup, &lab.command(args)));
        brig(&["run", "--detach", &id]).success();
        let start = Instant::now();
        brig(&["exec", "--detach", &id, "true"]).success();
        let whole = start.elapsed();
        let mut executed = 0;
        for round in 0..40 {
            let mut exec = lab.behind(setup, &lab.command(&["exec", "--detach", &id, "true"]));
            let mut exec = exec.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Into what the exec does, wherever in it this machine is by then, and at the end after it.
            std::thread::sleep(whole * round / 20);
            brig(&["pause", &id]).success();
            // Either it came too late, or it was through.
            until("the exec ends in a paused container", || exec.try_wait().unwrap().is_some());
            match exec.wait().unwrap().code() {
                Some(0) => executed += 1,
                code => assert_eq!(code, Some(255)),
            }
            brig(&["resume", &id]).success();
        }
        assert!(executed > 0, "no exec was in time");
        brig(&["delete", "--force", &id]).success();
        lab.assert_clean();
    }
}

#[test]
fn a_paused_container_can_be_killed() {
    for (version, setup) in [(2, "true"), (1, V1)] {
        if version == 1 && !is_hybrid() {
            continue;
        }
        for args in [&["kill", "ID", "KILL"][..], &["kill", "--all", "ID", "KILL"], &["delete", "--force", "ID"]] {
            let lab = lab();
            lab.write(&["sleep", "1000"], edit::nothing);
            let id = lab.id("frozen");
            let brig = |args: &[&str]| lab.end(&mut lab.behind(setup, &lab.command(args)));
            brig(&["run", "--detach", &id]).success();
            brig(&["exec", "--detach", &id, "sleep", "1000"]).success();
            brig(&["pause", &id]).success();
            let args: Vec<_> = args.iter().map(|arg| if *arg == "ID" { id.as_str() } else { arg }).collect();
            brig(&args).success();
            if args[0] == "kill" {
                until(&format!("it has stopped (version {version})"), || {
                    brig(&["state", &id]).out().contains("stopped")
                });
                brig(&["delete", &id]).success();
            }
            lab.assert_clean();
        }
    }
}

/// All the same where there is no unified hierarchy.
#[test]
fn version_1() {
    if !is_hybrid() {
        return;
    }
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.id("old");
    let brig = |args: &[&str]| lab.end(&mut lab.behind(V1, &lab.command(args)));
    brig(&["run", "--detach", &id]).success();
    let seen = brig(&["exec", &id, "cat", "/proc/self/cgroup"]).success();
    assert!(seen.lines().all(|line| line.ends_with(":/")), "{seen}");
    brig(&["pause", &id]).success();
    assert!(brig(&["state", &id]).success().contains("\"status\": \"paused\""));
    assert_eq!(brig(&["exec", &id, "true"]).code(), Some(255));
    brig(&["kill", &id, "TERM"]).success();
    brig(&["resume", &id]).success();
    assert_eq!(brig(&["exec", &id, "true"]).code(), Some(0));
    brig(&["delete", "--force", &id]).success();
}

#[test]
fn processes() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.launch("ps");
    let pid = lab.pid(&id);
    assert_eq!(lab.brig(&["ps", "--format", "json", &id]).success(), format!("[{pid}]"));
    for args in [&[][..], &["-ef"], &["aux"], &["-eo", "user,pid"]] {
        let table = lab.brig(&[&["ps", &id], args].concat()).success();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2, "{args:?}: {table}");
        assert!(lines[0].contains("PID"), "{table}");
        assert!(lines[1].split_whitespace().any(|word| word == pid.to_string()), "{table}");
    }
    assert!(lab.brig(&["ps", &id, "-eo", "user"]).failure().contains("cannot find the column PID"));
    assert!(lab.brig(&["ps", &id, "--nosuch"]).failure().contains("ps failed: "));
    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    assert_eq!(lab.brig(&["ps", "-f", "json", &id]).success(), "[]");
}
