// SPDX-License-Identifier: Apache-2.0
//! Cgroups of a user's containers: those that may be made, those that are done without, and those of the host that nobody
//! in the container may change (CVE-2023-25809).

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Home, Means, prepared, unified};
use crate::common::{Done, Lab, skip};
use crate::{edit, lab};

/// Tries to change the cgroups that can be seen, those of the user first of all; says which it could.
const ATTACK: &str = "for d in /sys/fs/cgroup /sys/fs/cgroup/* $(find /sys/fs/cgroup -type d -user 0); do [ -e $d/cgroup.procs ] || continue; \
    mkdir $d/made 2>/dev/null && echo made $d; \
    for f in $d/cgroup.procs $d/cgroup.subtree_control $d/cgroup.max.depth; do \
        ( echo 0 > $f ) 2>/dev/null && echo wrote $f; done; done; echo tried";

/// What it is, and how it is asked for.
type View = (&'static str, fn(&mut Value));

/// How a container may see the host's cgroups: as brig's own configuration has it, as runc's has it, and without a cgroup
/// namespace; with a mount of the cgroups or without.
fn views() -> Vec<View> {
    fn sys(spec: &mut Value) {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let sys = mounts.iter_mut().find(|mount| mount["destination"] == "/sys").unwrap();
        sys["options"] = json!(["rbind", "nosuid", "noexec", "nodev", "ro"]);
    }
    fn cgroup(spec: &mut Value) {
        edit::mount(spec, "/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]);
    }
    fn writable(spec: &mut Value) {
        edit::mount(spec, "/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime"]);
    }
    fn host(spec: &mut Value) {
        edit::remove_namespace(spec, "cgroup");
    }
    vec![
        ("brig's own", edit::nothing),
        ("/sys of runc", sys),
        ("/sys of runc without a cgroup namespace", |spec| {
            sys(spec);
            host(spec);
        }),
        ("all of runc's", |spec| {
            sys(spec);
            cgroup(spec);
        }),
        ("all of runc's without a cgroup namespace", |spec| {
            sys(spec);
            cgroup(spec);
            host(spec);
        }),
        ("writable", |spec| {
            sys(spec);
            writable(spec);
        }),
        ("writable without a cgroup namespace", |spec| {
            sys(spec);
            writable(spec);
            host(spec);
        }),
        ("a new sysfs", |spec| {
            spec["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/sys");
            edit::mount(spec, "/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
        }),
        ("a new sysfs, writable", |spec| {
            spec["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/sys");
            edit::mount(spec, "/sys", "sysfs", "sysfs", &[]);
        }),
    ]
}

/// A user who has cgroups of its own, and starts a container that gets none.
#[test]
fn no_cgroup_of_the_host_can_be_changed() {
    for (view, edit) in views() {
        for own in [false, true] {
            let home = Home::new(&Means { tree: true, ..Means::default() });
            home.write(&["sh", "-c", ATTACK], edit);
            if !own {
                // It may still change the cgroup that it is in itself, but not make one beside it.
                for file in ["", "cgroup.procs"] {
                    std::os::unix::fs::chown(home.tree().join(file), Some(0), Some(0)).unwrap();
                }
            }
            let seen = home.run().success();
            // In its own cgroup it may do as it likes, if it was given that.
            let is_own = |line: &&str| own && view.starts_with("writable") && is_root(line);
            let hits: Vec<_> = seen.lines().filter(|line| *line != "tried").filter(|line| !is_own(line)).collect();
            assert!(seen.ends_with("tried") && hits.is_empty(), "{view}, own: {own}: {hits:?}");
            home.assert_nobody();
        }
    }
}

/// Whether what was changed is at the root of what is mounted of the unified hierarchy: the container's own cgroup.
fn is_root(line: &str) -> bool {
    let path = line.split(' ').nth(1).unwrap();
    path.strip_prefix(unified().to_str().unwrap()).is_some_and(|rest| rest.matches('/').count() <= 1)
}

/// Limits are an error where they cannot be had, and their absence is none.
#[test]
fn limits_without_a_cgroup_are_refused() {
    let home = Home::new(&Means::default());
    for (resources, text) in [
        (json!({ "memory": { "limit": 64 << 20 } }), "/linux/resources/memory/limit: no memory cgroup controller is"),
        (
            json!({ "pids": { "limit": 7 } }),
            "/linux/resources/pids/limit: no pids cgroup controller is delegated to us",
        ),
        (json!({ "cpu": { "shares": 7 } }), "/linux/resources/cpu/shares: no cpu cgroup controller is delegated to us"),
    ] {
        home.write(&["true"], |spec| spec["linux"]["resources"] = resources);
        let error = home.run().failure();
        assert!(error.contains(text), "{error}");
        home.assert_clean();
    }
    // Which devices there are is guarded by their owners and modes.
    home.write(&["true"], |spec| {
        spec["linux"]["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    });
    home.run().success();
}

#[test]
fn a_cgroups_path_that_is_not_ours() {
    let home = Home::new(&Means::default());
    let path = format!("/{}", home.id("elsewhere"));
    home.write(&["true"], |spec| spec["linux"]["cgroupsPath"] = json!(path));
    let error = home.run().failure();
    assert!(error.contains("/linux/cgroupsPath: cgroup /sys/fs/cgroup"), "{error}");
    assert!(error.contains("is in no part of the tree that is delegated to us"), "{error}");
    home.assert_clean();
    home.assert_nobody();
}

/// `--rootless=false` takes a cgroup that cannot be made for an error, and `--rootless=true` lets root do without.
#[test]
fn the_flag_decides() {
    let home = Home::new(&Means::default());
    home.write(&["true"], edit::nothing);
    home.brig(&["--rootless=true", "run", &home.id("run")]).success();
    let error = home.brig(&["--rootless=false", "run", &home.id("run")]).failure();
    assert!(error.contains("/linux/cgroupsPath: cannot create cgroup"), "{error}");
    home.assert_clean();

    let lab = lab();
    lab.write(&["sh", "-c", "echo ran"], |spec| edit::remove_namespace(spec, "cgroup"));
    let read_only = "for m in $(awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts); do mount -o remount,bind,ro $m; done";
    let run = |flag: &str| on_a_view(&lab, read_only, &[flag, "run", &lab.id("run")]);
    assert_eq!(run("--rootless=true").success(), "ran");
    for flag in ["--rootless=auto", "--rootless=false"] {
        let error = run(flag).failure();
        assert!(error.contains("Read-only file system"), "{flag}: {error}");
    }
    lab.assert_clean();
}

fn on_a_view(lab: &Lab, setup: &str, arguments: &[&str]) -> Done {
    lab.end(&mut lab.behind(setup, &lab.command(arguments)))
}

/// A cgroupfs that is read-only, and none at all.
#[test]
fn cgroups_that_are_read_only_or_absent() {
    let home = Home::new(&Means { tree: true, ..Means::default() });
    home.write(&["sh", "-c", "echo ran"], edit::nothing);
    for setup in [
        "for m in $(awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts); do mount -o remount,bind,ro $m; done",
        "for m in $(awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts); do umount -l $m; done",
    ] {
        let command = home.command(&["run", &home.id("run")]);
        let mut command = prepared(&home, &command, |script| script.replace("exec", &format!("{setup}\nexec")));
        assert_eq!(home.end(&mut command).success(), "ran", "{setup}");
        home.assert_clean();
    }
}

/// Limits in the user's part of the tree are written where they can be read back.
#[test]
fn limits_in_a_delegated_cgroup() {
    let has = fs::read_to_string(unified().join("cgroup.controllers")).unwrap();
    if !has.contains("hugetlb") {
        return skip("the unified hierarchy here has no hugetlb controller");
    }
    let home = Home::new(&Means { tree: true, ..Means::default() });
    home.write(&["sleep", "1000"], |spec| {
        spec["linux"]["resources"] = json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4 << 20 }] });
    });
    let id = home.launch("limited");
    let file = home.tree().join(&id).join("hugetlb.2MB.max");
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), (4 << 20).to_string());
}

/// A path below the user's own part; who starts the container must be in there as well.
#[test]
fn a_cgroups_path_in_the_users_part() {
    let home = Home::new(&Means { tree: true, ..Means::default() });
    let below = format!("/{}/a/b", home.tree().file_name().unwrap().to_str().unwrap());
    home.write(&["sleep", "1000"], |spec| spec["linux"]["cgroupsPath"] = json!(below));
    let id = home.launch("below");
    let place = home.tree().join("a/b");
    assert_eq!(fs::read_to_string(place.join("cgroup.procs")).unwrap().trim(), home.pid(&id).to_string());
    home.brig(&["delete", "--force", &id]).success();
    assert!(!home.tree().join("a").exists());

    // From outside nobody may bring a process there.
    let command = home.command(&["create", &home.id("run")]);
    let outside =
        |script: &str| script.lines().filter(|line| !line.contains("cgroup.procs")).collect::<Vec<_>>().join("\n");
    let error = home.end(&mut prepared(&home, &command, outside)).failure();
    assert!(error.contains("is in no part of the tree that is delegated to us"), "{error}");
    assert!(!Path::new(&home.tree().join("a")).exists());
}
