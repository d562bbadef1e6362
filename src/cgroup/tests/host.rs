// SPDX-License-Identifier: Apache-2.0
//! Finding the hierarchies, by sample texts.

use std::path::Path;

use super::super::*;
use super::{HYBRID, UNIFIED, host};

fn found(host: &Host, controller: &str) -> (String, String) {
    let found = host.hierarchies().iter().find(|h| h.controllers.iter().any(|c| c == controller)).unwrap();
    (found.mount_point.display().to_string(), found.own.display().to_string())
}

#[test]
fn hybrid() {
    let host = host(HYBRID);
    assert_eq!(host.layout(), Layout::Hybrid);
    assert_eq!(host.hierarchies().len(), 9);
    assert_eq!(found(&host, "cpuacct"), found(&host, "cpu"));
    assert_eq!(found(&host, "memory"), ("/sys/fs/cgroup/memory".to_owned(), "jobs/a:b c".to_owned()));
    assert_eq!(found(&host, "name=systemd"), ("/sys/fs/cgroup/systemd".to_owned(), String::new()));
    let unified = host.hierarchies().last().unwrap();
    assert_eq!((unified.version, unified.own.as_path()), (Version::V2, Path::new("jobs/me")));
}

#[test]
fn unified_only() {
    let host = host(UNIFIED);
    assert_eq!(host.layout(), Layout::V2);
    assert_eq!(host.hierarchies()[0].own, Path::new("user.slice/session-1.scope"));
}

#[test]
fn version_1_only_and_none_at_all() {
    let (mounts, cgroups) = HYBRID;
    let v1 = Host::from_texts(mounts.split_once("41 31").unwrap().0, cgroups);
    assert_eq!((v1.layout(), v1.hierarchies().len()), (Layout::V1, 8));
    let none = Host::from_texts("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "0::/\n");
    assert_eq!((none.layout(), none.hierarchies().len()), (Layout::V1, 0));
}

/// A container without a cgroup namespace: its own cgroup is bound as the root of each mount.
#[test]
fn nested_container_sees_its_own_cgroup_as_the_root() {
    let host = Host::from_texts(
        "1 0 0:9 / / rw - overlay overlay rw
5 1 0:5 / /sys ro - sysfs sysfs ro
6 5 0:6 / /sys/fs/cgroup rw - tmpfs tmpfs rw
7 6 0:7 /docker/1234 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
8 6 0:8 /docker/1234 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids
",
        "8:pids:/docker/1234/inner\n4:memory:/docker/1234\n",
    );
    assert_eq!(found(&host, "memory").1, "");
    assert_eq!(found(&host, "pids").1, "inner");
}

/// In a new cgroup namespace, but with the mounts of the old one.
#[test]
fn mount_from_outside_the_cgroup_namespace() {
    let host = Host::from_texts(
        "1 0 0:9 / / rw - ext4 a rw\n7 1 0:7 /../.. /cg rw - cgroup cgroup rw,memory\n",
        "4:memory:/x\n",
    );
    assert_eq!(found(&host, "memory"), ("/cg".to_owned(), String::new()));
}

#[test]
fn of_two_mounts_the_one_that_shows_most_is_taken() {
    let host = Host::from_texts(
        "1 0 0:9 / / rw - ext4 a rw
7 1 0:7 /other /elsewhere rw - cgroup cgroup rw,memory
8 1 0:7 /mine /bound rw - cgroup cgroup rw,memory
9 1 0:7 / /whole\\040tree rw - cgroup cgroup rw,memory
",
        "4:memory:/mine\n",
    );
    assert_eq!(found(&host, "memory"), ("/whole tree".to_owned(), "mine".to_owned()));
}

#[test]
fn hidden_mounts_do_not_count() {
    // The unified hierarchy mounted over the tmpfs that holds version 1.
    let over = format!("{}60 31 0:38 / /sys/fs/cgroup rw - cgroup2 none rw\n", HYBRID.0);
    let over = Host::from_texts(&over, HYBRID.1);
    assert_eq!((over.layout(), over.hierarchies()[0].mount_point.as_path()), (Layout::V2, Path::new("/sys/fs/cgroup")));

    // A new /sys hides the old one with all that is on it; what is on the new one counts.
    let new_sys = format!(
        "{}61 23 0:50 / /sys rw - sysfs none rw\n\
         62 61 0:38 / /sys/fs/cgroup rw - cgroup2 none rw\n",
        HYBRID.0
    );
    assert_eq!(Host::from_texts(&new_sys, HYBRID.1).layout(), Layout::V2);
}

#[test]
fn rubbish_is_skipped() {
    let host = Host::from_texts("\n1 2\nx - y\n1 0 0:9 / / rw - ext4 a rw\n", "\n:\nabc\n4:memory\n");
    assert!(host.hierarchies().is_empty());
}

#[test]
fn real_host_is_readable() {
    for hierarchy in Host::detect().unwrap().hierarchies() {
        assert!(hierarchy.mount_point.join(&hierarchy.own).join("cgroup.procs").exists(), "{hierarchy:?}");
    }
}
