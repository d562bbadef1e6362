// SPDX-License-Identifier: Apache-2.0
//! The spec's mounts: each becomes a detached mount with its attributes, attached to a place inside the root.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use brig_wire::{Step, attach, like};
use oci_spec::runtime::Mount;

use super::builder::{Steps, path, text, with_strings};
use super::{Context, IdMap, Mapping, Source, cgroups};
use crate::error::{Error, Kind, Result};
use crate::spec;
use crate::spec::mount_options::{Attributes, Effect, attr::RDONLY, mount_option, parts, unquoted};

/// Filesystems of which only the mount is made read-only: their superblock belongs to a namespace and is shared by all
/// who mount it, or still has to be filled.
const SHARED: [&str; 8] = ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay"];

/// Filesystems that take no label, as in other runtimes. An mqueue takes it as an attribute only.
const UNLABELLED: [&str; 4] = ["proc", "sysfs", "cgroup", "cgroup2"];

/// All mounts, in their order.
pub fn steps(steps: &mut Steps, context: &mut Context<'_>) -> Result<()> {
    for (index, mount) in context.spec.mounts().iter().flatten().enumerate() {
        let pointer = format!("/mounts/{index}");
        steps.origin(pointer.as_str());
        let options = Options::read(mount);
        if options.remount {
            remount(steps, mount, &options, &pointer)?;
        } else if spec::is_bind(mount) {
            bind(steps, context, mount, &options, &pointer)?;
        } else {
            match mount.typ().as_deref().unwrap_or("none") {
                "cgroup" | "cgroup2" => cgroups::mount(steps, context, mount, &options, &pointer)?,
                fstype => filesystem(steps, context, mount, fstype, &options, &pointer)?,
            }
        }
    }
    Ok(())
}

/// The label of all files of a new filesystem. fsconfig(2) takes it as it is, commas too.
pub fn label_option(label: &CStr) -> Result<CString> {
    text([b"context=", label.to_bytes()].concat(), "/linux/mountLabel")
}

fn filesystem(
    steps: &mut Steps,
    context: &Context<'_>,
    mount: &Mount,
    fstype: &str,
    options: &Options,
    pointer: &str,
) -> Result<()> {
    let source = mount.source().as_deref().unwrap_or(Path::new(fstype));
    let attrs = options.all();
    let read_only = attrs & RDONLY != 0 && !SHARED.contains(&fstype);
    let mut list = options.for_filesystem(read_only.then_some("ro"), pointer)?;
    let own_label = list.iter().any(|option| option.to_bytes().starts_with(b"context="));
    let label = context.mount_label.as_deref().filter(|_| !own_label && !UNLABELLED.contains(&fstype));
    if fstype != "mqueue" {
        list.extend(label.map(label_option).transpose()?);
    }
    let fstype_text = text(fstype, &format!("{pointer}/type"))?;
    let source = path(source, &format!("{pointer}/source"))?;
    if fstype == "sysfs" && list.is_empty() && (context.user_namespace || context.inputs.limited) {
        // Only whoever owns the network namespace may mount it, and only where nothing of it is hidden. Read-only, since
        // the caller's own cgroups are in there (CVE-2023-25809).
        let (fstype, source, attrs) = (&fstype_text, &source, attrs as u32);
        steps.push(Step::NewMountOrClone { fstype, source, attrs, path: c"/sys" });
        options.propagation(steps);
        return attach_at(steps, mount, attach::NO_SYMLINKS, pointer);
    }
    let like = if fstype == "tmpfs" { likeness(options) } else { 0 };
    let label = label.filter(|_| fstype == "mqueue");
    // It can only be filled while it can be written.
    let late = if like != 0 || label.is_some() { attrs & RDONLY } else { 0 };
    with_strings(&list, |list| {
        let attrs = (attrs & !late) as u32;
        steps.push(Step::NewMount { fstype: &fstype_text, source: &source, options: list, attrs });
    });
    if let Some(label) = label {
        steps.push(Step::Label { label });
    }
    if like != 0 {
        let path = path(mount.destination(), &format!("{pointer}/destination"))?;
        steps.push(Step::Resemble { path: &path, flags: like });
    }
    if late != 0 {
        steps.push(Step::MountAttr { set: late, clear: 0, propagation: 0, recursive: 0 });
    }
    options.propagation(steps);
    // A procfs or sysfs anywhere but where it seems to be makes later writes to it go astray (CVE-2019-19921).
    let flags = if matches!(fstype, "proc" | "sysfs") { attach::NO_SYMLINKS } else { 0 };
    attach_at(steps, mount, flags, pointer)
}

/// A tmpfs has the permissions of the directory that it covers unless the options name others, as in other runtimes, and
/// with tmpcopyup all of it.
fn likeness(options: &Options) -> u32 {
    let names = |key: &str| options.data.iter().any(|option| option.starts_with(key));
    let mode = if names("mode=") { 0 } else { like::MODE };
    let owner = if names("uid=") || names("gid=") { 0 } else { like::OWNER };
    if options.copy_up { like::CONTENT | mode | owner } else { mode }
}

/// Other attributes for what is mounted there already, and unless only the mount is meant, options for its filesystem.
fn remount(steps: &mut Steps, mount: &Mount, options: &Options, pointer: &str) -> Result<()> {
    let path = &path(mount.destination(), &format!("{pointer}/destination"))?;
    let list = options.for_filesystem(None, pointer)?;
    if !list.is_empty() && !spec::is_bind(mount) {
        with_strings(&list, |options| steps.push(Step::Reconfigure { path, options }));
    }
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
    // "ro" alone would leave the caller's own cgroups writable, which are mounted below (CVE-2023-25809).
    let shows_cgroups = context.inputs.limited && options.recursive && source.starts_with("/sys");
    match id_map(context, mount, options, pointer)? {
        Some(id_map) => {
            let source = Source::new(Some(source), options.recursive, &source_pointer);
            context.host_clones(steps, Source { id_map: Some(id_map), ..source });
        }
        None => context.clone_tree(steps, &source, options.recursive, &source_pointer)?,
    }
    if shows_cgroups && options.all() & RDONLY != 0 {
        steps.push(Step::MountAttr { set: RDONLY, clear: 0, propagation: 0, recursive: 1 });
    }
    options.attributes(steps);
    options.propagation(steps);
    attach_at(steps, mount, 0, pointer)
}

/// How the owners of the files are mapped, if they are: by the mount's own mappings, or as in the container's user
/// namespace.
fn id_map(context: &Context<'_>, mount: &Mount, options: &Options, pointer: &str) -> Result<Option<IdMap>> {
    let lists = |uids: &Option<Vec<_>>, gids: &Option<Vec<_>>| {
        Mapping::Ids(uids.clone().unwrap_or_default(), gids.clone().unwrap_or_default())
    };
    let own = mount.uid_mappings().as_ref().is_some_and(|list| !list.is_empty());
    let (mapping, pointer) = match (own, options.id_map, context.spec.linux()) {
        (true, ..) => (lists(mount.uid_mappings(), mount.gid_mappings()), format!("{pointer}/uidMappings")),
        (false, Some(_), Some(linux)) => {
            let joined = context.namespaces.join.iter().position(|join| join.flag == libc::CLONE_NEWUSER as u64);
            let mapping = joined.map_or_else(|| lists(linux.uid_mappings(), linux.gid_mappings()), Mapping::Joined);
            (mapping, format!("{pointer}/options"))
        }
        _ => return Ok(None),
    };
    if !context.inputs.privileged {
        let text = "only the host's root can make an ID-mapped mount";
        return Err(Error::config(pointer, text).kind(Kind::Unsupported));
    }
    Ok(Some(IdMap { mapping, recursive: options.id_map == Some(true), pointer }))
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
    id_map: Option<bool>,
    copy_up: bool,
}

impl Options {
    fn read(mount: &Mount) -> Self {
        let mut options = Self::default();
        for part in mount.options().iter().flatten().flat_map(|option| parts(option)) {
            match mount_option(part) {
                Some(effect) => options.add(*effect),
                None => options.data.push(unquoted(part).into_owned()),
            }
        }
        options
    }

    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Attribute { set, clear, recursive } => {
                self.own.add(set, clear);
                if recursive {
                    self.below.add(set, clear);
                }
            }
            Effect::Propagation { to, recursive } => self.propagations.push((to, recursive)),
            Effect::Superblock(flag) => self.superblock.push(flag),
            Effect::Bind { recursive } => self.recursive = recursive,
            Effect::Remount => self.remount = true,
            Effect::IdMap { recursive } => self.id_map = Some(recursive),
            Effect::CopyUp => self.copy_up = true,
            Effect::Nothing => {}
        }
    }

    /// What fsconfig(2) is given.
    fn for_filesystem(&self, more: Option<&'static str>, pointer: &str) -> Result<Vec<CString>> {
        let superblock = self.superblock.iter().copied().chain(more);
        let all = superblock.chain(self.data.iter().map(String::as_str));
        all.map(|option| text(option, &format!("{pointer}/options"))).collect()
    }

    /// MOUNT_ATTR_* for a new mount, which has nothing below it.
    pub fn all(&self) -> u64 {
        self.own.set
    }

    /// What of these has to be done to a mount that exists: set, clear, and whether to all below it too. On the mount
    /// itself the last option wins, be it recursive or not.
    fn changes(&self) -> impl Iterator<Item = (u64, u64, u32)> {
        let own = if self.own == self.below { Attributes::default() } else { self.own };
        [(self.below, 1), (own, 0)]
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
