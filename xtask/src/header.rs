// SPDX-License-Identifier: Apache-2.0
//! `include/brig.h`, made from `src/ffi`: cbindgen reads one module at a time, so that the header has
//! one section a noun; `brig.h.in` is the frame around the sections. What is made from the header in turn is written
//! with it, so that neither can be forgotten.

use std::error::Error;
use std::fs;
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationStyle, Language, Layout, SortKey, Style};

use crate::declarations::Declarations;
use crate::{manual, null, python};

/// The sections in the order in which a reader needs them, and the module each comes from.
const SECTIONS: [(&str, &str); 8] = [
    ("Errors", "error"),
    ("The library", "library"),
    ("Runtimes", "runtime"),
    ("Containers", "container"),
    ("Processes", "process"),
    ("More programs in a container", "exec"),
    ("Checkpoint and restore", "checkpoint"),
    ("Monitors", "monitor"),
];

/// No declaration is wider than this.
const WIDTH: usize = 100;

/// Writes `include/brig.h` and what is made from it, or with `check` only says whether that is what would be written.
pub fn run(root: &Path, check: bool) -> Result<(), Box<dyn Error>> {
    let header = generate(root)?;
    let found = Declarations::read(&header)?;
    let files = [
        ("docs/man/libbrig.3", manual::page(&header, &found)),
        ("bindings/python/brig/_abi.py", python::module(&found)?),
        ("tests/c/null_calls.h", null::calls(&found)),
        ("include/brig.h", header),
    ];
    for (path, text) in files {
        if !check {
            fs::write(root.join(path), text)?;
        } else if fs::read_to_string(root.join(path))? != text {
            return Err(format!("{path} is not what src/ffi says: run `make header`").into());
        }
    }
    Ok(())
}

fn generate(root: &Path) -> Result<String, Box<dyn Error>> {
    let (mut objects, mut sections) = (String::new(), String::new());
    for (title, module) in SECTIONS {
        let blocks = declarations(&root.join(format!("src/ffi/{module}.rs")))?;
        // A container's functions name processes and the other way round, so all types come first.
        let (opaque, others): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|it| it.contains("\ntypedef struct brig_"));
        objects += &opaque.concat();
        sections += &(rule(title) + &others.concat());
    }
    let sections = rule("Objects") + &objects + &sections;
    Ok(include_str!("brig.h.in").replace("@VERSION@", &version_macros()).replace("@SECTIONS@", sections.trim_end()))
}

fn rule(title: &str) -> String {
    format!("{:-<1$} */\n\n", format!("/* --- {title} "), WIDTH - " */".len())
}

/// The workspace has one version, so this package's is the library's.
fn version_macros() -> String {
    [
        concat!(
            "/// The first number of this header's version.\n#define BRIG_VERSION_MAJOR ",
            env!("CARGO_PKG_VERSION_MAJOR")
        ),
        concat!(
            "/// The second number of this header's version.\n#define BRIG_VERSION_MINOR ",
            env!("CARGO_PKG_VERSION_MINOR")
        ),
        concat!(
            "/// The third number of this header's version.\n#define BRIG_VERSION_PATCH ",
            env!("CARGO_PKG_VERSION_PATCH")
        ),
    ]
    .join("\n")
}

/// What cbindgen makes of one module: its declarations, tidied, each with its comment and an empty line.
fn declarations(source: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut config = Config {
        language: Language::C,
        style: Style::Type,
        no_includes: true,
        documentation_style: DocumentationStyle::Cxx,
        tab_width: 4,
        usize_is_size_t: true,
        sort_by: SortKey::None,
        ..Config::default()
    };
    config.function.args = Layout::Horizontal;
    let mut text = Vec::new();
    Builder::new().with_config(config).with_src(source).generate()?.write(&mut text);
    let text = String::from_utf8(text)?;
    let lines: Vec<String> = without_safety(text.lines()).into_iter().map(wrap).collect();
    let text = lines.join("\n");
    Ok(text.split("\n\n").map(str::trim).filter(|it| !it.is_empty()).map(|it| format!("{it}\n\n")).collect())
}

/// "# Safety" tells Rust programmers what the top of the header tells C programmers.
fn without_safety<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let (mut kept, mut skipping) = (Vec::new(), false);
    for line in lines {
        skipping = line == "/// # Safety" || (skipping && line.starts_with("///"));
        match skipping {
            true if kept.last() == Some(&"///") => drop(kept.pop()),
            true => {}
            false => kept.push(line),
        }
    }
    kept
}

/// A declaration that is too wide has one parameter a line.
fn wrap(line: &str) -> String {
    match line.find('(') {
        Some(open) if line.len() > WIDTH && !line.starts_with("//") => {
            line.replace(", ", &format!(",\n{:1$}", "", open + 1))
        }
        _ => line.to_owned(),
    }
}
