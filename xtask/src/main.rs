// SPDX-License-Identifier: Apache-2.0
//! The chores of this repository that are more than a line of shell: `cargo xtask TASK [--check]`.

mod abi;
mod declarations;
mod header;
mod manual;
mod null;
mod python;

use std::env;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let result = match arguments[..] {
        ["header"] => header::run(root, false),
        ["header", "--check"] => header::run(root, true),
        ["abi", "--check"] => abi::check(root),
        _ => Err("usage: cargo xtask header [--check] | abi --check".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
