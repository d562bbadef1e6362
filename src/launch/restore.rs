// SPDX-License-Identifier: Apache-2.0
//! The host's half of a restore: record, cgroups, a CRIU in the middle of what the container needs, hooks, and the undoing
//! of all of it when something fails.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Spec};
use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{OpenTreeFlags, open_tree};

use super::newborn::Newborn;
use super::undo::Undo;
use super::{Created, Identity, Record, criu, fault, filter, runtime_hooks};
use crate::cgroup::Version;
use crate::criu::images::Images;
use crate::criu::rpc::{self, CgroupRoot, InheritFd, JoinNamespace, Options};
use crate::criu::{Common, EXTERNAL, Feature, JOINED, Told, external_mount};
use crate::error::{Context, Error, Kind, Result};
use crate::plan::criu::{Around, ROOT, SOCKET, restoring};
use crate::plan::{Plan, Steps};
use crate::sys::pidfd;
use crate::sys::spawn::Child;

/// CRIU's log.
const LOG: &str = "restore.log";

/// What to restore, and where.
pub struct RestoreRequest<'a> {
    /// The container's directory: made, locked and empty.
    pub directory: &'a Path,
    /// The validated spec.
    pub spec: &'a Spec,
    /// Its plan, of which the namespaces and the filter count.
    pub plan: &'a Plan,
    /// The root filesystem, if it is given as a descriptor.
    pub rootfs: Option<BorrowedFd<'a>>,
    /// The container's descriptors 0, 1 and 2.
    pub stdio: Vec<BorrowedFd<'a>>,
    /// The images.
    pub images: &'a Images,
    /// Mounts of the host: what they are called in the images, and where they come from.
    pub mounts: Vec<(PathBuf, PathBuf)>,
    /// What has to be there in the root filesystem: the path, and whether it is a directory.
    pub targets: Vec<(PathBuf, bool)>,
    /// What a checkpoint is asked for too.
    pub common: Common,
    /// Connections are restored as closed.
    pub tcp_close: bool,
    /// Instead of the profile that it had.
    pub lsm_profile: Option<&'a str>,
    /// Instead of the label that its mounts had.
    pub lsm_mount_context: Option<&'a str>,
    /// Readable: give up.
    pub cancel: Option<BorrowedFd<'a>>,
}

/// Restores a container, which runs then; or leaves nothing but the directory, empty. `record` has no process yet.
pub fn restore(request: &RestoreRequest<'_>, record: Record) -> Result<Created> {
    let program = criu::find()?;
    if request.common.lazy_pages {
        program.require(Feature::LazyPages, criu::plain)?;
    }
    if request.plan.namespaces.makes(LinuxNamespaceType::User)
        && let Some((uid, gid)) = owner(request.spec)
    {
        request.images.let_in(uid, gid)?;
    }
    let sources = vec![clone_root(request)?, request.images.clone_work()?];
    let (keys, namespaces): (Vec<_>, Vec<_>) = open_namespaces(request)?.into_iter().unzip();
    let null = criu::null()?;
    // A terminal is made inside.
    let terminal = request.spec.process().as_ref().is_some_and(|process| process.terminal() == Some(true));
    let stdio = if terminal { vec![null.as_fd(); SOCKET] } else { request.stdio.clone() };

    fault::at("record")?;
    let mut undo = Undo::new(request.directory, record)?;
    fault::at("cgroup")?;
    undo.record.cgroup.create(Version::V2)?;
    if let Some(rdt) = &mut undo.record.rdt {
        rdt.create()?;
    }
    fault::at("spawn")?;
    let Record { cgroup, rdt, id, keyring, .. } = &undo.record;
    let around = Around {
        place: request.directory,
        targets: &request.targets,
        cgroup,
        resctrl: rdt.is_some(),
        keyring: keyring.then_some(id),
    };
    let steps = restoring(program.path(), SOCKET + 1 + namespaces.len(), &around)?;
    let more: Vec<_> = namespaces.iter().map(AsFd::as_fd).collect();
    let unified = undo.record.cgroup.directory()?;
    let mut running = criu::Running::start(&steps, (&stdio, &more), sources, unified.as_ref().map(AsFd::as_fd))?;
    prepare(request, &mut undo, &mut running, &steps)?;

    let mut options = options(request, &undo.record, &keys)?;
    options.work_dir_fd = running.work();
    let mut console = None;
    let done = running
        .as_ref()
        .perform(rpc::Kind::Restore, options, request.cancel, |told| hear(request, &mut undo, &mut console, told));
    done.map_err(|stopped| request.images.explain("criu cannot restore the container", stopped, LOG))?;
    running.end()?;
    fault::at("done")?;
    let init = undo.record.init.clone().ok_or_else(|| Error::new(Kind::Failed, "criu did not say what it restored"))?;
    Ok(Created { init, pidfd: undo.forget()?.pidfd, supervisor: None, console })
}

/// Root of the container's user namespace.
fn owner(spec: &Spec) -> Option<(u32, u32)> {
    let root = |list: &Option<Vec<LinuxIdMapping>>| {
        list.iter().flatten().find(|range| range.container_id() == 0).map(LinuxIdMapping::host_id)
    };
    let linux = spec.linux().as_ref()?;
    root(linux.uid_mappings()).zip(root(linux.gid_mappings()))
}

/// The cgroups, which CRIU enters before it is CRIU, so that all it makes is in them.
fn prepare(
    request: &RestoreRequest<'_>,
    undo: &mut Undo<'_>,
    running: &mut criu::Running,
    steps: &Steps,
) -> Result<()> {
    fault::at("cgroups")?;
    let resources = request.spec.linux().as_ref().and_then(|linux| linux.resources().clone()).unwrap_or_default();
    let pid = running.pid()?;
    let Record { cgroup, id, rdt, .. } = &mut undo.record;
    cgroup.enclose(id, pid, request.spec.annotations().as_ref(), &resources)?;
    cgroup.create(Version::V1)?;
    if let Some(rdt) = rdt {
        rdt.join(pid)?;
    }
    if cgroup.is_awaited() || rdt.is_some() {
        running.cgroups(&cgroup.join_files()?)?;
    }
    undo.write()?;
    running.executed(steps, request.cancel)?;
    fault::at("limits")?;
    undo.record.cgroup.apply_limits(&resources)?;
    if let Some(filter) = &request.plan.filter {
        filter::write(request.directory, filter)?;
    }
    Ok(())
}

/// Does what is to be done at this point of CRIU's work.
fn hear(request: &RestoreRequest<'_>, undo: &mut Undo<'_>, console: &mut Option<OwnedFd>, told: Told) -> Result<()> {
    match told.what.as_str() {
        "setup-namespaces" => {
            fault::at("hooks")?;
            undo.hooked = true;
            let state = undo.record.state("creating", Some(told.pid));
            runtime_hooks(request.spec, &undo.record.bundle, &state)
        }
        "orphan-pts-master" => {
            *console = told.file;
            Ok(())
        }
        "post-restore" => {
            // Its parent is CRIU's, which is us.
            let what = || "cannot open a pidfd of what was restored";
            undo.init = Some(Newborn::new(Child { pid: told.pid, pidfd: pidfd::open(told.pid).context(what)? }));
            fault::at("devices")?;
            // Until now CRIU may have made device nodes.
            let resources = request.spec.linux().as_ref().and_then(|linux| linux.resources().clone());
            undo.record.cgroup.apply_devices(&resources.unwrap_or_default())?;
            fault::at("commit")?;
            undo.record.init = Some(Identity::of(told.pid)?);
            undo.write()
        }
        _ => Ok(()),
    }
}

fn clone_root(request: &RestoreRequest<'_>) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = match (request.rootfs, &request.plan.rootfs) {
        (Some(rootfs), _) => open_tree(rootfs, "", flags | OpenTreeFlags::AT_EMPTY_PATH),
        (None, Some(path)) => open_tree(CWD, path, flags),
        (None, None) => Err(rustix::io::Errno::BADF),
    };
    tree.context(|| "/root/path: cannot clone the root filesystem").map_err(|error| error.at("/root/path"))
}

/// The namespaces that CRIU inherits, and what they are called in the images.
fn open_namespaces(request: &RestoreRequest<'_>) -> Result<Vec<(&'static str, OwnedFd)>> {
    let joined = &request.plan.namespaces.join;
    let inherited = joined.iter().filter_map(|join| {
        let (.., key) = EXTERNAL.iter().find(|(_, flag, _)| *flag as u64 == join.flag)?;
        Some((*key, join))
    });
    let open = |(key, join): (&'static str, &crate::plan::Join)| {
        let file = open(&join.path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let file = file.context(|| format!("{}: cannot open {}", join.pointer, join.path.display()));
        Ok((key, file.map_err(|error| error.kind(Kind::Config).at(join.pointer.as_str()))?))
    };
    inherited.map(open).collect()
}

fn options(request: &RestoreRequest<'_>, record: &Record, keys: &[&str]) -> Result<Options> {
    let mut options = request.common.options(request.images, LOG, &record.annotations);
    options.root = Some(request.directory.join(ROOT).to_string_lossy().into_owned());
    options.rst_sibling = Some(true);
    options.evasive_devices = Some(true);
    options.tcp_close = request.tcp_close.then_some(true);
    options.lsm_profile = request.lsm_profile.map(str::to_owned);
    options.lsm_mount_context = request.lsm_mount_context.map(str::to_owned);
    options.cgroup_roots =
        record.cgroup.roots().into_iter().map(|(controller, path)| CgroupRoot { controller, path }).collect();
    options.external = request.mounts.iter().map(|(key, source)| external_mount(key, source)).collect();
    for join in &request.plan.namespaces.join {
        if let Some((name, _)) = JOINED.iter().find(|(_, flag)| *flag as u64 == join.flag) {
            let ns_file = join.path.to_string_lossy().into_owned();
            options.join_namespaces.push(JoinNamespace { ns: (*name).to_owned(), ns_file });
        }
    }
    // The numbers that these have in CRIU.
    let stdio = inherited_stdio(request)?.into_iter();
    let namespaces = (SOCKET as i32 + 1..).zip(keys).map(|(fd, key)| InheritFd { key: (*key).to_owned(), fd });
    options.inherit_fds = stdio.chain(namespaces).collect();
    // What takes the place of a file of the host need not have its permissions.
    options.skip_file_rwx_check = options.inherit_fds.iter().any(|it| it.key.starts_with("file[")).then_some(true);
    Ok(options)
}

/// What of the new stdio takes the place of a pipe, or of a file of the host, that was there.
fn inherited_stdio(request: &RestoreRequest<'_>) -> Result<Vec<InheritFd>> {
    let links = request.images.descriptors()?;
    let files = request.images.content()?.unwrap_or_default().files;
    let mut inherited: Vec<InheritFd> = Vec::new();
    for (fd, (link, file)) in
        links.iter().zip(files.into_iter().chain(std::iter::repeat(None))).enumerate().take(SOCKET)
    {
        let Some(key) = file.or_else(|| link.starts_with("pipe:").then(|| link.clone())) else { continue };
        // Two of one pipe are one.
        if inherited.iter().all(|known| known.key != key) {
            inherited.push(InheritFd { key, fd: fd as i32 });
        }
    }
    Ok(inherited)
}
