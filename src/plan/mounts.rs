// SPDX-License-Identifier: Apache-2.0
//! The spec's mounts: each becomes a detached mount with its attributes, attached to a place inside the root.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use brig_wire::{Step, attach};
use oci_spec::runtime::Mount;

use super::builder::{Steps, path, text, with_strings};
use super::{Context, cgroups};
use crate::error::{Error, Kind, Result};
use crate::spec;
use crate::spec::mount_options::{Attributes, Effect, attr::RDONLY, mount_option};

/// Filesystems of which only the mount is made read-only: their superblock belongs to a namespace and is shared by all
/// who mount it, or still has to be filled.
const SHARED: [&str; 8] = ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay"];

/// All mounts, in their order.
pub fn steps(steps: &mut Steps, context: &mut Context<'_>) -> Result<()> {
    for (index, mount) in context.spec.mounts().iter().flatten().enumerate() {
        let pointer = format!("/mounts/{index}");
        steps.origin(pointer.as_str());
        let options = Options::read(mount, &pointer)?;
        if options.remount {
            remount(steps, mount, &options, &pointer)?;
        } else if spec::is_bind(mount) {
            bind(steps, context, mount, &options, &pointer)?;
        } else {
            match mount.typ().as_deref().unwrap_or("none") {
                "cgroup" | "cgroup2" => cgroups::mount(steps, context, mount, &options, &pointer)?,
                fstype => filesystem(steps, mount, fstype, &options, &pointer)?,
            }
        }
    }
    Ok(())
}

fn filesystem(steps: &mut Steps, mount: &Mount, fstype: &str, options: &Options, pointer: &str) -> Result<()> {
    let source = mount.source().as_deref().unwrap_or(Path::new(fstype));
    let attrs = options.all();
    let read_only = attrs & RDONLY != 0 && !SHARED.contains(&fstype);
    let superblock = options.superblock.iter().copied().chain(read_only.then_some("ro"));
    let list = superblock.chain(options.data.iter().map(String::as_str));
    let list = list.map(|option| text(option, &format!("{pointer}/options"))).collect::<Result<Vec<CString>>>()?;
    let fstype_text = text(fstype, &format!("{pointer}/type"))?;
    let source = path(source, &format!("{pointer}/source"))?;
    with_strings(&list, |list| {
        steps.push(Step::NewMount { fstype: &fstype_text, source: &source, options: list, attrs: attrs as u32 });
    });
    options.propagation(steps);
    // A procfs or sysfs anywhere but where it seems to be makes later writes to it go astray (CVE-2019-19921).
    let flags = if matches!(fstype, "proc" | "sysfs") { attach::NO_SYMLINKS } else { 0 };
    attach_at(steps, mount, flags, pointer)
}

/// Other attributes for what is mounted there already.
fn remount(steps: &mut Steps, mount: &Mount, options: &Options, pointer: &str) -> Result<()> {
    let path = &path(mount.destination(), &format!("{pointer}/destination"))?;
    for (set, clear, recursive) in options.changes() {
        steps.push(Step::InsideAttr { path, set, clear, propagation: 0, recursive });
    }
    for &(propagation, recursive) in &options.propagations {
        steps.push(Step::InsideAttr { path, set: 0, clear: 0, propagation, recursive: recursive.into() });
    }
    Ok(())
}

fn bind(steps: &mut Steps, context: &mut Context<'_>, mount: &Mount, options: &Options, pointer: &str) -> Result<()> {
    let source_pointer = format!("{pointer}/source");
    let source =
        mount.source().as_ref().ok_or_else(|| Error::config(&source_pointer, "a bind mount needs a source"))?;
    let source: PathBuf = context.inputs.bundle.join(source);
    context.clone_tree(steps, &source, options.recursive, &source_pointer)?;
    options.attributes(steps);
    options.propagation(steps);
    attach_at(steps, mount, 0, pointer)
}

fn attach_at(steps: &mut Steps, mount: &Mount, flags: u32, pointer: &str) -> Result<()> {
    let inside_proc = spec::may_be_mounted_in_proc(mount.destination());
    let flags = flags | if inside_proc { attach::INSIDE_PROC } else { 0 };
    let target = path(mount.destination(), &format!("{pointer}/destination"))?;
    steps.push(Step::Attach { target: &target, flags });
    Ok(())
}

/// A mount's options, sorted by what they act on.
#[derive(Debug, Default)]
pub struct Options {
    own: Attributes,
    below: Attributes,
    propagations: Vec<(u32, bool)>,
    superblock: Vec<&'static str>,
    data: Vec<String>,
    recursive: bool,
    remount: bool,
}

impl Options {
    fn read(mount: &Mount, pointer: &str) -> Result<Self> {
        let mut options = Self::default();
        for (index, name) in mount.options().iter().flatten().enumerate() {
            match mount_option(name) {
                Some(effect) => options.add(*effect, &format!("{pointer}/options/{index}"), name)?,
                // One string may hold several, as mount(8) takes them.
                None => options.data.extend(name.split(',').filter(|part| !part.is_empty()).map(str::to_owned)),
            }
        }
        Ok(options)
    }

    fn add(&mut self, effect: Effect, pointer: &str, name: &str) -> Result<()> {
        match effect {
            Effect::Attribute { set, clear, recursive: false } => self.own.add(set, clear),
            Effect::Attribute { set, clear, recursive: true } => self.below.add(set, clear),
            Effect::Propagation { to, recursive } => self.propagations.push((to, recursive)),
            Effect::Superblock(flag) => self.superblock.push(flag),
            Effect::Bind { recursive } => self.recursive = recursive,
            Effect::Remount => self.remount = true,
            Effect::Nothing => {}
            Effect::NotYet => {
                return Err(Error::config(pointer, format!("{name} is not built yet")).kind(Kind::Unsupported));
            }
        }
        Ok(())
    }

    /// MOUNT_ATTR_* for a new mount, which has nothing below it.
    pub fn all(&self) -> u64 {
        self.own.set | self.below.set
    }

    /// What of these has to be done to a mount that exists: set, clear, and whether to all below it too.
    fn changes(&self) -> impl Iterator<Item = (u64, u64, u32)> {
        [(self.below, 1), (self.own, 0)]
            .into_iter()
            .filter(|(attributes, _)| !attributes.is_empty())
            .map(|(attributes, recursive)| (attributes.set, attributes.clear, recursive))
    }

    /// The attributes of the mount that was cloned.
    pub fn attributes(&self, steps: &mut Steps) {
        for (set, clear, recursive) in self.changes() {
            steps.push(Step::MountAttr { set, clear, propagation: 0, recursive });
        }
    }

    fn propagation(&self, steps: &mut Steps) {
        for &(propagation, recursive) in &self.propagations {
            steps.push(Step::MountAttr { set: 0, clear: 0, propagation, recursive: recursive.into() });
        }
    }
}
