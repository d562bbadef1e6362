// SPDX-License-Identifier: Apache-2.0
//! The table in docs/spec.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::row::{Outcome, Row};
use crate::runtime::Runtime;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/spec.md");
const BEGIN: &str = "<!-- the table begins -->\n";
const END: &str = "<!-- the table ends -->\n";
const COLUMNS: [Runtime; 3] = [Runtime::Brig, Runtime::Runc, Runtime::Crun];
const FIELD: &str = "| field |";
/// What stands for one that was never asked.
const UNKNOWN: &str = "?";
/// The guests of `make test-vm`, and what stands for a row that is shown there and not on the host.
const GUESTS: [(&str, &str); 2] = [("systemd", "yes (in the VM)"), ("selinux", "yes (in the VM with SELinux)")];

/// The rows in the document are those of the table, and none is "no" in brig's column.
pub fn check(rows: &[Row]) {
    let (_, table, _) = parts();
    let written = cells(&table);
    let other = written.iter().map(|cells| cells[0].as_str()).zip(rows).find(|(name, row)| *name != row.name);
    assert!(
        other.is_none() && written.len() == rows.len(),
        "docs/spec.md has other rows, make spec-table: {:?}",
        other.map(|(name, row)| (name, &row.name))
    );
    let missing: Vec<_> =
        written.iter().filter(|cells| cells[1].starts_with("no") && cells[1] != NOT_ON_LINUX).collect();
    assert!(missing.is_empty(), "docs/spec.md says no: {missing:?}");
}

/// Writes down what came out in the guest BRIG_TABLE_GUEST, to BRIG_TABLE_RESULTS. Where the guest has the document, it
/// fails if that is not what is said there of the guest.
pub fn record(rows: &[Row], outcomes: &[Outcome]) {
    let guest = std::env::var("BRIG_TABLE_GUEST").unwrap();
    let (_, promise) = GUESTS.iter().find(|(name, _)| *name == guest).expect("a guest of the list");
    let results: BTreeMap<_, _> =
        rows.iter().zip(outcomes).map(|(row, outcome)| (&row.name, cell(outcome, Runtime::Brig))).collect();
    fs::write(std::env::var("BRIG_TABLE_RESULTS").unwrap(), serde_json::to_vec_pretty(&results).unwrap()).unwrap();
    if !Path::new(PATH).exists() {
        return;
    }
    check(&crate::table());
    let outcome = |name: &str| rows.iter().position(|row| row.name == name).map(|index| &outcomes[index]);
    let (_, table, _) = parts();
    let broken: Vec<_> = cells(&table)
        .into_iter()
        .filter(|cells| cells[1] == *promise && outcome(&cells[0]).is_some_and(|outcome| *outcome != Outcome::Yes))
        .collect();
    assert!(broken.is_empty(), "docs/spec.md says that these are shown here: {broken:?}");
}

/// What the guests said of each row, from the files that `make test-vm` brought back to BRIG_TABLE_GUESTS.
fn guests() -> Vec<(&'static str, BTreeMap<String, String>)> {
    let Ok(directory) = std::env::var("BRIG_TABLE_GUESTS") else { return Vec::new() };
    let read = |(name, promise): &(&str, &'static str)| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&directory).join(name).join("table.json");
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: make test-vm", path.display()));
        (*promise, serde_json::from_slice(&text).unwrap())
    };
    GUESTS.iter().map(read).collect()
}

/// Writes these columns; what is there of others stays.
pub fn write(rows: &[Row], columns: &[(Runtime, Vec<Outcome>)]) {
    let (before, old, after) = parts();
    let head = old.lines().next().map(split).unwrap_or_default();
    let old: BTreeMap<_, _> = cells(&old).into_iter().map(|cells| (cells[0].clone(), cells)).collect();
    let mut table = heads(&head, columns);
    let guests = guests();
    for (index, row) in rows.iter().enumerate() {
        write!(table, "| {} ", row.name).unwrap();
        for (column, runtime) in COLUMNS.iter().enumerate() {
            let new =
                columns.iter().find(|(of, _)| of == runtime).map(|(_, outcomes)| cell(&outcomes[index], *runtime));
            let old = old.get(&row.name).and_then(|cells| cells.get(column + 1).cloned());
            let elsewhere = match (&new, runtime) {
                (Some(here), Runtime::Brig) if here != "yes" => in_guests(&row.name, &guests, old.as_ref()),
                _ => None,
            };
            write!(table, "| {} ", elsewhere.or(new).or(old).unwrap_or_else(|| UNKNOWN.into())).unwrap();
        }
        table.push_str("|\n");
    }
    fs::write(PATH, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
}

/// What the guests have to say of a row that this host cannot show; without them, what was written of them stays.
fn in_guests(row: &str, guests: &[(&str, BTreeMap<String, String>)], old: Option<&String>) -> Option<String> {
    if guests.is_empty() {
        return old.filter(|cell| GUESTS.iter().any(|(_, promise)| cell == promise)).cloned();
    }
    let shown = guests.iter().find(|(_, results)| results.get(row).is_some_and(|result| result == "yes"));
    shown.map(|(promise, _)| (*promise).to_owned())
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
