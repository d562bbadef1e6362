// SPDX-License-Identifier: Apache-2.0
//! The host's half of a checkpoint: what CRIU has to know of the container, and the conversation with it.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{major, minor};

use super::{Record, criu};
use crate::criu::images::{Content, Images};
use crate::criu::rpc::{self, Options, PageServer};
use crate::criu::{Common, EXTERNAL, Feature, canceled, external_mount, mount_key, mounts};
use crate::error::{Context, Error, Kind, Result};
use crate::sys::pidfd;

/// CRIU's log.
const LOG: &str = "dump.log";

/// What to dump, and how.
pub struct CheckpointRequest<'a> {
    /// The container's record.
    pub record: &'a Record,
    /// The pid of its init.
    pub pid: i32,
    /// Where to.
    pub images: &'a Images,
    /// What a restore is asked for too.
    pub common: Common,
    /// It runs on afterwards.
    pub leave_running: bool,
    /// The memory alone, for a dump to come.
    pub pre_dump: bool,
    /// Connections that are being made are left out.
    pub tcp_skip_in_flight: bool,
    /// Files that were removed are linked again.
    pub link_remap: bool,
    /// The directory of the dump before, relative to the images.
    pub parent: Option<&'a Path>,
    /// Who takes the memory: an address and a port.
    pub page_server: Option<(&'a str, u16)>,
    /// Who is told that pages can be fetched.
    pub status: Option<BorrowedFd<'a>>,
    /// Readable: give up.
    pub cancel: Option<BorrowedFd<'a>>,
}

/// Dumps the container. If it fails, the container goes on as it was.
pub fn checkpoint(request: &CheckpointRequest<'_>) -> Result<()> {
    let program = criu::find()?;
    if request.pre_dump || request.parent.is_some() {
        program.require(Feature::MemoryTracking, criu::plain)?;
    }
    if request.common.lazy_pages {
        program.require(Feature::LazyPages, criu::plain)?;
    }
    let options = options(request)?;
    let kind = if request.pre_dump { rpc::Kind::PreDump } else { rpc::Kind::Dump };
    let owner = owner(request);
    let running = criu::plain(program.path())?;
    // CRIU is not killed while it is in the container's processes, which would not survive that: it is told to give up
    // when it asks.
    let done = running.as_ref().perform(kind, options, None, |_| match request.cancel {
        Some(cancel) if is_readable(cancel)? => Err(canceled()),
        _ => Ok(()),
    });
    done.map_err(|stopped| request.images.explain("criu cannot dump the container", stopped, LOG))?;
    if let Some((uid, gid)) = owner {
        request.images.let_in(uid, gid)?;
    }
    running.end()
}

/// Root of the container's user namespace, if it has one.
fn owner(request: &CheckpointRequest<'_>) -> Option<(u32, u32)> {
    let root = |name: &str| {
        let text = fs::read_to_string(format!("/proc/{}/{name}", request.pid)).ok()?;
        text.lines().find_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            (numbers.next()? == Ok(0)).then(|| numbers.next()?.ok()).flatten()
        })
    };
    (request.record.namespaces & libc::CLONE_NEWUSER as u64 != 0)
        .then(|| root("uid_map").zip(root("gid_map")))
        .flatten()
}

fn is_readable(file: BorrowedFd<'_>) -> Result<bool> {
    Ok(pidfd::readable(&[file], Some(Duration::ZERO)).context(|| "cannot look at cancel_fd")?.is_some())
}

fn options(request: &CheckpointRequest<'_>) -> Result<Options> {
    let record = request.record;
    let mut options = request.common.options(request.images, LOG, &record.annotations);
    options.pid = Some(request.pid);
    options.root = Some(record.rootfs.to_string_lossy().into_owned()).filter(|root| !root.is_empty());
    options.leave_running = Some(request.leave_running);
    options.tcp_skip_in_flight = Some(request.tcp_skip_in_flight);
    options.link_remap = Some(request.link_remap);
    options.freeze_cgroup = record.cgroup.criu_freezer().map(|path| path.to_string_lossy().into_owned());
    if let Some(parent) = request.parent {
        options.parent_img = Some(parent.to_string_lossy().into_owned());
    }
    options.track_mem = (request.pre_dump || request.parent.is_some()).then_some(true);
    options.page_server = request
        .page_server
        .map(|(address, port)| PageServer { address: Some(address.to_owned()), port: Some(port.into()) });
    options.status_fd = request.status.map(|file| file.as_raw_fd());
    options.external = namespaces(record, request.pid)?;
    if request.pre_dump {
        return Ok(options);
    }
    let stdio = Stdio::of(request.pid, request.common.shell_job)?;
    let mounts = mounts(record, request.pid)?;
    for (point, key) in &mounts {
        options.external.push(external_mount(point, key));
    }
    options.external.extend(stdio.files.iter().flatten().cloned());
    let mounts = mounts.into_iter().map(|(_, key)| key).collect();
    let content = Content { id: record.id.clone(), namespaces: record.namespaces, mounts, files: stdio.files.clone() };
    request.images.describe(&stdio.links, &content)?;
    Ok(options)
}

/// Namespaces that are not the container's own, which a restore gets again.
fn namespaces(record: &Record, pid: i32) -> Result<Vec<String>> {
    let mut external = Vec::new();
    for (name, _, key) in EXTERNAL.iter().filter(|(_, flag, _)| record.joined & *flag as u64 != 0) {
        let path = format!("/proc/{pid}/ns/{name}");
        let inode = fs::metadata(&path).context(|| format!("cannot look at {path}"))?.ino();
        external.push(format!("{name}[{inode}]:{key}"));
    }
    Ok(external)
}

/// The mounts of the host in the container: where they are, and what they are called.
fn mounts(record: &Record, pid: i32) -> Result<Vec<(PathBuf, PathBuf)>> {
    let read = |path: String| fs::read(&path).context(|| format!("cannot read {path}"));
    let own_cgroups = record.namespaces & libc::CLONE_NEWCGROUP as u64 != 0;
    let points = mounts::external(
        &read(format!("/proc/{pid}/mountinfo"))?,
        &read("/proc/thread-self/mountinfo".into())?,
        own_cgroups,
    );
    let null = (1, 3);
    let called = |point: PathBuf| {
        let inside =
            Path::new("/proc").join(pid.to_string()).join("root").join(point.strip_prefix("/").unwrap_or(&point));
        let is_null = fs::symlink_metadata(inside)
            .is_ok_and(|file| file.file_type().is_char_device() && (major(file.rdev()), minor(file.rdev())) == null);
        let key = mount_key(&point, is_null);
        (point, key)
    };
    Ok(points.into_iter().map(called).collect())
}

/// What descriptors 0, 1 and 2 of a process are.
struct Stdio {
    /// As /proc/PID/fd has them.
    links: [String; 3],
    /// How CRIU names those that are files of the host.
    files: [Option<String>; 3],
}

impl Stdio {
    fn of(pid: i32, shell_job: bool) -> Result<Self> {
        let mountinfo = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        let own: Vec<_> = mountinfo.lines().filter_map(|line| line.split(' ').next()).collect();
        let terminals = fs::metadata(format!("/proc/{pid}/root/dev/pts")).map(|file| file.dev()).ok();
        let mut stdio = Self { links: Default::default(), files: Default::default() };
        for number in 0..3 {
            let path = format!("/proc/{pid}/fd/{number}");
            let (Ok(link), Ok(file)) = (fs::read_link(&path), fs::metadata(&path)) else { continue };
            stdio.links[number] = link.to_string_lossy().into_owned();
            let is_terminal = file.file_type().is_char_device() && (136..144).contains(&major(file.rdev()));
            if is_terminal && Some(file.dev()) != terminals && !shell_job {
                let text = format!(
                    "its descriptor {number} is {}, a terminal outside of the container: it takes --shell-job \
                     (BRIG_CHECKPOINT_SHELL_JOB) to dump it",
                    link.display()
                );
                return Err(Error::new(Kind::State, text));
            }
            let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
            let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(str::trim);
            let known = file.file_type().is_file() || file.file_type().is_char_device() && !is_terminal;
            if let Some(mount) = mount.filter(|mount| known && !own.contains(mount)) {
                let mount: u32 = mount.parse().unwrap_or_default();
                stdio.files[number] = Some(format!("file[{mount:x}:{:x}]", file.ino()));
            }
        }
        Ok(stdio)
    }
}
