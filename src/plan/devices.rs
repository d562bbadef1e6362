// SPDX-License-Identifier: Apache-2.0
//! /dev: the nodes and links that every container has, those that the spec adds, and the terminal.

use std::path::Path;

use brig_wire::Step;
use oci_spec::runtime::{LinuxDeviceType as Type, Process, Spec};

use super::builder::{Slot, Steps, path};
use super::{Context as Compiling, Source};
use crate::error::{Context, Error, Result};

/// runtime-spec, config-linux.md, "Default Devices".
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// runtime-spec, runtime-linux.md, "Dev symbolic links"; and ptmx of the container's own devpts.
const LINKS: [(&str, &str, bool); 5] = [
    ("/dev/fd", "/proc/self/fd", false),
    ("/dev/stdin", "/proc/self/fd/0", false),
    ("/dev/stdout", "/proc/self/fd/1", false),
    ("/dev/stderr", "/proc/self/fd/2", false),
    ("/dev/ptmx", "pts/ptmx", true),
];

/// The steps for /dev. Where /dev is a bind mount it belongs to somebody else, and is left as it is.
pub fn steps(steps: &mut Steps, context: &mut Compiling<'_>) -> Result<()> {
    let spec = context.spec;
    if !dev_is_bound(spec) {
        let devices = spec.linux().as_ref().and_then(|linux| linux.devices().as_ref());
        let asked = |node: &str| devices.into_iter().flatten().any(|device| device.path() == Path::new(node));
        steps.origin("");
        for (node, major, minor) in DEFAULT.into_iter().filter(|(node, ..)| !asked(node)) {
            let mode = libc::S_IFCHR | 0o666;
            node_steps(steps, context, Path::new(node), mode, (major, minor), (0, 0), "/linux/devices")?;
        }
        for (index, device) in devices.into_iter().flatten().enumerate() {
            let pointer = format!("/linux/devices/{index}");
            let kind = match device.typ() {
                Type::C | Type::U => libc::S_IFCHR,
                Type::B => libc::S_IFBLK,
                Type::P => libc::S_IFIFO,
                Type::A => return Err(Error::config(format!("{pointer}/type"), "is none of c, b, u and p")),
            };
            let number = |value: i64, name: &str| {
                u32::try_from(value)
                    .map_err(|_| Error::config(format!("{pointer}/{name}"), format!("{value} is no device number")))
            };
            let numbers = (number(device.major(), "major")?, number(device.minor(), "minor")?);
            let owner = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
            steps.origin(pointer.as_str());
            // Some write the type of the file into it as well.
            let mode = kind | device.file_mode().unwrap_or(0o666) & 0o7777;
            node_steps(steps, context, device.path(), mode, numbers, owner, &format!("{pointer}/path"))?;
        }
        steps.origin("");
        for (link, target, replace) in LINKS {
            steps.push(Step::Symlink {
                path: &path(Path::new(link), "")?,
                target: &path(Path::new(target), "")?,
                replace: replace.into(),
            });
        }
    }
    terminal(steps, spec);
    Ok(())
}

/// mknod(2), or in a user namespace, where that is not permitted, a bind mount of the host's node, which keeps its mode
/// and its owner.
fn node_steps(
    steps: &mut Steps,
    context: &mut Compiling<'_>,
    node: &Path,
    mode: u32,
    (major, minor): (u32, u32),
    (uid, gid): (u32, u32),
    pointer: &str,
) -> Result<()> {
    let target = path(node, "")?;
    if !(context.user_namespace || context.inputs.limited) || mode & libc::S_IFMT == libc::S_IFIFO {
        steps.push(Step::Device { path: &target, mode, major, minor, uid, gid });
        return Ok(());
    }
    if context.host_reaches_more() {
        let device = Some((mode & libc::S_IFMT, major, minor));
        context.host_clones(steps, Source { device, ..Source::new(Some(node.to_owned()), false, pointer) });
    } else {
        if !pointer.is_empty() {
            check_node(node, (mode & libc::S_IFMT, major, minor), pointer)?;
        }
        context.clone_tree(steps, node, false, pointer)?;
    }
    steps.push(Step::Attach { target: &target, flags: 0 });
    Ok(())
}

/// Refuses a node of the caller's that is another device.
fn check_node(node: &Path, (kind, major, minor): (u32, u32, u32), pointer: &str) -> Result<()> {
    let what = || format!("{pointer}: cannot look at {}", node.display());
    let stat = rustix::fs::stat(node).context(what).map_err(|error| error.at(pointer))?;
    if (stat.st_mode & libc::S_IFMT, stat.st_rdev) == (kind, rustix::fs::makedev(major, minor)) {
        return Ok(());
    }
    Err(Error::config(pointer, format!("{} of the host is not the device {major}:{minor}", node.display())))
}

fn dev_is_bound(spec: &Spec) -> bool {
    let mounts = spec.mounts().iter().flatten();
    mounts.filter(|mount| mount.destination() == Path::new("/dev")).any(crate::spec::is_bind)
}

fn terminal(steps: &mut Steps, spec: &Spec) {
    let Some(process) = spec.process().as_ref().filter(|process| process.terminal() == Some(true)) else { return };
    console(steps.origin("/process/terminal"), process);
    steps.push(Step::AttachConsole {});
}

/// A new terminal, if the process asks for one.
pub fn console(steps: &mut Steps, process: &Process) {
    if process.terminal() == Some(true) {
        let (rows, columns) = process.console_size().map_or((0, 0), |size| (size.height() as u32, size.width() as u32));
        steps.push(Step::Console { rows, columns, uid: process.user().uid() });
    }
}

/// What becomes of the program's descriptors 0, 1, 2 and on.
pub fn files(process: &Process, extra: usize) -> Vec<Slot> {
    let terminal = process.terminal() == Some(true);
    (0..3 + extra).map(|index| if terminal && index < 3 { Slot::Terminal } else { Slot::File(index) }).collect()
}
