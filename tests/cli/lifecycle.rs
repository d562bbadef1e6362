// SPDX-License-Identifier: Apache-2.0
//! A container's life through the command: statuses, states, and what is refused when.

use std::fs;

use serde_json::{Value, json};

use crate::common::Lab;
use crate::{lab, leave};

/// A container that runs until it is killed.
fn sleeper(lab: &Lab) -> String {
    let id = lab.id("sleeper");
    lab.write(&["sleep", "1000"], |_| ());
    leave(lab, &["run", "--detach", &id]).success();
    id
}

fn wait_for(lab: &Lab, id: &str, status: &str) -> Value {
    for _ in 0..200 {
        let state = lab.state(id);
        if state["status"] == status {
            return state;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("not {status}: {}", lab.state(id));
}

#[test]
fn run_gives_the_exit_status() {
    let lab = lab();
    for (script, code) in [("true", 0), ("false", 1), ("exit 7", 7), ("exit 255", 255)] {
        let done = lab.write(&["sh", "-c", script], |_| ()).run();
        assert_eq!(done.code(), Some(code), "{script}: {}", done.err());
        assert_eq!(done.err(), "");
    }
    lab.assert_clean();
}

#[test]
fn run_gives_128_and_the_signal() {
    let lab = lab();
    // Without a pid namespace of its own init can be killed from inside.
    let shared = |spec: &mut Value| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    };
    for (script, code) in [("kill -KILL $$", 137), ("kill -TERM $$", 143)] {
        let done = lab.write(&["sh", "-c", script], shared).run();
        assert_eq!(done.code(), Some(code), "{script}: {}", done.err());
    }
    lab.assert_clean();
}

#[test]
fn a_detached_life() {
    let lab = lab();
    let id = sleeper(&lab);
    let state = lab.state(&id);
    assert_eq!(state["status"], "running");
    assert_eq!(state["id"], json!(id));
    assert_eq!(state["bundle"], json!(lab.bundle()));
    assert!(fs::exists(format!("/proc/{}", state["pid"])).unwrap());

    let listed: Value = serde_json::from_str(&lab.brig(&["list", "--format", "json"]).success()).unwrap();
    assert_eq!(listed, json!([state]));
    assert_eq!(lab.brig(&["list", "--quiet"]).success(), id);
    let table = lab.brig(&["list"]).success();
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    let bundle = lab.bundle();
    let created = state["created"].as_str().unwrap();
    assert_eq!(row, [&id, &state["pid"].to_string(), "running", bundle.to_str().unwrap(), created, "root"]);

    let text = lab.brig(&["delete", &id]).failure();
    assert!(text.contains("not stopped") || text.contains("running"), "{text}");
    lab.brig(&["kill", &id, "SIGKILL"]).success();
    assert_eq!(wait_for(&lab, &id, "stopped")["pid"].as_i64().unwrap_or_default(), 0);
    assert!(lab.brig(&["kill", &id]).failure().contains("container not running"));
    lab.brig(&["delete", &id]).success();
    assert!(lab.brig(&["state", &id]).failure().contains("container does not exist"));
    lab.assert_clean();
}

#[test]
fn create_then_start() {
    let lab = lab();
    let id = lab.id("two");
    let file = lab.path.join("ran");
    let mount = json!({ "destination": "/out", "type": "bind", "source": lab.path, "options": ["rbind"] });
    lab.write(&["sh", "-c", "echo yes > /out/ran"], |spec| spec["mounts"].as_array_mut().unwrap().push(mount));
    leave(&lab, &["create", &id]).success();
    assert_eq!(lab.state(&id)["status"], "created");
    assert!(!file.exists());
    lab.brig(&["start", &id]).success();
    wait_for(&lab, &id, "stopped");
    assert_eq!(fs::read_to_string(&file).unwrap(), "yes\n");
    assert!(lab.brig(&["start", &id]).failure().contains("stopped"));
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn a_created_container_can_be_deleted() {
    let lab = lab();
    let id = lab.id("idle");
    lab.write(&["true"], |_| ());
    leave(&lab, &["create", &id]).success();
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn an_id_is_taken_once() {
    let lab = lab();
    let id = sleeper(&lab);
    for command in ["create", "run"] {
        let text = lab.brig(&[command, &id]).failure();
        assert!(text.contains("container with given ID already exists"), "{text}");
    }
    assert_eq!(lab.state(&id)["status"], "running");
    lab.brig(&["delete", "--force", &id]).success();
    lab.assert_clean();
}

#[test]
fn keep_leaves_it_stopped() {
    let lab = lab();
    let id = lab.id("kept");
    assert_eq!(lab.write(&["sh", "-c", "exit 3"], |_| ()).brig(&["run", "--keep", &id]).code(), Some(3));
    assert_eq!(lab.state(&id)["status"], "stopped");
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn a_program_that_is_not_there() {
    let lab = lab();
    lab.write(&["/nonexistent"], |_| ());
    for flags in [&["run"][..], &["run", "--detach"]] {
        let text = lab.brig(&[flags, &[&lab.id("x")]].concat()).failure().to_lowercase();
        assert!(text.contains("no such file or directory"), "{text}");
        lab.assert_clean();
    }
    lab.write(&["nonexistent"], |_| ());
    let text = lab.brig(&["run", &lab.id("x")]).failure();
    assert!(text.contains("executable file not found in $PATH"), "{text}");
    lab.assert_clean();
}

#[test]
fn adopted_processes_do_not_stay_as_zombies() {
    let lab = lab();
    let script = "orphan=$( (sleep 0.1 > /dev/null & echo $!) ); sleep 0.5; test -e /proc/$orphan && echo zombie; true";
    let output = lab.sh(script, |spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    });
    assert_eq!(output, "");
    lab.assert_clean();
}

/// Whose child a process becomes whose parent ends: this command's, or of whoever adopts for us.
#[test]
fn processes_are_adopted_unless_it_is_refused() {
    let lab = lab();
    let script = "echo $PPID; echo $(sh -c 'sh /bin/orphan $$ & sleep 0.1')";
    lab.write(&["sh", "-c", script], |spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    });
    // Tells who its parent is once that is another one than $1.
    let orphan = "parent() { cut -d' ' -f4 /proc/$$/stat; }
                  for i in $(seq 500); do test \"$(parent)\" = $1 || break; sleep 0.01; done; parent";
    fs::write(lab.rootfs().join("bin/orphan"), orphan).unwrap();
    for (flags, adopts) in [(&["run"][..], true), (&["run", "--no-subreaper"], false)] {
        let output = lab.brig(&[flags, &[&lab.id("adopted")]].concat()).success();
        let parents: Vec<_> = output.lines().collect();
        assert_eq!(parents.len(), 2, "{output}");
        assert_eq!(parents[0] == parents[1], adopts, "{flags:?}: {output}");
        lab.assert_clean();
    }
}

#[test]
fn all_processes_can_be_killed() {
    let lab = lab();
    let id = sleeper(&lab);
    lab.brig(&["kill", "--all", &id, "9"]).success();
    wait_for(&lab, &id, "stopped");
    lab.brig(&["delete", &id]).success();
    lab.assert_clean();
}

#[test]
fn what_clients_always_send_is_accepted() {
    let lab = lab();
    let log = lab.path.join("log.json");
    let globals = ["--log", log.to_str().unwrap(), "--log-format=json", "--rootless=false"];
    let flags = ["run", "-no-subreaper", "--no-new-keyring", "-bundle", ".", "--preserve-fds", "0"];
    lab.write(&["echo", "here"], |_| ());
    let done = lab.brig(&[&globals[..], &flags, &[&lab.id("client")]].concat());
    assert_eq!((done.success().as_str(), done.err().as_str()), ("here", ""));
    assert_eq!(fs::read_to_string(&log).unwrap(), "");
    lab.assert_clean();
}
