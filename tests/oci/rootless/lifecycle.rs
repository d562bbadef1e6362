// SPDX-License-Identifier: Apache-2.0
//! From `spec` to `delete`, by a user and not by root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::{Value, json};

use super::{Home, IDS, Means, session};
use crate::common::Lab;
use crate::edit;

/// What `brig spec --rootless` writes runs as it is, but for the terminal; and the state is where it belongs.
#[test]
fn a_new_user_needs_three_commands() {
    let home = Home::new(&Means::default());
    home.write(&["sh", "-c", "id -u; cat /proc/self/uid_map /proc/self/setgroups"], edit::nothing);
    let done = home.end(&mut home.bare_command(&["run", &home.id("run")]));
    let words: Vec<_> = done.success().split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["0", "0", &home.uid.to_string(), "1", "deny"]);
    let root = fs::metadata(home.path.join("run/brig")).unwrap();
    // Sticky, so that it is not cleaned away (XDG Base Directory Specification).
    assert_eq!((root.permissions().mode() & 0o7777, root.uid()), (0o1700, home.uid));
    let left: Vec<_> = fs::read_dir(home.path.join("run/brig")).unwrap().flatten().map(|it| it.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    home.assert_clean();
    home.assert_nobody();
}

/// The configuration is the user's: no network namespace, /sys as it is, no limits.
#[test]
fn the_configuration_of_a_user() {
    let home = Home::new(&Means::default());
    home.brig(&["spec", "--rootless"]).success();
    let spec: Value = serde_json::from_slice(&fs::read(home.bundle().join("config.json")).unwrap()).unwrap();
    let mapping = json!([{ "containerID": 0, "hostID": home.uid, "size": 1 }]);
    assert_eq!((&spec["linux"]["uidMappings"], &spec["linux"]["gidMappings"]), (&mapping, &mapping));
    let kinds: Vec<_> = spec["linux"]["namespaces"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
    assert!(kinds.contains(&&json!("user")) && !kinds.contains(&&json!("network")), "{kinds:?}");
    assert!(spec["linux"]["resources"].is_null());
    let sys = spec["mounts"].as_array().unwrap().iter().find(|mount| mount["destination"] == "/sys").unwrap();
    assert_eq!(sys["source"], "/sys");
    assert!(sys["options"].as_array().unwrap().contains(&json!("rbind")));
}

/// Every command on a container without a cgroup, with helpers and without.
#[test]
fn a_whole_life_without_a_cgroup() {
    for ids in [false, true] {
        let home = Home::new(&Means { ids, ..Means::default() });
        home.write(&["sh", "-c", "trap 'echo usr1 > /tmp/seen' USR1; while :; do sleep 0.05; done"], |spec| {
            edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &[]);
            if ids {
                home.map(spec);
            }
        });
        let id = home.create("life");
        assert_eq!(home.state(&id)["status"], "created");
        assert_eq!(home.state(&id)["owner"], if ids { "tester".to_owned() } else { format!("#{}", home.uid) });
        home.brig(&["start", &id]).success();
        home.await_status(&id, "running");
        let listed: Value = serde_json::from_str(&home.brig(&["list", "--format", "json"]).success()).unwrap();
        assert_eq!(listed[0]["id"], id.as_str());

        // Inside root, outside the user.
        let status = fs::read_to_string(format!("/proc/{}/status", home.pid(&id))).unwrap();
        assert!(status.contains(&format!("\nUid:\t{0}\t{0}\t{0}\t{0}\n", home.uid)), "{status}");
        assert_eq!(home.brig(&["exec", &id, "sh", "-c", "id -u; id -g"]).success(), "0\n0");
        assert_eq!(home.brig(&["exec", &id, "sh", "-c", "exit 7"]).code(), Some(7));
        if ids {
            let maps = home.brig(&["exec", &id, "cat", "/proc/self/uid_map", "/proc/self/gid_map"]).success();
            let second = format!("1 {} {IDS}", home.first);
            let found = maps.lines().filter(|line| line.split_whitespace().eq(second.split(' '))).count();
            assert_eq!(found, 2, "{maps}");
            assert_eq!(home.brig(&["exec", "--user", "1000:1001", &id, "id", "-u"]).success(), "1000");
        }

        let pids: Vec<i32> = serde_json::from_str(&home.brig(&["ps", "--format", "json", &id]).success()).unwrap();
        assert!(pids.contains(&home.pid(&id)) && pids.len() <= 2, "{pids:?}");
        home.brig(&["kill", "--all", &id, "USR1"]).success();
        crate::common::until("the signal was seen", || {
            home.brig(&["exec", &id, "cat", "/tmp/seen"]).out().trim() == "usr1"
        });
        for (arguments, text) in [
            (&["pause", &id][..], "without a cgroup of its own nothing can be frozen"),
            (&["events", "--stats", &id], "without a cgroup of its own nothing is counted"),
            (&["update", "--pids-limit", "7", &id], "/pids/limit: no pids cgroup controller is delegated to us"),
        ] {
            let error = home.brig(arguments).failure();
            assert!(error.contains(text), "{error}");
        }
        let mut follows = home.command(&["events", "--interval", "50ms", &id]);
        let log = fs::File::create(home.path.join("events")).unwrap();
        let mut follows = follows.stderr(log).spawn().unwrap();
        crate::common::until("it says that nothing is counted", || {
            fs::read_to_string(home.path.join("events")).unwrap().contains("nothing is counted")
        });
        home.brig(&["kill", "--all", &id, "KILL"]).success();
        home.await_status(&id, "stopped");
        assert!(follows.wait().unwrap().success());
        home.brig(&["delete", &id]).success();
        assert_eq!(home.brig(&["list", "--quiet"]).success(), "");
        home.assert_clean();
        home.assert_nobody();
    }
}

/// What needs a cgroup, in a part of the tree that the user was given.
#[test]
fn a_life_in_a_delegated_cgroup() {
    for ids in [false, true] {
        let home = Home::new(&Means { ids, tree: true, ..Means::default() });
        let id = sleeping(&home, |spec| {
            if ids {
                home.map(spec);
            }
        });
        let place = home.tree().join(&id);
        let procs = fs::read_to_string(place.join("cgroup.procs")).unwrap();
        assert_eq!(procs.trim(), home.pid(&id).to_string());
        assert_eq!(fs::metadata(&place).unwrap().uid(), home.uid);
        life_with_a_cgroup(&home, &id);
        assert!(!place.exists());
        home.assert_clean();
        home.assert_nobody();
    }
}

/// The same in a scope that the user's systemd makes, asked from outside of the session and from inside.
#[test]
fn a_life_in_a_scope_of_the_session() {
    let Some((lab, _allowed)) = session() else { return };
    let id = sleeping(&lab, |spec| {
        spec["linux"]["resources"] = json!({ "memory": { "limit": 64 << 20 }, "pids": { "limit": 33 } });
    });
    let text = fs::read_to_string(format!("/proc/{}/cgroup", lab.pid(&id))).unwrap();
    let scope = format!("/user.slice/user-1000.slice/user@1000.service/user.slice/brig-{id}.scope");
    assert_eq!(text.trim().strip_prefix("0::"), Some(scope.as_str()));
    let place = format!("/sys/fs/cgroup{scope}");
    for (file, value) in [("memory.max", "67108864"), ("pids.max", "33")] {
        assert_eq!(fs::read_to_string(format!("{place}/{file}")).unwrap().trim(), value, "{file}");
    }
    let property = |name: &str| {
        let user = ["-M", "ci@", "--user", "show", "--value", "-p", name];
        let shown =
            std::process::Command::new("systemctl").args(user).arg(format!("brig-{id}.scope")).output().unwrap();
        String::from_utf8_lossy(&shown.stdout).trim().to_owned()
    };
    for (name, value) in [("ActiveState", "active"), ("MemoryMax", "67108864"), ("TasksMax", "33")] {
        assert_eq!(property(name), value, "{name}");
    }
    lab.brig(&["update", "--memory", "33554432", &id]).success();
    assert_eq!(property("MemoryMax"), "33554432");
    life_with_a_cgroup(&lab, &id);
    assert_eq!(property("LoadState"), "not-found");
    lab.assert_clean();
}

/// Where there is no bus, but only systemd.
#[test]
fn a_session_without_a_bus() {
    let Some((lab, _allowed)) = session() else { return };
    let directory = lab.path.join("run");
    fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink("/run/user/1000/systemd", directory.join("systemd")).unwrap();
    lab.write(&["cat", "/proc/self/cgroup"], |spec| edit::remove_namespace(spec, "cgroup"));
    let id = lab.id("run");
    let mut command = super::words(&lab.command(&["run", &id]));
    let place = command.iter().position(|word| word.starts_with("XDG_RUNTIME_DIR=")).unwrap();
    command[place] = format!("XDG_RUNTIME_DIR={}", directory.display());
    let mut command = super::command(&command, &lab);
    let seen = lab.end(&mut command).success();
    assert!(seen.ends_with(&format!("/user.slice/brig-{id}.scope")), "{seen}");
    lab.assert_clean();
}

/// What is made inside belongs outside to whom the mappings say; and the caller need not hear of the helpers' ends.
#[test]
fn owners_of_files() {
    let home = Home::new(&Means { ids: true, ..Means::default() });
    home.write(&["sh", "-c", "touch /tmp/a /tmp/b; chown 1000:1001 /tmp/b; stat -c %u:%g /tmp/a /tmp/b"], |spec| {
        home.map(spec);
        edit::writable(spec);
        for set in ["bounding", "effective", "permitted"] {
            spec["process"]["capabilities"][set] = json!(["CAP_CHOWN"]);
        }
    });
    let command = super::words(&home.command(&["run", &home.id("run")]));
    let deaf = ["sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"].map(str::to_owned);
    let command: Vec<_> = deaf.into_iter().chain(command).collect();
    let seen = home.end(&mut super::command(&command, &home)).success();
    assert_eq!(seen, "0:0\n1000:1001");
    let owner = |name: &str| fs::metadata(home.rootfs().join("tmp").join(name)).map(|it| (it.uid(), it.gid())).unwrap();
    assert_eq!(owner("a"), (home.uid, home.uid));
    assert_eq!(owner("b"), (home.first + 999, home.first + 1000));
    home.assert_nobody();
}

/// A terminal, files and a supervisor are nothing that takes root.
#[test]
fn a_terminal_of_a_user() {
    let home = Home::new(&Means::default());
    home.write(&["sh", "-c", "tty; stat -c %u:%a /dev/console; echo x > /dev/stdout"], |spec| {
        spec["process"]["terminal"] = json!(true);
    });
    let line = super::words(&home.command(&["run", &home.id("run")])).join("' '");
    let mut command = std::process::Command::new("script");
    command.args(["--quiet", "--return", "--command", &format!("'{line}'"), "/dev/null"]);
    let seen = home.end(command.current_dir(home.bundle()).stdin(std::process::Stdio::null())).success();
    let lines: Vec<_> =
        seen.lines().map(|line| line.trim_matches(['\r', '^', '@', '\0', '\u{4}', '\u{8}', 'D'])).collect();
    assert_eq!(lines, ["/dev/pts/0", "0:620", "x"], "{seen:?}");
    home.assert_clean();
    home.assert_nobody();
}

/// A container that runs; its id.
#[track_caller]
fn sleeping(lab: &Lab, edit: impl FnOnce(&mut Value)) -> String {
    lab.write(&["sleep", "1000"], edit);
    lab.launch("life")
}

/// exec, pause, resume, events, kill, delete.
fn life_with_a_cgroup(lab: &Lab, id: &str) {
    assert_eq!(lab.brig(&["exec", id, "id", "-u"]).success(), "0");
    lab.brig(&["pause", id]).success();
    lab.await_status(id, "paused");
    assert_eq!(lab.brig(&["exec", id, "true"]).code(), Some(255));
    lab.brig(&["resume", id]).success();
    lab.await_status(id, "running");
    let event: Value = serde_json::from_str(&lab.brig(&["events", "--stats", id]).success()).unwrap();
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(id)));
    let pids: Vec<i32> = serde_json::from_str(&lab.brig(&["ps", "--format", "json", id]).success()).unwrap();
    assert_eq!(pids, [lab.pid(id)]);
    lab.brig(&["kill", "--all", id, "KILL"]).success();
    lab.await_status(id, "stopped");
    lab.brig(&["delete", id]).success();
}

/// Two users with the same id of a container, one of whom knows where the other's state is.
#[test]
fn users_do_not_reach_each_others_containers() {
    let (first, second) = (Home::new(&Means::default()), Home::new(&Means::default()));
    first.write(&["sleep", "1000"], edit::nothing);
    second.write(&["true"], edit::nothing);
    let id = first.launch("mine");
    let theirs = first.path.join("state");
    for arguments in [
        &["list"][..],
        &["state", &id],
        &["ps", &id],
        &["kill", &id, "KILL"],
        &["pause", &id],
        &["update", "--pids-limit", "7", &id],
        &["delete", "--force", &id],
        &["start", &id],
        &["run", &id],
    ] {
        let done = second.end(&mut second.bare_command(&[&["--root", theirs.to_str().unwrap()], arguments].concat()));
        let error = done.failure();
        assert!(error.contains("Permission denied") || error.contains("does not exist"), "{arguments:?}: {error}");
    }
    let own = second.end(&mut second.bare_command(&["run", &id]));
    own.success();
    assert_eq!(first.state(&id)["status"], "running");
    assert_eq!(second.brig(&["list", "--quiet"]).success(), "");
}
