// SPDX-License-Identifier: Apache-2.0
//! A container over time: created, started, signalled, ended, deleted, by the command line.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Lab, is_alive, until};
use crate::{edit, lab};

/// A shell that ends by TERM, as init of a pid namespace does only if it asks for the signal.
const OBEDIENT: &str =
    "trap 'exit 7' TERM; trap 'echo got USR1 > /log/signal' USR1; touch /log/ready; while :; do sleep 0.05; done";

/// A container that does so, started, with a directory of the host at /log.
fn obedient(lab: &Lab) -> String {
    let log = lab.path.join("log");
    fs::create_dir(&log).unwrap();
    lab.write(&["sh", "-c", OBEDIENT], |spec| edit::mount(spec, "/log", "bind", log.to_str().unwrap(), &["bind"]));
    let id = lab.launch("obedient");
    until("the program is ready", || log.join("ready").exists());
    id
}

fn exists(pid: i32) -> bool {
    is_alive(Path::new(&format!("/proc/{pid}")))
}

#[test]
fn a_life() {
    let lab = lab();
    lab.write(&["sleep", "1000"], |spec| spec["annotations"] = json!({ "org.example.key": "value", "b": "" }));
    let id = lab.create("life");
    let created = lab.state(&id);
    assert_eq!(created["status"], "created");
    let pid = lab.pid(&id);
    assert!(exists(pid));

    lab.brig(&["start", &id]).success();
    let running = lab.state(&id);
    assert_eq!(running["status"], "running");
    assert_eq!(running["pid"], created["pid"], "it is the same process");
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap(), "sleep\u{0}1000\u{0}");

    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    let stopped = lab.state(&id);
    assert_eq!(stopped["pid"], 0);

    for state in [&created, &running, &stopped] {
        assert_eq!(state["id"], json!(id));
        assert_eq!(state["bundle"], json!(lab.bundle().to_str().unwrap()));
        assert_eq!(state["rootfs"], json!(lab.rootfs().to_str().unwrap()));
        assert_eq!(state["annotations"], json!({ "org.example.key": "value", "b": "" }));
        assert_eq!(state["owner"], "root");
        assert!(state["ociVersion"].as_str().unwrap().starts_with("1."), "{state}");
        let time = state["created"].as_str().unwrap();
        assert!(time.len() >= 20 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    }

    lab.brig(&["delete", &id]).success();
    assert!(lab.brig(&["state", &id]).failure().contains("container does not exist"));
    lab.assert_clean();
    assert!(!exists(pid));
}

#[test]
fn a_created_container_can_be_deleted() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    for force in [false, true] {
        let id = lab.create("unborn");
        let pid = lab.pid(&id);
        let args = if force { vec!["delete", "--force", &id] } else { vec!["delete", &id] };
        lab.brig(&args).success();
        assert!(!exists(pid));
        lab.assert_clean();
    }
}

#[test]
fn a_created_container_can_be_killed() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.create("unborn");
    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    assert!(lab.brig(&["start", &id]).failure().contains("cannot start a container that is stopped"));
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn a_running_container_is_deleted_by_force_alone() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.launch("busy");
    let pid = lab.pid(&id);
    let error = lab.brig(&["delete", &id]).failure();
    assert!(error.contains(&id) && error.contains("not stopped") && error.contains("running"), "{error}");
    assert!(exists(pid));
    lab.brig(&["delete", "--force", &id]).success();
    assert!(!exists(pid));
    lab.assert_clean();
}

#[test]
fn signals_have_names_and_numbers() {
    for signal in ["USR1", "SIGUSR1", "usr1", "10"] {
        let lab = lab();
        let id = obedient(&lab);
        lab.brig(&["kill", &id, signal]).success();
        until("the program has got it", || lab.path.join("log/signal").exists());
        lab.brig(&["kill", &id]).success();
        lab.await_status(&id, "stopped");
    }
}

#[test]
fn what_cannot_be_signalled() {
    let lab = lab();
    let id = obedient(&lab);
    for (args, text) in [
        (["kill", &id, "NOSUCH"], "unknown signal: NOSUCH"),
        (["kill", &id, "65"], "unknown signal: 65"),
        (["kill", &id, "-1"], "unknown signal: -1"),
        (["kill", "nobody", "TERM"], "container does not exist"),
    ] {
        let error = lab.brig(&args).failure();
        assert!(error.contains(text), "{error}");
    }
    // 0 only asks.
    lab.brig(&["kill", &id, "0"]).success();
    lab.brig(&["kill", &id, "TERM"]).success();
    lab.await_status(&id, "stopped");
    for all in [&[][..], &["--all"][..]] {
        let error = lab.brig(&[&["kill"], all, &[&id, "TERM"]].concat()).failure();
        assert!(error.contains("container not running"), "{error}");
    }
}

#[test]
fn kill_all_reaches_every_process() {
    let lab = lab();
    lab.write(&["sh", "-c", "sleep 1001 & sleep 1002 & trap : TERM; sleep 1003; true"], edit::nothing);
    let id = lab.launch("several");
    // Each is what it is to be: what the shell has only forked has the shell's way with signals.
    let sleeps =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with("sleep"));
    until("all are there", || pids(&lab, &id).iter().filter(|pid| sleeps(pid)).count() == 3);
    // The sleeps end by TERM; the shell goes on, and has nothing more to do.
    lab.brig(&["kill", "--all", &id, "TERM"]).success();
    lab.await_status(&id, "stopped");
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

/// The processes in a container's cgroup.
fn pids(lab: &Lab, id: &str) -> Vec<i32> {
    let own = fs::read_to_string(format!("/proc/{}/cgroup", lab.pid(id))).unwrap_or_default();
    let Some(path) = own.lines().find_map(|line| line.split_once(":pids:").or_else(|| line.split_once("0::"))) else {
        return Vec::new();
    };
    let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let files = roots.map(|root| format!("{root}{}/cgroup.procs", path.1));
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Without a pid namespace the end of init is not the end of the others.
#[test]
fn without_a_pid_namespace_all_are_killed() {
    for force in [false, true] {
        let lab = lab();
        lab.write(&["sh", "-c", "sleep 1001 & sleep 1002 & exec sleep 1003"], |spec| {
            edit::remove_namespace(spec, "pid")
        });
        let id = lab.launch("shared");
        until("all are there", || pids(&lab, &id).len() == 3);
        let processes = pids(&lab, &id);
        if !force {
            lab.brig(&["kill", &id, "KILL"]).success();
            until("all are gone", || !processes.iter().any(|&pid| exists(pid)));
            lab.await_status(&id, "stopped");
        }
        lab.brig(&["delete", "--force", &id]).success();
        assert!(!processes.iter().any(|&pid| exists(pid)), "{processes:?}");
        lab.assert_clean();
    }
}

/// Init has ended, and what it left behind still runs: to delete the container ends that too.
#[test]
fn without_a_pid_namespace_the_rest_goes_with_delete() {
    let lab = lab();
    lab.write(&["sh", "-c", "sleep 1001 & sleep 1002 &"], |spec| edit::remove_namespace(spec, "pid"));
    let id = lab.launch("orphans");
    lab.await_status(&id, "stopped");
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn run_detached_leaves_it_to_others() {
    let lab = lab();
    let id = lab.id("orphan");
    let file = lab.path.join("pid");
    lab.write(&["sleep", "1000"], edit::nothing);
    lab.brig(&["run", "--detach", "--pid-file", file.to_str().unwrap(), &id]).success();
    assert_eq!(lab.state(&id)["status"], "running");
    // A bare number: clients parse the whole file.
    assert_eq!(fs::read_to_string(&file).unwrap(), lab.pid(&id).to_string());
    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn a_container_ends_by_itself() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let id = lab.launch("short");
    lab.await_status(&id, "stopped");
    assert!(lab.brig(&["kill", &id, "KILL"]).failure().contains("container not running"));
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn run_waits_and_cleans_up() {
    let lab = lab();
    lab.write(&["sh", "-c", "exit 42"], edit::nothing);
    let id = lab.id("run");
    assert_eq!(lab.brig(&["run", &id]).code(), Some(42));
    lab.assert_clean();
    assert_eq!(lab.brig(&["run", "--keep", &id]).code(), Some(42));
    assert_eq!(lab.state(&id)["status"], "stopped");
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn create_may_write_the_pid_as_well() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let (id, file) = (lab.id("pid"), lab.path.join("pid"));
    lab.brig(&["create", "--pid-file", file.to_str().unwrap(), &id]).success();
    assert_eq!(fs::read_to_string(&file).unwrap(), lab.pid(&id).to_string());

    // One that cannot be written is the end of it.
    let (id, file) = (lab.id("lost"), lab.path.join("none/pid"));
    let error = lab.brig(&["create", "--pid-file", file.to_str().unwrap(), &id]).failure();
    assert!(error.contains("none/pid"), "{error}");
    assert!(lab.brig(&["state", &id]).failure().contains("does not exist"));
}

#[test]
fn it_is_started_once() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.launch("once");
    let error = lab.brig(&["start", &id]).failure();
    assert!(error.contains("cannot start a container that is running"), "{error}");
    lab.brig(&["kill", &id, "KILL"]).success();
    lab.await_status(&id, "stopped");
    assert!(lab.brig(&["start", &id]).failure().contains("cannot start a container that is stopped"));
}

/// Of two at once, one wins and the other is told.
#[test]
fn it_is_started_once_by_two() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    for round in 0..10 {
        let id = lab.create(&format!("race-{round}"));
        let start = || lab.command(&["start", &id]).stderr(std::process::Stdio::null()).spawn().unwrap();
        let both = [start(), start()];
        let won = both.into_iter().map(|mut child| child.wait().unwrap()).filter(|status| status.success()).count();
        assert_eq!(won, 1);
        assert_eq!(lab.state(&id)["status"], "running");
    }
}

#[test]
fn an_id_is_taken_once() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.launch("taken");
    let before = lab.state(&id);
    for command in ["create", "run"] {
        let error = lab.brig(&[command, &id]).failure();
        assert!(error.contains("container with given ID already exists") && error.contains(&id), "{error}");
    }
    assert_eq!(lab.state(&id), before, "the first one is as it was");
}

#[test]
fn ids_have_odd_characters() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    for name in ["a.b", "A_b-C+d", "..", "-", "1", ".hidden", "+"] {
        let id = lab.create(name);
        assert_eq!(lab.state(&id)["id"], json!(id));
        lab.brig(&["delete", &id]).success();
    }
    // One that looks like a flag, behind the sign that ends flags.
    lab.assert_clean();
}

#[test]
fn all_are_listed() {
    let lab = lab();
    assert_eq!(lab.brig(&["list", "--quiet"]).success(), "");
    assert_eq!(lab.brig(&["list", "--format", "json"]).success(), "[]");
    lab.write(&["sleep", "1000"], edit::nothing);
    let (one, two) = (lab.launch("one"), lab.create("two"));
    assert_eq!(lab.brig(&["list", "--quiet"]).success(), format!("{one}\n{two}"));

    let json: Value = serde_json::from_str(&lab.brig(&["list", "--format", "json"]).success()).unwrap();
    assert_eq!(json, json!([lab.state(&one), lab.state(&two)]));

    let table = lab.brig(&["list"]).success();
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    let bundle = lab.bundle();
    for (row, (id, status)) in rows[1..].iter().zip([(&one, "running"), (&two, "created")]) {
        assert_eq!(row[..4], [id.as_str(), &lab.pid(id).to_string(), status, bundle.to_str().unwrap()]);
        assert_eq!(row[5], "root");
    }
}

/// A pid that another process has by now is not the container's.
#[test]
fn a_pid_of_another_is_not_signalled() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let id = lab.launch("stale");
    let init = lab.pid(&id);
    let path = lab.path.join("state").join(&id).join("state.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let mut record: Value = serde_json::from_str(whole.lines().last().unwrap()).unwrap();
    record["init"]["pid"] = json!(stranger.id());
    fs::write(&path, format!("{record}\n")).unwrap();
    assert_eq!(lab.state(&id)["status"], "stopped");
    assert!(lab.brig(&["kill", &id, "KILL"]).failure().contains("container not running"));
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger lives");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    fs::write(&path, whole).unwrap();
    lab.brig(&["delete", "--force", &id]).success();
    assert!(!exists(init));
}

/// Whatever is in there, force removes it.
#[test]
fn a_damaged_record_can_be_deleted_by_force() {
    let lab = lab();
    for text in ["\n", "{\n", "{}\n", "\u{0}\u{1}\n", "{\"version\":99}\n"] {
        let directory = lab.path.join("state").join(lab.id("damaged"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("state.jsonl"), text).unwrap();
        let error = lab.brig(&["state", &lab.id("damaged")]).failure();
        assert!(error.contains("state.jsonl"), "{error}");
        assert!(lab.brig(&["delete", &lab.id("damaged")]).failure().contains("state.jsonl"));
        lab.brig(&["delete", "--force", &lab.id("damaged")]).success();
        lab.assert_clean();
    }
}

/// What a creator left that died before it had written a whole line.
#[test]
fn an_unfinished_record_can_be_deleted() {
    let lab = lab();
    for text in [None, Some(""), Some("{\"version\":1,\"id\"")] {
        let id = lab.id("unfinished");
        let directory = lab.path.join("state").join(&id);
        fs::create_dir_all(&directory).unwrap();
        text.iter().for_each(|text| fs::write(directory.join("state.jsonl"), text).unwrap());
        assert_eq!(lab.state(&id)["status"], "stopped");
        assert!(lab.brig(&["start", &id]).failure().contains("its creation did not end"));
        lab.brig(&["delete", &id]).success();
        lab.assert_clean();
    }
}

#[test]
fn what_is_not_there_is_deleted_by_force_only() {
    let lab = lab();
    assert!(lab.brig(&["delete", "nobody"]).failure().contains("container does not exist"));
    lab.brig(&["delete", "--force", "nobody"]).success();
}

#[test]
fn containers_live_side_by_side() {
    let lab = lab();
    lab.write(&["sleep", "1000"], edit::nothing);
    let names: Vec<_> = (0..8).map(|index| lab.id(&format!("side-{index}"))).collect();
    let spawn = |args: &[&str]| lab.command(args).spawn().unwrap();
    for command in [&["run", "--detach"][..], &["delete", "--force"][..]] {
        let children: Vec<_> = names.iter().map(|id| spawn(&[command, &[id]].concat())).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
    }
    lab.assert_clean();
}
