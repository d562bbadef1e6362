// SPDX-License-Identifier: Apache-2.0
//! A laboratory for tests with real containers: a private state directory, busybox bundles, the `brig` command,
//! and an end that leaves nothing behind, whatever happened.

#![allow(dead_code, reason = "each test program uses a part")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A directory with everything of one test in it.
pub struct Lab {
    /// The directory.
    pub path: PathBuf,
    brig: PathBuf,
    /// Who runs the command, if that is not root.
    user: Option<User>,
}

/// An ordinary user.
pub struct User {
    /// The program before the command, with its arguments, that becomes this user, and the command's own global flags.
    pub becomes: Vec<String>,
    /// Those flags.
    pub flags: Vec<String>,
    /// Whose the laboratory is.
    pub uid: u32,
}

impl Lab {
    /// A new laboratory for the command `brig`; its containers' ids and cgroups are of no other.
    pub fn new(brig: impl Into<PathBuf>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("brig-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("bundle")).unwrap();
        assert!(is_root(), "these tests make containers and have to run as root");
        Self { path, brig: brig.into(), user: None }
    }

    /// Gives the laboratory to a user, who from then on runs the command.
    pub fn given_to(mut self, user: User) -> Self {
        self.user = Some(user);
        self.hand_over();
        self
    }

    /// Gives all that is in the laboratory to its user.
    pub fn hand_over(&self) {
        let Some(User { uid, .. }) = &self.user else { return };
        let given = Command::new("chown").args(["-Rh", &format!("{uid}:{uid}")]).arg(&self.path).status().unwrap();
        assert!(given.success());
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
            self.hand_over();
        }
        let mut spec = if self.user.is_some() { self.rootless_spec() } else { default_spec(&self.brig) };
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(args);
        edit(&mut spec);
        fs::write(self.bundle().join("config.json"), serde_json::to_vec_pretty(&spec).unwrap()).unwrap();
        self
    }

    /// What `brig spec --rootless` writes for the user.
    fn rootless_spec(&self) -> Value {
        let file = self.bundle().join("config.json");
        let _ = fs::remove_file(&file);
        self.brig(&["spec", "--rootless"]).success();
        serde_json::from_slice(&fs::read(&file).unwrap()).unwrap()
    }

    /// The command with the laboratory's state directory, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let state = self.path.join("state");
        self.bare_command(&[&["--root", state.to_str().unwrap()], args].concat())
    }

    /// The command with nothing but these arguments.
    pub fn bare_command(&self, args: &[&str]) -> Command {
        let mut words = Vec::new();
        if let Some(user) = &self.user {
            words.extend(user.becomes.iter().map(OsStr::new));
        }
        words.push(self.brig.as_os_str());
        words.extend(self.user.iter().flat_map(|user| &user.flags).map(OsStr::new));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(args).current_dir(self.bundle()).stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub fn brig(&self, args: &[&str]) -> Done {
        self.end(&mut self.command(args))
    }

    /// Runs a command to its end, and only to its: its output goes to files, since a container that stays would keep
    /// a pipe open.
    pub fn end(&self, command: &mut Command) -> Done {
        let file = || tempfile::tempfile_in(&self.path).unwrap();
        let (out, err) = (file(), file());
        let status = command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap()).status().unwrap();
        Done(Output { status, stdout: whole(out), stderr: whole(err) })
    }

    /// `brig create` of the bundle, which must be a success; the id.
    #[track_caller]
    pub fn create(&self, name: &str) -> String {
        let id = self.id(name);
        self.brig(&["create", &id]).success();
        id
    }

    /// A container that runs; the id.
    #[track_caller]
    pub fn launch(&self, name: &str) -> String {
        let id = self.create(name);
        self.brig(&["start", &id]).success();
        id
    }

    /// The pid of a container's init.
    #[track_caller]
    pub fn pid(&self, id: &str) -> i32 {
        self.state(id)["pid"].as_i64().unwrap().try_into().unwrap()
    }

    /// Waits until the container has this status.
    #[track_caller]
    pub fn await_status(&self, id: &str, status: &str) {
        until(&format!("{id} is {status}"), || self.state(id)["status"] == status);
    }

    /// The same command in a mount namespace of its own that `setup`, a shell script, has prepared: what is mounted there
    /// nobody else sees.
    pub fn behind(&self, setup: &str, command: &Command) -> Command {
        let script = format!("set -eu; {setup}\nexec \"$@\"");
        let mut outer = Command::new("unshare");
        outer.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"]);
        outer.arg(command.get_program()).args(command.get_args());
        outer.current_dir(self.bundle()).stdin(Stdio::null());
        outer
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

    /// What is left of containers of this laboratory: directories of cgroups and of state, mounts, processes.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let prefix = format!("{}-", self.path.file_name().unwrap().to_str().unwrap());
        find(Path::new("/sys/fs/cgroup"), &prefix, 6, &mut found);
        let state = fs::read_dir(self.path.join("state")).into_iter().flatten().flatten();
        found.extend(
            state.map(|entry| entry.path()).filter(|path| !path.ends_with("@seccomp") && !path.ends_with("@notify")),
        );
        found.extend(
            fs::read_dir(self.path.join("state/@notify")).into_iter().flatten().flatten().map(|entry| entry.path()),
        );
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        found.extend(mounts.lines().filter(|line| line.contains(&format!("/{prefix}"))).map(PathBuf::from));
        found.extend(processes().filter(|process| {
            // What init is before it executes a program is a memfd without this; after that it is in our cgroups. A
            // supervisor is not, but holds a file of ours.
            let enrolled = fs::read_to_string(process.join("cgroup")).is_ok_and(|cgroups| cgroups.contains(&prefix));
            (enrolled || holds(process, &self.path.join("state"))) && is_alive(process)
        }));
        found
    }

    /// Fails if anything is left.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new(), "something was left behind");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // By the user, whose systemd knows them, and then by root.
        for _ in 0..2 {
            let listed = self.brig(&["list", "--quiet"]);
            for id in String::from_utf8_lossy(&listed.0.stdout).lines() {
                self.brig(&["delete", "--force", id]);
            }
            self.user = None;
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
    // Not by fs::copy: what another thread forks meanwhile would hold the file open for writing, and execve(2) refuse it.
    let install = r#"cp /bin/busybox "$1/busybox" && exec "$1/busybox" --install "$1""#;
    let installed = Command::new("sh").args(["-c", install, "sh"]).arg(rootfs.join("bin")).status();
    assert!(installed.unwrap().success(), "busybox-static is installed");
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
        // A scope has something before it.
        if entry.file_name().to_string_lossy().contains(prefix) {
            found.push(entry.path());
        } else if depth > 0 {
            find(&entry.path(), prefix, depth - 1, found);
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The directories in /proc of all processes.
fn processes() -> impl Iterator<Item = PathBuf> {
    let numeric = |name: &OsStr| name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    fs::read_dir("/proc").unwrap().flatten().filter(move |entry| numeric(&entry.file_name())).map(|entry| entry.path())
}

/// Whether a process has a file below this directory open.
fn holds(process: &Path, directory: &Path) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.starts_with(directory))
}

/// Whether the process at this directory of /proc has not ended: a zombie only waits for its parent.
pub fn is_alive(process: &Path) -> bool {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn whole(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Waits until something is true; fails after a minute, in which a machine that others use too, or one under software
/// emulation, does what another does in a second.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says why a test, or a part of it, does not run here: past the capture of output, since nobody sees that of a test
/// that passes.
pub fn skip(why: &str) {
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    std::io::stderr().write_all(format!("skip: {name}: {why}\n").as_bytes()).unwrap();
}

/// A command that runs beside the test, and is killed at the end of it.
pub struct Beside(pub std::process::Child);

impl Beside {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
