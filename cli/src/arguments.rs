// SPDX-License-Identifier: Apache-2.0
//! The command line before the command's name, and how all of it is put together.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command};

use crate::commands::COMMANDS;
use crate::error::Result;
use crate::ffi::{LogFormat, Rootless, Runtime};
use crate::log::Log;

/// What goes for every command.
#[derive(Debug, Args)]
pub struct Globals {
    /// Where the state of containers is kept [default: /run/brig, or $XDG_RUNTIME_DIR/brig if not root]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Append errors to this file [default: stderr]
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// How the lines of the log look
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// Log what is done, too
    #[arg(long)]
    debug: bool,
    /// Let systemd make the cgroups, as scopes; cgroupsPath is slice:prefix:name then
    #[arg(long)]
    pub systemd_cgroup: bool,
    /// Do without cgroups where none may be made; auto: if not root of the host
    #[arg(long, value_name = "WHETHER", default_value = "auto")]
    pub rootless: Rootless,
    /// Print the version
    #[arg(short, long)]
    pub version: bool,
}

impl Globals {
    /// The log that these flags ask for.
    pub fn open_log(&self) -> Result<Log> {
        Log::open(self.log.as_deref(), self.log_format, self.debug)
    }

    /// The runtime that these flags ask for.
    pub fn runtime(&self) -> Result<Runtime> {
        Ok(Runtime::open(self.root.as_deref())?)
    }
}

/// The whole command line. A command's own arguments are added only when it is the one: it saves most of the time
/// that it takes to start.
pub fn command() -> Command {
    with_commands(|_| true)
}

/// The same with no other commands than those whose names are in `line`, which takes half the time.
pub fn command_for(line: &[OsString]) -> Command {
    with_commands(|name| line.iter().any(|word| word == name))
}

fn with_commands(wanted: impl Fn(&str) -> bool) -> Command {
    let root = Globals::augment_args(Command::new("brig")).about("Runs OCI containers").args_override_self(true);
    root.subcommands(COMMANDS.iter().filter(|command| wanted(command.name)).map(|command| {
        Command::new(command.name).about(command.about).args_override_self(true).defer(command.arguments)
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_consistent() {
        super::command().debug_assert();
    }
}
