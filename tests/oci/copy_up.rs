// SPDX-License-Identifier: Apache-2.0
//! tmpcopyup: a tmpfs that has in it what is in the image below it; and the permissions of every tmpfs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::process::Command;

use rustix::fs::{XattrFlags, getxattr, setxattr};
use serde_json::{Value, json};

use crate::common::skip;
use crate::{edit, lab};

fn copy_up(spec: &mut Value, destination: &str, more: &[&str]) {
    edit::mount(spec, destination, "tmpfs", "tmpfs", &[&["tmpcopyup"], more].concat());
}

#[test]
fn all_that_is_there_is_copied() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    let data = lab.rootfs().join("data");
    fs::create_dir_all(data.join("a/b/c")).unwrap();
    fs::write(data.join("a/b/c/deep"), "deep").unwrap();
    fs::write(data.join("large"), vec![b'x'; 3 << 20]).unwrap();
    fs::write(data.join("program"), "#!/bin/sh\necho runs\n").unwrap();
    symlink("/etc/passwd", data.join("link")).unwrap();
    symlink("no/where", data.join("dangling")).unwrap();
    for index in 0..500 {
        fs::write(data.join(format!("many-{index}-{}", "n".repeat(100))), index.to_string()).unwrap();
    }
    let made = |args: &[&str]| assert!(Command::new(args[0]).args(&args[1..]).status().unwrap().success());
    made(&["mkfifo", "-m", "640", data.join("fifo").to_str().unwrap()]);
    made(&["mknod", "-m", "604", data.join("node").to_str().unwrap(), "c", "1", "3"]);
    for (name, uid, gid, mode) in
        [("program", 7, 8, 0o6755), ("a/b", 1000, 1001, 0o1750), ("", 3, 4, 0o2710), ("large", 0, 5, 0o400)]
    {
        chown(data.join(name), Some(uid), Some(gid)).unwrap();
        fs::set_permissions(data.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    made(&["touch", "-hd", "@1000000000", data.join("link").to_str().unwrap()]);
    made(&["touch", "-d", "@1000000001", data.join("a").to_str().unwrap()]);
    let script = "cd /data; stat -c '%n %F %a %u:%g %s' . a/b program large fifo node link; stat -c %Y link a; \
        readlink link; readlink dangling; cat a/b/c/deep; echo; ./program; ls | wc -l; cat many-77-*; echo; \
        stat -c %t:%T node; cmp large /same/large && rm -r /data/* && ls -A | wc -l";
    let seen = lab.sh(script, |spec| {
        copy_up(spec, "/data", &["nosuid"]);
        edit::mount(spec, "/same", "bind", data.to_str().unwrap(), &["bind"]);
        for set in ["bounding", "effective", "permitted"] {
            spec["process"]["capabilities"][set] = json!(["CAP_DAC_OVERRIDE"]);
        }
    });
    let expected = [
        ". directory 2710 3:4",
        "a/b directory 1750 1000:1001",
        "program regular file 6755 7:8 20",
        "large regular file 400 0:5 3145728",
        "fifo fifo 640 0:0 0",
        "node character special file 604 0:0 0",
        "link symbolic link 777 0:0 11",
        "1000000000",
        "1000000001",
        "/etc/passwd",
        "no/where",
        "deep",
        "runs",
        "507",
        "77",
        "1:3",
        "0",
    ];
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{seen}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line:?} is not {expected:?}");
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 507, "the image is as it was");
    assert_eq!(fs::metadata(data.join("program")).unwrap().mode() & 0o7777, 0o6755);
}

#[test]
fn extended_attributes_are_copied() {
    let lab = lab();
    lab.write(&["true"], edit::nothing);
    fs::create_dir(lab.rootfs().join("data")).unwrap();
    let file = lab.rootfs().join("data/file");
    fs::write(&file, "").unwrap();
    if setxattr(&file, "trusted.brig", b"kept", XattrFlags::empty()).is_err() {
        return skip("extended attributes: the filesystem of the tests has none");
    }
    lab.write(&["sleep", "1000"], |spec| copy_up(spec, "/data", &[]));
    let id = lab.launch("attributes");
    let mut value = [0; 16];
    let length = getxattr(format!("/proc/{}/root/data/file", lab.pid(&id)), "trusted.brig", &mut value).unwrap();
    assert_eq!(&value[..length], b"kept");
}

/// The options come first.
#[test]
fn permissions_are_those_of_the_options_or_of_the_image() {
    let table: [(&str, &[&str], &str); 9] = [
        ("/there", &["ro"], "2750 0:0"),
        ("/there", &["rro,tmpcopyup"], "2750 5:6"),
        ("/there", &[], "2750 0:0"),
        ("/there", &["mode=700"], "700 0:0"),
        ("/there", &["uid=9"], "2750 9:0"),
        ("/there", &["tmpcopyup"], "2750 5:6"),
        ("/there", &["tmpcopyup", "mode=711"], "711 5:6"),
        ("/there", &["tmpcopyup,uid=9"], "2750 9:0"),
        ("/new", &["tmpcopyup"], "1777 0:0"),
    ];
    for (place, options, expected) in table {
        let lab = lab();
        lab.write(&["stat", "-c", "%a %u:%g", place], |spec| edit::mount(spec, place, "tmpfs", "tmpfs", options));
        let there = lab.rootfs().join("there");
        fs::create_dir(&there).unwrap();
        chown(&there, Some(5), Some(6)).unwrap();
        fs::set_permissions(&there, PermissionsExt::from_mode(0o2750)).unwrap();
        assert_eq!(lab.run().success(), expected, "{place} {options:?}");
    }
}

#[test]
fn in_a_user_namespace_too() {
    let lab = lab();
    lab.write(&["sh", "-c", "stat -c %u:%g /data /data/own /data/other; ls /data"], |spec| {
        edit::user_namespace(spec);
        copy_up(spec, "/data", &[]);
    });
    fs::create_dir(lab.rootfs().join("data")).unwrap();
    fs::write(lab.rootfs().join("data/own"), "").unwrap();
    fs::write(lab.rootfs().join("data/other"), "").unwrap();
    let node = lab.rootfs().join("data/node");
    assert!(Command::new("mknod").arg(&node).args(["c", "1", "3"]).status().unwrap().success());
    edit::give_away(&lab.rootfs());
    chown(lab.rootfs().join("data/own"), Some(edit::FIRST_ID + 7), Some(edit::FIRST_ID + 8)).unwrap();
    chown(lab.rootfs().join("data/other"), Some(0), Some(0)).unwrap();
    // Of the host's root nothing is known in there; nor can device nodes be made.
    assert_eq!(lab.run().success(), "0:0\n7:8\n65534:65534\nother\nown");
}

/// What the image links to is not copied from the host, nor is anything written there.
#[test]
fn links_lead_nowhere() {
    let lab = lab();
    let canary = lab.path.join("canary");
    fs::create_dir(&canary).unwrap();
    fs::write(canary.join("bird"), "alive").unwrap();
    for target in [canary.clone(), "../../../../../../../proc/self/root/etc".into(), "/proc/self/cwd".into()] {
        lab.write(&["sh", "-c", "ls -A /data /within/ 2>&1; true"], |spec| {
            copy_up(spec, "/data", &[]);
            copy_up(spec, "/within", &[]);
        });
        let data = lab.rootfs().join("data");
        let _ = fs::remove_file(&data);
        symlink(&target, &data).unwrap();
        fs::create_dir_all(lab.rootfs().join("within")).unwrap();
        let _ = fs::remove_file(lab.rootfs().join("within/link"));
        symlink(&target, lab.rootfs().join("within/link")).unwrap();
        let done = lab.run();
        assert!(!done.out().contains("bird") && !done.out().contains("shadow"), "{}", done.out());
        assert_eq!(fs::read_dir(&canary).unwrap().count(), 1);
    }
}

#[test]
fn what_does_not_fit_is_told_by_name() {
    let lab = lab();
    lab.write(&["true"], |spec| copy_up(spec, "/data", &["size=64k"]));
    fs::create_dir(lab.rootfs().join("data")).unwrap();
    fs::write(lab.rootfs().join("data/too-large"), vec![b'x'; 1 << 20]).unwrap();
    let error = lab.run().failure();
    for text in ["/mounts/7: /data: cannot copy what is there", "No space left on device", "too-large"] {
        assert!(error.contains(text), "{error}");
    }
    lab.assert_clean();
}

#[test]
fn directories_without_end_are_refused() {
    let lab = lab();
    lab.write(&["true"], |spec| copy_up(spec, "/data", &[]));
    let mut deep = lab.rootfs().join("data");
    for _ in 0..300 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let error = lab.run().failure();
    assert!(error.contains("/mounts/7: /data: cannot copy what is there"), "{error}");
    lab.assert_clean();
}
