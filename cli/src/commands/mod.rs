// SPDX-License-Identifier: Apache-2.0
//! The commands, one file each, and the table of them.

mod checkpoint;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod pause;
mod plan;
mod ps;
mod restore;
mod resume;
mod run;
mod spec;
mod start;
mod state;
mod update;
mod version;

use std::io::{Write, stdout};

use clap::{ArgMatches, Args};
use serde::Serialize;

use crate::arguments::{self, Globals};
use crate::error::{Context, Result};
use crate::exit_code::ExitCode;
use crate::log::Log;
use crate::usage;

pub use version::print_version;

/// What a command is to this table.
trait Run: Args {
    const NAME: &'static str;
    const ABOUT: &'static str;
    /// The exit status when it fails.
    const FAILURE: u8 = 1;

    /// Does it. The code is the exit status of this program.
    fn run(self, globals: &Globals, log: &Log) -> Result<ExitCode>;
}

/// One line of the table.
pub struct Command {
    /// What the user types.
    pub name: &'static str,
    /// What it does, for the help.
    pub about: &'static str,
    /// Adds its flags.
    pub arguments: fn(clap::Command) -> clap::Command,
    /// The exit status when it fails.
    pub failure: u8,
    run: fn(&Globals, &Log, &mut ArgMatches) -> Result<ExitCode>,
}

/// Every command, in the order of a container's life.
pub const COMMANDS: [Command; 18] = [
    entry::<spec::Spec>(),
    entry::<plan::Plan>(),
    entry::<create::Create>(),
    entry::<start::Start>(),
    entry::<run::Run>(),
    entry::<exec::Exec>(),
    entry::<state::State>(),
    entry::<list::List>(),
    entry::<ps::Ps>(),
    entry::<events::Events>(),
    entry::<pause::Pause>(),
    entry::<resume::Resume>(),
    entry::<update::Update>(),
    entry::<checkpoint::Checkpoint>(),
    entry::<restore::Restore>(),
    entry::<kill::Kill>(),
    entry::<delete::Delete>(),
    entry::<features::Features>(),
];

const fn entry<C: Run>() -> Command {
    Command {
        name: C::NAME,
        about: C::ABOUT,
        // In between, clap takes the comments of the structs for what the command is about.
        arguments: |command| C::augment_args(command).about(C::ABOUT),
        failure: C::FAILURE,
        run: |globals, log, matches| {
            C::from_arg_matches_mut(matches).map_err(|error| usage::refused(&error))?.run(globals, log)
        },
    }
}

/// Runs the command that was asked for, or shows which there are.
pub fn run(globals: &Globals, log: &Log, matches: &mut ArgMatches) -> Result<ExitCode> {
    let Some((name, mut matches)) = matches.remove_subcommand() else {
        arguments::command().print_help().context(|| CANNOT_PRINT)?;
        return Ok(ExitCode::SUCCESS);
    };
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(globals, log, &mut matches),
        // clap knows no others.
        None => Ok(ExitCode::FAILURE),
    }
}

/// The exit status of a failure of this command; without one, of what comes before it.
pub fn failure(name: Option<&str>) -> ExitCode {
    let command = COMMANDS.iter().find(|command| Some(command.name) == name);
    command.map_or(ExitCode::FAILURE, |command| command.failure.into())
}

const CANNOT_PRINT: &str = "cannot write to stdout";

/// Prints a text that ends in a newline.
fn print(text: &str) -> Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(|| CANNOT_PRINT)
}

/// Spreads JSON over lines; what is in it, and in which order, stays.
fn pretty(json: &str) -> Result<String> {
    let mut text = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_transcode::Transcoder::new(&mut reader)
        .serialize(&mut serde_json::Serializer::pretty(&mut text))
        .context(|| "cannot read the library's JSON")?;
    text.push(b'\n');
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn pretty_json_keeps_the_order() {
        let text = super::pretty(r#"{"ociVersion":"1.3.0","id":"x","annotations":{"b":"1","a":"2"}}"#).unwrap();
        let lines = [
            "{",
            "  \"ociVersion\": \"1.3.0\",",
            "  \"id\": \"x\",",
            "  \"annotations\": {",
            "    \"b\": \"1\",",
            "    \"a\": \"2\"",
            "  }",
            "}",
            "",
        ];
        assert_eq!(text, lines.join("\n"));
    }
}
