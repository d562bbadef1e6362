// SPDX-License-Identifier: Apache-2.0
//! /dev: nodes, links, terminals.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use serde_json::json;

use crate::{edit, lab};

#[test]
fn the_nodes_of_every_container_are_there() {
    let nodes =
        [("null", "1:3"), ("zero", "1:5"), ("full", "1:7"), ("random", "1:8"), ("urandom", "1:9"), ("tty", "5:0")];
    let script: String = nodes.iter().map(|(name, _)| format!("stat -c '%F %t:%T %a %u:%g' /dev/{name};")).collect();
    let seen = lab().sh(&script, edit::nothing);
    let expected = nodes.map(|(_, numbers)| format!("character special file {numbers} 666 0:0"));
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_nodes_work() {
    let script =
        "echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c; echo x > /dev/full";
    let done = lab().write(&["sh", "-c", script], edit::nothing).run();
    assert_eq!(done.out(), "3\n3\n");
    assert!(done.err().contains("No space left on device"), "{}", done.err());
}

#[test]
fn the_links_are_there() {
    let seen = lab().sh("cd /dev; for link in fd stdin stdout stderr ptmx; do readlink $link; done", edit::nothing);
    let expected = ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"];
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn terminals_can_be_made() {
    let seen = lab().sh("ls /dev/pts; exec 3<>/dev/ptmx; ls /dev/pts; stat -c %g /dev/pts/0", edit::nothing);
    assert_eq!(seen, "ptmx\n0\nptmx\n5");
}

#[test]
fn nodes_are_made_as_the_spec_says() {
    let seen =
        lab().sh("stat -c '%n %F %t:%T %a %u:%g' /dev/fuse /dev/deep/er/block /dev/pipe /dev/null /dev/u", |spec| {
            spec["linux"]["devices"] = json!([
                { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o620, "uid": 3, "gid": 4 },
                { "path": "/dev/deep/er/block", "type": "b", "major": 7, "minor": 300 },
                { "path": "/dev/pipe", "type": "p", "fileMode": 0o600 },
                { "path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600 },
                { "path": "/dev/u", "type": "u", "major": 1, "minor": 5, "fileMode": 0o20_640, "uid": 5 },
            ]);
        });
    let expected = [
        "/dev/fuse character special file a:e5 620 3:4",
        "/dev/deep/er/block block special file 7:12c 666 0:0",
        "/dev/pipe fifo 0:0 600 0:0",
        "/dev/null character special file 1:3 600 0:0",
        "/dev/u character special file 1:5 640 5:0",
    ];
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
}

/// An image may bring nodes: the right ones stay, a wrong one is no /dev/null.
#[test]
fn a_node_of_the_image_must_be_the_right_one() {
    let without_dev = |spec: &mut serde_json::Value| {
        edit::writable(spec);
        spec["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    };
    let lab = lab();
    lab.sh("true", without_dev);
    let null = lab.rootfs().join("dev/null");
    let made = fs::symlink_metadata(&null).unwrap();
    assert!(made.file_type().is_char_device());
    lab.sh("echo again > /dev/null", without_dev);
    assert_eq!(fs::symlink_metadata(&null).unwrap().ino(), made.ino());

    fs::remove_file(&null).unwrap();
    fs::write(&null, "").unwrap();
    let error = lab.write(&["true"], without_dev).run().failure();
    assert!(error.contains("/dev/null is there already and is not the device that it should be"), "{error}");
}

#[test]
fn a_bound_dev_is_left_as_it_is() {
    let lab = lab();
    let dev = lab.path.join("dev");
    fs::create_dir(&dev).unwrap();
    fs::write(dev.join("mine"), "").unwrap();
    let seen = lab.sh("ls /dev", |spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
        edit::mount(spec, "/dev", "bind", dev.to_str().unwrap(), &["bind"]);
    });
    assert_eq!(seen, "mine");
    assert_eq!(fs::read_dir(&dev).unwrap().count(), 1);
}
