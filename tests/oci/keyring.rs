// SPDX-License-Identifier: Apache-2.0
//! Session keyrings: each container has its own, which its execs join.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Lab, skip};
use crate::{edit, lab};

/// The id and the name of the session keyring in what a process sees in its /proc/keys.
fn session<'t>(keys: &'t str, name: &str) -> Option<&'t str> {
    let line = keys.lines().find(|line| line.contains(&format!(" {name}: ")))?;
    line.split(' ').next()
}

fn visible(spec: &mut Value) {
    spec["linux"]["maskedPaths"] = json!([]);
}

fn has_keys() -> bool {
    let there = Path::new("/proc/keys").exists();
    if !there {
        skip("session keyrings: the kernel has no keys (CONFIG_KEYS, CONFIG_PROC_FS)");
    }
    there
}

/// The keys that an exec sees.
fn of_exec(lab: &Lab, id: &str) -> String {
    lab.brig(&["exec", id, "cat", "/proc/keys"]).success()
}

#[test]
fn a_container_has_one_and_its_execs_join_it() {
    if !has_keys() {
        return;
    }
    for in_user_namespace in [false, true] {
        for user in [0, 1000] {
            let lab = lab();
            lab.write(&["sh", "-c", "cat /proc/keys > /tmp/keys; mv /tmp/keys /tmp/done; exec sleep 1000"], |spec| {
                visible(spec);
                edit::user(spec, user, user, &[]);
                edit::mount(spec, "/tmp", "tmpfs", "tmpfs", &["mode=1777"]);
                if in_user_namespace {
                    edit::user_namespace(spec);
                }
            });
            edit::give_away(&lab.rootfs());
            let id = lab.launch("keys");
            let file = format!("/proc/{}/root/tmp/done", lab.pid(&id));
            crate::common::until("the container has looked", || Path::new(&file).exists());
            let (keys, name) = (fs::read_to_string(file).unwrap(), format!("_ses.{id}"));
            let own = session(&keys, &name).unwrap_or_else(|| panic!("user {user}: {keys}"));
            let beside = of_exec(&lab, &id);
            let what = format!("user namespace {in_user_namespace}, user {user}: {keys} {beside}");
            assert_eq!(session(&beside, &name), Some(own), "{what}");
            assert_eq!(session(&of_exec(&lab, &id), &name), Some(own), "{what}");
        }
    }
}

#[test]
fn without_one_the_callers_stays() {
    if !has_keys() {
        return;
    }
    for command in ["run", "create"] {
        let lab = lab();
        lab.write(&["cat", "/proc/keys"], visible);
        let id = lab.id("keys");
        let name = format!("_ses.{id}");
        if command == "run" {
            let seen = lab.brig(&["run", "--no-new-keyring", &id]).success();
            assert_eq!(session(&seen, &name), None, "{seen}");
            continue;
        }
        lab.write(&["sleep", "1000"], visible);
        lab.brig(&["create", "--no-new-keyring", &id]).success();
        lab.brig(&["start", &id]).success();
        assert_eq!(session(&of_exec(&lab, &id), &name), None);
    }
}

#[test]
fn others_have_others() {
    if !has_keys() {
        return;
    }
    let lab = lab();
    lab.write(&["sleep", "1000"], visible);
    let [one, two] = ["one", "two"].map(|name| lab.launch(name));
    let (first, second) = (of_exec(&lab, &one), of_exec(&lab, &two));
    let (first, second) = (session(&first, &format!("_ses.{one}")), session(&second, &format!("_ses.{two}")));
    assert!(first.is_some() && second.is_some() && first != second, "{first:?} {second:?}");
}
