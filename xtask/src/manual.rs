// SPDX-License-Identifier: Apache-2.0
//! `docs/man/libbrig.3`, made from the header: what a programmer reads in the editor, `man libbrig` tells in the
//! terminal.

use crate::declarations::{Constant, Declarations, Function, Member};

/// The page. `header` is the text of `include/brig.h`, whose first comment has the conventions.
pub fn page(header: &str, found: &Declarations) -> String {
    let mut page = format!(
        ".\\\" Generated from include/brig.h by `make header`.\n.TH LIBBRIG 3 \"\" \"brig {}\" \"Library functions\"\n",
        env!("CARGO_PKG_VERSION")
    );
    page += ".SH NAME\nlibbrig \\- run OCI containers from C, and from whatever can call C\n";
    page += ".SH SYNOPSIS\n.nf\n.B #include <brig.h>\n.sp\n\
             .B cc \\-o program program.c $(pkg\\-config \\-\\-cflags \\-\\-libs brig)\n.fi\n.SH DESCRIPTION\n";
    for (name, text) in conventions(header) {
        page += &format!(".TP\n.B {}\n{}\n", escape(&name), prose(&text));
    }
    let mut ends = found.sections.iter().skip(1).map(|(_, start)| *start);
    for (title, start) in &found.sections {
        let functions = &found.functions[*start..ends.next().unwrap_or(found.functions.len())];
        if functions.is_empty() {
            continue;
        }
        page += &format!(".SH {}\n", escape(&title.to_uppercase()));
        for function in functions {
            page += &format!(".PP\n.nf\n.B {}\n.fi\n.RS 4\n{}\n.RE\n", prototype(function), prose(&function.comment));
        }
    }
    page += ".SH STRUCTURES\n";
    for it in &found.structs {
        page += &format!(".SS {}\n{}\n{}", escape(&it.name), prose(&it.comment), members(&it.members));
    }
    page += ".SH CONSTANTS\n";
    for it in &found.enums {
        page += &format!(".SS {}\n{}\n{}", escape(&it.name), prose(&it.comment), constants(&it.values));
    }
    page += &format!(".SS Others\n{}", constants(&found.constants));
    page + ".SH SEE ALSO\n.BR brig (1)\n"
}

/// The paragraphs of the header's first comment, each with its word.
fn conventions(header: &str) -> Vec<(String, String)> {
    let comment = header.split("*/").nth(1).unwrap_or_default();
    let mut found: Vec<(String, String)> = Vec::new();
    for line in comment.lines().filter_map(|line| line.strip_prefix(" *   ")) {
        match line.strip_prefix("        ") {
            Some(more) => {
                if let Some((_, text)) = found.last_mut() {
                    text.push('\n');
                    text.push_str(more.trim_start());
                }
            }
            None => {
                let (word, text) = line.split_once(' ').unwrap_or((line, ""));
                found.push((word.to_owned(), text.trim_start().to_owned()));
            }
        }
    }
    found
}

fn prototype(function: &Function) -> String {
    let parameter = |it: &Member| match it.kind.ends_with('*') {
        true => format!("{}{}", it.kind, it.name),
        false => format!("{} {}", it.kind, it.name),
    };
    let parameters: Vec<_> = function.parameters.iter().map(parameter).collect();
    let space = if function.kind.ends_with('*') { "" } else { " " };
    let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
    escape(&format!("{}{space}{}({parameters});", function.kind, function.name))
}

fn members(members: &[Member]) -> String {
    members.iter().map(|it| format!(".TP\n.BI \"{} \" {}\n{}\n", it.kind, it.name, prose(&it.comment))).collect()
}

fn constants(constants: &[Constant]) -> String {
    let one = |it: &Constant| format!(".TP\n.BR {} \" ({})\"\n{}\n", it.name, it.value, prose(&it.comment));
    constants.iter().map(one).collect()
}

/// A comment: paragraphs stay, lists get their bullets, and what is in backticks is bold.
fn prose(comment: &str) -> String {
    let mut text = String::new();
    for line in comment.lines() {
        match line.strip_prefix("- ") {
            _ if line.is_empty() => text += ".sp\n",
            Some(item) => text += &format!(".IP \\(bu 2\n{}\n", bold(item)),
            None => text += &format!("{}\n", bold(line.trim_start())),
        }
    }
    text.trim_end().to_owned()
}

fn bold(line: &str) -> String {
    let parts = line.split('`').enumerate();
    let text: String =
        parts.map(|(at, part)| if at % 2 == 1 { format!("\\fB{}\\fR", escape(part)) } else { escape(part) }).collect();
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
