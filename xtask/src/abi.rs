// SPDX-License-Identifier: Apache-2.0
//! Holds three lists against each other: the functions of `include/brig.h`, those of `abi/brig.map`, and
//! what the built library really exports. One that is missing anywhere, or too much, is a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Name to version node, such as `brig_version` to `BRIG_0.1`.
type Symbols = BTreeMap<String, String>;

/// Checks the header, the map and the library against each other.
pub fn check(root: &Path) -> Result<(), Box<dyn Error>> {
    let map = parse_map(&fs::read_to_string(root.join("abi/brig.map"))?);
    let header = declared(&fs::read_to_string(root.join("include/brig.h"))?);
    let library = root.join("build").join(concat!("libbrig.so.", env!("CARGO_PKG_VERSION")));
    let exported = exported(&output("nm", &["-D", "--defined-only", "--with-symbol-versions"], &library)?);

    let mut wrong = Vec::new();
    wrong.extend(difference("include/brig.h", &header, "abi/brig.map", &map.keys().cloned().collect()));
    wrong.extend(difference("abi/brig.map", &pairs(&map), "libbrig.so", &pairs(&exported)));
    let soname = concat!("[libbrig.so.", env!("CARGO_PKG_VERSION_MAJOR"), "]");
    if !output("readelf", &["-d"], &library)?.lines().any(|line| line.contains("(SONAME)") && line.ends_with(soname)) {
        wrong.push(format!("the SONAME is not {soname}"));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n       ").into()),
    }
}

/// The names in a version script, each with its node.
fn parse_map(text: &str) -> Symbols {
    let mut symbols = Symbols::new();
    let mut node = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_suffix('{') {
            node = name.trim_end();
        } else if let Some(name) = line.strip_suffix(';').filter(|name| name.starts_with("brig_")) {
            symbols.insert(name.to_owned(), node.to_owned());
        }
    }
    symbols
}

/// The functions that a header of ours declares: each starts a line with its type.
fn declared(text: &str) -> BTreeSet<String> {
    let start = |line: &str| line.starts_with(|first: char| first.is_ascii_lowercase());
    let name = |line: &str| line.split('(').next()?.rsplit([' ', '*']).next().map(str::to_owned);
    text.lines().filter(|line| start(line) && line.contains('(')).filter_map(name).collect()
}

/// What `nm` prints: "address T name@@VERSION". The version nodes themselves are listed as well.
fn exported(text: &str) -> Symbols {
    text.lines()
        .filter(|line| !line.contains(" A "))
        .filter_map(|line| line.split_whitespace().last())
        .map(|symbol| symbol.split_once("@@").unwrap_or((symbol, "no version")))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

fn pairs(symbols: &Symbols) -> BTreeSet<String> {
    symbols.iter().map(|(name, version)| format!("{name} ({version})")).collect()
}

fn difference(one: &str, ones: &BTreeSet<String>, other: &str, others: &BTreeSet<String>) -> Vec<String> {
    let missing = ones.difference(others).map(|name| format!("{name} is in {one}, but not in {other}"));
    let extra = others.difference(ones).map(|name| format!("{name} is in {other}, but not in {one}"));
    missing.chain(extra).collect()
}

fn output(program: &str, arguments: &[&str], file: &Path) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).env("LC_ALL", "C").args(arguments).arg(file).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{program} {}: {}", file.display(), String::from_utf8_lossy(&output.stderr)).into()),
    }
}
