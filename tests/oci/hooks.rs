// SPDX-License-Identifier: Apache-2.0
//! Hooks: when and where they run, what they are told, and what becomes of a container whose hook fails.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::Lab;
use crate::{edit, lab};

/// In the order of the lifecycle, with the status that each is told.
const KINDS: [(&str, &str); 6] = [
    ("prestart", "creating"),
    ("createRuntime", "creating"),
    ("createContainer", "creating"),
    ("startContainer", "created"),
    ("poststart", "running"),
    ("poststop", "stopped"),
];

/// Where hooks write: on the host, and where the container has the same directory.
fn log(lab: &Lab) -> PathBuf {
    let log = lab.path.join("log");
    fs::create_dir_all(&log).unwrap();
    log
}

/// A hook that runs a script; in it, $log is that directory.
fn hook(lab: &Lab, kind: &str, script: &str) -> Value {
    let log = if kind == "startContainer" { PathBuf::from("/log") } else { log(lab) };
    let script = format!("export PATH=/usr/bin:/bin; log={}; {script}", log.display());
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script] })
}

/// A bundle with these hooks, whose container sleeps.
fn bundle(lab: &Lab, hooks: &[(&str, &str)]) {
    let log = log(lab);
    lab.write(&["sleep", "1000"], |spec| {
        edit::mount(spec, "/log", "bind", log.to_str().unwrap(), &["bind"]);
        for (kind, script) in hooks {
            let list = &mut spec["hooks"][*kind];
            if list.is_null() {
                *list = json!([]);
            }
            list.as_array_mut().unwrap().push(hook(lab, kind, script));
        }
    });
}

fn read(lab: &Lab, name: &str) -> String {
    fs::read_to_string(log(lab).join(name)).unwrap_or_default()
}

#[test]
fn they_run_in_order_and_are_told_the_state() {
    let lab = lab();
    let scripts = KINDS.map(|(kind, _)| {
        (
            kind,
            format!("cat > $log/{kind}.json; readlink /proc/self/ns/mnt > $log/{kind}.mnt; echo {kind} >> $log/order"),
        )
    });
    bundle(&lab, &scripts.each_ref().map(|(kind, script)| (*kind, script.as_str())));
    let id = lab.create("order");
    let pid = lab.pid(&id);
    let order = |count: usize| KINDS[..count].iter().map(|(kind, _)| format!("{kind}\n")).collect::<String>();
    assert_eq!(read(&lab, "order"), order(3));
    lab.brig(&["start", &id]).success();
    assert_eq!(read(&lab, "order"), order(5));
    let inside = fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap();
    lab.brig(&["delete", "--force", &id]).success();
    assert_eq!(read(&lab, "order"), order(6));

    let outside = fs::read_link("/proc/self/ns/mnt").unwrap();
    for (kind, status) in KINDS {
        let state: Value = serde_json::from_str(&read(&lab, &format!("{kind}.json"))).unwrap();
        let expected_pid = if status == "stopped" { 0 } else { pid };
        assert_eq!((&state["status"], &state["pid"]), (&json!(status), &json!(expected_pid)), "{kind}");
        assert_eq!((&state["id"], &state["bundle"]), (&json!(id), &json!(lab.bundle().to_str().unwrap())), "{kind}");
        let place = if ["createContainer", "startContainer"].contains(&kind) { &inside } else { &outside };
        assert_eq!(read(&lab, &format!("{kind}.mnt")).trim(), place.to_str().unwrap(), "{kind}");
    }
}

/// Their paths are of the host, but for startContainer.
#[test]
fn they_see_what_the_specification_says() {
    let lab = lab();
    let look = "exec >> $log/KIND; ls -d /log 2>/dev/null; hostname; ip -o link | wc -l";
    let scripts = KINDS.map(|(kind, _)| (kind, look.replace("KIND", kind)));
    bundle(&lab, &scripts.each_ref().map(|(kind, script)| (*kind, script.as_str())));
    let id = lab.launch("look");
    lab.brig(&["delete", "--force", &id]).success();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for (kind, _) in KINDS {
        let seen = read(&lab, kind);
        assert_eq!(seen.starts_with("/log\n"), kind == "startContainer", "{kind}: {seen}");
        let name = if ["createContainer", "startContainer"].contains(&kind) { "brig" } else { host.trim() };
        assert!(seen.lines().any(|line| line == name), "{kind}: {seen}");
    }
}

#[test]
fn arguments_environment_and_files_are_exactly_as_given() {
    let lab = lab();
    let log = log(&lab);
    let script = format!(
        "exec >{}/seen; tr '\\0' '|' < /proc/self/cmdline; echo; tr '\\0' '|' < /proc/self/environ; echo; pwd; ls /proc/self/fd",
        log.display()
    );
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        lab.write(&["sleep", "1000"], |spec| {
            spec["hooks"][kind] = json!([{
                "path": "/bin/sh",
                "args": ["other name", "-c", script, "", "a b", "ü"],
                "env": ["A=1", "EMPTY=", "B= x=y "],
            }]);
        });
        let id = lab.launch("exact");
        lab.brig(&["delete", "--force", &id]).success();
        let seen = read(&lab, "seen");
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!(lines[0], format!("other name|-c|{script}||a b|ü|"), "{kind}");
        assert_eq!(lines[1], "A=1|EMPTY=|B= x=y |", "{kind}");
        assert_eq!(lines[2], lab.bundle().to_str().unwrap(), "{kind}");
        // The last is the directory that ls reads.
        assert_eq!(lines[3..], ["0", "1", "2", "3"], "{kind}");
        fs::remove_file(log.join("seen")).unwrap();
    }
}

#[test]
fn a_failure_is_told_and_nothing_is_left() {
    for (kind, _) in KINDS.into_iter().take(5) {
        for (script, texts) in [
            ("echo out of order >&2; exit 3", &["exit status 3", "out of order"][..]),
            ("echo half; echo done >&2; kill -9 $$", &["killed by signal 9", "half; done"]),
        ] {
            let lab = lab();
            bundle(
                &lab,
                &[
                    (kind, "true"),
                    (kind, script),
                    (kind, "echo next >> $log/order"),
                    ("poststop", "echo poststop >> $log/order"),
                ],
            );
            let id = lab.id("fails");
            let starts = ["startContainer", "poststart"].contains(&kind);
            let error = if starts {
                lab.create("fails");
                lab.brig(&["start", &id]).failure()
            } else {
                lab.brig(&["create", &id]).failure()
            };
            assert_eq!(error.lines().count(), 1, "{error}");
            for text in [&format!("/hooks/{kind}/1"), "/bin/sh"].into_iter().chain(texts.iter().copied()) {
                assert!(error.contains(text), "{kind}: {text:?} is not in {error}");
            }
            assert_eq!(read(&lab, "order"), "poststop\n", "{kind}: the next hook does not run, the poststop hooks do");
            lab.assert_clean();
            assert!(lab.brig(&["state", &id]).failure().contains("does not exist"));
        }
    }
}

#[test]
fn a_failed_poststop_is_only_a_warning() {
    let lab = lab();
    bundle(&lab, &[("poststop", "echo cannot >&2; exit 1"), ("poststop", "echo second > $log/order")]);
    let id = lab.launch("after");
    let done = lab.brig(&["delete", "--force", &id]);
    done.success();
    let warning = done.err();
    assert_eq!(warning.lines().count(), 1, "{warning}");
    assert!(
        warning.contains("level=warning") && warning.contains("/hooks/poststop/0") && warning.contains("cannot"),
        "{warning}"
    );
    assert_eq!(read(&lab, "order"), "second\n");
    lab.assert_clean();
}

#[test]
fn poststop_runs_after_run() {
    let lab = lab();
    bundle(&lab, &[("poststop", "echo after > $log/order")]);
    let text = fs::read_to_string(lab.bundle().join("config.json")).unwrap();
    fs::write(lab.bundle().join("config.json"), text.replace("\"1000\"", "\"0\"")).unwrap();
    lab.run().success();
    assert_eq!(read(&lab, "order"), "after\n");
}

/// What it started ends with it.
#[test]
fn one_that_takes_too_long_is_killed() {
    for kind in ["createRuntime", "createContainer", "startContainer", "poststart"] {
        let lab = lab();
        let marker = format!("{}.5", 1_000_000 + std::process::id());
        bundle(&lab, &[(kind, &format!("echo waiting; sleep {marker} & sleep {marker}"))]);
        let path = lab.bundle().join("config.json");
        let mut spec: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        spec["hooks"][kind][0]["timeout"] = json!(1);
        fs::write(&path, spec.to_string()).unwrap();
        let start = Instant::now();
        let error = lab.brig(&["run", "--detach", &lab.id("slow")]).failure();
        let took = start.elapsed();
        assert!(error.contains(&format!("/hooks/{kind}/0")) && error.contains("timeout"), "{error}");
        assert!((Duration::from_secs(1)..Duration::from_secs(30)).contains(&took), "{took:?}");
        let left = std::process::Command::new("pgrep").args(["-f", &format!("^sleep {marker}")]).output().unwrap();
        assert!(left.stdout.is_empty(), "{kind}: its children live");
        lab.assert_clean();
    }
}

/// A hook may leave a daemon that holds its output open.
#[test]
fn a_daemon_is_not_waited_for() {
    let lab = lab();
    bundle(&lab, &[("createRuntime", "sleep 20 & echo started")]);
    let start = Instant::now();
    let id = lab.create("daemon");
    assert!(start.elapsed() < Duration::from_secs(15));
    lab.brig(&["delete", &id]).success();
}

#[test]
fn a_lot_of_output_does_no_harm() {
    let lab = lab();
    bundle(&lab, &[("createRuntime", "head -c 1000000 /dev/zero | tr '\\0' x; exit 1")]);
    let error = lab.brig(&["create", &lab.id("loud")]).failure();
    assert!(error.contains("exit status 1: xxx") && error.len() < 1500, "{} bytes", error.len());
    lab.assert_clean();
}

#[test]
fn what_cannot_be_executed_is_named() {
    for (kind, _) in KINDS.into_iter().take(5) {
        let lab = lab();
        bundle(&lab, &[]);
        for (path, text) in
            [("/no/such/hook", "No such file"), ("/etc/passwd", "Permission denied"), ("/etc", "Permission denied")]
        {
            let config = lab.bundle().join("config.json");
            let mut spec: Value = serde_json::from_str(&fs::read_to_string(&config).unwrap()).unwrap();
            spec["hooks"][kind] = json!([{ "path": path }]);
            fs::write(&config, spec.to_string()).unwrap();
            let error = lab.brig(&["run", "--detach", &lab.id("absent")]).failure();
            for text in [&format!("/hooks/{kind}/0"), path, text] {
                assert!(error.contains(text), "{kind}: {text:?} is not in {error}");
            }
            lab.assert_clean();
        }
    }
}

/// A container with namespaces that take two inits has hooks, too.
#[test]
fn they_run_in_a_user_namespace() {
    let lab = lab();
    let scripts = KINDS.map(|(kind, _)| (kind, format!("cat > $log/{kind}.json; id -u > $log/{kind}.uid")));
    bundle(&lab, &scripts.each_ref().map(|(kind, script)| (*kind, script.as_str())));
    let config = lab.bundle().join("config.json");
    let mut spec: Value = serde_json::from_str(&fs::read_to_string(&config).unwrap()).unwrap();
    edit::user_namespace(&mut spec);
    edit::namespace(&mut spec, "time", None);
    fs::write(&config, spec.to_string()).unwrap();
    fs::create_dir(lab.rootfs().join("log")).unwrap();
    fs::set_permissions(log(&lab), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let id = lab.launch("mapped");
    let pid = lab.pid(&id);
    lab.brig(&["delete", "--force", &id]).success();
    for (kind, status) in KINDS {
        let state: Value = serde_json::from_str(&read(&lab, &format!("{kind}.json"))).unwrap();
        assert_eq!(state["status"], status, "{kind}");
        assert_eq!(state["pid"], if status == "stopped" { 0 } else { pid }, "{kind}");
        assert_eq!(read(&lab, &format!("{kind}.uid")), "0\n", "{kind}");
    }
}
