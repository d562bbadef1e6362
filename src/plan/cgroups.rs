// SPDX-License-Identifier: Apache-2.0
//! Entering the cgroups, and showing them: mounts of type `cgroup` and `cgroup2`.

use std::ffi::CString;
use std::path::Path;

use brig_wire::Step;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};

use super::Context;
use super::builder::{Steps, path, with_strings};
use super::mounts::{Options, label_option};
use crate::cgroup::{Cgroup, Hierarchy, Layout, Version};
use crate::error::Result;
use crate::spec::mount_options::attr::RDONLY;

/// Enters the version 1 cgroups, which the host makes while init is at work: as late as can be. Version 2 is entered by
/// the clone itself; or systemd brings init there. With `waits` there is something else that the host does meanwhile. Written
/// to `tasks` by the process itself, while it is single-threaded, this spares the RCU grace period of a move from outside.
pub fn join(steps: &mut Steps, cgroup: &Cgroup, waits: bool) {
    if waits || cgroup.is_awaited() {
        steps.origin("/linux/cgroupsPath").push(Step::JoinCgroups {});
    }
}

/// Enters the cgroups, if that was not done by a first init, and then the cgroup namespace, whose root is the cgroup
/// that its maker is in. Once: before the first mount that shows them, or after all mounts.
pub fn enter(steps: &mut Steps, context: &mut Context<'_>) {
    if std::mem::replace(&mut context.in_cgroups, true) {
        return;
    }
    if !context.namespaces.two_stages() {
        join(steps, context.inputs.cgroup, context.inputs.resctrl);
    }
    if context.namespaces.makes(Kind::Cgroup) {
        steps.origin("/linux/namespaces").push(Step::Unshare { flags: libc::CLONE_NEWCGROUP as u32 });
    }
}

/// Shows the container its own cgroups at `mount.destination`: with a cgroup namespace by mounts of its
/// own, which start at its root, else by binding its directories.
pub fn mount(
    steps: &mut Steps,
    context: &mut Context<'_>,
    mount: &Mount,
    options: &Options,
    pointer: &str,
) -> Result<()> {
    enter(steps, context);
    steps.origin(pointer);
    let host = context.inputs.host;
    let destination = mount.destination();
    let unified = host.hierarchies().iter().find(|hierarchy| hierarchy.version == Version::V2);
    if host.layout() == Layout::V2 {
        return match unified {
            Some(hierarchy) => one(steps, context, hierarchy, destination, options, pointer),
            None => Ok(()),
        };
    }

    // A tmpfs with a directory for each hierarchy, as the host has it.
    let target = path(destination, pointer)?;
    let mut list = vec![CString::from(c"mode=755")];
    list.extend(context.mount_label.as_deref().map(label_option).transpose()?);
    with_strings(&list, |list| {
        steps.push(Step::NewMount {
            fstype: c"tmpfs",
            source: c"tmpfs",
            options: list,
            attrs: (options.all() & !RDONLY) as u32,
        });
    });
    steps.push(Step::Attach { target: &target, flags: 0 });
    for hierarchy in host.hierarchies() {
        let name = hierarchy.mount_point.file_name().unwrap_or_default();
        one(steps, context, hierarchy, &destination.join(name), options, pointer)?;
        // "cpu" and "cpuacct" beside "cpu,cpuacct", as programs look for them.
        if hierarchy.controllers.len() > 1 {
            for controller in hierarchy.controllers.iter().filter(|controller| name != controller.as_str()) {
                let link = path(&destination.join(controller), pointer)?;
                steps.push(Step::Symlink { path: &link, target: &path(Path::new(name), pointer)?, replace: 0 });
            }
        }
    }
    if options.all() & RDONLY != 0 {
        steps.push(Step::InsideAttr { path: &target, set: RDONLY, clear: 0, propagation: 0, recursive: 0 });
    }
    Ok(())
}

fn one(
    steps: &mut Steps,
    context: &mut Context<'_>,
    hierarchy: &Hierarchy,
    destination: &Path,
    options: &Options,
    pointer: &str,
) -> Result<()> {
    let own = context.inputs.cgroup.directory_in(hierarchy);
    // The root of the namespace is the caller's own cgroup then, which is not the container's to change.
    let attrs = options.all() | if own.is_none() { RDONLY } else { 0 };
    if context.namespaces.has(Kind::Cgroup) {
        let (fstype, list) = match hierarchy.version {
            Version::V1 => (c"cgroup", hierarchy_options(hierarchy)),
            Version::V2 => (c"cgroup2", Vec::new()),
        };
        with_strings(&list, |list| {
            steps.push(Step::NewMount { fstype, source: c"cgroup", options: list, attrs: attrs as u32 });
        });
    } else if let Some(own) = own {
        // Not by the host, which has not made it yet when it opens the mount sources.
        steps.push(Step::CloneTree { path: &path(&own, pointer)?, recursive: 0 });
        options.attributes(steps);
    } else {
        // Nothing, in the place of what a bind of the host's /sys might have put there.
        let list = [CString::from(c"mode=555"), CString::from(c"size=4k")];
        with_strings(&list, |options| {
            steps.push(Step::NewMount { fstype: c"tmpfs", source: c"tmpfs", options, attrs: attrs as u32 });
        });
    }
    steps.push(Step::Attach { target: &path(destination, pointer)?, flags: 0 });
    Ok(())
}

/// The options that name a version 1 hierarchy: its controllers, or `none` and its name.
fn hierarchy_options(hierarchy: &Hierarchy) -> Vec<CString> {
    let names = hierarchy.controllers.iter().flat_map(|controller| match controller.starts_with("name=") {
        true => vec!["none".to_owned(), controller.clone()],
        false => vec![controller.clone()],
    });
    names.filter_map(|name| CString::new(name).ok()).collect()
}
