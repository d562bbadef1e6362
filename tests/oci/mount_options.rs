// SPDX-License-Identifier: Apache-2.0
//! Every mount option of the specification (config.md, "Linux mount options"), seen by its effect on the mounts of the
//! kernel: on a bind mount, on a new filesystem, and on what is mounted below.

use std::fs;

use serde_json::Value;

use crate::common::Lab;
use crate::environment::{Mount, at, mountinfo};
use crate::{edit, lab};

/// One option: those before it, itself, and what mountinfo says then of the mount and, if it is recursive, of the one
/// below it. `+word` is among the options, `-word` is not.
struct Row(&'static str, &'static [&'static str], &'static [&'static str]);

const ROWS: &[Row] = &[
    Row("async", &["sync"], &[]),
    Row("atime", &["noatime"], &["-noatime"]),
    Row("bind", &[], &["+rw"]),
    Row("defaults", &[], &["+rw", "+relatime"]),
    Row("dev", &["nodev"], &["-nodev"]),
    Row("diratime", &["nodiratime"], &["-nodiratime"]),
    Row("dirsync", &[], &[]),
    Row("exec", &["noexec"], &["-noexec"]),
    Row("iversion", &[], &["+rw"]),
    Row("lazytime", &[], &[]),
    Row("loud", &[], &["+rw"]),
    Row("mand", &[], &["+rw"]),
    Row("noatime", &[], &["+noatime", "-relatime"]),
    Row("nodev", &[], &["+nodev"]),
    Row("nodiratime", &[], &["+nodiratime"]),
    Row("noexec", &[], &["+noexec"]),
    Row("noiversion", &[], &["+rw"]),
    Row("nolazytime", &["lazytime"], &[]),
    Row("nomand", &["mand"], &["+rw"]),
    Row("norelatime", &[], &["+rw"]),
    Row("nostrictatime", &["strictatime"], &["+relatime"]),
    Row("nosuid", &[], &["+nosuid"]),
    Row("nosymfollow", &[], &["+nosymfollow"]),
    Row("private", &[], &["+rw"]),
    Row("ratime", &["rnoatime"], &["-noatime"]),
    Row("rbind", &[], &["+rw"]),
    Row("rdev", &["rnodev"], &["-nodev"]),
    Row("rdiratime", &["rnodiratime"], &["-nodiratime"]),
    Row("relatime", &["noatime"], &["+relatime", "-noatime"]),
    Row("rexec", &["rnoexec"], &["-noexec"]),
    Row("rnoatime", &[], &["+noatime"]),
    Row("rnodev", &[], &["+nodev"]),
    Row("rnodiratime", &[], &["+nodiratime"]),
    Row("rnoexec", &[], &["+noexec"]),
    Row("rnorelatime", &[], &["+rw"]),
    Row("rnostrictatime", &["rstrictatime"], &["+relatime"]),
    Row("rnosuid", &[], &["+nosuid"]),
    Row("rnosymfollow", &[], &["+nosymfollow"]),
    Row("ro", &[], &["+ro", "-rw"]),
    Row("rprivate", &[], &["+rw"]),
    Row("rrelatime", &["rnoatime"], &["+relatime"]),
    Row("rro", &[], &["+ro"]),
    Row("rrw", &["rro"], &["+rw"]),
    Row("rshared", &[], &["+rw"]),
    Row("rslave", &[], &["+rw"]),
    Row("rstrictatime", &[], &["-relatime", "-noatime"]),
    Row("rsuid", &["rnosuid"], &["-nosuid"]),
    Row("rsymfollow", &["rnosymfollow"], &["-nosymfollow"]),
    Row("runbindable", &[], &["+rw"]),
    Row("rw", &["ro"], &["+rw", "-ro"]),
    Row("shared", &[], &["+rw"]),
    Row("silent", &[], &["+rw"]),
    Row("slave", &[], &["+rw"]),
    Row("strictatime", &[], &["-relatime", "-noatime"]),
    Row("suid", &["nosuid"], &["-nosuid"]),
    Row("symfollow", &["nosymfollow"], &["-nosymfollow"]),
    Row("sync", &[], &[]),
    Row("unbindable", &[], &["+rw"]),
];

/// What the superblock of a new tmpfs has, for those that act on it.
const SUPERBLOCK: &[(&str, &[&str], &str)] = &[
    ("async", &["sync"], "-sync"),
    ("dirsync", &[], "+dirsync"),
    ("lazytime", &[], "+lazytime"),
    ("nolazytime", &["lazytime"], "-lazytime"),
    ("sync", &[], "+sync"),
];

/// Those that do more than a flag; they are shown in tests of their own.
const ELSEWHERE: [&str; 4] = ["idmap", "remount", "ridmap", "tmpcopyup"];

fn holds(options: &str, wanted: &str) -> bool {
    let (there, word) = wanted.split_at(1);
    options.split(',').any(|option| option == word) == (there == "+")
}

/// Mounts a tree of two filesystems at a place for each row, and a tmpfs; what mountinfo says then.
fn mounted<'r>(lab: &Lab, rows: impl Iterator<Item = (usize, Vec<&'r str>)>) -> Vec<Mount> {
    let source = lab.path.join("source");
    fs::create_dir_all(source.join("below")).unwrap();
    let from = source.to_str().unwrap();
    lab.write(&["cat", "/proc/self/mountinfo"], |spec| {
        for (index, options) in rows {
            edit::mount(spec, &format!("/bind/{index}"), "none", from, &[&["rbind"], &options[..]].concat());
            let options: Vec<_> = options.into_iter().filter(|option| !option.ends_with("bind")).collect();
            edit::mount(spec, &format!("/tmpfs/{index}"), "tmpfs", "tmpfs", &options);
        }
    });
    let setup = format!("mount -t tmpfs tmpfs '{from}/below'");
    mountinfo(&lab.end(&mut lab.behind(&setup, &lab.command(&["run", &lab.id("run")]))).success())
}

#[test]
fn each_does_what_its_name_says() {
    let lab = lab();
    let all = || ROWS.iter().enumerate();
    let mounts = mounted(&lab, all().map(|(index, Row(name, before, _))| (index, [*before, &[*name]].concat())));
    for (index, Row(name, _, wanted)) in all() {
        let recursive = wanted.iter().filter(|_| name.starts_with('r') && !["ro", "rw", "relatime"].contains(name));
        let places = wanted.iter().map(|wanted| (format!("/bind/{index}"), wanted));
        let places = places.chain(wanted.iter().map(|wanted| (format!("/tmpfs/{index}"), wanted)));
        let below = recursive.map(|wanted| (format!("/bind/{index}/below"), wanted));
        // Whose option is not recursive leaves what is below as it was.
        let untouched = (!name.starts_with('r') || ["ro", "rw", "relatime"].contains(name)) && *name != "bind";
        let rest = untouched
            .then(|| [(format!("/bind/{index}/below"), &"+rw"), (format!("/bind/{index}/below"), &"+relatime")]);
        for (place, wanted) in places.chain(below).chain(rest.into_iter().flatten()) {
            let found = &at(&mounts, &place).options;
            assert!(holds(found, wanted), "{name} at {place}: {wanted} in {found}");
        }
    }
}

#[test]
fn some_belong_to_the_superblock() {
    let lab = lab();
    let all = || SUPERBLOCK.iter().enumerate();
    let mounts = mounted(&lab, all().map(|(index, (name, before, _))| (index, [*before, &[*name]].concat())));
    for (index, (name, _, wanted)) in all() {
        let found = &at(&mounts, &format!("/tmpfs/{index}")).superblock;
        assert!(holds(found, wanted), "{name}: {wanted} in {found}");
    }
}

/// The names that `features` tells are those of the specification, and each was tried above.
#[test]
fn none_is_missing() {
    let features: Value = serde_json::from_str(&lab().brig(&["features"]).success()).unwrap();
    let told: Vec<_> = features["mountOptions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut tried: Vec<_> = ROWS.iter().map(|row| row.0).chain(ELSEWHERE).collect();
    tried.sort_unstable();
    assert_eq!(told, tried);
}

/// On the mount itself the last one wins; what is below heeds the recursive ones only.
#[test]
fn their_order_counts() {
    let table: [(&[&str], &str, &str); 8] = [
        (&["ro", "rw"], "+rw", "+rw"),
        (&["rw", "rro"], "+ro", "+ro"),
        (&["rro", "rw"], "+rw", "+ro"),
        (&["rro", "ro"], "+ro", "+ro"),
        (&["rro", "rrw", "ro"], "+ro", "+rw"),
        (&["noatime", "rrelatime"], "+relatime", "+relatime"),
        (&["rnoatime", "strictatime"], "-noatime", "+noatime"),
        (&["nosuid,nodev", "rsuid"], "-nosuid", "-nosuid"),
    ];
    let lab = lab();
    let mounts = mounted(&lab, table.iter().enumerate().map(|(index, row)| (index, row.0.to_vec())));
    for (index, (options, own, below)) in table.iter().enumerate() {
        for (place, wanted) in [(format!("/bind/{index}"), own), (format!("/bind/{index}/below"), below)] {
            let found = &at(&mounts, &place).options;
            assert!(holds(found, wanted), "{options:?} at {place}: {wanted} in {found}");
        }
    }
}

#[test]
fn one_string_may_hold_several() {
    let seen = lab().sh("cat /proc/self/mountinfo; stat -c %a /m", |spec| {
        edit::mount(spec, "/m", "tmpfs", "tmpfs", &["nodev,size=64k", "noexec,ro,mode=700,", ",nosuid"]);
    });
    let mounts = mountinfo(&seen);
    let found = at(&mounts, "/m");
    for wanted in ["+nodev", "+noexec", "+nosuid", "+ro"] {
        assert!(holds(&found.options, wanted), "{wanted} in {}", found.options);
    }
    assert!(holds(&found.superblock, "+size=64k"), "{}", found.superblock);
    assert!(seen.ends_with("\n700"), "{seen}");
}

#[test]
fn the_filesystem_can_be_changed_too() {
    let seen = lab().sh("cat /proc/self/mountinfo", |spec| {
        edit::mount(spec, "/m", "tmpfs", "tmpfs", &["size=64k"]);
        edit::mount(spec, "/m", "none", "", &["remount", "size=128k", "nosuid"]);
        edit::mount(spec, "/n", "tmpfs", "tmpfs", &["size=64k"]);
        edit::mount(spec, "/n", "none", "", &["bind,remount,ro"]);
    });
    let mounts = mountinfo(&seen);
    assert!(holds(&at(&mounts, "/m").superblock, "+size=128k"), "{}", at(&mounts, "/m").superblock);
    assert!(holds(&at(&mounts, "/m").options, "+nosuid"));
    let bound = at(&mounts, "/n");
    assert!(holds(&bound.options, "+ro") && holds(&bound.superblock, "+rw"), "{} {}", bound.options, bound.superblock);
    let error = lab()
        .write(&["true"], |spec| {
            edit::mount(spec, "/m", "tmpfs", "tmpfs", &[]);
            edit::mount(spec, "/m", "none", "", &["remount", "size=many"]);
        })
        .run()
        .failure();
    for text in ["/mounts/8: /m: option", "size=many", "Bad value for 'size'"] {
        assert!(error.contains(text), "{error}");
    }
}

/// Host mounts that are cloned for a user namespace are slaves, unless the options ask for something else.
#[test]
fn propagation_in_a_user_namespace() {
    type Judge = fn(&str) -> bool;
    let table: [(&[&str], Judge); 5] = [
        (&[], |fields| fields.starts_with("master:")),
        (&["rprivate"], str::is_empty),
        (&["rslave"], |fields| fields.starts_with("master:")),
        (&["rshared"], |fields| fields.starts_with("shared:") && fields.contains("master:")),
        (&["unbindable"], |fields| fields == "unbindable"),
    ];
    for (options, judge) in table {
        let lab = lab();
        let source = lab.path.join("source");
        fs::create_dir(&source).unwrap();
        let from = source.to_str().unwrap();
        lab.write(&["cat", "/proc/self/mountinfo"], |spec| {
            edit::user_namespace(spec);
            edit::mount(spec, "/m", "bind", from, &[&["rbind"], options].concat());
        });
        edit::give_away(&lab.rootfs());
        let setup = format!("mount --bind '{from}' '{from}'; mount --make-rshared '{from}'");
        let seen = lab.end(&mut lab.behind(&setup, &lab.command(&["run", &lab.id("run")]))).success();
        let found = &at(&mountinfo(&seen), "/m").propagation.clone();
        assert!(judge(found), "{options:?}: {found}");
    }
}

#[test]
fn files_and_directories_do_not_mix() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    fs::write(lab.path.join("file"), "").unwrap();
    let file = lab.path.join("file");
    for (place, source, text) in [
        ("/etc/passwd", "/usr", "/mounts/7: /etc/passwd is not a directory, but what is mounted there is"),
        ("/etc", file.to_str().unwrap(), "/mounts/7: /etc is a directory, but what is mounted there is not"),
    ] {
        let error = lab.write(&["true"], |spec| edit::mount(spec, place, "bind", source, &["bind"])).run().failure();
        assert!(error.contains(text), "{error}");
        lab.assert_clean();
    }
    let error =
        lab.write(&["true"], |spec| edit::mount(spec, "/etc/passwd", "tmpfs", "tmpfs", &["tmpcopyup"])).run().failure();
    assert!(error.contains("/etc/passwd is not a directory"), "{error}");
}
