// SPDX-License-Identifier: Apache-2.0
//! `linux.resources`: each field is written by create and by update, and read back from the kernel's files; and an
//! update is all or nothing. What each version of cgroups makes of a field is in `table`.

mod effects;
mod rows;
mod table;
mod update;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::Lab;

/// The version of a cgroup hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Where the cgroup of `pid` for a controller is, by its version 1 name; `None` if this host has none. An empty name is
/// the unified hierarchy itself.
fn place(pid: i32, controller: &str) -> Option<(Version, PathBuf)> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let lines = text.lines().map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        (fields.next().unwrap(), fields.next().unwrap().trim_start_matches('/'))
    });
    for (list, path) in lines {
        if list.is_empty() {
            let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
            let Some(root) = roots.into_iter().find(|root| root.join("cgroup.controllers").exists()) else { continue };
            let name = if controller == "blkio" { "io" } else { controller };
            let has = fs::read_to_string(root.join("cgroup.controllers")).unwrap();
            if name.is_empty() || has.split_ascii_whitespace().any(|one| one == name) {
                return Some((Version::V2, root.join(path)));
            }
        } else if !controller.is_empty() && list.split(',').any(|one| one == controller) {
            let root = Path::new("/sys/fs/cgroup").join(list);
            // In some tests a view of the host has none of version 1.
            if root.join("tasks").exists() {
                return Some((Version::V1, root.join(path)));
            }
        }
    }
    None
}

/// Creates a container that waits at its start, with these resources; its id, or what was wrong.
fn created(lab: &Lab, resources: &Value) -> Result<String, String> {
    lab.write(&["sleep", "1000"], |spec| {
        for (key, value) in resources.as_object().unwrap() {
            spec["linux"]["resources"][key] = value.clone();
        }
    });
    let id = lab.id("limits");
    let done = lab.brig(&["create", &id]);
    if done.0.status.success() { Ok(id) } else { Err(done.failure()) }
}

/// Gives `brig update` some JSON to read.
fn update(lab: &Lab, id: &str, resources: &Value) -> Result<(), String> {
    let file = lab.path.join("resources.json");
    fs::write(&file, resources.to_string()).unwrap();
    let done = lab.brig(&["update", "--resources", file.to_str().unwrap(), id]);
    if done.0.status.success() { Ok(()) } else { Err(done.failure()) }
}

/// The processors that the caller may use, as a list, and the first of them.
fn processors() -> (String, String) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let all = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap().to_owned();
    let first = all.split([',', '-']).next().unwrap().to_owned();
    (all, first)
}

/// The major and minor number of a whole disk.
fn disk() -> Option<(i64, i64)> {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten().filter_map(|entry| {
        let size = fs::read_to_string(entry.path().join("size")).ok()?;
        let device = fs::read_to_string(entry.path().join("dev")).ok()?;
        let (major, minor) = device.trim().split_once(':')?;
        (size.trim() != "0" && entry.path().join("device").exists())
            .then(|| (major.parse().unwrap(), minor.parse().unwrap()))
    });
    disks.min()
}

/// One throttled device.
fn throttle(field: &str, (major, minor): (i64, i64), rate: u64) -> Value {
    json!({ "blockIO": { field: [{ "major": major, "minor": minor, "rate": rate }] } })
}
