// SPDX-License-Identifier: Apache-2.0
//! Where cgroups may be: odd paths, places that are taken or forbidden, hosts that mount their hierarchies in unusual
//! ways, and callers that are in a part of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::common::{Beside, Lab, skip};
use crate::{edit, lab};

/// The mounted version 1 hierarchies and the unified one.
fn mounts() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let is_cgroup = |line: &&str| line.contains(" - cgroup ") || line.contains(" - cgroup2 ");
    text.lines().filter(is_cgroup).map(|line| fields(line)[4].clone().into()).collect()
}

/// A hierarchy where a container's first process is seen.
fn one_hierarchy() -> PathBuf {
    let all = mounts();
    all.iter().find(|path| path.ends_with("pids")).or_else(|| all.first()).unwrap().clone()
}

fn with_path(lab: &Lab, path: &str) {
    lab.write(&["true"], |spec| spec["linux"]["cgroupsPath"] = json!(path));
}

#[test]
fn odd_spellings_are_one_place() {
    for path in ["//TOP//a/./CONTAINER/", "/TOP/a/CONTAINER/.", "/./TOP/a//CONTAINER", "/TOP/a\u{7f} b:c,=/CONTAINER"] {
        let lab = lab();
        let wish = path.replace("TOP", &lab.id("top")).replace("CONTAINER", &lab.id("odd"));
        lab.write(&["sleep", "1000"], |spec| spec["linux"]["cgroupsPath"] = json!(wish));
        let id = lab.create("odd");
        let middle = if path.contains('b') { "a\u{7f} b:c,=" } else { "a" };
        for mount in mounts() {
            let place = mount.join(lab.id("top")).join(middle).join(lab.id("odd"));
            let text = fs::read_to_string(place.join("cgroup.procs")).unwrap();
            assert_eq!(text.trim(), lab.pid(&id).to_string(), "{}", place.display());
        }
        lab.brig(&["delete", "--force", &id]).success();
        lab.assert_clean();
    }
}

#[test]
fn paths_that_are_no_place() {
    let long = format!("/{}", "n".repeat(256));
    for (path, why) in [
        ("../CONTAINER", ".."),
        ("/a/../../CONTAINER", ".."),
        ("a/..", ".."),
        ("/", "names no cgroup"),
        ("/./", "names no cgroup"),
        (".", "names no cgroup"),
        (&long, "255"),
        ("/a\nb", "newline"),
    ] {
        let lab = lab();
        with_path(&lab, &path.replace("CONTAINER", &lab.id("nowhere")));
        let text = lab.run().failure();
        assert!(text.contains("/linux/cgroupsPath: ") && text.contains(why), "{path}: {text}");
        lab.assert_clean();
    }
}

/// Nobody's processes are limited, frozen or killed but the container's.
#[test]
fn a_place_where_others_live() {
    let lab = lab();
    let other = Beside::start(Command::new("sleep").arg("1000"));
    let place = one_hierarchy().join(lab.id("taken"));
    fs::create_dir(&place).unwrap();
    fs::write(place.join("cgroup.procs"), other.pid().to_string()).unwrap();
    for below in ["", "/below"] {
        // Where they live, or above.
        if !below.is_empty() {
            fs::create_dir(place.join("below")).unwrap();
            fs::write(place.join("below/cgroup.procs"), other.pid().to_string()).unwrap();
        }
        with_path(&lab, &format!("/{}", lab.id("taken")));
        let text = lab.run().failure();
        assert!(text.contains("/linux/cgroupsPath: ") && text.contains("has processes"), "{text}");
        assert!(Path::new(&format!("/proc/{}", other.pid())).exists());
    }
    drop(other);
    for left in [place.join("below"), place] {
        crate::common::until("the cgroup can be removed", || fs::remove_dir(&left).is_ok());
    }
    lab.assert_clean();
}

/// One that is there and empty is used, and stays.
#[test]
fn a_place_that_was_delegated() {
    let lab = lab();
    let parents: Vec<_> = mounts().iter().map(|mount| mount.join(lab.id("delegated"))).collect();
    for parent in &parents {
        fs::create_dir_all(parent.join("own")).unwrap();
    }
    for path in ["delegated/own", "delegated/own/deeper/still"] {
        with_path(&lab, &path.replace("delegated", &format!("/{}", lab.id("delegated"))));
        lab.run().success();
        for parent in &parents {
            assert!(parent.join("own").is_dir() && !parent.join("own/deeper").exists());
        }
    }
    for parent in parents {
        fs::remove_dir(parent.join("own")).unwrap();
        fs::remove_dir(parent).unwrap();
    }
    lab.assert_clean();
}

#[test]
fn a_filesystem_that_is_read_only() {
    let lab = lab();
    with_path(&lab, &format!("/{}/deep", lab.id("readonly")));
    for mount in mounts() {
        let setup = format!("mount -o remount,bind,ro {}", mount.display());
        let done = lab.end(&mut lab.behind(&setup, &lab.command(&["run", &lab.id("readonly")])));
        let text = done.failure();
        let expected = format!("/linux/cgroupsPath: cannot create cgroup {}/", mount.display());
        assert!(text.contains(&expected) && text.contains("Read-only file system"), "{text}");
        lab.assert_clean();
    }
}

/// The same hierarchy at a second place, and the first one hidden or in part.
#[test]
fn hierarchies_that_are_mounted_twice() {
    if !Path::new("/sys/fs/cgroup/pids/tasks").exists() {
        return skip("no version 1 hierarchy \"pids\"");
    }
    for setup in [
        "mkdir $lab/again; mount -t cgroup -o pids none $lab/again",
        "mkdir $lab/again; mount -t cgroup -o pids none $lab/again; mount -t tmpfs none /sys/fs/cgroup/pids",
        "mkdir $lab/again; mount --bind /sys/fs/cgroup/pids $lab/again; umount /sys/fs/cgroup/pids",
        "mkdir /sys/fs/cgroup/pids/$id-part; mkdir $lab/again; mount --bind /sys/fs/cgroup/pids/$id-part $lab/again; \
         rmdir /sys/fs/cgroup/pids/$id-part",
        "mkdir $lab/name; mount -t cgroup -o none,name=systemd none $lab/name",
    ] {
        let lab = lab();
        lab.write(&["cat", "/proc/self/cgroup"], |spec| {
            edit::remove_namespace(spec, "cgroup");
            spec["linux"]["resources"]["pids"] = json!({ "limit": 20 });
            spec["mounts"].as_array_mut().unwrap().retain(|mount| mount["type"] != "cgroup");
        });
        let id = lab.id("twice");
        let setup = format!("lab={}; id={id}; {setup}", lab.path.display());
        let out = lab.end(&mut lab.behind(&setup, &lab.command(&["run", &id]))).success();
        assert!(out.lines().any(|line| line.contains(":pids:") && line.ends_with(&id)), "{setup}: {out}");
        lab.assert_clean();
    }
}

/// A caller in a cgroup namespace, as in a container: it sees a part, and containers are in that part.
#[test]
fn a_caller_that_sees_a_part() {
    let lab = lab();
    lab.write(&["cat", "/proc/self/cgroup"], |spec| edit::remove_namespace(spec, "cgroup"));
    let (id, outer) = (lab.id("inner"), lab.id("outer"));
    let all: Vec<_> = mounts().iter().map(|mount| mount.display().to_string()).collect();
    let enter = all.iter().map(|mount| {
        let cpuset = format!("{mount}/{outer}/cpuset");
        format!(
            "mkdir {mount}/{outer}; if [ -e {mount}/tasks ] && [ -e {cpuset}.cpus ]; then \
             cat {mount}/cpuset.cpus > {cpuset}.cpus; cat {mount}/cpuset.mems > {cpuset}.mems; fi; \
             mkdir {mount}/{outer}/caller; if [ -e {mount}/tasks ] && [ -e {cpuset}.cpus ]; then \
             cat {mount}/cpuset.cpus > {mount}/{outer}/caller/cpuset.cpus; \
             cat {mount}/cpuset.mems > {mount}/{outer}/caller/cpuset.mems; fi; echo 0 > {mount}/{outer}/cgroup.procs;"
        )
    });
    let show = all.iter().map(|mount| format!("mount --bind {mount}/{outer} {mount};"));
    let down = all.iter().map(|mount| format!("echo 0 > {mount}/caller/cgroup.procs;"));
    let setup = format!(
        "{} exec unshare --cgroup sh -ec '{} {} exec \"$@\"' sh \"$@\";",
        enter.collect::<String>(),
        show.collect::<String>(),
        down.collect::<String>()
    );
    let done = lab.end(&mut lab.behind(&setup, &lab.command(&["run", &id])));
    for mount in &all {
        for left in [format!("{outer}/caller"), outer.clone()] {
            let _ = fs::remove_dir(Path::new(mount).join(left));
        }
    }
    let out = done.success();
    // Beside the caller in the unified hierarchy, below it in those of version 1; seen from the namespace's root.
    for line in out.lines() {
        let place = line.splitn(3, ':').nth(2).unwrap();
        let expected = if line.starts_with("0::") { format!("/{id}") } else { format!("/caller/{id}") };
        assert_eq!(place, expected, "{out}");
    }
    lab.assert_clean();
}
