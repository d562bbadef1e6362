// SPDX-License-Identifier: Apache-2.0
//! Where a container's cgroups are.

use std::path::Path;

use super::super::*;
use super::{HYBRID, UNIFIED, host};

fn planned(texts: (&str, &str), wish: Option<&str>, controller: &str) -> String {
    let cgroup = Cgroup::plan(&host(texts), wish.map(Path::new), "c1", false).unwrap();
    let found = cgroup.paths().find(|(names, _)| names.split(',').any(|name| name == controller)).unwrap();
    found.1.display().to_string()
}

#[test]
fn absolute_is_from_the_root_of_the_mount() {
    assert_eq!(planned(HYBRID, Some("/a/./b//c"), "memory"), "/sys/fs/cgroup/memory/a/b/c");
    assert_eq!(planned(UNIFIED, Some("/a/b"), ""), "/sys/fs/cgroup/a/b");
}

#[test]
fn relative_is_below_our_own_or_beside_it() {
    assert_eq!(planned(HYBRID, Some("a/b"), "memory"), "/sys/fs/cgroup/memory/jobs/a:b c/a/b");
    assert_eq!(planned(HYBRID, Some("a/b"), "pids"), "/sys/fs/cgroup/pids/a/b");
    assert_eq!(planned(HYBRID, Some("a/b"), ""), "/sys/fs/cgroup/unified/jobs/a/b");
    assert_eq!(planned(UNIFIED, Some("a/b"), ""), "/sys/fs/cgroup/user.slice/a/b");
    let at_root = (UNIFIED.0, "0::/\n");
    assert_eq!(planned(at_root, Some("a/b"), ""), "/sys/fs/cgroup/a/b");
}

#[test]
fn absent_or_empty_is_the_id() {
    assert_eq!(planned(HYBRID, None, "cpu"), "/sys/fs/cgroup/cpu,cpuacct/c1");
    assert_eq!(planned(UNIFIED, Some(""), ""), "/sys/fs/cgroup/user.slice/c1");
}

#[test]
fn unsafe_paths_are_refused_with_a_pointer() {
    let long = "x".repeat(256);
    for wish in ["/a/../b", "..", "/", "./.", "/a\nb", long.as_str()] {
        let error = Cgroup::plan(&host(HYBRID), Some(Path::new(wish)), "c1", false).unwrap_err();
        assert_eq!((error.kind, error.pointer.as_deref()), (Kind::Config, Some("/linux/cgroupsPath")), "{wish}");
    }
    for id in ["", "..", "a/b", "/a"] {
        assert_eq!(Cgroup::plan(&host(HYBRID), None, id, false).unwrap_err().kind, Kind::Invalid, "{id}");
    }
}

#[test]
fn survives_its_record_on_disk() {
    let cgroup = Cgroup::plan(&host(HYBRID), Some(Path::new("/a")), "c1", false).unwrap();
    let text = serde_json::to_string(&cgroup).unwrap();
    assert_eq!(serde_json::from_str::<Cgroup>(&text).unwrap(), cgroup);
}

#[test]
fn tells_where_a_hierarchy_has_it() {
    let host = host(HYBRID);
    let cgroup = Cgroup::plan(&host, Some(Path::new("/a")), "c1", false).unwrap();
    for hierarchy in host.hierarchies() {
        assert_eq!(cgroup.directory_in(hierarchy), Some(hierarchy.mount_point.join("a")));
    }
    assert_eq!(cgroup.joined().count(), 8);
}
