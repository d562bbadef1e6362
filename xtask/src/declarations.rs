// SPDX-License-Identifier: Apache-2.0
//! What `include/brig.h` declares, read back from its text, for all that is made from it: the manual page, the Python
//! declarations and the calls of `tests/c/null.c`. The header is our own, so its shape is known; a line that has
//! another shape is an error and never passed over.

use std::error::Error;

/// Everything in the header, in its order.
#[derive(Default)]
pub struct Declarations {
    /// The names of opaque types.
    pub objects: Vec<String>,
    /// Structs with members.
    pub structs: Vec<Struct>,
    /// Enumerations.
    pub enums: Vec<Enum>,
    /// `#define`d numbers.
    pub constants: Vec<Constant>,
    /// Types of functions that are called back.
    pub callbacks: Vec<Function>,
    /// Functions.
    pub functions: Vec<Function>,
    /// The titles of the sections, each with the number of functions before it.
    pub sections: Vec<(String, usize)>,
}

/// A struct.
pub struct Struct {
    /// Its comment.
    pub comment: String,
    /// `brig_exit`
    pub name: String,
    /// The members in order.
    pub members: Vec<Member>,
}

/// A parameter, or a member of a struct.
pub struct Member {
    /// Its comment; parameters have none.
    pub comment: String,
    /// `const char *`
    pub kind: String,
    /// `bundle`
    pub name: String,
}

/// An enumeration.
pub struct Enum {
    /// Its comment.
    pub comment: String,
    /// `brig_status`
    pub name: String,
    /// The values.
    pub values: Vec<Constant>,
}

/// A name for a number.
pub struct Constant {
    /// Its comment.
    pub comment: String,
    /// `BRIG_ERR_BUG`
    pub name: String,
    /// The number.
    pub value: i64,
}

/// A function.
pub struct Function {
    /// Its comment.
    pub comment: String,
    /// What it returns, such as `const char *`.
    pub kind: String,
    /// `brig_container_start`
    pub name: String,
    /// The parameters in order.
    pub parameters: Vec<Member>,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Declarations {
    /// Reads the text of the header.
    pub fn read(header: &str) -> Result<Self> {
        let mut found = Self::default();
        let mut comment = String::new();
        let body = header.split_once("/* --- ").ok_or("the header has no sections")?.1;
        let body = format!("/* --- {body}");
        let mut lines = body.lines();
        while let Some(line) = lines.next() {
            if let Some(text) = line.strip_prefix("///") {
                comment += text.strip_prefix(' ').unwrap_or(text);
                comment.push('\n');
                continue;
            }
            let comment = std::mem::take(&mut comment).trim_end().to_owned();
            if let Some(title) = line.strip_prefix("/* --- ") {
                let title = title.trim_end_matches(['-', ' ', '*', '/']);
                found.sections.push((title.to_owned(), found.functions.len()));
            } else if let Some(rest) = line.strip_prefix("#define ") {
                found.constants.push(constant(comment, rest, ' ')?);
            } else if line == "typedef struct {" {
                let (members, name) = block(&mut lines, ';', member)?;
                found.structs.push(Struct { comment, name, members });
            } else if line == "typedef enum {" {
                let (values, name) = block(&mut lines, ',', |comment, line| constant(comment, line, '='))?;
                found.enums.push(Enum { comment, name, values });
            } else if let Some(rest) = line.strip_prefix("typedef struct ") {
                found.objects.push(rest.split(' ').next().unwrap_or_default().to_owned());
            } else if line.starts_with("#ifdef") {
                break;
            } else if !line.is_empty() {
                let mut declaration = line.to_owned();
                while !declaration.ends_with(';') {
                    declaration += lines.next().ok_or("the header ends within a declaration")?.trim_start();
                }
                match declaration.strip_prefix("typedef ") {
                    Some(callback) => found.callbacks.push(function(comment, callback)?),
                    None => found.functions.push(function(comment, &declaration)?),
                }
            }
        }
        Ok(found)
    }
}

/// The lines of a struct or an enum up to its name.
fn block<'a, T>(
    lines: &mut impl Iterator<Item = &'a str>,
    end: char,
    read: impl Fn(String, &str) -> Result<T>,
) -> Result<(Vec<T>, String)> {
    let (mut items, mut comment) = (Vec::new(), String::new());
    for line in lines.map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            comment += text.strip_prefix(' ').unwrap_or(text);
            comment.push('\n');
        } else if let Some(name) = line.strip_prefix("} ") {
            return Ok((items, name.trim_end_matches(';').to_owned()));
        } else {
            items.push(read(std::mem::take(&mut comment).trim_end().to_owned(), line.trim_end_matches(end))?);
        }
    }
    Err("the header ends within a type".into())
}

/// `BRIG_OK = 0` or `BRIG_DELETE_FORCE 1`
fn constant(comment: String, text: &str, between: char) -> Result<Constant> {
    let (name, value) = text.split_once(between).ok_or_else(|| format!("not a constant: {text}"))?;
    let value = value.trim().parse().map_err(|error| format!("{text}: {error}"))?;
    Ok(Constant { comment, name: name.trim().to_owned(), value })
}

/// `const char *bundle`
fn member(comment: String, text: &str) -> Result<Member> {
    // `void (*log)(uint32_t level, ...)`: the name is in the middle.
    if let Some((before, rest)) = text.split_once("(*") {
        let (name, after) = rest.split_once(')').ok_or_else(|| format!("not a member: {text}"))?;
        return Ok(Member { comment, kind: format!("{before}(*){after}"), name: name.to_owned() });
    }
    let at = text.rfind([' ', '*']).ok_or_else(|| format!("not a member: {text}"))? + 1;
    Ok(Member { comment, kind: text[..at].trim_end().to_owned(), name: text[at..].to_owned() })
}

/// `int brig_error_errno(const brig_error *error);` or, called back, `void (*brig_log_function)(int level);`
fn function(comment: String, text: &str) -> Result<Function> {
    let bad = || format!("not a function: {text}");
    let text = text.trim_end_matches(';').strip_suffix(')').ok_or_else(bad)?;
    let (head, parameters) = match text.split_once("(*") {
        Some((kind, rest)) if text.find('(') == Some(kind.len()) => {
            let (name, parameters) = rest.split_once(")(").ok_or_else(bad)?;
            (format!("{kind}{name}"), parameters)
        }
        _ => text.split_once('(').map(|(head, rest)| (head.to_owned(), rest)).ok_or_else(bad)?,
    };
    let Member { kind, name, .. } = member(String::new(), &head)?;
    let parameters = match parameters {
        "void" => Vec::new(),
        _ => commas(parameters).into_iter().map(|it| member(String::new(), it.trim())).collect::<Result<_>>()?,
    };
    Ok(Function { comment, kind, name, parameters })
}

/// Parts between the commas that are in no parentheses.
fn commas(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_all_that_the_header_has() {
        let header = include_str!("../../include/brig.h");
        let found = Declarations::read(header).unwrap();
        let map = include_str!("../../abi/brig.map");
        let names: Vec<_> = found.functions.iter().map(|it| it.name.as_str()).collect();
        for line in map.lines().filter_map(|line| line.trim().strip_suffix(';')).filter(|it| it.starts_with("brig_")) {
            assert!(names.contains(&line), "{line}");
        }
        assert!(found.functions.iter().all(|it| it.comment.len() > 8), "each function has a comment");
        assert!(found.constants.iter().all(|it| !it.comment.is_empty()), "each constant has a comment");
        let members = found.structs.iter().flat_map(|it| &it.members);
        assert!(members.map(|it| &it.comment).all(|it| !it.is_empty()), "each member has a comment");
        let status = &found.enums[0];
        assert_eq!((status.name.as_str(), status.values[1].value), ("brig_status", -1));
    }

    #[test]
    fn functions_that_are_called_back_are_read_too() {
        let text = "typedef void (*brig_log)(uint32_t level, const char *line, void *data);";
        let read = Declarations::read(&format!("/* --- Objects --- */\n/// A comment.\n{text}\n")).unwrap();
        let callback = &read.callbacks[0];
        assert_eq!((callback.name.as_str(), callback.kind.as_str()), ("brig_log", "void"));
        let kinds: Vec<_> = callback.parameters.iter().map(|it| (it.kind.as_str(), it.name.as_str())).collect();
        assert_eq!(kinds, [("uint32_t", "level"), ("const char *", "line"), ("void *", "data")]);
    }
}
