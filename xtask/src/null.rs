// SPDX-License-Identifier: Apache-2.0
//! `tests/c/null_calls.h`: a call with NULL for each pointer of each function, which `tests/c/null.c` makes. All
//! other arguments of such a call are good ones, so that it is the NULL which is refused.

use crate::declarations::{Declarations, Function, Member};

const HEAD: &str = "/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from include/brig.h by `make header`. The good arguments are variables of null.c, named as their types. */
";

/// The file.
pub fn calls(found: &Declarations) -> String {
    let mut text = HEAD.to_owned();
    for function in found.functions.iter().filter(|it| it.parameters.iter().any(is_pointer)) {
        text += &format!("\n/* {} */\n", function.name);
        let all = function.parameters.iter().map(|it| empty(it, found)).collect();
        text += &macro_call(function.parameters.iter().any(|it| is_refused(function, it)), function, all);
        for at in function.parameters.iter().enumerate().filter(|(_, it)| is_pointer(it)).map(|(at, _)| at) {
            let null = &function.parameters[at];
            if null.name != "error" && function.parameters.len() > 1 {
                let good = function.parameters.iter().map(|it| argument(it, found)).enumerate();
                let arguments = good.map(|(place, it)| if place == at { "NULL".to_owned() } else { it }).collect();
                text += &macro_call(is_refused(function, null), function, arguments);
            }
        }
    }
    text
}

/// A call that must be refused, or one that must only come back: NULL is allowed there, and what it means depends.
fn macro_call(is_refused: bool, function: &Function, arguments: Vec<String>) -> String {
    let check = if is_refused { "INVALID" } else { "SURVIVES" };
    format!("{check}({}({}));\n", function.name, arguments.join(", "))
}

/// Whether the header does not allow NULL there.
fn is_refused(function: &Function, parameter: &Member) -> bool {
    let (name, comment) = (&parameter.name, &function.comment);
    let is_nullable = comment.contains(&format!("`{name}` (nullable"))
        || (name == "ids" && comment.contains("NULL and 0"))
        || (name == "error" || parameter.kind.contains("void"));
    function.kind == "brig_status" && is_pointer(parameter) && !is_nullable && !name.ends_with("options")
}

fn is_pointer(member: &Member) -> bool {
    member.kind.ends_with('*')
}

/// NULL or 0.
fn empty(member: &Member, found: &Declarations) -> String {
    let is_callback = found.callbacks.iter().any(|it| it.name == member.kind) || member.kind.contains("(*)");
    if is_pointer(member) || is_callback { "NULL".to_owned() } else { "0".to_owned() }
}

/// A good argument of this type.
fn argument(member: &Member, found: &Declarations) -> String {
    let is_struct = |name: &str| found.structs.iter().any(|it| it.name == name);
    match member.kind.as_str() {
        "brig_error **" => "&error".to_owned(),
        "char **" => "&text".to_owned(),
        "int *" => "&fd".to_owned(),
        "pid_t *" => "&pid".to_owned(),
        "const char *" if member.name == "id" => "\"null\"".to_owned(),
        "const char *" => "\"{}\"".to_owned(),
        "const char *const *" => "NULL".to_owned(),
        kind if kind.ends_with("**") => format!("&{}_out", kind.trim_end_matches(['*', ' '])),
        kind if kind.ends_with('*') => {
            let bare = kind.trim_start_matches("const ").trim_end_matches(['*', ' ']);
            if is_struct(bare) { format!("&a_{bare}") } else { format!("a_{bare}") }
        }
        _ => empty(member, found),
    }
}
