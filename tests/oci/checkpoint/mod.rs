// SPDX-License-Identifier: Apache-2.0
//! Checkpoint and restore by the real CRIU, of real programs.

mod life;
mod refused;
mod rounds;
#[cfg(feature = "fault-injection")]
mod undo;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::common::{Lab, until};
use crate::{edit, lab};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What of a CRIU's directory, of this release of Debian, is put first in PATH; empty if the machine's own will do.
fn criu() -> &'static str {
    static CRIU: OnceLock<String> = OnceLock::new();
    CRIU.get_or_init(|| fetch(&["target/criu"]))
}

/// In a guest there is no such script, but the release's own CRIU works with the kernel.
fn fetch(arguments: &[&str]) -> String {
    let script = Path::new(ROOT).join("scripts/criu.sh");
    if !script.exists() {
        return String::new();
    }
    let done = Command::new(script).args(arguments).current_dir(ROOT).output().unwrap();
    assert!(done.status.success(), "criu.sh: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    if criu().is_empty() { path } else { format!("{}:{path}", criu()) }
}

/// The program that is checkpointed; built here, or for the guest by whoever started it.
fn worker() -> PathBuf {
    static WORKER: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let source = Path::new(ROOT).join("tests/oci/checkpoint/worker.c");
        let program = Path::new(ROOT).join("target/checkpoint-worker");
        if source.exists() {
            // Under a name of its own first: another test program may be executing it.
            let new = program.with_extension(std::process::id().to_string());
            let flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-static", "-pthread", "-Wall", "-Wextra", "-Werror"];
            let built = Command::new("cc").args(flags).arg("-o").arg(&new).arg(source).status().unwrap();
            assert!(built.success());
            fs::rename(new, &program).unwrap();
        }
        program
    };
    WORKER.get_or_init(build).clone()
}

/// A container that is checkpointed and restored.
struct Subject {
    lab: Lab,
    id: String,
    /// Flags for both.
    flags: Vec<&'static str>,
}

impl Subject {
    /// The bundle of `args`, with /log of the host and /scratch, a tmpfs, as `edit` changes it. Not created yet.
    fn new(args: &[&str], edit: impl FnOnce(&mut Value)) -> Self {
        let lab = lab();
        fs::create_dir(lab.path.join("log")).unwrap();
        let log = lab.path.join("log");
        lab.write(args, |spec| {
            edit::mount(spec, "/log", "bind", log.to_str().unwrap(), &["bind"]);
            edit::mount(spec, "/scratch", "tmpfs", "tmpfs", &[]);
            edit(spec);
        });
        // Not by fs::copy, as in `busybox`.
        let copied = Command::new("cp").arg(worker()).arg(lab.rootfs().join("bin/worker")).status();
        assert!(copied.unwrap().success());
        let id = lab.id("subject");
        Self { lab, id, flags: Vec::new() }
    }

    fn with(mut self, flags: &[&'static str]) -> Self {
        self.flags.extend(flags);
        self
    }

    /// Runs it.
    fn launch(self) -> Self {
        self.lab.brig(&["run", "--detach", &self.id]).success();
        self
    }

    fn images(&self, name: &str) -> String {
        self.lab.path.join(name).to_str().unwrap().to_owned()
    }

    /// The command with CRIU in its PATH.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.command(arguments);
        command.env("PATH", path());
        command
    }

    fn checkpoint(&self, images: &str, flags: &[&str]) -> crate::common::Done {
        let images = self.images(images);
        let arguments = [&["checkpoint", "--image-path", &images], &self.flags[..], flags, &[&self.id]].concat();
        self.lab.end(&mut self.command(&arguments))
    }

    fn restore(&self, images: &str, flags: &[&str], id: &str) -> crate::common::Done {
        let images = self.images(images);
        let arguments = [&["restore", "--detach", "--image-path", &images], &self.flags[..], flags, &[id]].concat();
        self.lab.end(&mut self.command(&arguments))
    }

    /// What it has counted.
    fn numbers(&self) -> Vec<u64> {
        let text = fs::read_to_string(self.lab.path.join("log/count")).unwrap_or_default();
        // The last line may not be whole yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Waits until it has counted on.
    #[track_caller]
    fn counts_on(&self) {
        let before = self.numbers().len();
        until("it counts on", || self.numbers().len() > before + 3);
    }

    /// Nothing is lost, and nothing told twice.
    #[track_caller]
    fn is_whole(&self) {
        let numbers = self.numbers();
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    }

    /// As often as this checkpointed and restored, by turns under two names.
    fn rounds(&mut self, count: usize) {
        for round in 0..count {
            self.counts_on();
            self.checkpoint("images", &[]).success();
            let before = self.numbers().len();
            let id = self.lab.id(if round % 2 == 0 { "restored" } else { "subject" });
            self.restore("images", &[], &id).success();
            self.id = id;
            assert_eq!(self.lab.state(&self.id)["status"], "running");
            until("it counts on", || self.numbers().len() > before + 3);
            self.is_whole();
            fs::remove_dir_all(self.images("images")).unwrap();
        }
        self.lab.brig(&["delete", "--force", &self.id]).success();
        self.lab.assert_clean();
    }
}

/// A shell that counts.
const COUNTER: [&str; 3] = ["sh", "-c", "n=0; while :; do n=$((n + 1)); echo $n >> /log/count; sleep 0.01; done"];

/// No terminal.
fn terminal(spec: &mut Value, wanted: bool) {
    spec["process"]["terminal"] = json!(wanted);
}
