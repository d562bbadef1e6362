// SPDX-License-Identifier: Apache-2.0
//! restore: a new container out of the images of another one, in the environment that its own config.json describes.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use oci_spec::runtime::{LinuxNamespaceType, Mount, Spec};

use super::create::{Directory, Prepared, record};
use super::runtime::check_id;
use super::stdio::Stdio;
use super::{Container, CreateOptions, Process, Runtime};
use crate::cgroup::{Cgroup, Host, Layout};
use crate::criu::images::{Content, Images, Place};
use crate::criu::{Common, mounts};
use crate::error::{Context, Error, Kind, Result};
use crate::launch::{self, RestoreRequest};
use crate::spec::is_bind;

/// What the caller asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions<'a> {
    /// The container to be: bundle, spec, root filesystem, stdio and so on.
    pub create: CreateOptions<'a>,
    /// Where the images are.
    pub place: Place<'a>,
    /// What a checkpoint is asked for too.
    pub common: Common,
    /// Connections are restored as closed.
    pub tcp_close: bool,
    /// Instead of the security profile that it had: "TYPE:NAME".
    pub lsm_profile: Option<&'a str>,
    /// Instead of the SELinux label that its mounts had.
    pub lsm_mount_context: Option<&'a str>,
}

impl Container {
    /// Restores a container; it runs then.
    pub fn restore(runtime: Arc<Runtime>, id: &str, options: &RestoreOptions<'_>) -> Result<Self> {
        check_id(id)?;
        let create = &options.create;
        let Prepared { spec, process, bundle, cgroup, rdt, plan } = Prepared::read(&runtime, id, create)?;
        let images = Images::find(&options.place)?;
        refuse(&spec)?;
        let host = Host::detect()?;
        let sources = Sources::of(&spec, &bundle, &host, &cgroup)?;
        let mounts = match images.content()? {
            Some(content) => sources.all(&content, plan.namespaces.flags())?,
            None => sources.named(),
        };
        let targets = sources.targets()?;
        let files = Stdio::open(create.stdio, &[])?;
        let mut record = record(id, &spec, process, bundle, cgroup, &plan);
        record.rdt = rdt;
        // The keyring of a user namespace is another user's.
        record.keyring = !create.no_new_keyring && !plan.namespaces.has(LinuxNamespaceType::User);

        let directory = Directory::make(&runtime, id)?;
        let request = RestoreRequest {
            directory: directory.path(),
            spec: &spec,
            plan: &plan,
            rootfs: create.rootfs_fd,
            stdio: files.borrow(),
            images: &images,
            mounts,
            targets,
            common: options.common,
            tcp_close: options.tcp_close,
            lsm_profile: options.lsm_profile,
            lsm_mount_context: options.lsm_mount_context,
            cancel: create.cancel,
        };
        let created = launch::restore(&request, record)?;
        directory.keep();
        let init = Process::new(created.init.pid, created.pidfd, created.console);
        Ok(Self { runtime, id: id.to_owned(), init: Mutex::new(Some(init)), takes_listener: false })
    }
}

/// What CRIU cannot bring back.
fn refuse(spec: &Spec) -> Result<()> {
    let linux = spec.linux().as_ref();
    let no = |pointer: &str, text: &str| Err(Error::config(pointer, text).kind(Kind::Unsupported));
    if linux.and_then(|linux| linux.net_devices().as_ref()).is_some_and(|devices| !devices.is_empty()) {
        return no("/linux/netDevices", "a container with network devices of the host cannot be restored");
    }
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let options = mount.options().iter().flatten();
        if mount.uid_mappings().as_ref().is_some_and(|list| !list.is_empty())
            || options.flat_map(|option| option.split(',')).any(|option| matches!(option, "idmap" | "ridmap"))
        {
            return no(&format!("/mounts/{index}"), "an ID-mapped mount cannot be restored");
        }
    }
    Ok(())
}

/// Where the container's mounts of the host come from, by config.json.
struct Sources<'a> {
    spec: &'a Spec,
    /// Where each is in the container, its source, and the field that names it.
    places: Vec<(PathBuf, PathBuf, String)>,
}

impl<'a> Sources<'a> {
    fn of(spec: &'a Spec, bundle: &Path, host: &Host, cgroup: &Cgroup) -> Result<Self> {
        let own_cgroups = spec
            .linux()
            .as_ref()
            .and_then(|linux| linux.namespaces().as_ref())
            .is_some_and(|list| list.iter().any(|namespace| namespace.typ() == LinuxNamespaceType::Cgroup));
        let mut places = Vec::new();
        for (index, mount) in spec.mounts().iter().flatten().enumerate() {
            let pointer = format!("/mounts/{index}/source");
            let destination = clean(mount.destination());
            match mount.source() {
                Some(source) if is_bind(mount) => places.push((destination, bundle.join(source), pointer)),
                _ if own_cgroups || !matches!(mount.typ().as_deref(), Some("cgroup" | "cgroup2")) => {}
                _ => places.extend(host.hierarchies().iter().filter_map(|hierarchy| {
                    let name = hierarchy.mount_point.file_name().unwrap_or_default();
                    let at = if host.layout() == Layout::V2 { destination.clone() } else { destination.join(name) };
                    Some((at, cgroup.directory_in(hierarchy)?, pointer.clone()))
                })),
            }
        }
        let devices = spec.linux().as_ref().and_then(|linux| linux.devices().as_ref());
        for (index, device) in devices.into_iter().flatten().enumerate() {
            let path = clean(device.path());
            places.push((path.clone(), path, format!("/linux/devices/{index}/path")));
        }
        for name in ["null", "zero", "full", "tty", "random", "urandom"] {
            // In a user namespace they are the host's; what is masked is covered by the first one.
            let path = Path::new("/dev").join(name);
            places.push((path.clone(), path, String::new()));
        }
        Ok(Self { spec, places })
    }

    fn pairs(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.places.iter().map(|(at, source, _)| (at.as_path(), source.as_path()))
    }

    /// Those that config.json names, for images that do not say what they need.
    fn named(&self) -> Vec<(PathBuf, PathBuf)> {
        self.pairs().map(|(at, source)| (at.to_owned(), source.to_owned())).collect()
    }

    /// Those that the images need.
    fn all(&self, content: &Content, namespaces: u64) -> Result<Vec<(PathBuf, PathBuf)>> {
        let other = |what: &str| {
            let text = format!("image directory: it is of the container {}, which {what}", content.id);
            Err(Error::new(Kind::Invalid, text))
        };
        if content.namespaces != namespaces {
            return other("has other namespaces than config.json says");
        }
        let mut mounts: Vec<(PathBuf, PathBuf)> = Vec::new();
        for key in &content.mounts {
            let Some(source) = mounts::source(key, self.pairs()) else {
                return other(&format!("has a mount at {} that config.json does not have", key.display()));
            };
            if !mounts.iter().any(|(known, _)| known == key) {
                mounts.push((key.clone(), source));
            }
        }
        Ok(mounts)
    }

    /// What CRIU expects to be there in the root filesystem, which may be a fresh copy: where something is mounted that
    /// is not inside of another mount.
    fn targets(&self) -> Result<Vec<(PathBuf, bool)>> {
        let mounts: Vec<(usize, &Mount)> = self.spec.mounts().iter().flatten().enumerate().collect();
        let is_inside = |path: &Path| {
            mounts
                .iter()
                .map(|(_, mount)| clean(mount.destination()))
                .any(|other| path != other && path.starts_with(other))
        };
        let mut targets = Vec::new();
        for (index, mount) in &mounts {
            let path = clean(mount.destination());
            if is_inside(&path) || path == Path::new("/") {
                continue;
            }
            let pointer = format!("/mounts/{index}/source");
            let source = self.places.iter().find(|(at, _, field)| *at == path && *field == pointer);
            let is_directory = match source.filter(|_| is_bind(mount)) {
                Some((_, source, _)) => {
                    let file = fs::metadata(source).context(|| format!("{pointer}: cannot open {}", source.display()));
                    file.map_err(|error| error.kind(Kind::Config).at(pointer))?.is_dir()
                }
                None => true,
            };
            targets.push((path, is_directory));
        }
        Ok(targets)
    }
}

/// An absolute path without what says nothing.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}
