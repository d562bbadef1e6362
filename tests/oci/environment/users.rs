// SPDX-License-Identifier: Apache-2.0
//! User namespaces made by the host's root: ids inside and outside, and what root of one may not do.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::{at, mountinfo};
use crate::{edit, lab};

#[test]
fn ids_are_mapped_in_and_out() {
    let lab = lab();
    lab.write(&["sh", "-c", "echo \"$(id -u):$(id -g)\" > /tmp/ids; cat /proc/self/uid_map /proc/self/gid_map > /tmp/maps; exec sleep 1000"], |spec| {
        edit::user_namespace(spec);
        edit::writable(spec);
    });
    edit::give_away(&lab.rootfs());
    let id = lab.launch("mapped");
    let maps = lab.rootfs().join("tmp/maps");
    crate::common::until("the container has written", || {
        fs::read_to_string(&maps).is_ok_and(|text| text.lines().count() == 2)
    });
    assert_eq!(fs::read_to_string(lab.rootfs().join("tmp/ids")).unwrap(), "0:0\n");
    for line in fs::read_to_string(&maps).unwrap().lines() {
        assert!(line.split_whitespace().eq(["0", "100000", "65536"]), "{line}");
    }
    let file = fs::metadata(&maps).unwrap();
    assert_eq!((file.uid(), file.gid()), (edit::FIRST_ID, edit::FIRST_ID));
    let status = fs::read_to_string(format!("/proc/{}/status", lab.pid(&id))).unwrap();
    assert!(status.contains("\nUid:\t100000\t100000\t100000\t100000\n"), "{status}");
    assert!(status.contains("\nGid:\t100000\t100000\t100000\t100000\n"), "{status}");
}

/// An image of the host's root: readable for all, and nobody's inside.
#[test]
fn a_root_filesystem_that_is_only_readable_will_do() {
    let seen = lab().sh("stat -c %u:%g /bin/busybox; touch /x 2>&1; ls /bin | grep -c .", edit::user_namespace);
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[0], "65534:65534");
    assert!(lines[1].contains("Read-only file system"), "{seen}");
}

#[test]
fn another_user_inside_is_another_outside() {
    let lab = lab();
    let seen = lab.sh("id -u; id -g; id -G; grep Uid: /proc/self/status", |spec| {
        edit::user_namespace(spec);
        edit::user(spec, 1000, 1001, &[5, 7]);
    });
    assert_eq!(seen, "1000\n1001\n1001 5 7\nUid:\t1000\t1000\t1000\t1000");
}

/// mknod(2) is not for a user namespace: the nodes are the host's own.
#[test]
fn devices_are_bound_from_the_host() {
    let lab = lab();
    let script = "echo gone > /dev/null && head -c 4 /dev/zero | wc -c && echo $(stat -c %t:%T /dev/full) && cat /proc/self/mountinfo";
    lab.write(&["sh", "-c", script], edit::user_namespace);
    edit::give_away(&lab.rootfs());
    let seen = lab.run().success();
    assert!(seen.starts_with("4\n1:7\n"), "{seen}");
    let mounts = mountinfo(&seen);
    for node in ["null", "zero", "full", "random", "urandom", "tty"] {
        assert_eq!(at(&mounts, &format!("/dev/{node}")).root, format!("/{node}"));
    }
}

/// Those of the spec too, if the host has them; a FIFO is no device.
#[test]
fn devices_of_the_spec_are_bound_as_well() {
    let lab = lab();
    let node = lab.path.join("node");
    let made = std::process::Command::new("mknod").arg(&node).args(["-m", "640", "c", "1", "7"]).status().unwrap();
    assert!(made.success());
    let device = |path: &std::path::Path, minor: u32| json!({ "path": path, "type": "c", "major": 1, "minor": minor });
    let script = format!("stat -c '%t:%T %a' {} /dev/pipe; stat -c %u:%g /dev/pipe", node.display());
    lab.write(&["sh", "-c", &script], |spec| {
        edit::user_namespace(spec);
        edit::writable(spec);
        let pipe = json!({ "path": "/dev/pipe", "type": "p", "fileMode": 0o620, "uid": 7, "gid": 8 });
        spec["linux"]["devices"] = json!([device(&node, 7), pipe]);
    });
    edit::give_away(&lab.rootfs());
    assert_eq!(lab.run().success(), "1:7 640\n0:0 620\n7:8");
    for (path, minor, text) in [
        (&node, 8, format!("/linux/devices/0/path: {} of the host is not the device 1:8", node.display())),
        (&lab.path.join("none"), 8, "/linux/devices/0/path: cannot clone".to_owned()),
        (&lab.path, 8, format!("/linux/devices/0/path: {} of the host is not the device 1:8", lab.path.display())),
    ] {
        lab.write(&["true"], |spec| {
            edit::user_namespace(spec);
            spec["linux"]["devices"] = json!([device(path, minor)]);
        });
        let error = lab.run().failure();
        assert!(error.contains(&text), "{error}");
    }
}

#[test]
fn the_host_belongs_to_nobody() {
    let lab = lab();
    lab.write(&["sh", "-c", "cat /secret 2>&1; echo x >> /secret"], |spec| {
        edit::user_namespace(spec);
        edit::writable(spec);
        spec["process"]["capabilities"]["effective"] = json!(["CAP_DAC_OVERRIDE"]);
        spec["process"]["capabilities"]["permitted"] = json!(["CAP_DAC_OVERRIDE"]);
        spec["process"]["capabilities"]["bounding"] = json!(["CAP_DAC_OVERRIDE"]);
    });
    let secret = lab.rootfs().join("secret");
    fs::write(&secret, "s").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let done = lab.run();
    assert!(done.out().contains("Permission denied"), "{}", done.out());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "s");
}

#[test]
fn several_ranges_with_holes() {
    let lab = lab();
    let seen = lab.sh("cat /proc/self/uid_map; stat -c %u /etc/a /etc/b /etc/c", |spec| {
        edit::user_namespace(spec);
        spec["linux"]["uidMappings"] = json!([
            { "containerID": 0, "hostID": 100_000, "size": 10 },
            { "containerID": 1000, "hostID": 200_000, "size": 1 },
        ]);
        for (name, owner) in [("a", 100_003), ("b", 200_000), ("c", 100_010)] {
            let file = lab.rootfs().join("etc").join(name);
            fs::write(&file, "").unwrap();
            std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
        }
    });
    let tail: Vec<_> = seen.lines().rev().take(3).collect();
    assert_eq!(tail, ["65534", "1000", "3"]);
}
