// SPDX-License-Identifier: Apache-2.0
//! Supplementary groups: none that was not asked for, and none dropped that keeps a user out of something.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use serde_json::json;

use super::{Home, Means, words};
use crate::common::Lab;
use crate::{edit, lab};

/// A group that means nothing to this machine.
const GROUP: u32 = 2_123_456;
const NOBODY: &str = "65534";

const SHOW: &str = "grep ^Groups: /proc/self/status | tr -d '\\t'; cat /kept 2>&1; cat /open 2>&1; true";

/// Two files of the group: one that only its members may read, and one that only they may not.
fn files(lab: &Lab) -> [PathBuf; 2] {
    [("kept", 0o040), ("open", 0o604)].map(|(name, mode)| {
        let path = lab.rootfs().join(name);
        fs::write(&path, format!("{name}\n")).unwrap();
        chown(&path, Some(0), Some(GROUP)).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    })
}

fn seen(home: &Home) -> String {
    files(home);
    home.run().success()
}

/// Without a helper nobody vouches for the user: the groups stay, those that deny something too.
#[test]
fn a_user_alone_loses_no_group() {
    let home = Home::new(&Means { groups: vec![GROUP], ..Means::default() });
    home.write(&["sh", "-c", SHOW], edit::nothing);
    let lines = seen(&home);
    let lines: Vec<_> = lines.lines().map(str::trim).collect();
    assert_eq!(lines[0], format!("Groups:{NOBODY}"));
    assert_eq!(lines[1], "kept");
    assert!(lines[2].contains("Permission denied"), "{lines:?}");
}

/// Nor does it get one.
#[test]
fn a_user_alone_gains_no_group() {
    let home = Home::new(&Means::default());
    home.write(&["true"], |spec| edit::user(spec, 0, 0, &[0]));
    let error = home.run().failure();
    assert!(error.contains("/process/user/additionalGids: groups [0]: cannot set the groups"), "{error}");
    assert!(error.contains("is setgroups(2) denied"), "{error}");
    home.write(&["true"], |spec| edit::user(spec, 0, 0, &[7]));
    let error = home.run().failure();
    assert!(error.contains("/process/user/additionalGids/0: 7 is in none of the ranges"), "{error}");
    home.assert_clean();
    home.assert_nobody();
}

/// newgidmap vouches for the user: the groups are those that were asked for, for the program as for an exec.
#[test]
fn with_a_helper_the_groups_are_those_asked_for() {
    let home = Home::new(&Means { ids: true, groups: vec![GROUP], ..Means::default() });
    for (more, shown) in [(&[][..], "Groups:"), (&[5, 7], "Groups:5 7")] {
        home.write(&["sh", "-c", SHOW], |spec| {
            home.map(spec);
            edit::user(spec, 0, 0, more);
        });
        let lines = seen(&home);
        let lines: Vec<_> = lines.lines().map(str::trim).collect();
        assert_eq!(lines[0], shown);
        assert!(lines[1].contains("Permission denied"), "{lines:?}");
        assert_eq!(lines[2], "open");
    }
    home.write(&["sleep", "1000"], |spec| home.map(spec));
    files(&home);
    let id = home.launch("exec");
    let show = ["sh", "-c", SHOW];
    let seen = home.brig(&[&["exec", &id][..], &show].concat()).success();
    assert!(seen.starts_with("Groups:") && seen.contains("Permission denied") && seen.ends_with("open"), "{seen}");
    let seen = home.brig(&[&["exec", "--additional-gids", "9", &id][..], &show].concat()).success();
    assert!(seen.starts_with("Groups:9"), "{seen}");
}

/// Where only the user's own group is mapped, newuidmap for the others changes nothing about groups.
#[test]
fn a_helper_for_users_only_does_not_vouch_for_groups() {
    let home = Home::new(&Means { ids: true, groups: vec![GROUP], ..Means::default() });
    home.write(&["sh", "-c", &format!("{SHOW}; cat /proc/self/setgroups")], |spec| {
        home.map(spec);
        spec["linux"]["gidMappings"] = json!([{ "containerID": 0, "hostID": home.uid, "size": 1 }]);
    });
    let seen = seen(&home);
    assert!(seen.starts_with(&format!("Groups:{NOBODY}")) && seen.ends_with("deny"), "{seen}");
}

/// What podman asks for with `--group-add keep-groups`: whatever the image wants besides.
#[test]
fn groups_are_kept_where_the_annotation_asks_for_it() {
    let home = Home::new(&Means { ids: true, groups: vec![GROUP], ..Means::default() });
    for value in ["1", "0"] {
        home.write(&["sh", "-c", &format!("{SHOW}; exec sleep 1000")], |spec| {
            home.map(spec);
            edit::user(spec, 0, 0, &[5]);
            spec["annotations"] = json!({ "run.oci.keep_original_groups": value });
        });
        files(&home);
        let id = home.launch("kept");
        let seen = home.brig(&["exec", &id, "sh", "-c", SHOW]).success();
        let (groups, kept) = if value == "1" { (NOBODY, "\nkept\n") } else { ("", "denied") };
        assert!(seen.starts_with(&format!("Groups:{groups}")) && seen.contains(kept), "{value}: {seen}");
        home.brig(&["delete", "--force", &id]).success();
    }
}

/// The same by root, who has groups too.
#[test]
fn root_keeps_its_groups_only_on_request() {
    for (annotation, user_namespace, shown) in [
        (false, false, "Groups:".to_owned()),
        (true, false, format!("Groups:5 {GROUP}")),
        (false, true, "Groups:".to_owned()),
        (true, true, format!("Groups:{NOBODY} {NOBODY}")),
    ] {
        let lab = lab();
        lab.write(&["sh", "-c", "grep ^Groups: /proc/self/status | tr -d '\\t'"], |spec| {
            if annotation {
                spec["annotations"] = json!({ "run.oci.keep_original_groups": "1" });
            }
            if user_namespace {
                edit::user_namespace(spec);
            }
        });
        let mut command = std::process::Command::new("setpriv");
        command.args(["--groups", &format!("5,{GROUP}")]).args(words(&lab.command(&["run", &lab.id("run")])));
        let seen = lab.end(command.current_dir(lab.bundle())).success();
        assert_eq!(seen.trim(), shown, "{annotation} {user_namespace}");
    }
}
