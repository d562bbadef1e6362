// SPDX-License-Identifier: Apache-2.0
//! `brig exec`

use std::os::fd::AsFd;

use clap::Args;

use crate::activation::Activation;
use crate::arguments::Globals;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::ffi::{ExecOptions, Process};
use crate::log::Log;
use crate::signals::Signals;
use crate::terminal::Terminal;
use crate::{foreground, handover, program, terminal};

#[derive(Args)]
pub struct Exec {
    #[command(flatten)]
    handover: handover::Flags,
    /// Do not wait for the end
    #[arg(short, long)]
    detach: bool,
    /// A cgroup below the container's own, for all or some controllers; may be repeated
    #[arg(long, value_name = "[CONTROLLERS:]PATH")]
    cgroup: Vec<String>,
    /// In a paused container, wait until it is resumed
    #[arg(long)]
    ignore_paused: bool,
    /// The container
    id: String,
    #[command(flatten)]
    program: program::Flags,
}

impl super::Run for Exec {
    const NAME: &'static str = "exec";
    const ABOUT: &'static str = "Run one more program in a container";
    // Others are the program's.
    const FAILURE: u8 = 255;

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        let container = globals.runtime()?.container(&self.id)?;
        let activation = Activation::received();
        let size = if self.detach { None } else { terminal::size() };
        let program = self.program.read(&container, size, activation)?;
        self.handover.check_terminal(self.detach, program.terminal)?;
        let fds = self.handover.files(activation)?;
        let handover = self.handover.connect()?;

        let signals = Signals::block()?;
        let process = container.exec(&ExecOptions {
            process: &program.json,
            cgroup: &self.cgroup.join("\n"),
            fds: &fds,
            ignore_paused: self.ignore_paused,
            cancel: signals.as_fd(),
        })?;
        let done = handover.announce(&process).and_then(|()| match self.detach {
            true => Ok(ExitCode::SUCCESS),
            false => attend(&process, signals),
        });
        // Nobody knows of it.
        done.inspect_err(|_| drop(process.signal(nix::libc::SIGKILL)))
    }
}

/// Stays with it until it ends. From here on a Ctrl-C is the program's.
fn attend(process: &Process, mut signals: Signals) -> Result<ExitCode> {
    let terminal = process.console()?.map(Terminal::attach).transpose()?;
    signals.take_all()?;
    Ok(foreground::status(foreground::wait(process, &signals, terminal, None)?))
}
