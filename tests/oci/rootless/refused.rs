// SPDX-License-Identifier: Apache-2.0
//! What a user cannot have is said, with what is missing and where; and nothing is left.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::sync::PoisonError;

use serde_json::json;

use super::{ALLOWED, Home, IDS, Means, words};
use crate::common::skip;
use crate::{edit, lab};

#[track_caller]
fn assert_refused(home: &Home, texts: &[&str]) {
    let error = home.run().failure();
    for text in texts {
        assert!(error.contains(text), "{text:?} is not in {error}");
    }
    assert!(!home.path.join("run/brig").exists());
    home.assert_clean();
    home.assert_nobody();
}

#[test]
fn ids_that_the_user_was_not_given() {
    let home = Home::new(&Means { ids: true, ..Means::default() });
    let other = json!([
        { "containerID": 0, "hostID": home.uid, "size": 1 },
        { "containerID": 1, "hostID": home.first - 1, "size": 10 },
    ]);
    for list in ["uidMappings", "gidMappings"] {
        home.write(&["true"], |spec| {
            home.map(spec);
            spec["linux"][list] = other.clone();
        });
        let helper =
            if list == "uidMappings" { "newuidmap: uid range [1-11) ->" } else { "newgidmap: gid range [1-11) ->" };
        assert_refused(&home, &[&format!("/linux/{list}: "), helper, "not allowed"]);
    }
    // More than there are.
    home.write(&["true"], |spec| {
        home.map(spec);
        spec["linux"]["uidMappings"][1]["size"] = json!(IDS + 1);
    });
    assert_refused(&home, &["/linux/uidMappings: newuidmap: uid range", "not allowed"]);
}

#[test]
fn a_user_without_an_entry() {
    let home = Home::new(&Means { ids: true, ..Means::default() });
    for file in ["subuid", "subgid"] {
        fs::write(home.path.join("etc").join(file), "").unwrap();
    }
    home.write(&["true"], |spec| home.map(spec));
    assert_refused(&home, &["/linux/gidMappings: newgidmap: gid range", "not allowed"]);
}

#[test]
fn ranges_that_overlap_or_do_not_fit() {
    let home = Home::new(&Means { ids: true, ..Means::default() });
    for (second, text) in [
        (
            json!({ "containerID": 0, "hostID": home.first, "size": 10 }),
            "/linux/uidMappings/1/containerID: this range overlaps",
        ),
        (
            json!({ "containerID": 1, "hostID": home.uid, "size": 10 }),
            "/linux/uidMappings/1/hostID: this range overlaps",
        ),
        (
            json!({ "containerID": 1, "hostID": home.first, "size": u32::MAX }),
            "/linux/uidMappings/1/size: 4294967295 ids",
        ),
    ] {
        home.write(&["true"], |spec| {
            home.map(spec);
            spec["linux"]["uidMappings"][1] = second;
        });
        assert_refused(&home, &[text]);
    }
    home.write(&["true"], |spec| {
        spec["linux"]["uidMappings"][0]["containerID"] = json!(1000);
        edit::user(spec, 1000, 0, &[]);
    });
    assert_refused(&home, &["/linux/uidMappings: does not map 0"]);
}

#[test]
fn helpers_that_are_absent_or_fail() {
    let home = Home::new(&Means { ids: true, ..Means::default() });
    let bin = home.path.join("bin");
    fs::create_dir(&bin).unwrap();
    let run = |path: &Path| {
        let mut command = words(&home.command(&["run", &home.id("run")]));
        let place = command.iter().position(|word| word.starts_with("XDG_RUNTIME_DIR=")).unwrap();
        command.insert(place, format!("PATH={}", path.display()));
        home.end(&mut super::command(&command, &home)).failure()
    };
    home.write(&["true"], |spec| home.map(spec));
    let error = run(&bin);
    assert!(error.contains("/linux/gidMappings: only newgidmap may map these ids for an ordinary user"), "{error}");
    assert!(error.contains("not in PATH"), "{error}");
    home.assert_clean();

    for (script, text) in [
        ("echo newgidmap: the moon is full >&2; exit 3", "/linux/gidMappings: newgidmap: the moon is full"),
        ("echo no luck; exit 3", "/linux/gidMappings: newgidmap failed with exit status 3: no luck"),
        ("exit 3", "/linux/gidMappings: newgidmap failed with exit status 3"),
        ("kill -9 $$", "/linux/gidMappings: newgidmap was killed by signal 9"),
        // It says that it did, and did not.
        ("exit 0", "cannot set the group id"),
    ] {
        for helper in ["newgidmap", "newuidmap"] {
            let file = bin.join(helper);
            fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let error = run(&bin);
        assert!(error.contains(text), "{script}: {error}");
        home.assert_clean();
        home.assert_nobody();
    }
}

/// In a user namespace of its own, where the limit counts for nobody else.
#[test]
fn user_namespaces_that_are_used_up() {
    let home = Home::new(&Means::default());
    home.write(&["true"], |spec| {
        for list in ["uidMappings", "gidMappings"] {
            spec["linux"][list] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        }
    });
    let mut command = words(&home.command(&["run", &home.id("run")]));
    let place = command.iter().position(|word| word == env!("CARGO_BIN_EXE_brig")).unwrap();
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let limited = ["/usr/bin/unshare", "--user", "--map-root-user", "/bin/sh", "-c", script, "sh"].map(str::to_owned);
    command.splice(place..place, limited);
    let error = home.end(&mut super::command(&command, &home)).failure();
    assert!(error.contains("/linux/namespaces: fork: cannot start a process: No space left on device"), "{error}");
    assert!(error.contains("the sysctl user.max_user_namespaces is 0"), "{error}");
    home.assert_clean();
    home.assert_nobody();
}

/// Debian's switch. It is the machine's, so that this is for a guest that has it.
#[test]
fn user_namespaces_that_are_forbidden_to_users() {
    const SWITCH: &str = "/proc/sys/kernel/unprivileged_userns_clone";
    if !Path::new(SWITCH).exists() || !Path::new("/job").exists() {
        return skip("this is no guest whose kernel has the sysctl kernel.unprivileged_userns_clone");
    }
    let mut home = Home::new(&Means::default());
    home.write(&["true"], edit::nothing);
    drop(home.allowed.take());
    let alone = ALLOWED.write().unwrap_or_else(PoisonError::into_inner);
    fs::write(SWITCH, "0").unwrap();
    let done = home.run();
    fs::write(SWITCH, "1").unwrap();
    drop(alone);
    let error = done.failure();
    assert!(error.contains("Operation not permitted"), "{error}");
    assert!(error.contains("the sysctl kernel.unprivileged_userns_clone is 0"), "{error}");
    home.assert_clean();
    home.assert_nobody();
}

#[test]
fn a_configuration_for_root() {
    let home = Home::new(&Means::default());
    home.write(&["true"], |spec| {
        edit::remove_namespace(spec, "user");
        spec["linux"].as_object_mut().unwrap().remove("uidMappings");
        spec["linux"].as_object_mut().unwrap().remove("gidMappings");
    });
    assert_refused(&home, &["/linux/namespaces: an ordinary user's container needs a user namespace"]);
}

#[test]
fn a_root_filesystem_that_the_user_cannot_enter() {
    let home = Home::new(&Means::default());
    home.write(&["true"], edit::nothing);
    chown(home.rootfs(), Some(0), Some(0)).unwrap();
    fs::set_permissions(home.rootfs(), PermissionsExt::from_mode(0o700)).unwrap();
    let closed = format!("cannot enter the root filesystem {}", home.rootfs().display());
    assert_refused(&home, &["/root/path: ", &closed, "belongs to 0:0 and has mode 0700"]);

    // Nor can whoever it is mapped to.
    let lab = lab();
    lab.write(&["true"], edit::user_namespace);
    fs::set_permissions(lab.rootfs(), PermissionsExt::from_mode(0o700)).unwrap();
    let error = lab.run().failure();
    assert!(error.contains("/root/path: root of the user namespace cannot enter the root filesystem"), "{error}");
    lab.assert_clean();

    // A directory on the way.
    let home = Home::new(&Means::default());
    let hidden = home.path.join("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::set_permissions(&hidden, PermissionsExt::from_mode(0o700)).unwrap();
    home.write(&["true"], |spec| spec["root"]["path"] = json!(hidden.join("rootfs")));
    chown(&hidden, Some(0), Some(0)).unwrap();
    assert_refused(&home, &["/root/path: ", "Permission denied"]);
}

/// Without a directory for its state, or with somebody else's.
#[test]
fn runtime_directories() {
    let home = Home::new(&Means::default());
    home.write(&["true"], edit::nothing);
    let file = home.path.join("file");
    fs::write(&file, "").unwrap();
    let own = home.uid;
    for (directory, text) in [
        (None, "root: not given, and XDG_RUNTIME_DIR is not set".to_owned()),
        (Some("run"), "root: not given, and XDG_RUNTIME_DIR is \"run\", which is no absolute path".to_owned()),
        (Some("/run"), format!("root: not given, and XDG_RUNTIME_DIR is /run, which belongs to user 0, not to {own}")),
        (Some("/nosuch"), "root: not given, and XDG_RUNTIME_DIR is /nosuch: No such file or directory".to_owned()),
        (file.to_str(), format!("root: not given, and XDG_RUNTIME_DIR is {}, which is no directory", file.display())),
    ] {
        let mut command = words(&home.bare_command(&["run", &home.id("run")]));
        let place = command.iter().position(|word| word.starts_with("XDG_RUNTIME_DIR=")).unwrap();
        match directory {
            Some(directory) => command[place] = format!("XDG_RUNTIME_DIR={directory}"),
            None => command.splice(place..=place, ["-u", "XDG_RUNTIME_DIR"].map(str::to_owned)).for_each(drop),
        }
        let error = home.end(&mut super::command(&command, &home)).failure();
        let error = error.replace("\\\"", "\"");
        assert!(error.contains(&text), "{error} is not {text}");
        home.assert_clean();
    }
}
