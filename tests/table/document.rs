// SPDX-License-Identifier: Apache-2.0
//! The table in docs/spec.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::row::{Outcome, Row};
use crate::runtime::Runtime;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/spec.md");
const BEGIN: &str = "<!-- the table begins -->\n";
const END: &str = "<!-- the table ends -->\n";
const COLUMNS: [Runtime; 3] = [Runtime::Brig, Runtime::Runc, Runtime::Crun];
const FIELD: &str = "| field |";
/// What stands for one that was never asked.
const UNKNOWN: &str = "?";

/// The rows in the document are those of the table, and none is "no" in brig's column.
pub fn check(rows: &[Row]) {
    let (_, table, _) = parts();
    let written = cells(&table);
    let names: Vec<_> = written.iter().map(|cells| cells[0].as_str()).collect();
    let wanted: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, wanted, "docs/spec.md has other rows: make spec-table");
    let missing: Vec<_> =
        written.iter().filter(|cells| cells[1].starts_with("no") && cells[1] != NOT_ON_LINUX).collect();
    assert!(missing.is_empty(), "docs/spec.md says no: {missing:?}");
}

/// Writes these columns; what is there of others stays.
pub fn write(rows: &[Row], columns: &[(Runtime, Vec<Outcome>)]) {
    let (before, old, after) = parts();
    let head = old.lines().next().map(split).unwrap_or_default();
    let old: BTreeMap<_, _> = cells(&old).into_iter().map(|cells| (cells[0].clone(), cells)).collect();
    let mut table = heads(&head, columns);
    for (index, row) in rows.iter().enumerate() {
        write!(table, "| {} ", row.name).unwrap();
        for (column, runtime) in COLUMNS.iter().enumerate() {
            let new =
                columns.iter().find(|(of, _)| of == runtime).map(|(_, outcomes)| cell(&outcomes[index], *runtime));
            let old = old.get(&row.name).and_then(|cells| cells.get(column + 1).cloned());
            write!(table, "| {} ", new.or(old).unwrap_or_else(|| UNKNOWN.into())).unwrap();
        }
        table.push_str("|\n");
    }
    fs::write(PATH, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
}

const NOT_ON_LINUX: &str = "not on Linux";

fn heads(old: &[String], columns: &[(Runtime, Vec<Outcome>)]) -> String {
    let head = |(column, runtime): (usize, &Runtime)| match columns.iter().any(|(of, _)| of == runtime) {
        true => runtime.version(),
        false => old.get(column + 1).cloned().unwrap_or_else(|| runtime.name().into()),
    };
    let heads: Vec<_> = COLUMNS.iter().enumerate().map(head).collect();
    format!("{FIELD} {} |\n|---|---|---|---|\n", heads.join(" | "))
}

fn cell(outcome: &Outcome, runtime: Runtime) -> String {
    match outcome {
        Outcome::Yes => "yes".into(),
        Outcome::No(_) => "no".into(),
        Outcome::Lacks(what) => format!("this kernel lacks {what}"),
        Outcome::Elsewhere(why) if runtime == Runtime::Brig || *why == NOT_ON_LINUX => (*why).into(),
        Outcome::Elsewhere(_) => UNKNOWN.into(),
    }
}

/// What is before the table, the table, and what is after it.
fn parts() -> (String, String, String) {
    let text = fs::read_to_string(PATH).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/spec.md has a place for the table");
    let (table, after) = rest.split_once(END).expect("the table ends");
    (before.into(), table.into(), after.into())
}

/// The cells of the lines that are neither head nor rule.
fn cells(table: &str) -> Vec<Vec<String>> {
    table.lines().filter(|line| line.starts_with("| ") && !line.starts_with(FIELD)).map(split).collect()
}

fn split(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}
