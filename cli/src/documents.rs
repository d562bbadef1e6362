// SPDX-License-Identifier: Apache-2.0
//! The manual pages and the completions, made from the tables that understand the command line. They are kept in the
//! repository, so that an installation needs nothing to make them; this test fails when they are not what the tables
//! say, and with BRIG_DOCUMENTS=update it writes them (`make documents`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments;
use crate::commands::COMMANDS;

const EXIT_STATUS: &str = "\
.SH \"EXIT STATUS\"
0 if it did what it says. Otherwise @FAILURE@, with a line on stderr that names the flag, the file or the field of
config.json that is wrong.
";

/// Of the two commands that wait for a program.
const PROGRAM_STATUS: &str = "\
With a program that was waited for it is that program's, or 128 and the number of the signal that ended it.
";

const FILES: &str = "\
.SH FILES
.TP
.I /run/brig
The state of containers; \\fI$XDG_RUNTIME_DIR/brig\\fR for ordinary users.
.TP
.I config.json
What is to run: the OCI runtime specification.
";

fn page(command: &Command, name: &str, more: &str) -> String {
    let mut text = Vec::new();
    let command = command.clone().display_name(name.to_owned());
    let manual = Man::new(command).date("DATE").source(concat!("brig ", env!("CARGO_PKG_VERSION")));
    manual.title(name.to_uppercase()).manual("User commands").render(&mut text).unwrap();
    // The same pages whenever they are made.
    String::from_utf8(text).unwrap().replacen(" DATE ", " \"\" ", 1) + more
}

/// Each file, by its path in the repository.
fn documents() -> BTreeMap<PathBuf, String> {
    let mut tree = arguments::command().disable_help_subcommand(true);
    tree.build();
    let mut files = BTreeMap::new();
    let mut see_also = String::from(".SH \"SEE ALSO\"\n");
    for command in &COMMANDS {
        let name = format!("brig-{}", command.name);
        let arguments = tree.find_subcommand(command.name).unwrap();
        let mut more = EXIT_STATUS.replace("@FAILURE@", &command.failure.to_string());
        if ["run", "exec"].contains(&command.name) {
            more += PROGRAM_STATUS;
        }
        more += ".SH \"SEE ALSO\"\n.BR brig (1)\n";
        files.insert(format!("docs/man/{name}.1").into(), page(arguments, &name, &more));
        see_also += &format!(".BR {} (1),\n", name.replace('-', "\\-"));
    }
    see_also += ".BR libbrig (3)\n";
    let more = EXIT_STATUS.replace("@FAILURE@", "1") + FILES + &see_also;
    files.insert("docs/man/brig.1".into(), page(&tree, "brig", &more));
    for (shell, path) in [
        (Shell::Bash, "completions/brig.bash"),
        (Shell::Zsh, "completions/_brig"),
        (Shell::Fish, "completions/brig.fish"),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut arguments::command(), "brig", &mut text);
        files.insert(path.into(), String::from_utf8(text).unwrap());
    }
    files
}

#[test]
fn the_pages_and_completions_are_what_the_tables_say() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let update = env::var_os("BRIG_DOCUMENTS").is_some_and(|it| it == "update");
    let documents = documents();
    for (path, text) in &documents {
        let path = root.join(path);
        if update {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        } else {
            let found = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(&found, text, "{} is out of date: run `make documents`", path.display());
        }
    }
    for entry in fs::read_dir(root.join("docs/man")).unwrap() {
        let path = Path::new("docs/man").join(entry.unwrap().file_name());
        let is_known = documents.contains_key(&path) || path.ends_with("libbrig.3");
        assert!(is_known, "{} is of a command that there is not", path.display());
    }
}
