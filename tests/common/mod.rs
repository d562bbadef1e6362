// SPDX-License-Identifier: Apache-2.0
//! A laboratory for tests with real containers: a private state directory, busybox bundles, the `brig` command,
//! and an end that leaves nothing behind, whatever happened.

#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

/// A directory with everything of one test in it.
pub struct Lab {
    /// The directory.
    pub path: PathBuf,
    brig: PathBuf,
}

impl Lab {
    /// A new laboratory for the command `brig`; its containers' ids and cgroups are of no other.
    pub fn new(brig: impl Into<PathBuf>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("brig-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("bundle")).unwrap();
        assert!(is_root(), "these tests make containers and have to run as root");
        Self { path, brig: brig.into() }
    }

    /// An id that no other test uses: it becomes the name of cgroups.
    pub fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.path.file_name().unwrap().to_str().unwrap())
    }

    /// The bundle's directory.
    pub fn bundle(&self) -> PathBuf {
        self.path.join("bundle")
    }

    /// The root filesystem's directory.
    pub fn rootfs(&self) -> PathBuf {
        self.bundle().join("rootfs")
    }

    /// Writes the bundle: a busybox root filesystem, and the default spec with `args`, no terminal, as `edit`
    /// changes it.
    pub fn write(&self, args: &[&str], edit: impl FnOnce(&mut Value)) -> &Self {
        if !self.rootfs().exists() {
            busybox(&self.rootfs());
        }
        let mut spec = default_spec(&self.brig);
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(args);
        edit(&mut spec);
        fs::write(self.bundle().join("config.json"), serde_json::to_vec_pretty(&spec).unwrap()).unwrap();
        self
    }

    /// The command with the laboratory's state directory, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.brig);
        command.arg("--root").arg(self.path.join("state")).args(args);
        command.current_dir(self.bundle()).stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub fn brig(&self, args: &[&str]) -> Done {
        Done(self.command(args).output().unwrap())
    }

    /// `brig run` of the bundle.
    pub fn run(&self) -> Done {
        self.brig(&["run", &self.id("run")])
    }

    /// Writes the bundle and runs it; the result must be a success. Its output, trimmed.
    pub fn sh(&self, script: &str, edit: impl FnOnce(&mut Value)) -> String {
        self.write(&["sh", "-c", script], edit).run().success()
    }

    /// The state of a container.
    pub fn state(&self, id: &str) -> Value {
        serde_json::from_str(&self.brig(&["state", id]).success()).unwrap()
    }

    /// What is left of containers of this laboratory: directories of cgroups and of state.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let prefix = self.path.file_name().unwrap().to_str().unwrap().to_owned();
        find(Path::new("/sys/fs/cgroup"), &prefix, 4, &mut found);
        let state = fs::read_dir(self.path.join("state")).into_iter().flatten().flatten();
        found.extend(state.map(|entry| entry.path()).filter(|path| !path.ends_with("@seccomp")));
        found
    }

    /// Fails if anything is left.
    pub fn assert_clean(&self) {
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new(), "something was left behind");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let listed = self.brig(&["list", "--quiet"]);
        for id in String::from_utf8_lossy(&listed.0.stdout).lines() {
            self.brig(&["delete", "--force", id]);
        }
        let left = self.leftovers();
        fs::remove_dir_all(&self.path).unwrap();
        if !std::thread::panicking() {
            assert_eq!(left.len(), 0, "left behind: {left:?}");
        }
    }
}

/// A command that has ended.
pub struct Done(pub Output);

impl Done {
    /// Its standard output, trimmed, if it succeeded.
    #[track_caller]
    pub fn success(&self) -> String {
        assert!(self.0.status.success(), "failed: {:?}\n{}{}", self.0.status, self.out(), self.err());
        self.out().trim().to_owned()
    }

    /// Its error text, if it failed with status 1, as all of brig's own errors do.
    #[track_caller]
    pub fn failure(&self) -> String {
        assert_eq!(self.0.status.code(), Some(1), "not a failure of brig: {}{}", self.out(), self.err());
        self.err()
    }

    /// Its exit status.
    pub fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    /// What it printed.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// What it printed to stderr.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// A root filesystem of nothing but busybox.
pub fn busybox(rootfs: &Path) {
    for directory in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "var"] {
        fs::create_dir_all(rootfs.join(directory)).unwrap();
    }
    // Not fs::copy: a child that another thread forks meanwhile would have the file open for writing, and whoever
    // executes it gets ETXTBSY.
    let copied = Command::new("cp").arg("/bin/busybox").arg(rootfs.join("bin/busybox")).status();
    assert!(copied.unwrap().success(), "busybox-static is installed");
    let installed = Command::new(rootfs.join("bin/busybox")).arg("--install").arg(rootfs.join("bin")).status();
    assert!(installed.unwrap().success());
    fs::write(rootfs.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
}

fn default_spec(brig: &Path) -> Value {
    static SPEC: OnceLock<Value> = OnceLock::new();
    let make = || {
        let directory = std::env::temp_dir().join(format!("brig-test-spec-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let made = Command::new(brig).args(["spec", "--bundle"]).arg(&directory).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let text = fs::read(directory.join("config.json")).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    SPEC.get_or_init(make).clone()
}

fn find(directory: &Path, prefix: &str, depth: u32, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        } else if depth > 0 {
            find(&entry.path(), prefix, depth - 1, found);
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
