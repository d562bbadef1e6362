// SPDX-License-Identifier: Apache-2.0
//! `brig exec`: one more program in a container.

mod joining;
mod outcome;
mod process;
mod refused;

use serde_json::Value;

use crate::common::{Done, Lab};

/// A container in which nothing happens; its id.
#[track_caller]
fn idle(lab: &Lab, edit: impl FnOnce(&mut Value)) -> String {
    lab.write(&["sleep", "1000"], edit);
    lab.launch("exec")
}

/// `brig exec FLAGS ID PROGRAM`.
fn exec(lab: &Lab, flags: &[&str], id: &str, program: &[&str]) -> Done {
    lab.brig(&[&["exec"], flags, &[id], program].concat())
}

/// The same for a script.
fn sh(lab: &Lab, flags: &[&str], id: &str, script: &str) -> Done {
    exec(lab, flags, id, &["sh", "-c", script])
}

/// `brig exec` with a file for its process.
fn exec_json(lab: &Lab, flags: &[&str], id: &str, process: &Value) -> Done {
    let file = lab.path.join("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    lab.brig(&[&["exec", "--process", file.to_str().unwrap()], flags, &[id]].concat())
}

/// Its error text, if it failed with the status that is not one of the program.
#[track_caller]
fn refused(done: &Done) -> String {
    assert_eq!(done.code(), Some(255), "not refused: {}{}", done.out(), done.err());
    // The log quotes it.
    done.err().replace("\\\"", "\"")
}
