// SPDX-License-Identifier: Apache-2.0
//! Entering the cgroups, and showing them: mounts of type `cgroup` and `cgroup2`.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use brig_wire::Step;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};

use super::Context;
use super::builder::{Slot, Steps, path, with_strings};
use super::mounts::Options;
use crate::cgroup::{Cgroup, Hierarchy, Layout, Version};
use crate::error::Result;
use crate::spec::mount_options::attr::RDONLY;

/// Each version 1 hierarchy's `tasks`; version 2 is entered by the clone itself.
pub fn join(steps: &mut Steps, cgroup: &Cgroup) {
    for index in 0..cgroup.joined().count() {
        steps.origin("/linux/cgroupsPath").push_slot(Slot::Cgroup(index), Step::JoinCgroup { fd: 0 });
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
    with_strings(&[c"mode=755"], |list| {
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
    if context.namespaces.has(Kind::Cgroup) {
        let (fstype, list) = match hierarchy.version {
            Version::V1 => (c"cgroup", hierarchy_options(hierarchy)),
            Version::V2 => (c"cgroup2", Vec::new()),
        };
        with_strings(&list, |list| {
            steps.push(Step::NewMount { fstype, source: c"cgroup", options: list, attrs: options.all() as u32 });
        });
    } else {
        let own: PathBuf = context.inputs.cgroup.directory_in(hierarchy);
        context.clone_tree(steps, &own, false, pointer)?;
        options.attributes(steps);
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
