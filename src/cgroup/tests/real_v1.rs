// SPDX-License-Identifier: Apache-2.0
//! On the host's own hierarchies.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use oci_spec::runtime::LinuxResources;

use super::super::*;

/// A cgroup for one test.
struct Fixture {
    cgroup: Cgroup,
    top: String,
    children: Vec<Child>,
}

impl Fixture {
    /// `None`, and a word to the reader, where the test cannot run.
    fn new(name: &str) -> Option<Self> {
        let host = Host::detect().unwrap();
        if !rustix::process::geteuid().is_root() || host.layout() == Layout::V2 {
            eprintln!("SKIPPED {name}: needs root and version 1 hierarchies");
            return None;
        }
        let top = format!("brig-test-{}-{name}", std::process::id());
        let path = PathBuf::from(format!("/{top}/container"));
        Some(Self { cgroup: Cgroup::plan(&host, Some(&path), "unused").unwrap(), top, children: Vec::new() })
    }

    fn created(name: &str) -> Option<Self> {
        let mut fixture = Self::new(name)?;
        fixture.cgroup.create().unwrap();
        Some(fixture)
    }

    fn file(&self, controller: &str, file: &str) -> PathBuf {
        self.cgroup.with_controller(controller).unwrap().path.join(file)
    }

    fn read(&self, controller: &str, file: &str) -> String {
        fs::read_to_string(self.file(controller, file)).unwrap().trim().to_owned()
    }

    /// Starts a process in the cgroups, by the files that brig's init would use.
    fn spawn(&mut self, script: &str) -> i32 {
        let joins: Vec<OwnedFd> = self.cgroup.join_files().unwrap();
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("read go; {script}")])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        for file in joins {
            rustix::io::write(&file, pid.to_string().as_bytes()).unwrap();
        }
        if let Some(place) = self.cgroup.unified() {
            fs::write(place.path.join("cgroup.procs"), pid.to_string()).unwrap();
        }
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        self.children.push(child);
        pid as i32
    }

    fn reap(&mut self) {
        for mut child in self.children.drain(..) {
            child.wait().unwrap();
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
        self.cgroup.remove().ok();
        for hierarchy in Host::detect().unwrap().hierarchies() {
            for tail in ["container", ""] {
                fs::remove_dir(hierarchy.mount_point.join(&self.top).join(tail)).ok();
            }
        }
    }
}

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).unwrap()
}

#[test]
fn real_create_makes_and_remove_unmakes() {
    let Some(mut fixture) = Fixture::new("life") else { return };
    let leaves: Vec<PathBuf> = fixture.cgroup.paths().map(|(_, path)| path.to_owned()).collect();
    fixture.cgroup.create().unwrap();
    assert!(leaves.iter().all(|path| path.is_dir()));
    assert_eq!(fixture.cgroup.join_files().unwrap().len(), fixture.cgroup.joins());
    fixture.cgroup.remove().unwrap();
    assert!(leaves.iter().all(|path| !path.parent().unwrap().exists()), "the ancestors that create made go too");
    fixture.cgroup.remove().unwrap();
}

#[test]
fn real_limits_read_back() {
    let Some(fixture) = Fixture::created("limits") else { return };
    fixture.cgroup.apply(&resources(r#"{
        "memory": {"limit": 67108864, "swap": 134217728, "reservation": 33554432, "swappiness": 10, "disableOOMKiller": true},
        "cpu": {"shares": 512, "quota": 50000, "period": 200000, "burst": 1000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 17},
        "blockIO": {"weight": 300}
    }"#)).unwrap();
    for (controller, file, value) in [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.memsw.limit_in_bytes", "134217728"),
        ("memory", "memory.soft_limit_in_bytes", "33554432"),
        ("memory", "memory.swappiness", "10"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.cfs_period_us", "200000"),
        ("cpu", "cpu.cfs_burst_us", "1000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("cpuset", "cpuset.mems", "0"),
        ("pids", "pids.max", "17"),
        ("blkio", "blkio.bfq.weight", "300"),
    ] {
        assert_eq!(fixture.read(controller, file), value, "{file}");
    }
    assert!(fixture.read("memory", "memory.oom_control").contains("oom_kill_disable 1"));
}

#[test]
fn real_kill_and_processes() {
    let Some(mut fixture) = Fixture::created("kill") else { return };
    let pids = [fixture.spawn("sleep 100 & sleep 100"), fixture.spawn("exec sleep 100")];
    std::thread::sleep(Duration::from_millis(50));
    let found = fixture.cgroup.processes().unwrap();
    assert!(pids.iter().all(|pid| found.contains(pid)) && found.len() >= 4, "{found:?}");
    let start = Instant::now();
    fixture.cgroup.kill().unwrap();
    fixture.cgroup.remove().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1));
    fixture.reap();
    assert!(!Path::new(fixture.cgroup.paths().next().unwrap().1).exists());
}
