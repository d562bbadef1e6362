// SPDX-License-Identifier: Apache-2.0
//! `brig list`

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::print;
use crate::arguments::Globals;
use crate::error::{Context, Result};
use crate::exit_code::ExitCode;
use crate::log::Log;

#[derive(Args)]
pub struct List {
    /// As a table or as JSON
    #[arg(short, long, default_value = "table")]
    format: Format,
    /// The ids alone
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// What the table shows of a container's state.
#[derive(Deserialize)]
struct State {
    id: String,
    #[serde(default)]
    pid: i32,
    status: String,
    bundle: String,
    #[serde(default)]
    created: String,
    #[serde(default)]
    owner: String,
}

impl super::Run for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "Print all containers";

    fn run(self, globals: &Globals, _: &Log) -> Result<ExitCode> {
        let json = globals.runtime()?.list()?;
        let states = || serde_json::from_str::<Vec<State>>(&json).context(|| "cannot read the library's JSON");
        print(&match (self.quiet, self.format) {
            (true, _) => states()?.into_iter().map(|state| state.id + "\n").collect(),
            (false, Format::Table) => table(&states()?),
            (false, Format::Json) => json.trim_end().to_owned() + "\n",
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(states: &[State]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(states.iter().map(row)).collect();
    let widths: [usize; 6] = std::array::from_fn(|column| width(rows.iter().map(|row| &row[column])));
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn row(state: &State) -> [String; 6] {
    let State { id, pid, status, bundle, created, owner } = state;
    [id.clone(), pid.to_string(), status.clone(), bundle.clone(), created.clone(), owner.clone()]
}

/// Wide enough for the widest and a gap, and not narrower than scripts are used to.
fn width<'a>(cells: impl Iterator<Item = &'a String>) -> usize {
    const GAP: usize = 3;
    const LEAST: usize = 12;
    cells.map(|cell| cell.chars().count() + GAP).fold(LEAST, usize::max)
}

/// The last column needs no padding.
fn line(row: &[String; 6], widths: &[usize; 6]) -> String {
    let mut line = String::new();
    for (cell, &width) in row.iter().zip(widths).take(5) {
        line += &format!("{cell:width$}");
    }
    line + &row[5] + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let state = |id: &str, pid| State {
            id: id.into(),
            pid,
            status: "running".into(),
            bundle: "/b".into(),
            created: "2026-09-11T10:00:00Z".into(),
            owner: "root".into(),
        };
        let text = table(&[state("a", 7), state("a-longer-name", 4321)]);
        assert_eq!(
            text,
            "\
ID              PID         STATUS      BUNDLE      CREATED                OWNER
a               7           running     /b          2026-09-11T10:00:00Z   root
a-longer-name   4321        running     /b          2026-09-11T10:00:00Z   root
"
        );
    }

    #[test]
    fn no_container_is_a_head_alone() {
        assert_eq!(table(&[]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    }
}
