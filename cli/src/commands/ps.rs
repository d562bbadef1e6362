// SPDX-License-Identifier: Apache-2.0
//! `brig ps`

use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use super::print;
use crate::arguments::Globals;
use crate::error::{Context, Error, Result};
use crate::exit_code::ExitCode;
use crate::log::Log;

#[derive(Args)]
pub struct Ps {
    /// As a table of the host's ps, or as JSON
    #[arg(short, long, default_value = "table")]
    format: Format,
    /// The container
    id: String,
    /// Arguments for ps, which must print a column PID [default: -ef]
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl super::Run for Ps {
    const NAME: &'static str = "ps";
    const ABOUT: &'static str = "Print the processes of a container";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        let json = globals.runtime()?.container(&self.id)?.processes()?;
        print(&match self.format {
            Format::Json => json + "\n",
            Format::Table => {
                let pids: Vec<i32> = serde_json::from_str(&json).context(|| "cannot read the library's JSON")?;
                rows(&host(&self.arguments)?, &pids)?
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What the host's ps prints.
fn host(arguments: &[String]) -> Result<String> {
    let mut command = Command::new("ps");
    match arguments {
        [] => command.arg("-ef"),
        arguments => command.args(arguments),
    };
    let done = command.stdin(Stdio::null()).output().context(|| "cannot run ps")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(Error::refused(format!("ps failed: {}", said.lines().next().unwrap_or_default())));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The head, and the lines of these processes.
fn rows(table: &str, pids: &[i32]) -> Result<String> {
    let head = table.lines().next().unwrap_or_default();
    let column = head.split_whitespace().position(|name| name == "PID");
    let column = column.ok_or_else(|| Error::refused("cannot find the column PID in what ps printed"))?;
    let is_ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column).and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    let lines = table.lines().skip(1).filter(is_ours);
    Ok(std::iter::once(head).chain(lines).flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn lines_are_found_by_their_pid() {
        let table = "UID        PID  PPID CMD\nroot         1     0 12 init\nroot        12     1 sh\nroot       120    12 sh\n";
        assert_eq!(rows(table, &[12, 999]).unwrap(), "UID        PID  PPID CMD\nroot        12     1 sh\n");
        assert_eq!(rows(table, &[]).unwrap(), "UID        PID  PPID CMD\n");
        assert!(rows("UID CMD\n", &[1]).is_err() && rows("", &[1]).is_err());
    }
}
