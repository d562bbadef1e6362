// SPDX-License-Identifier: Apache-2.0
//! Checkpoint and restore by CRIU, a program of its own: its messages, what it is asked, and the images that it writes.
//!
//! Nothing here starts it: that is `launch`'s, by whose sealed init it is executed as `criu swrk`, with one end of a
//! socket for requests. So the host needs no fork, no SIGCHLD and no thread for it.

pub mod images;
pub mod mounts;
mod pages;
mod program;
pub mod rpc;
mod session;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use program::{Feature, Program, in_path};
pub use session::{Session, Stopped, Told, canceled};

use rpc::{CgroupMode, NetworkLock, Options};

/// The annotation that names a file with options for CRIU; empty, there is none.
const CONFIG: &str = "org.criu.config";
/// Those that are there without it; the second one is runc's.
const CONFIG_FILES: [&str; 2] = ["/etc/criu/brig.conf", "/etc/criu/runc.conf"];

/// How CRIU names the namespaces that a container joins by their path: by the inode of the one, in its images by the
/// name.
pub const EXTERNAL: [(&str, i32, &str); 2] =
    [("net", libc::CLONE_NEWNET, "extRootNetNS"), ("pid", libc::CLONE_NEWPID, "extRootPidNS")];

/// Those that it joins at a restore instead of new ones.
pub const JOINED: [(&str, i32); 2] = [("ipc", libc::CLONE_NEWIPC), ("uts", libc::CLONE_NEWUTS)];

/// What checkpoint and restore have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Common {
    /// TCP connections that are established too.
    pub tcp_established: bool,
    /// UNIX sockets whose peer is outside.
    pub ext_unix_sk: bool,
    /// A session, or a terminal, that is outside.
    pub shell_job: bool,
    /// File locks.
    pub file_locks: bool,
    /// Memory that is handed over when it is touched.
    pub lazy_pages: bool,
    /// No page in two images.
    pub auto_dedup: bool,
    /// What becomes of cgroups.
    pub manage_cgroups: Option<CgroupMode>,
    /// The network namespace is restored empty.
    pub empty_network: bool,
}

impl Common {
    /// The request, for images in `images`, with the log in `log`.
    pub fn options(&self, images: &images::Images, log: &str, annotations: &BTreeMap<String, String>) -> Options {
        Options {
            images_dir_fd: Some(images.number()),
            work_dir_fd: Some(images.work_number()),
            log_level: Some(4),
            log_file: Some(log.to_owned()),
            notify_scripts: Some(true),
            orphan_pts_master: Some(true),
            manage_cgroups: Some(true),
            manage_cgroups_mode: self.manage_cgroups.map(i32::from),
            tcp_established: Some(self.tcp_established),
            ext_unix_sk: Some(self.ext_unix_sk),
            shell_job: Some(self.shell_job),
            file_locks: Some(self.file_locks),
            lazy_pages: Some(self.lazy_pages),
            auto_dedup: Some(self.auto_dedup),
            empty_ns: self.empty_network.then_some(libc::CLONE_NEWNET as u32),
            network_lock: in_path("iptables-restore").is_none().then_some(NetworkLock::Nftables.into()),
            config_file: config_file(annotations),
            ..Options::default()
        }
    }
}

fn config_file(annotations: &BTreeMap<String, String>) -> Option<String> {
    match annotations.get(CONFIG) {
        Some(path) => Some(path.clone()).filter(|path| !path.is_empty()),
        None => CONFIG_FILES.into_iter().find(|path| Path::new(path).exists()).map(str::to_owned),
    }
}

/// A mount of the host in the words of CRIU: in a dump `from` is where it is and `to` what it is called, in a restore
/// `from` is that and `to` where it comes from.
pub fn external_mount(from: &Path, to: &Path) -> String {
    format!("mnt[{}]:{}", from.display(), to.display())
}

/// What a mount of the host is called in images.
pub fn mount_key(point: &Path, is_null: bool) -> PathBuf {
    // Of masked files there are many; a restore has one source for all of them.
    if is_null { "/dev/null".into() } else { point.to_owned() }
}
