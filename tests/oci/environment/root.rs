// SPDX-License-Identifier: Apache-2.0
//! The root filesystem: where it is, how it becomes "/", and what of it is hidden or fixed.

use std::fs;

use serde_json::{Value, json};

use super::{at, mountinfo};
use crate::{edit, lab};

#[test]
fn it_is_read_only_if_asked_for() {
    for (readonly, text) in [(true, "Read-only file system"), (false, "written")] {
        let lab = lab();
        let seen = lab.sh("touch /x 2>&1 && echo written; true", |spec| spec["root"]["readonly"] = json!(readonly));
        assert!(seen.contains(text), "readonly {readonly}: {seen}");
        assert_eq!(lab.rootfs().join("x").exists(), !readonly);
    }
}

#[test]
fn its_path_may_be_relative_or_absolute() {
    let lab = lab();
    let absolute = lab.rootfs();
    for path in ["rootfs", "./rootfs", "../bundle/rootfs/", absolute.to_str().unwrap()] {
        let seen = lab.sh("ls -d /bin/busybox /../bin/busybox", |spec| spec["root"]["path"] = json!(path));
        assert_eq!(seen.lines().count(), 2, "{path}");
    }
}

#[test]
fn the_bundle_may_be_anywhere() {
    let lab = lab();
    lab.write(&["pwd"], edit::nothing);
    std::os::unix::fs::symlink("bundle", lab.path.join("link")).unwrap();
    for bundle in [lab.bundle().to_str().unwrap(), ".", "../link", "../link/../bundle"] {
        assert_eq!(lab.brig(&["run", "--bundle", bundle, &lab.id("run")]).success(), "/");
    }
}

#[test]
fn without_pivot_root_it_works_too() {
    let lab = lab();
    lab.write(&["sh", "-c", "ls /; cat /proc/self/mountinfo; cd ..; pwd"], edit::nothing);
    let seen = lab.brig(&["run", "--no-pivot", &lab.id("run")]).success();
    assert!(seen.starts_with("bin\n") && seen.ends_with("\n/"), "{seen}");
    // chroot(2) leaves the host's mounts under it, but none can be seen.
    assert!(at(&mountinfo(&seen), "/").root.ends_with("/bundle/rootfs"));
}

#[test]
fn nothing_of_the_host_is_left_in_it() {
    let seen = lab().sh("cat /proc/self/mountinfo", edit::nothing);
    for mount in mountinfo(&seen) {
        let expected = ["/", "/proc", "/dev", "/sys"]
            .iter()
            .any(|place| mount.point == *place || mount.point.starts_with(&format!("{place}/")) && *place != "/");
        assert!(expected, "{} is mounted", mount.point);
    }
}

#[test]
fn its_propagation_is_as_the_spec_says() {
    type Holds = fn(&str) -> bool;
    let table: [(Option<&str>, Holds); 9] = [
        (None, |fields| !fields.contains("shared")),
        (Some("private"), str::is_empty),
        (Some("rprivate"), str::is_empty),
        (Some("slave"), |fields| !fields.contains("shared")),
        (Some("rslave"), |fields| !fields.contains("shared")),
        (Some("shared"), |fields| fields.starts_with("shared:")),
        (Some("rshared"), |fields| fields.starts_with("shared:")),
        (Some("unbindable"), |fields| fields == "unbindable"),
        (Some("runbindable"), |fields| fields == "unbindable"),
    ];
    for (value, holds) in table {
        let lab = lab();
        lab.write(&["cat", "/proc/self/mountinfo"], |spec| {
            if let Some(value) = value {
                spec["linux"]["rootfsPropagation"] = json!(value);
            }
        });
        // The machine's own mounts may all be private; here they are shared, as systemd makes them.
        let command = lab.command(&["run", &lab.id("run")]);
        let setup = "mount --make-rshared /; mount -t tmpfs tmpfs /mnt; \
            before=$(cat /proc/self/mountinfo); \"$@\"; [ \"$before\" = \"$(cat /proc/self/mountinfo)\" ]; set true";
        let seen = lab.end(&mut lab.behind(setup, &command)).success();
        let mounts = mountinfo(&seen);
        let root = at(&mounts, "/");
        assert!(holds(&root.propagation), "{value:?}: {:?}", root.propagation);
        let below = &at(&mounts, "/proc").propagation;
        if value.is_some_and(|value| value.starts_with('r')) {
            assert!(holds(below), "{value:?} of /proc: {below:?}");
        }
    }
}

/// What a container with a shared root mounts does not appear on the host.
#[test]
fn a_shared_root_is_not_shared_with_the_host() {
    let lab = lab();
    lab.write(&["sh", "-c", "mount -t tmpfs canary /tmp && sleep 1000"], |spec| {
        spec["linux"]["rootfsPropagation"] = json!("rshared");
        for set in ["bounding", "effective", "permitted"] {
            spec["process"]["capabilities"][set] = json!(["CAP_SYS_ADMIN"]);
        }
    });
    let id = lab.launch("shared");
    let mounts = format!("/proc/{}/mountinfo", lab.pid(&id));
    crate::common::until("the container has mounted", || fs::read_to_string(&mounts).unwrap().contains("canary"));
    assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains("canary"));
}

#[test]
fn masked_paths_hide_what_is_there() {
    let lab = lab();
    let hide = |spec: &mut Value| {
        spec["linux"]["maskedPaths"] =
            json!(["/secret", "/tmp/key", "/link", "/proc/version", "/sys/firmware", "/not/there"]);
    };
    lab.write(&["true"], hide);
    fs::create_dir(lab.rootfs().join("secret")).unwrap();
    fs::write(lab.rootfs().join("secret/inside"), "x").unwrap();
    fs::write(lab.rootfs().join("tmp/key"), "x").unwrap();
    std::os::unix::fs::symlink("/etc", lab.rootfs().join("link")).unwrap();
    let script = "ls -A /secret /sys/firmware | grep -v :; cat /tmp/key /proc/version; stat -c '%F %t:%T' /tmp/key /proc/version; \
        touch /secret/x 2>&1; ls -A /etc; ls -d /not 2>&1";
    let seen = lab.write(&["sh", "-c", script], hide).run().out();
    let lines: Vec<_> = seen.lines().filter(|line| !line.is_empty()).collect();
    let expected = [
        "character special file 1:3",
        "character special file 1:3",
        "touch: /secret/x: Read-only file system",
        "ls: /not: No such file or directory",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn read_only_paths_cannot_be_changed() {
    let lab = lab();
    let script = "for p in /fixed/x /fixed/below/x /free/x; do touch $p 2>/dev/null && echo $p; done; \
        echo x 2>/dev/null > /proc/sys/kernel/domainname && echo changed; echo h 2>/dev/null > /proc/sysrq-trigger && echo pressed; true";
    lab.write(&["sh", "-c", script], |spec| {
        edit::writable(spec);
        edit::mount(spec, "/fixed/below", "tmpfs", "tmpfs", &[]);
        edit::mount(spec, "/free", "tmpfs", "tmpfs", &[]);
        spec["linux"]["readonlyPaths"].as_array_mut().unwrap().extend([json!("/fixed"), json!("/not/there")]);
    });
    assert_eq!(lab.run().success(), "/free/x");
}

#[test]
fn the_working_directory_is_made_and_entered() {
    let lab = lab();
    for cwd in ["/", "/tmp", "/new/directory", "/var/../etc"] {
        let seen = lab.sh("pwd; ls -ld . | cut -c1-10", |spec| spec["process"]["cwd"] = json!(cwd));
        let resolved = if cwd == "/var/../etc" { "/etc" } else { cwd };
        assert_eq!(seen, format!("{resolved}\ndrwxr-xr-x"), "{cwd}");
    }
}

/// One that the program's user may not enter is an error, unless root makes it.
#[test]
fn a_working_directory_of_others() {
    let lab = lab();
    lab.write(&["pwd"], |spec| {
        edit::user(spec, 1000, 1000, &[]);
        spec["process"]["cwd"] = json!("/home/user");
    });
    fs::create_dir_all(lab.rootfs().join("home/user")).unwrap();
    fs::set_permissions(lab.rootfs().join("home/user"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(lab.rootfs().join("home/user"), Some(1000), Some(1000)).unwrap();
    assert_eq!(lab.run().success(), "/home/user");
}
