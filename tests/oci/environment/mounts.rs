// SPDX-License-Identifier: Apache-2.0
//! The mounts of the spec: their options, their places, and what of the host is in them.

use std::fs;

use serde_json::json;

use super::{at, mountinfo};
use crate::common::Lab;
use crate::{edit, lab};

/// A directory of the host with something in it.
fn source(lab: &Lab) -> String {
    let source = lab.path.join("source");
    fs::create_dir_all(source.join("below")).unwrap();
    fs::write(source.join("file"), "content").unwrap();
    source.to_str().unwrap().to_owned()
}

#[test]
fn options_become_flags_of_the_mount() {
    // Options, what mountinfo has among the mount's own, and what it has not.
    let table: &[(&[&str], &[&str], &[&str])] = &[
        (&[], &["rw", "relatime"], &["nosuid"]),
        (&["ro"], &["ro"], &["rw"]),
        (&["rw", "nosuid", "noexec", "nodev"], &["rw", "nosuid", "noexec", "nodev"], &["ro"]),
        (&["nosuid", "suid", "nodev", "dev", "noexec", "exec", "ro", "rw"], &["rw"], &["nosuid", "nodev", "noexec"]),
        (&["noatime", "nodiratime"], &["noatime", "nodiratime"], &["relatime"]),
        (&["strictatime"], &[], &["relatime", "noatime"]),
        (&["nosymfollow"], &["nosymfollow"], &[]),
        (&["rro", "rnosuid", "rnodev", "rnoexec"], &["ro", "nosuid", "nodev", "noexec"], &["rw"]),
        (&["defaults"], &["rw", "relatime"], &[]),
    ];
    for (options, has, lacks) in table {
        for kind in ["tmpfs", "bind"] {
            let lab = lab();
            let from = source(&lab);
            let seen = lab.sh("cat /proc/self/mountinfo", |spec| match kind {
                "bind" => edit::mount(spec, "/m", "none", &from, &[&["bind"], *options].concat()),
                _ => edit::mount(spec, "/m", kind, kind, options),
            });
            let mounts = mountinfo(&seen);
            let found: Vec<_> = at(&mounts, "/m").options.split(',').collect();
            assert!(has.iter().all(|option| found.contains(option)), "{kind} with {options:?}: {found:?}");
            assert!(!lacks.iter().any(|option| found.contains(option)), "{kind} with {options:?}: {found:?}");
        }
    }
}

#[test]
fn other_options_are_the_filesystems() {
    let seen = lab().sh("cat /proc/self/mountinfo; stat -c '%a %u' /m", |spec| {
        edit::mount(spec, "/m", "tmpfs", "mine", &["mode=1750", "size=64k,nr_inodes=100", "uid=7", "sync"]);
    });
    let mounts = mountinfo(&seen);
    let superblock = &at(&mounts, "/m").superblock;
    for option in ["size=64k", "nr_inodes=100", "mode=1750", "uid=7", "sync"] {
        assert!(superblock.split(',').any(|found| found == option), "{option} is not in {superblock}");
    }
    assert!(seen.ends_with("\n1750 7"), "{seen}");
}

#[test]
fn each_kind_of_filesystem() {
    for kind in ["tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "ramfs"] {
        let place = if kind == "cgroup" { "/m/pids" } else { "/m" };
        let seen = lab().sh("cat /proc/self/mountinfo", |spec| edit::mount(spec, "/m", kind, kind, &[]));
        let mounts = mountinfo(&seen);
        if kind == "cgroup" && !seen.contains(" /m/pids ") {
            crate::common::skip("no version 1 hierarchy \"pids\": cgroup is mounted as one tree");
            continue;
        }
        assert_eq!(at(&mounts, place).fstype, kind);
    }
}

#[test]
fn an_overlay_is_mounted() {
    let lab = lab();
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| {
        let directory = lab.path.join(name);
        fs::create_dir(&directory).unwrap();
        directory.to_str().unwrap().to_owned()
    });
    fs::write(lab.path.join("lower/a"), "").unwrap();
    let seen = lab.sh("touch /m/b; ls /m", |spec| {
        let options = [format!("lowerdir={lower}"), format!("upperdir={upper}"), format!("workdir={work}")];
        edit::mount(spec, "/m", "overlay", "overlay", &options.each_ref().map(String::as_str));
    });
    assert_eq!(seen, "a\nb");
    assert!(lab.path.join("upper/b").exists() && !lab.path.join("lower/b").exists());
}

#[test]
fn files_and_directories_are_bound() {
    let lab = lab();
    let from = source(&lab);
    let file = format!("{from}/file");
    let script = "cat /new/dir/file /new/name /etc/passwd; echo >> /new/dir/file x; touch /ro/x /ro/below/x 2>/dev/null; stat -c %a /new/dir /new";
    let seen = lab.write(&["sh", "-c", script], |spec| {
        edit::mount(spec, "/new/dir", "bind", &from, &["bind"]);
        edit::mount(spec, "/new/name", "bind", &file, &["rbind"]);
        edit::mount(spec, "/etc/passwd", "", &file, &["rbind", "ro"]);
        edit::mount(spec, "/ro", "none", &from, &["rbind", "ro"]);
    });
    assert_eq!(seen.run().success(), "contentcontentcontent755\n755");
    assert_eq!(fs::read_to_string(&file).unwrap(), "contentx\n");
    assert!(!lab.path.join("source/x").exists() && !lab.path.join("source/below/x").exists());
    assert!(lab.rootfs().join("new/name").is_file(), "the missing target was made");
}

#[test]
fn a_relative_source_starts_at_the_bundle() {
    let lab = lab();
    source(&lab);
    let seen = lab.sh("cat /m/file", |spec| edit::mount(spec, "/m", "bind", "../source", &["bind"]));
    assert_eq!(seen, "content");
}

#[test]
fn bind_leaves_submounts_out_and_rbind_takes_them() {
    let table = [
        ("bind", "", "", "writable"),
        ("rbind", "", "inner", "writable"),
        ("rbind", "ro", "inner", "writable"),
        ("rbind", "rro", "inner", "fixed"),
    ];
    for (bind, option, inside, state) in table {
        let lab = lab();
        let from = source(&lab);
        let script = "ls /m/below; touch /m/below/x 2>/dev/null && echo writable || echo fixed";
        lab.write(&["sh", "-c", script], |spec| {
            let options: Vec<_> = [bind, option].into_iter().filter(|option| !option.is_empty()).collect();
            edit::mount(spec, "/m", "bind", &from, &options);
        });
        let setup = format!("mount -t tmpfs tmpfs '{from}/below'; touch '{from}/below/inner'");
        let seen = lab.end(&mut lab.behind(&setup, &lab.command(&["run", &lab.id("run")]))).success();
        let expected = if inside.is_empty() { state.into() } else { format!("{inside}\n{state}") };
        assert_eq!(seen, expected, "{bind},{option}");
    }
}

#[test]
fn propagation_is_as_the_options_say() {
    // Option, whether the source is shared, what mountinfo says of the mount and of the one below it.
    let table = [
        ("private", true, "", "master:"),
        ("rprivate", true, "", ""),
        ("slave", true, "master:", "master:"),
        ("rslave", true, "master:", "master:"),
        ("shared", true, "shared:", "master:"),
        ("rshared", true, "shared:", "shared:"),
        ("shared", false, "shared:", ""),
        ("unbindable", true, "unbindable", "master:"),
        ("runbindable", false, "unbindable", "unbindable"),
    ];
    for (option, shared, own, below) in table {
        let lab = lab();
        let from = source(&lab);
        lab.write(&["cat", "/proc/self/mountinfo"], |spec| edit::mount(spec, "/m", "bind", &from, &["rbind", option]));
        let kind = if shared { "rshared" } else { "rprivate" };
        let setup = format!(
            "mount --bind '{from}' '{from}'; mount -t tmpfs tmpfs '{from}/below'; mount --make-{kind} '{from}'"
        );
        let seen = lab.end(&mut lab.behind(&setup, &lab.command(&["run", &lab.id("run")]))).success();
        let mounts = mountinfo(&seen);
        for (place, expected) in [("/m", own), ("/m/below", below)] {
            let found = &at(&mounts, place).propagation;
            let holds = if expected.is_empty() { found.is_empty() } else { found.contains(expected) };
            assert!(holds, "{option} of a source that is {kind}: {place} is {found:?}, not {expected:?}");
        }
    }
}

#[test]
fn what_is_mounted_can_be_remounted() {
    let seen = lab().sh("cat /proc/self/mountinfo", |spec| {
        edit::mount(spec, "/m", "tmpfs", "tmpfs", &["nosuid"]);
        edit::mount(spec, "/m", "none", "", &["remount", "ro", "noexec"]);
        edit::mount(spec, "/proc", "none", "", &["remount", "nosuid", "noexec", "nodev"]);
    });
    let mounts = mountinfo(&seen);
    assert_eq!(at(&mounts, "/m").options, "ro,nosuid,noexec,relatime");
    assert!(at(&mounts, "/proc").options.contains("nosuid,nodev,noexec"));
}

#[test]
fn later_mounts_cover_earlier_ones() {
    let lab = lab();
    let from = source(&lab);
    let seen = lab.sh("ls /m /m/below; cat /m/below/file", |spec| {
        edit::mount(spec, "/m", "tmpfs", "tmpfs", &[]);
        edit::mount(spec, "/m", "bind", &from, &["bind", "ro"]);
        edit::mount(spec, "/m/below", "bind", &from, &["bind"]);
    });
    assert_eq!(seen, "/m:\nbelow\nfile\n\n/m/below:\nbelow\nfile\ncontent");
}

/// Absolute links of an image are links inside of it.
#[test]
fn links_in_the_image_are_followed_inside_of_it() {
    let lab = lab();
    let from = source(&lab);
    lab.write(&["sh", "-c", "cat /real/file /deep/made/file"], |spec| {
        edit::mount(spec, "/link", "bind", &from, &["bind"]);
        edit::mount(spec, "/dangling/made", "bind", &from, &["bind"]);
    });
    fs::create_dir(lab.rootfs().join("real")).unwrap();
    std::os::unix::fs::symlink("/real", lab.rootfs().join("link")).unwrap();
    std::os::unix::fs::symlink("../../deep", lab.rootfs().join("dangling")).unwrap();
    assert_eq!(lab.run().success(), "contentcontent");
}

#[test]
fn files_over_procfs_as_lxcfs_has_them() {
    let lab = lab();
    let from = format!("{}/file", source(&lab));
    let seen = lab.sh("cat /proc/uptime", |spec| edit::mount(spec, "/proc/uptime", "bind", &from, &["bind"]));
    assert_eq!(seen, "content");
    let error =
        lab.write(&["true"], |spec| edit::mount(spec, "/proc/self/attr", "bind", "/tmp", &["bind"])).run().failure();
    assert!(error.contains("/mounts/7"), "{error}");
}

#[test]
fn cgroups_start_at_the_containers_own() {
    let lab = lab();
    let seen = lab.sh(
        "cat /proc/self/cgroup; cd /sys/fs/cgroup; for f in cgroup.procs */cgroup.procs; do [ ! -e $f ] || head -n 1 $f; done",
        edit::nothing,
    );
    let (places, firsts): (Vec<_>, Vec<_>) = seen.lines().partition(|line| line.contains(':'));
    assert!(places.iter().all(|line| line.ends_with(":/")), "{places:?}");
    assert!(!firsts.is_empty() && firsts.iter().all(|pid| *pid == "1"), "{firsts:?}");
}

#[test]
fn without_a_cgroup_namespace_they_are_bound() {
    let lab = lab();
    let script = "cat /proc/self/mountinfo; cd /sys/fs/cgroup; cat cgroup.procs */cgroup.procs 2> /dev/null | sort -u | head -n 1";
    let seen = lab.sh(script, |spec| {
        edit::remove_namespace(spec, "cgroup");
    });
    let name = lab.id("run");
    let mounts = mountinfo(&seen);
    let cgroups: Vec<_> = mounts.iter().filter(|mount| mount.fstype.starts_with("cgroup")).collect();
    assert!(!cgroups.is_empty());
    for mount in cgroups {
        assert!(mount.root.ends_with(&format!("/{name}")), "{} shows {}", mount.point, mount.root);
        assert!(mount.options.starts_with("ro,"), "{} is {}", mount.point, mount.options);
    }
    assert!(seen.ends_with("\n1"), "{seen}");
}

#[test]
fn many_mounts_and_long_names() {
    let lab = lab();
    let from = source(&lab);
    let long = "n".repeat(255);
    let seen =
        lab.sh(&format!("ls /many | wc -l; cat /{long}/{long}/file; grep -c /many/ /proc/self/mountinfo"), |spec| {
            for index in 0..300 {
                edit::mount(spec, &format!("/many/{index}"), "bind", &from, &["bind", "ro", "nosuid"]);
            }
            edit::mount(spec, &format!("/{long}/{long}"), "bind", &from, &["bind"]);
            spec["annotations"] = json!({ "long": "x".repeat(100_000) });
        });
    assert_eq!(seen, "300\ncontent300");
}
