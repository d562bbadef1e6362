// SPDX-License-Identifier: Apache-2.0
//! The plans of a process that becomes CRIU: at once, or in what a container is restored into.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use brig_wire::Step;

use super::builder::{Slot, Steps, path, text, with_strings};
use super::{cgroups, labels};
use crate::cgroup::Cgroup;
use crate::error::Result;

/// The number that CRIU knows its end of the socket by: the one behind stdio.
pub const SOCKET: usize = 3;

/// Of the caller's environment CRIU gets this, and PATH.
const KEPT: [&str; 5] = ["CRIU_CONFIG_FILE", "CRIU_LIBS_DIR", "HOME", "LD_LIBRARY_PATH", "TMPDIR"];
/// Where the programs are that it executes, if PATH does not say so.
const MORE: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a container is restored.
pub struct Around<'a> {
    /// A directory to mount on, which nobody but CRIU sees: below it are, as [`ROOT`] and [`WORK`], the clones of the root
    /// filesystem and of the directory that CRIU works in, [`Slot::Source`]`(0)` and `(1)`.
    pub place: &'a Path,
    /// What has to be inside for mounts: the path, and whether it is a directory.
    pub targets: &'a [(PathBuf, bool)],
    /// Its cgroups.
    pub cgroup: &'a Cgroup,
    /// Whether the host puts it into groups of resctrl.
    pub resctrl: bool,
    /// Its id, if it is to have a session keyring.
    pub keyring: Option<&'a str>,
}

/// Where the root filesystem is.
pub const ROOT: &str = "root";
/// Where CRIU works. It mounts there, which it may only on what is in its own mount namespace.
pub const WORK: &str = "work";

/// A CRIU at `program` with `files` descriptors: stdio, [`SOCKET`] and what more it inherits.
pub fn plain(program: &Path, files: usize) -> Result<Steps> {
    let mut steps = Steps::new();
    execute(&mut steps, program, files)?;
    Ok(steps)
}

/// The same for a restore: in the container's cgroups, in a mount namespace of its own, which ends with it.
pub fn restoring(program: &Path, files: usize, around: &Around<'_>) -> Result<Steps> {
    let mut steps = Steps::new();
    cgroups::join(&mut steps, around.cgroup, around.resctrl);
    if let Some(id) = around.keyring {
        labels::keyring(&mut steps, id)?;
    }
    let (private, slave) = (libc::MS_PRIVATE as u32, libc::MS_SLAVE as u32);
    steps.origin("").push(Step::Unshare { flags: libc::CLONE_NEWNS as u32 });
    steps.push(Step::RootPropagation { propagation: slave, recursive: 1 });
    let own = [c"mode=700"];
    with_strings(&own, |options| {
        steps.push(Step::NewMount { fstype: c"tmpfs", source: c"tmpfs", options, attrs: 0 });
    });
    steps.push(Step::SetRootAt { path: &path(around.place, "")? });
    for name in [ROOT, WORK] {
        steps.push(Step::Mkdir { path: &text(format!("/{name}"), "")?, mode: 0o700 });
    }
    let work = text(format!("/{WORK}"), "")?;
    steps.push_slot(Slot::Source(1), Step::CloneFd { fd: 0 });
    steps.push(Step::Attach { target: &work, flags: 0 });
    steps.push(Step::ShowDirectory { path: &work });
    steps.origin("/root/path").push_slot(Slot::Source(0), Step::CloneFd { fd: 0 });
    steps.push(Step::MountAttr { set: 0, clear: 0, propagation: private, recursive: 1 });
    steps.push(Step::SetRootAt { path: &path(&around.place.join(ROOT), "/root/path")? });
    for (target, is_directory) in around.targets {
        let path = path(target, "/mounts")?;
        steps.origin("/mounts");
        steps.push(if *is_directory { Step::Mkdir { path: &path, mode: 0o755 } } else { Step::Touch { path: &path } });
    }
    execute(&mut steps, program, files)?;
    Ok(steps)
}

fn execute(steps: &mut Steps, program: &Path, files: usize) -> Result<()> {
    steps.origin("").push_files(&(0..files).map(Slot::File).collect::<Vec<_>>());
    // init's own is 0.
    steps.push(Step::Umask { mask: 0o022 });
    let program = [path(program, "")?];
    let args = [c"criu".into(), c"swrk".into(), text(SOCKET.to_string(), "")?];
    let env = environment()?;
    with_strings(&program, |candidates| {
        with_strings::<()>(&args as &[CString], |args| {
            with_strings(&env, |env| steps.push(Step::Exec { candidates, args, env }));
        });
    });
    Ok(())
}

fn environment() -> Result<Vec<CString>> {
    let entry = |name: &str, value: &[u8]| text([name.as_bytes(), b"=", value].concat(), "");
    let given = std::env::var_os("PATH").unwrap_or_default();
    let path = if given.is_empty() { MORE.into() } else { [given.as_bytes(), b":", MORE.as_bytes()].concat() };
    let kept = KEPT.iter().filter_map(|name| Some(entry(name, std::env::var_os(name)?.as_bytes())));
    [entry("PATH", &path)].into_iter().chain(kept).collect()
}
