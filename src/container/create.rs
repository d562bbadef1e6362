// SPDX-License-Identifier: Apache-2.0
//! create: from the caller's options to a spec, a plan, and the launch.

use std::borrow::Cow;
use std::fs::{self, Metadata};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Spec};
use serde_json::value::RawValue;

use super::lock::Lock;
use super::runtime::check_id;
use super::stdio::Stdio;
use super::{Container, Process, Runtime};
use crate::cgroup::{Cgroup, Host};
use crate::error::{Context, Error, Kind, Result};
use crate::launch::{self, Record};
use crate::plan::{self, Plan, seccomp};
use crate::rdt::Rdt;
use crate::sys::privilege;
use crate::{spec, time};

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct CreateOptions<'a> {
    /// The bundle's directory.
    pub bundle: Option<&'a Path>,
    /// config.json as text.
    pub spec: Option<&'a [u8]>,
    /// Instead of root.path.
    pub rootfs: Option<&'a Path>,
    /// Instead of root.path.
    pub rootfs_fd: Option<BorrowedFd<'a>>,
    /// stdin, stdout, stderr; -1 is /dev/null.
    pub stdio: Option<[i32; 3]>,
    /// Files 3 and on.
    pub fds: &'a [i32],
    /// chroot(2) instead of pivot_root(2).
    pub no_pivot: bool,
    /// A supervisor stays, and records how init ends.
    pub supervised: bool,
    /// The session keyring stays that of the caller.
    pub no_new_keyring: bool,
    /// systemd makes the cgroup.
    pub systemd_cgroup: bool,
    /// The caller takes the listener of a seccomp filter that has no socket to send it to.
    pub takes_listener: bool,
    /// Whether it may do without cgroups; `None`: if the caller is not root of the host.
    pub rootless: Option<bool>,
    /// Readable: give up.
    pub cancel: Option<BorrowedFd<'a>>,
}

/// Everything that is known before the host is touched.
pub(super) struct Prepared {
    pub(super) spec: Spec,
    pub(super) process: Box<RawValue>,
    pub(super) bundle: PathBuf,
    pub(super) cgroup: Cgroup,
    pub(super) rdt: Option<Rdt>,
    pub(super) plan: Plan,
}

impl Container {
    /// Creates a container.
    pub fn create(runtime: Arc<Runtime>, id: &str, options: &CreateOptions<'_>) -> Result<Self> {
        check_id(id)?;
        let Prepared { spec, process, bundle, cgroup, rdt, plan } = Prepared::read(&runtime, id, options)?;
        let files = Stdio::open(options.stdio, options.fds)?;
        let mut record = record(id, &spec, process, bundle, cgroup, &plan);
        record.rdt = rdt;
        record.keyring = !options.no_new_keyring;

        let directory = Directory::make(&runtime, id)?;
        let request = launch::Request {
            directory: &directory.path,
            spec: &spec,
            plan: &plan,
            rootfs: options.rootfs_fd,
            files: files.borrow(),
            supervised: options.supervised,
            cancel: options.cancel,
        };
        let created = launch::create(&request, record)?;
        directory.keep();
        let init = Process::supervised(created.init.pid, created.pidfd, created.console, created.supervisor);
        let takes_listener = options.takes_listener;
        Ok(Self { runtime, id: id.to_owned(), init: Mutex::new(Some(init)), takes_listener })
    }

    /// The plan of such a create, as text.
    pub fn plan(runtime: &Runtime, id: &str, options: &CreateOptions<'_>) -> Result<String> {
        check_id(id)?;
        Ok(Prepared::read(runtime, id, options)?.plan.show())
    }
}

impl Prepared {
    pub(super) fn read(runtime: &Runtime, id: &str, options: &CreateOptions<'_>) -> Result<Self> {
        let bundle = bundle(options)?;
        let text = options.spec.map_or_else(|| config(&bundle).map(Cow::Owned), |text| Ok(Cow::Borrowed(text)))?;
        let cache = runtime.seccomp_cache();
        // Read twice, but a profile is most of a usual configuration, and to look it up by its text takes a tenth of the
        // time that it takes to read it.
        let parts = spec::Parts::of(&text);
        let seccomp = parts.as_ref().ok().and_then(|parts| parts.seccomp());
        let filter = seccomp.and_then(|seccomp| seccomp::known(seccomp, Some(&cache)));
        let spec = match (&filter, &parts) {
            (Some(_), Ok(parts)) => spec::load(&parts.without_seccomp()).or_else(|_| spec::load(&text))?,
            _ => spec::load(&text)?,
        };
        let process = parts?.process()?;
        let host = Host::detect()?;
        let limited = privilege::is_limited();
        let cgroups_path = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_deref());
        let cgroup = match options.systemd_cgroup {
            true => Cgroup::plan_scope(&host, cgroups_path, id, spec.annotations().as_ref())?,
            false => Cgroup::plan(&host, cgroups_path, id, options.rootless.unwrap_or(limited))?,
        };
        if let Some(resources) = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()) {
            cgroup.check(resources)?;
        }
        let wish = spec.linux().as_ref().and_then(|linux| linux.intel_rdt().as_ref());
        let rdt = wish.map(|wish| Rdt::plan(wish, id)).transpose()?;
        let inputs = plan::Inputs {
            bundle: &bundle,
            rootfs_fd: options.rootfs_fd,
            rootfs: options.rootfs,
            host: &host,
            cgroup: &cgroup,
            seccomp_text: seccomp.unwrap_or_default(),
            resctrl: rdt.is_some(),
            seccomp_cache: Some(&cache),
            privileged: rustix::process::geteuid().is_root(),
            limited,
            no_pivot: options.no_pivot,
            extra_files: options.fds.len(),
            supervised: options.supervised,
            keyring: (!options.no_new_keyring).then_some(id),
            takes_listener: options.takes_listener,
        };
        let plan = plan::compile(&spec, &inputs, filter)?;
        if let Some(rootfs) = &plan.rootfs {
            check_rootfs(rootfs, &spec)?;
        }
        Ok(Self { spec, process, bundle, cgroup, rdt, plan })
    }
}

fn bundle(options: &CreateOptions<'_>) -> Result<PathBuf> {
    let Some(bundle) = options.bundle else {
        return match options.spec {
            Some(_) => Ok(PathBuf::from("/")),
            None => Err(Error::new(Kind::Invalid, "options: neither bundle nor spec is given")),
        };
    };
    let what = || format!("bundle: cannot open {}", bundle.display());
    let path = fs::canonicalize(bundle).context(what).map_err(|error| error.kind(Kind::Config))?;
    if path.is_dir() { Ok(path) } else { Err(Error::new(Kind::Config, format!("{}: it is not a directory", what()))) }
}

fn config(bundle: &Path) -> Result<Vec<u8>> {
    let path = bundle.join("config.json");
    fs::read(&path).context(|| format!("cannot read {}", path.display())).map_err(|error| error.kind(Kind::Config))
}

/// Only a courtesy, so that the common mistake is told before anything is touched: init opens it anew, once.
fn check_rootfs(rootfs: &Path, spec: &Spec) -> Result<()> {
    let what = || format!("/root/path: cannot open the root filesystem {}", rootfs.display());
    let metadata = fs::metadata(rootfs).context(what).map_err(|error| error.kind(Kind::Config).at("/root/path"))?;
    if !metadata.is_dir() {
        return Err(Error::config("/root/path", format!("{} is not a directory", rootfs.display())));
    }
    if is_closed(&metadata, spec) {
        let why = format!("root of the user namespace cannot enter the root filesystem {}", rootfs.display());
        let (owner, mode) = (format!("{}:{}", metadata.uid(), metadata.gid()), metadata.mode() & 0o7777);
        let error = Error::config("/root/path", format!("{why}, which belongs to {owner} and has mode {mode:04o}"));
        return Err(Error { errno: libc::EACCES, ..error });
    }
    Ok(())
}

/// Whether root of the new user namespace is surely kept out of a directory: it is not its owner, and may override its mode
/// only where its owner is mapped (capabilities(7)).
fn is_closed(directory: &Metadata, spec: &Spec) -> bool {
    let Some(linux) = spec.linux() else { return false };
    let maps = |map: &Option<Vec<LinuxIdMapping>>, id: u32| {
        let range = |one: &LinuxIdMapping| (one.host_id()..=one.host_id().saturating_add(one.size() - 1)).contains(&id);
        map.iter().flatten().any(range)
    };
    let uids = linux.uid_mappings();
    let is_new = uids.as_ref().is_some_and(|uids| !uids.is_empty());
    // Its group may be the user's, and with an access control list the bits of the group are those of others too.
    is_new && !maps(uids, directory.uid()) && directory.mode() & 0o011 == 0
}

pub(super) fn record(
    id: &str,
    spec: &Spec,
    process: Box<RawValue>,
    bundle: PathBuf,
    cgroup: Cgroup,
    plan: &Plan,
) -> Record {
    let hooks = spec.hooks().as_ref();
    Record {
        version: Record::version(),
        id: id.to_owned(),
        oci_version: spec.version().clone(),
        bundle,
        rootfs: plan.rootfs.clone().unwrap_or_default(),
        created: time::rfc3339(SystemTime::now()),
        owner: rustix::process::geteuid().as_raw(),
        annotations: spec.annotations().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
        cgroup,
        rdt: None,
        shares_pids: !plan.namespaces.makes(LinuxNamespaceType::Pid),
        namespaces: plan.namespaces.flags(),
        joined: plan.namespaces.flags() & !plan.namespaces.new,
        after_gate: plan::places_after_gate(&plan.steps),
        process: Some(process),
        common: plan.common.clone(),
        filter: plan.filter.as_ref().map(|filter| filter.flags),
        keyring: false,
        listener: plan.filter.as_ref().and_then(|filter| filter.listener.clone()),
        poststart: hooks.and_then(|hooks| hooks.poststart().clone()).unwrap_or_default(),
        poststop: hooks.and_then(|hooks| hooks.poststop().clone()).unwrap_or_default(),
        init: None,
        supervisor: None,
    }
}

/// The container's directory, new and locked; removed again unless kept.
pub(super) struct Directory {
    path: PathBuf,
    _lock: Lock,
    keep: bool,
}

impl Directory {
    pub(super) fn make(runtime: &Runtime, id: &str) -> Result<Self> {
        let path = runtime.directory(id);
        let make = || fs::DirBuilder::new().mode(0o700).create(&path);
        let made = match make() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => runtime.make().map(|()| make())?,
            result => result,
        };
        match made {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Error::new(Kind::Exists, format!("container with given ID already exists: {id}")));
            }
            result => result.context(|| format!("cannot make {}", path.display()))?,
        }
        match Lock::take(&path)? {
            Some(lock) => Ok(Self { path, _lock: lock, keep: false }),
            None => Err(Error::new(Kind::Canceled, "the container was deleted while it was created")),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir(&self.path);
        }
    }
}
