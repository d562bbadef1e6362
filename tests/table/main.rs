// SPDX-License-Identifier: Apache-2.0
//! The specification field by field: a row for each field for Linux and for each mount option, each run in a real
//! container that shows whether the field is honoured. What comes out is written in docs/spec.md.
//!
//! `make test` runs all rows with brig, and holds the rows of docs/spec.md against them; `make test-vm` runs them in its
//! guests (BRIG_TABLE=record), and what came out there is brought back. BRIG_TABLE=update writes brig's column in the
//! document from both (`make spec-table`), BRIG_TABLE=compare those of runc and crun as well (`make compare`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;

mod document;
mod features;
mod mount_options;
mod row;
mod rows;
mod rows_linux;
mod rows_process;
mod rows_resources;
mod runtime;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use row::{Outcome, Row};
use runtime::Runtime;

/// All rows, in the order of the specification.
fn table() -> Vec<Row> {
    let mut rows = rows::rows();
    rows.extend(rows_process::rows());
    rows.extend(rows_linux::rows());
    rows.extend(rows_resources::rows());
    rows.extend(mount_options::rows());
    rows.extend(rows::not_on_linux());
    rows
}

/// Runs all rows, two at a time.
fn run(rows: &[Row], runtime: Runtime) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; rows.len()]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = row.run(runtime);
                    let index = rows.iter().position(|other| std::ptr::eq(other, row)).unwrap();
                    outcomes.lock().unwrap()[index] = Some(outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
}

/// The rows that are asked for: all, or those whose names BRIG_TABLE_ROWS lists.
fn chosen() -> Vec<Row> {
    let mut rows = table();
    if let Ok(names) = std::env::var("BRIG_TABLE_ROWS") {
        rows.retain(|row| names.split(',').any(|name| name == row.name));
        assert_eq!(rows.len(), names.split(',').count(), "{names}: there are no such rows");
    }
    rows
}

#[test]
fn every_field_is_honoured() {
    let rows = chosen();
    let outcomes = run(&rows, Runtime::Brig);
    let mut failures = Vec::new();
    for (row, outcome) in rows.iter().zip(&outcomes) {
        match outcome {
            Outcome::No(why) => failures.push(format!("{}: {why}", row.name)),
            Outcome::Lacks(what) => common::skip(&format!("{}: {what}", row.name)),
            Outcome::Yes | Outcome::Elsewhere(_) => {}
        }
    }
    assert!(failures.is_empty(), "{} rows fail:\n{}", failures.len(), failures.join("\n"));
    features::agree_with(&rows, &outcomes);
    match std::env::var("BRIG_TABLE").as_deref() {
        Ok("update") => document::write(&rows, &[(Runtime::Brig, outcomes)]),
        Ok("compare") => {
            let peers = [Runtime::Runc, Runtime::Crun].map(|peer| (peer, run(&rows, peer)));
            document::write(&rows, &[vec![(Runtime::Brig, outcomes)], peers.into()].concat());
        }
        Ok("record") => document::record(&rows, &outcomes),
        Ok(other) => panic!("BRIG_TABLE={other} is none of update, compare and record"),
        Err(_) => document::check(&rows),
    }
}

/// A row whose field were ignored would fail: nothing of the default configuration makes it true.
#[test]
fn no_row_is_true_anyway() {
    let rows = chosen();
    let without: Vec<_> = rows.iter().filter_map(Row::without_its_field).collect();
    assert!(without.len() > 100 || without.len() >= rows.len() / 2, "{}", without.len());
    let outcomes = run(&without, Runtime::Brig);
    let idle: Vec<_> = without
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| *outcome == Outcome::Yes)
        .map(|(row, _)| &row.name)
        .collect();
    assert!(idle.is_empty(), "true also without the field: {idle:?}");
}

#[test]
fn names_are_unique() {
    let rows = table();
    let mut names: Vec<_> = rows.iter().map(|row| &row.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), rows.len());
}
