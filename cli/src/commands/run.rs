// SPDX-License-Identifier: Apache-2.0
//! `brig run`

use std::os::fd::AsFd;

use clap::Args;
use rustix::process::{getpid, set_child_subreaper};

use crate::arguments::Globals;
use crate::error::{Context, Result};
use crate::exit_code::ExitCode;
use crate::foreground;
use crate::launch::{self, Mode};
use crate::log::Log;
use crate::signals::Signals;
use crate::terminal::Terminal;

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    launch: launch::Flags,
    /// Do not wait for the end
    #[arg(short, long)]
    detach: bool,
    /// Do not delete the container at its end
    #[arg(long)]
    keep: bool,
    /// Do not adopt processes whose parent ended
    #[arg(long)]
    no_subreaper: bool,
}

impl super::Run for Run {
    const NAME: &'static str = "run";
    const ABOUT: &'static str = "Create a container, start it and wait for its end";

    fn run(self, globals: &Globals, log: &Log) -> Result<ExitCode> {
        if self.detach { self.detached(globals, log) } else { self.attached(globals, log) }
    }
}

impl Run {
    fn detached(self, globals: &Globals, log: &Log) -> Result<ExitCode> {
        let signals = Signals::block()?;
        let container = self.launch.create(globals, Mode::Detached, &signals)?;
        let proxy = container.proxy(log)?;
        container.start()?;
        if let Some(proxy) = proxy {
            proxy.wait(container.init()?.pidfd()?.as_fd(), Some(&signals))?;
        }
        container.keep();
        Ok(ExitCode::SUCCESS)
    }

    fn attached(self, globals: &Globals, log: &Log) -> Result<ExitCode> {
        if !self.no_subreaper {
            set_child_subreaper(Some(getpid())).context(|| "cannot become a subreaper")?;
        }
        let mut signals = Signals::block()?;
        let container = self.launch.create(globals, Mode::Attached, &signals)?;
        let proxy = container.proxy(log)?;
        let init = container.init()?;
        let terminal = init.console()?.map(Terminal::attach).transpose()?;
        // From here on a Ctrl-C is the container's.
        signals.take_all()?;
        container.start()?;
        let exit = foreground::wait(&init, &signals, terminal, proxy)?;
        if self.keep {
            container.keep();
        } else if let Err(error) = container.delete() {
            log.warning(&format!("cannot delete the container: {error}"));
        }
        Ok(foreground::status(exit))
    }
}
