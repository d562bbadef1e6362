// SPDX-License-Identifier: Apache-2.0
//! A cgroup of a test on the real host, which leaves nothing behind.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::super::*;

/// All versions one after the other, as a launch does.
pub(super) fn create(cgroup: &mut Cgroup) -> Result<()> {
    cgroup.create(Version::V2)?;
    cgroup.create(Version::V1)
}

pub(super) struct Fixture {
    pub(super) cgroup: Cgroup,
    pub(super) top: String,
    mounts: Vec<PathBuf>,
    children: Vec<Child>,
}

impl Fixture {
    /// `None`, and a word to the reader, where the test cannot run.
    pub(super) fn new(name: &str) -> Option<Self> {
        let host = Host::detect().unwrap();
        if !rustix::process::geteuid().is_root() || host.hierarchies().is_empty() {
            eprintln!("SKIPPED {name}: needs root and cgroups");
            return None;
        }
        let top = format!("brig-test-{}-{name}", std::process::id());
        let path = PathBuf::from(format!("/{top}/container"));
        let mounts = host.hierarchies().iter().map(|hierarchy| hierarchy.mount_point.clone()).collect();
        Some(Self {
            cgroup: Cgroup::plan(&host, Some(&path), "unused", false).unwrap(),
            top,
            mounts,
            children: Vec::new(),
        })
    }

    pub(super) fn created(name: &str) -> Option<Self> {
        let mut fixture = Self::new(name)?;
        create(&mut fixture.cgroup).unwrap();
        Some(fixture)
    }

    /// The same as on a host with this version only.
    pub(super) fn only(name: &str, version: Version) -> Option<Self> {
        let mut fixture = Self::new(name)?;
        fixture.cgroup.places.retain(|place| place.version == version);
        if fixture.cgroup.places.is_empty() {
            eprintln!("SKIPPED {name}: needs cgroup {version:?}");
            return None;
        }
        create(&mut fixture.cgroup).unwrap();
        Some(fixture)
    }

    pub(super) fn has(&self, controller: &str) -> bool {
        self.cgroup.with_controller(controller).is_some_and(|place| place.version == Version::V1) || {
            eprintln!("SKIPPED a part of {}: no version 1 {controller} controller", self.top);
            false
        }
    }

    pub(super) fn file(&self, controller: &str, file: &str) -> PathBuf {
        self.cgroup.with_controller(controller).unwrap().path.join(file)
    }

    pub(super) fn read(&self, controller: &str, file: &str) -> String {
        fs::read_to_string(self.file(controller, file)).unwrap().trim().to_owned()
    }

    /// Starts a shell in all the cgroups; it runs `script` once it is there.
    pub(super) fn spawn(&mut self, script: &str) -> i32 {
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("read go; {script}")])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        for file in self.cgroup.join_files().unwrap() {
            rustix::io::write(&file, pid.to_string().as_bytes()).unwrap();
        }
        if let Some(place) = self.cgroup.unified() {
            fs::write(place.path.join("cgroup.procs"), pid.to_string()).unwrap();
        }
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        self.children.push(child);
        pid as i32
    }

    /// Runs a script in the cgroups to its end.
    pub(super) fn run(&mut self, script: &str) -> ExitStatus {
        self.spawn(script);
        self.children.pop().unwrap().wait().unwrap()
    }

    /// Waits until so many processes are in the cgroup.
    pub(super) fn settle(&self, count: usize) -> Vec<i32> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let found = self.cgroup.processes().unwrap();
            if found.len() == count {
                return found;
            }
            assert!(Instant::now() < deadline, "{count} processes expected, {found:?} found");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn reap(&mut self) {
        for mut child in self.children.drain(..) {
            child.wait().unwrap();
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.cgroup.freeze(false).ok();
        self.cgroup.kill().ok();
        self.reap();
        self.cgroup.remove().ok();
        for mount in &self.mounts {
            for tail in ["container", ""] {
                fs::remove_dir(mount.join(&self.top).join(tail)).ok();
            }
        }
    }
}
