// SPDX-License-Identifier: Apache-2.0
//! `include/brig.h`, made from `src/ffi`: cbindgen reads one module at a time, so that the header has
//! one section a noun; `brig.h.in` is the frame around the sections.

use std::error::Error;
use std::fs;
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationStyle, Language, Layout, SortKey, Style};

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

/// Writes `include/brig.h`, or with `check` only says whether it is what would be written.
pub fn run(root: &Path, check: bool) -> Result<(), Box<dyn Error>> {
    let path = root.join("include/brig.h");
    let header = generate(root)?;
    if !check {
        return Ok(fs::write(path, header)?);
    }
    match fs::read_to_string(path)? == header {
        true => Ok(()),
        false => Err("include/brig.h is not what src/ffi says: run `make header`".into()),
    }
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
        concat!("#define BRIG_VERSION_MAJOR ", env!("CARGO_PKG_VERSION_MAJOR")),
        concat!("#define BRIG_VERSION_MINOR ", env!("CARGO_PKG_VERSION_MINOR")),
        concat!("#define BRIG_VERSION_PATCH ", env!("CARGO_PKG_VERSION_PATCH")),
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
