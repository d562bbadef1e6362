// SPDX-License-Identifier: Apache-2.0
//! ID-mapped mounts: whose the files of the host seem to be, with and without a user namespace.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::common::Lab;
use crate::{edit, lab};

/// A directory of the host with files of users 0 and 1000 of groups 0 and 1001.
fn source(lab: &Lab) -> PathBuf {
    let source = lab.path.join("source");
    fs::create_dir_all(source.join("below")).unwrap();
    for (name, uid, gid) in [("root", 0, 0), ("user", 1000, 1001)] {
        fs::write(source.join(name), name).unwrap();
        chown(source.join(name), Some(uid), Some(gid)).unwrap();
    }
    fs::set_permissions(&source, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    source
}

fn range(inside: u32, outside: u32, size: u32) -> Value {
    json!([{ "containerID": inside, "hostID": outside, "size": size }])
}

/// The source at /m, with these options and mappings.
fn mount(spec: &mut Value, source: &str, options: &[&str], mappings: Option<[Value; 2]>) {
    edit::mount(spec, "/m", "bind", source, options);
    if let Some([uids, gids]) = mappings {
        let mount = spec["mounts"].as_array_mut().unwrap().last_mut().unwrap();
        mount["uidMappings"] = uids;
        mount["gidMappings"] = gids;
    }
}

const OWNERS: &str = "stat -c %u:%g /m/root /m/user";

#[test]
fn owners_are_mapped_without_a_user_namespace() {
    let given = || Some([range(0, 5000, 2000), range(0, 7000, 2000)]);
    for options in [&["bind", "idmap"][..], &["rbind", "ridmap"], &["bind"], &["bind,idmap,nosuid"]] {
        let lab = lab();
        let from = source(&lab);
        let script = format!("{OWNERS}; touch /m/new");
        let seen = lab.sh(&script, |spec| {
            mount(spec, from.to_str().unwrap(), options, given());
            edit::user(spec, 5007, 7008, &[]);
        });
        assert_eq!(seen, "5000:7000\n6000:8001", "{options:?}");
        let new = fs::metadata(from.join("new")).unwrap();
        assert_eq!((new.uid(), new.gid()), (7, 8), "written with the ids of the host's filesystem");
    }
}

#[test]
fn owners_are_mapped_as_the_container_is() {
    for options in [&["bind", "idmap"][..], &["rbind", "ridmap"]] {
        let lab = lab();
        let from = source(&lab);
        let script = format!("{OWNERS}; touch /m/new && stat -c %u:%g /m/new");
        lab.write(&["sh", "-c", &script], |spec| {
            edit::user_namespace(spec);
            mount(spec, from.to_str().unwrap(), options, None);
        });
        edit::give_away(&lab.rootfs());
        assert_eq!(lab.run().success(), "0:0\n1000:1001\n0:0", "{options:?}");
        let new = fs::metadata(from.join("new")).unwrap();
        assert_eq!((new.uid(), new.gid()), (0, 0), "{options:?}");
    }
}

/// With a user namespace and mappings of the mount's own: both are applied, one after the other.
#[test]
fn the_mounts_own_mappings_come_before_those_of_the_container() {
    let lab = lab();
    let from = source(&lab);
    lab.write(&["sh", "-c", OWNERS], |spec| {
        edit::user_namespace(spec);
        let mapping = range(0, edit::FIRST_ID + 10, 10_000);
        mount(spec, from.to_str().unwrap(), &["bind"], Some([mapping.clone(), mapping]));
    });
    edit::give_away(&lab.rootfs());
    assert_eq!(lab.run().success(), "10:10\n1010:1011");
}

#[test]
fn the_mappings_of_a_user_namespace_that_is_joined() {
    let lab = lab();
    let from = source(&lab);
    lab.write(&["sleep", "1000"], edit::user_namespace);
    edit::give_away(&lab.rootfs());
    let owner = lab.launch("owner");
    let path = format!("/proc/{}/ns/user", lab.pid(&owner));
    lab.write(&["sh", "-c", OWNERS], |spec| {
        edit::namespace(spec, "user", Some(&path));
        mount(spec, from.to_str().unwrap(), &["bind", "idmap"], None);
    });
    assert_eq!(lab.run().success(), "0:0\n1000:1001");
}

#[test]
fn mounts_below_are_mapped_with_ridmap_only() {
    for (option, below) in [("idmap", "0"), ("ridmap", "5000")] {
        let lab = lab();
        let from = source(&lab).to_str().unwrap().to_owned();
        lab.write(&["stat", "-c", "%u", "/m/root", "/m/below"], |spec| {
            mount(spec, &from, &["rbind", option], Some([range(0, 5000, 2000), range(0, 5000, 2000)]));
        });
        let setup = format!("mount -t tmpfs tmpfs '{from}/below'");
        let seen = lab.end(&mut lab.behind(&setup, &lab.command(&["run", &lab.id("run")]))).success();
        assert_eq!(seen, format!("5000\n{below}"), "{option}");
    }
}

/// Two mounts with one mapping, and one with another; nobody of those who made the namespaces is left.
#[test]
fn several_mounts() {
    let lab = lab();
    let from = source(&lab);
    let seen = lab.sh("stat -c %u /m/root /n/root /o/root; stat -c %u /plain/root", |spec| {
        for (place, first) in [("/m", 10), ("/n", 10), ("/o", 20)] {
            mount(spec, from.to_str().unwrap(), &["bind"], Some([range(0, first, 5), range(0, first, 5)]));
            spec["mounts"].as_array_mut().unwrap().last_mut().unwrap()["destination"] = json!(place);
        }
        edit::mount(spec, "/plain", "bind", from.to_str().unwrap(), &["bind"]);
    });
    assert_eq!(seen, "10\n10\n20\n0");
    // What is not mapped is nobody's.
    let seen = lab.sh("stat -c %u:%g /m/user", |spec| {
        mount(spec, from.to_str().unwrap(), &["bind"], Some([range(0, 10, 5), range(0, 10, 5)]));
    });
    assert_eq!(seen, "65534:65534");
}

#[test]
fn a_filesystem_that_cannot_is_named() {
    let lab = lab();
    let error = lab
        .write(&["true"], |spec| {
            mount(spec, "/sys/kernel", &["bind"], Some([range(0, 5000, 10), range(0, 5000, 10)]));
        })
        .run()
        .failure();
    assert!(error.contains("/mounts/7/uidMappings: cannot ID-map /sys/kernel"), "{error}");
    assert!(error.contains("the filesystem sysfs does not support it"), "{error}");
    lab.assert_clean();
}
