// SPDX-License-Identifier: Apache-2.0
//! What checkpoint and restore share: their flags.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::ffi::{CgroupMode, Wishes};

/// The flags of both.
#[derive(Args)]
#[group(skip)]
pub struct Flags {
    /// The directory of the images
    #[arg(long, value_name = "DIR", default_value = "checkpoint")]
    image_path: PathBuf,
    /// The directory of the log and of what else is not an image [default: that of the images]
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// TCP connections that are established too
    #[arg(long)]
    tcp_established: bool,
    /// UNIX sockets that are connected to the outside too
    #[arg(long)]
    ext_unix_sk: bool,
    /// A terminal outside of the container too
    #[arg(long)]
    shell_job: bool,
    /// File locks too
    #[arg(long)]
    file_locks: bool,
    /// Memory that is moved on request
    #[arg(long)]
    lazy_pages: bool,
    /// What becomes of cgroups
    #[arg(long, value_name = "MODE")]
    manage_cgroups_mode: Option<CgroupMode>,
    /// Leave out what is in a namespace; may be repeated
    #[arg(long, value_name = "NAMESPACE")]
    empty_ns: Vec<Namespace>,
    /// Remove from images what is not needed any more
    #[arg(long)]
    auto_dedup: bool,
}

/// A namespace that can be left empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Namespace {
    Network,
}

impl Flags {
    /// The directory of the images.
    pub fn images(&self) -> &Path {
        &self.image_path
    }

    /// That of the log.
    pub fn work(&self) -> Option<&Path> {
        self.work_path.as_deref()
    }

    /// What becomes of cgroups.
    pub fn manage_cgroups(&self) -> Option<CgroupMode> {
        self.manage_cgroups_mode
    }

    /// Whether the network namespace is left empty.
    pub fn empty_network(&self) -> bool {
        self.empty_ns.contains(&Namespace::Network)
    }

    /// What else they ask for.
    pub fn wishes(&self) -> Wishes {
        Wishes {
            tcp_established: self.tcp_established,
            ext_unix_sk: self.ext_unix_sk,
            shell_job: self.shell_job,
            file_locks: self.file_locks,
            lazy_pages: self.lazy_pages,
            auto_dedup: self.auto_dedup,
            ..Wishes::default()
        }
    }
}
