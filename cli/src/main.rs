// SPDX-License-Identifier: Apache-2.0
//! The `brig` command: an OCI runtime's command line over libbrig, and a client of its C ABI like any other.
//!
//! The way through: `argv` and `arguments` understand the command line, `commands` has a file for each
//! command, and these call `ffi`, the library made safe. `launch` is what create and run share, `images` what checkpoint
//! and restore share, `handover` what goes out of all of them; `foreground` and `terminal` are what run and exec do until
//! the process ends.

#![deny(unsafe_code)]
#![cfg_attr(not(test), no_main)]

mod activation;
mod arguments;
mod argv;
mod commands;
#[cfg(test)]
mod documents;
mod environment;
mod error;
mod exit_code;
mod fault;
#[allow(unsafe_code)]
mod ffi;
mod foreground;
mod guard;
mod handover;
mod images;
mod launch;
mod log;
mod notify;
mod pid_file;
mod program;
mod signal_name;
mod signals;
mod size;
mod socket;
mod terminal;
mod usage;

use std::ffi::OsString;

use clap::{ArgMatches, FromArgMatches};

use arguments::Globals;
use exit_code::ExitCode;
use log::Log;

/// The tests have an entry of their own.
#[cfg(test)]
fn main() {
    run();
}

/// All that this program does. `ffi::start` calls it.
fn run() -> ExitCode {
    let line = argv::with_two_dashes(std::env::args_os().collect());
    // Where this fails, or asks for help, all commands have a say.
    let understood = arguments::command_for(&line).try_get_matches_from(&line);
    match understood.or_else(|_| arguments::command().try_get_matches_from(&line)) {
        Ok(mut matches) => {
            let status = commands::failure(matches.subcommand_name());
            obey(&mut matches).unwrap_or_else(|(log, error)| failed(&log, &error.to_string(), status))
        }
        Err(error) if !error.use_stderr() => answer(&error),
        Err(error) => {
            let (log, status) = guess(&line);
            failed(&log, &usage::explain(&error), status)
        }
    }
}

/// Runs the command. A failure comes with the log it belongs into.
fn obey(matches: &mut ArgMatches) -> Result<ExitCode, (Log, error::Error)> {
    let globals = Globals::from_arg_matches_mut(matches).map_err(|error| (Log::stderr(), usage::refused(&error)))?;
    if globals.version {
        return commands::print_version().map_err(|error| (Log::stderr(), error));
    }
    let log = globals.open_log().map_err(|error| (Log::stderr(), error))?;
    commands::run(&globals, &log, matches).map_err(|error| (log, error))
}

fn failed(log: &Log, message: &str, status: ExitCode) -> ExitCode {
    log.error(message);
    status
}

/// Help that was asked for.
fn answer(help: &clap::Error) -> ExitCode {
    match help.print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The log that a command line names which is otherwise not understood, and the exit status of its command.
fn guess(line: &[OsString]) -> (Log, ExitCode) {
    let Ok(matches) = arguments::command().ignore_errors(true).try_get_matches_from(line) else {
        return (Log::stderr(), ExitCode::FAILURE);
    };
    let globals = Globals::from_arg_matches(&matches).map_err(|error| usage::refused(&error));
    let log = globals.and_then(|globals| globals.open_log()).unwrap_or_else(|_| Log::stderr());
    (log, commands::failure(matches.subcommand_name()))
}
