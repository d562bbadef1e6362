// SPDX-License-Identifier: Apache-2.0
//! Spec → Plan: an ordered list of steps, each a system call or a few, with every path, flag and mask computed
//! and nothing left to decide. Reads the host, changes nothing.

mod builder;
mod cgroups;
mod common;
pub mod criu;
mod devices;
mod exec;
mod failure;
mod groups;
pub mod hooks;
mod labels;
mod mounts;
mod namespaces;
mod process;
mod scheduling;
pub mod seccomp;
mod show;

use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use brig_wire::{POINT_COMMIT, POINT_MAPS, Step};
use caps::{CapSet, Capability};
use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType as Kind, Process, Spec};

pub use builder::{Slot, Steps};
pub use common::Common;
pub use exec::{Exec, Joined};
pub use failure::{Place, failure, places_after_gate};
pub use groups::Groups;
pub use namespaces::{Join, Namespaces};
use scheduling::Moment;

use seccomp::Filter;

use crate::cgroup;
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::spec;
use crate::spec::mount_options::attr::RDONLY;

/// What a plan depends on besides the spec.
pub struct Inputs<'a> {
    /// The bundle, absolute: relative paths of the spec start here.
    pub bundle: &'a Path,
    /// The root filesystem as an open directory, instead of root.path.
    pub rootfs_fd: Option<BorrowedFd<'a>>,
    /// The root filesystem as a path, instead of root.path.
    pub rootfs: Option<&'a Path>,
    /// The hierarchies of this host.
    pub host: &'a cgroup::Host,
    /// The container's cgroups.
    pub cgroup: &'a cgroup::Cgroup,
    /// The section `linux.seccomp` as it is written in config.json.
    pub seccomp_text: &'a str,
    /// Whether the host puts the container into groups of resctrl.
    pub resctrl: bool,
    /// Where compiled seccomp filters are kept.
    pub seccomp_cache: Option<&'a Path>,
    /// Whether the caller is root, be it only in its own user namespace.
    pub privileged: bool,
    /// Whether the caller is not root, or only that of a user namespace.
    pub limited: bool,
    /// chroot(2) instead of pivot_root(2).
    pub no_pivot: bool,
    /// Files for the program beyond stdio.
    pub extra_files: usize,
    /// A supervisor stays as the parent of the container's init.
    pub supervised: bool,
    /// The id, which names the session keyring; `None`: that of the caller stays.
    pub keyring: Option<&'a str>,
    /// The caller takes the listener of a seccomp filter that has no socket to send it to.
    pub takes_listener: bool,
}

/// A compiled plan.
pub struct Plan {
    /// What init does.
    pub steps: Steps,
    /// The namespaces it is for.
    pub namespaces: Namespaces,
    /// The mount sources that the host clones before the launch, by [`Slot::Source`].
    pub sources: Vec<Source>,
    /// The version 1 cgroups that init enters.
    pub cgroups: Vec<PathBuf>,
    /// What every program of the container has, for the record.
    pub common: Common,
    /// The seccomp filter, for the record.
    pub filter: Option<Filter>,
    /// The root filesystem, for the record; `None` if it came as a descriptor.
    pub rootfs: Option<PathBuf>,
}

/// A mount source that the host has to clone.
pub struct Source {
    /// Where it is; `None` is the root filesystem's descriptor.
    pub path: Option<PathBuf>,
    /// With all that is mounted below it.
    pub recursive: bool,
    /// Whose its files seem to be.
    pub id_map: Option<IdMap>,
    /// The device that it must be: its type, its major and its minor number.
    pub device: Option<(u32, u32, u32)>,
    /// The field that names it.
    pub pointer: String,
}

impl Source {
    fn new(path: Option<PathBuf>, recursive: bool, pointer: &str) -> Self {
        Self { path, recursive, id_map: None, device: None, pointer: pointer.to_owned() }
    }
}

/// How the owners of the files of a mount are mapped.
pub struct IdMap {
    /// Between which ids.
    pub mapping: Mapping,
    /// Those of the mounts below too.
    pub recursive: bool,
    /// The field that asks for it.
    pub pointer: String,
}

/// From the ids on the filesystem to those that are seen.
#[derive(Clone, PartialEq)]
pub enum Mapping {
    /// Of users, and of groups.
    Ids(Vec<LinuxIdMapping>, Vec<LinuxIdMapping>),
    /// Those of the namespace that is joined by [`Slot::Namespace`] with this number.
    Joined(usize),
}

/// What the rooms of the plan share while it is compiled.
struct Context<'a> {
    spec: &'a Spec,
    inputs: &'a Inputs<'a>,
    namespaces: Namespaces,
    user_namespace: bool,
    in_cgroups: bool,
    mount_label: Option<CString>,
    sources: Vec<Source>,
}

impl Context<'_> {
    /// A clone of a host path for the `mount` register: by init, or by the host where init, as root of a user
    /// namespace, might not be let through to it.
    fn clone_tree(&mut self, steps: &mut Steps, path: &Path, recursive: bool, pointer: &str) -> Result<()> {
        if self.host_reaches_more() {
            self.host_clones(steps, Source::new(Some(path.to_owned()), recursive, pointer));
        } else {
            let path = builder::path(path, pointer)?;
            steps.push(Step::CloneTree { path: &path, recursive: recursive.into() });
        }
        Ok(())
    }

    /// Whether the host is let through to more than init, which is but root of a user namespace then.
    fn host_reaches_more(&self) -> bool {
        self.user_namespace && !self.inputs.limited
    }

    fn host_clones(&mut self, steps: &mut Steps, source: Source) {
        let recursive = source.recursive;
        self.sources.push(source);
        steps.push_slot(Slot::Source(self.sources.len() - 1), Step::CloneFd { fd: 0 });
        // Cloned from the host's own mounts, not from a copy that was made a slave with the namespace.
        let propagation = libc::MS_SLAVE as u32;
        steps.push(Step::MountAttr { set: 0, clear: 0, propagation, recursive: recursive.into() });
    }
}

/// Compiles the spec, which the spec room has validated. With a `filter` that is known already, the spec need not have
/// its section.
pub fn compile(spec: &Spec, inputs: &Inputs<'_>, filter: Option<Filter>) -> Result<Plan> {
    let linux = spec.linux().as_ref().ok_or_else(|| Error::config("/linux", "is required"))?;
    let process = spec.process().as_ref().ok_or_else(|| Error::config("/process", "is required"))?;
    let groups = Groups::asked(spec.annotations().iter().flatten());
    let namespaces = Namespaces::read(linux, inputs.privileged);
    let user_namespace = namespaces.has(Kind::User);
    let is_admin = || caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or_default();
    if !user_namespace && !inputs.privileged && !is_admin() {
        let text = "an ordinary user's container needs a user namespace (`brig spec --rootless` has one)";
        return Err(Error::config("/linux/namespaces", text));
    }
    let mount_label = labels::mounts(spec)?;
    let mut context =
        Context { spec, inputs, namespaces, user_namespace, in_cgroups: false, mount_label, sources: Vec::new() };
    let mut steps = Steps::new();

    if inputs.supervised {
        context.namespaces.supervise(&mut steps);
    }
    oom_score(&mut steps, process, "/process/oomScoreAdj")?;
    scheduling::io_priority(&mut steps, process, "/process/ioPriority");
    context.namespaces.steps(&mut steps, spec, inputs, groups)?;
    if let Some(id) = inputs.keyring {
        labels::keyring_label(&mut steps, process, "/process")?;
        labels::keyring(&mut steps, id)?;
    }
    host_names(&mut steps, &context)?;
    let rootfs = root(&mut steps, &mut context)?;
    mounts::steps(&mut steps, &mut context)?;
    cgroups::enter(&mut steps, &mut context);
    network_devices(&mut steps, &context)?;
    devices::steps(&mut steps, &mut context)?;
    working_directory(&mut steps, process)?;
    hooks::create(&mut steps, spec, inputs.bundle)?;
    sysctl(&mut steps, &context)?;
    labels::process(&mut steps, process, "/process")?;
    restrict(&mut steps, spec)?;
    change_root(&mut steps, &context);
    let filter = match (filter, linux.seccomp()) {
        (None, Some(seccomp)) => seccomp::compile(seccomp, inputs.seccomp_text, inputs.seccomp_cache)?,
        (known, _) => known,
    };
    filter.as_ref().map_or(Ok(()), Filter::check)?;
    if let (Some(Filter { listener: Some(listener), .. }), Some(seccomp)) = (&filter, linux.seccomp()) {
        listener.check(seccomp, inputs.takes_listener)?;
    }
    let common = Common::compile(linux)?;
    let program = process::Program {
        process,
        at: "/process",
        common: &common,
        groups: groups.within(user_namespace, inputs.limited),
        filter: filter.as_ref(),
        extra_files: inputs.extra_files,
        scheduled: if context.namespaces.schedules(process) { Moment::Before } else { Moment::Prepared },
    };
    program.files(&mut steps);
    program.session(&mut steps);
    program.prepare(&mut steps)?;
    gate(&mut steps, spec)?;
    program.execute(&mut steps)?;

    let cgroups = inputs.cgroup.joined().map(Path::to_owned).collect();
    Ok(Plan { steps, namespaces: context.namespaces, sources: context.sources, cgroups, common, filter, rootfs })
}

/// The plan of a process that only waits: what it was cloned into can be looked at meanwhile.
pub fn wait() -> Steps {
    let mut steps = Steps::new();
    steps.push(Step::Sync { point: POINT_MAPS });
    steps
}

/// Before anything else: once init is not dumpable, its /proc files belong to the host's root.
fn oom_score(steps: &mut Steps, process: &Process, pointer: &str) -> Result<()> {
    if let Some(score) = process.oom_score_adj() {
        steps.origin(pointer).push(Step::OpenProc {});
        steps.push(Step::ProcSelf { path: c"oom_score_adj", value: &builder::text(score.to_string(), pointer)? });
    }
    Ok(())
}

fn host_names(steps: &mut Steps, context: &Context<'_>) -> Result<()> {
    if context.namespaces.makes(Kind::Network) {
        steps.origin("/linux/namespaces").push(Step::LoopbackUp {});
    }
    if let Some(name) = context.spec.hostname() {
        context.namespaces.refuse_own(Kind::Uts, "/hostname")?;
        steps.origin("/hostname").push(Step::Hostname { name: &builder::text(name, "/hostname")? });
    }
    if let Some(name) = context.spec.domainname() {
        context.namespaces.refuse_own(Kind::Uts, "/domainname")?;
        steps.origin("/domainname").push(Step::Domainname { name: &builder::text(name, "/domainname")? });
    }
    Ok(())
}

/// The host moves network devices here: before hooks and sysctls, which may be about them, and when init has heard of
/// its cgroups, which comes unasked.
fn network_devices(steps: &mut Steps, context: &Context<'_>) -> Result<()> {
    let pointer = "/linux/netDevices";
    let devices = context.spec.linux().as_ref().and_then(|linux| linux.net_devices().as_ref());
    if devices.is_none_or(|devices| devices.is_empty()) {
        return Ok(());
    }
    if !context.inputs.privileged {
        let text = "only the host's root can give a container network devices";
        return Err(Error::config(pointer, text).kind(ErrorKind::Unsupported));
    }
    steps.origin(pointer).push(Step::NetSocket {});
    Ok(())
}

/// linux.rootfsPropagation as an MS_* flag, and whether for all below too.
fn propagation(spec: &Spec) -> Option<(u32, bool)> {
    let name = spec.linux().as_ref()?.rootfs_propagation().as_deref().filter(|name| !name.is_empty())?;
    let (name, recursive) = name.strip_prefix('r').map_or((name, false), |name| (name, true));
    let flag = match name {
        "shared" => libc::MS_SHARED,
        "slave" => libc::MS_SLAVE,
        "private" => libc::MS_PRIVATE,
        _ => libc::MS_UNBINDABLE,
    };
    Some((flag as u32, recursive))
}

/// Whether mounts of the new mount namespace are still shared with the host: those other than "/", unless all changed.
fn stays_shared(spec: &Spec) -> bool {
    propagation(spec).is_some_and(|(flag, recursive)| !recursive || flag == libc::MS_SHARED as u32)
}

/// Makes the root filesystem a mount of its own on top of "/", to which all that follows is relative.
fn root(steps: &mut Steps, context: &mut Context<'_>) -> Result<Option<PathBuf>> {
    let (private, slave) = (libc::MS_PRIVATE as u32, libc::MS_SLAVE as u32);
    let before = match propagation(context.spec) {
        None => (slave, true),
        // It could not be cloned. The change of the root comes first.
        Some((flag, recursive)) if flag == libc::MS_UNBINDABLE as u32 => (private, recursive),
        Some(before) => before,
    };
    steps.origin("/linux/rootfsPropagation");
    steps.push(Step::RootPropagation { propagation: before.0, recursive: before.1.into() });
    if before.0 == libc::MS_SHARED as u32 {
        // What is attached to a shared "/" would appear on the host.
        steps.push(Step::RootPropagation { propagation: private, recursive: 0 });
    }
    let inputs = context.inputs;
    let pointer = "/root/path";
    steps.origin(pointer);
    let path = match (inputs.rootfs_fd, inputs.rootfs, context.spec.root()) {
        (Some(_), ..) => None,
        (None, Some(path), _) => Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
        (None, None, Some(root)) => Some(inputs.bundle.join(root.path())),
        (None, None, None) => return Err(Error::config("/root", "is required")),
    };
    match &path {
        None => context.host_clones(steps, Source::new(None, true, pointer)),
        Some(path) => context.clone_tree(steps, path, true, pointer)?,
    }
    if stays_shared(context.spec) {
        // So would what is attached to a clone of a shared mount.
        let propagation = if before.0 == slave { slave } else { private };
        steps.push(Step::MountAttr { set: 0, clear: 0, propagation, recursive: 1 });
    }
    steps.push(Step::SetRoot {});
    Ok(path)
}

/// The program's directory is made if the image lacks it, as users of other runtimes expect.
fn working_directory(steps: &mut Steps, process: &Process) -> Result<()> {
    let pointer = "/process/cwd";
    if process.cwd() != Path::new("/") {
        steps.origin(pointer).push(Step::Mkdir { path: &builder::path(process.cwd(), pointer)?, mode: 0o755 });
    }
    Ok(())
}

fn sysctl(steps: &mut Steps, context: &Context<'_>) -> Result<()> {
    let Some(values) = context.spec.linux().as_ref().and_then(|linux| linux.sysctl().as_ref()) else { return Ok(()) };
    let mut values: Vec<_> = values.iter().collect();
    values.sort();
    if !values.is_empty() {
        steps.origin("/linux/sysctl").push(Step::OpenProc {});
    }
    for (name, value) in values {
        let pointer = spec::pointer::join("/linux/sysctl", name);
        if let Some(kind) = spec::sysctl_namespace(name) {
            context.namespaces.refuse_own(kind, &pointer)?;
        }
        let path = builder::text(format!("sys/{}", spec::sysctl_path(name)), &pointer)?;
        let value = builder::text(value, &pointer)?;
        steps.origin(pointer).push(Step::Sysctl { path: &path, value: &value });
    }
    Ok(())
}

/// What the container may not see, and what it may not change.
fn restrict(steps: &mut Steps, spec: &Spec) -> Result<()> {
    let linux = spec.linux().as_ref();
    let lists = [
        ("/linux/readonlyPaths", linux.and_then(|linux| linux.readonly_paths().as_ref()), false),
        ("/linux/maskedPaths", linux.and_then(|linux| linux.masked_paths().as_ref()), true),
    ];
    for (pointer, paths, mask) in lists {
        for (index, path) in paths.into_iter().flatten().enumerate() {
            let pointer = format!("{pointer}/{index}");
            let path = &builder::text(path, &pointer)?;
            steps.origin(pointer).push(if mask { Step::Mask { path } } else { Step::ReadOnly { path } });
        }
    }
    if spec.root().as_ref().is_some_and(|root| root.readonly() == Some(true)) {
        let set = RDONLY;
        steps.origin("/root/readonly").push(Step::RootAttr { set, clear: 0, propagation: 0, recursive: 0 });
    }
    Ok(())
}

fn change_root(steps: &mut Steps, context: &Context<'_>) {
    steps.origin("");
    let slave = stays_shared(context.spec).into();
    steps.push(if context.inputs.no_pivot { Step::Chroot {} } else { Step::Pivot { slave } });
    if let Some((propagation, recursive)) = propagation(context.spec) {
        steps.origin("/linux/rootfsPropagation");
        steps.push(Step::RootPropagation { propagation, recursive: recursive.into() });
    }
}

/// Where init waits until the container is started.
fn gate(steps: &mut Steps, spec: &Spec) -> Result<()> {
    steps.origin("").push(Step::Sync { point: POINT_COMMIT });
    steps.push(Step::Gate {});
    hooks::start_container(steps, spec)
}
