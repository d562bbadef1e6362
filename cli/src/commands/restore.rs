// SPDX-License-Identifier: Apache-2.0
//! `brig restore`

use crate::exit_code::ExitCode;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::process::{getpid, set_child_subreaper};
use serde_json::Value;

use crate::activation::Activation;
use crate::arguments::Globals;
use crate::error::{Context, Error, Result};
use crate::ffi::{Container, RestoreOptions, Wishes};
use crate::log::Log;
use crate::signals::Signals;
use crate::terminal::Terminal;
use crate::{foreground, handover, images};

#[derive(Args)]
pub struct Restore {
    #[command(flatten)]
    images: images::Flags,
    /// The bundle: a directory with a config.json
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    bundle: PathBuf,
    #[command(flatten)]
    handover: handover::Flags,
    /// Do not wait for the end
    #[arg(short, long)]
    detach: bool,
    /// Do not adopt processes whose parent ended
    #[arg(long)]
    no_subreaper: bool,
    /// Has no effect: the root is changed by CRIU
    #[arg(long)]
    no_pivot: bool,
    /// Restore TCP connections as closed
    #[arg(long)]
    tcp_close: bool,
    /// The security profile to have instead of the former one
    #[arg(long, value_name = "TYPE:NAME")]
    lsm_profile: Option<String>,
    /// The SELinux label for mounts instead of the former one
    #[arg(long, value_name = "LABEL")]
    lsm_mount_context: Option<String>,
    /// Has no effect: images know their parents
    #[arg(long, value_name = "DIR", hide = true)]
    parent_path: Option<PathBuf>,
    /// What the container is to be called
    id: String,
}

impl super::Run for Restore {
    const NAME: &'static str = "restore";
    const ABOUT: &'static str = "Create a container out of images";

    fn run(self, globals: &Globals, log: &Log) -> Result<ExitCode> {
        if !self.handover.files(Activation::default())?.is_empty() {
            return Err(Error::refused("--preserve-fds: no more files can be given to what is restored"));
        }
        self.handover.check_terminal(self.detach, wants_terminal(&self.bundle))?;
        let handover = self.handover.connect()?;
        if !self.detach && !self.no_subreaper {
            set_child_subreaper(Some(getpid())).context(|| "cannot become a subreaper")?;
        }
        let mut signals = Signals::block()?;
        let container = globals.runtime()?.restore(
            &self.id,
            &RestoreOptions {
                bundle: &self.bundle,
                images: self.images.images(),
                work: self.images.work(),
                lsm_profile: self.lsm_profile.as_deref(),
                lsm_mount_context: self.lsm_mount_context.as_deref(),
                wishes: Wishes {
                    tcp_close: self.tcp_close,
                    systemd_cgroup: globals.systemd_cgroup,
                    ..self.images.wishes()
                },
                manage_cgroups: self.images.manage_cgroups(),
                empty_network: self.images.empty_network(),
                cancel: signals.as_fd(),
            },
        )?;
        let done = container.init().map_err(Error::from).and_then(|init| {
            handover.announce(&init)?;
            if self.detach {
                return Ok(ExitCode::SUCCESS);
            }
            let terminal = init.console()?.map(Terminal::attach).transpose()?;
            signals.take_all()?;
            let exit = foreground::wait(&init, &signals, terminal, None)?;
            delete(&container, log);
            Ok(foreground::status(exit))
        });
        // Nobody knows of it.
        done.inspect_err(|_| drop(container.delete(true)))
    }
}

fn delete(container: &Container, log: &Log) {
    if let Err(error) = container.delete(true) {
        log.warning(&format!("cannot delete the container: {error}"));
    }
}

/// Whether config.json asks for a terminal; of one that makes no sense the library tells.
fn wants_terminal(bundle: &Path) -> bool {
    let config = fs::read(bundle.join("config.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    config.is_some_and(|config: Value| config["process"]["terminal"] == true)
}
