// SPDX-License-Identifier: Apache-2.0
//! From bytes to a JSON document, and from that to types: with errors that name the place, what is
//! there, and what may be there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::pointer;
use crate::error::{Error, Result};

/// More than any sensible configuration; a seccomp profile is 30 KiB.
const LIMIT: usize = 16 << 20;

/// Reads one JSON object.
pub fn document(json: &[u8]) -> Result<Value> {
    if json.len() > LIMIT {
        return Err(Error::config("", format!("{} bytes are more than the allowed 16 MiB", json.len())));
    }
    let text = std::str::from_utf8(json)
        .map_err(|error| Error::config("", format!("byte {} is not UTF-8 text", error.valid_up_to())))?;
    if text.trim_ascii().is_empty() {
        return Err(Error::config("", "is empty"));
    }
    let Document(value) = serde_json::from_str(text).map_err(|error| syntax(&error))?;
    match value.is_object() {
        true => Ok(value),
        false => Err(Error::config("", format!("must be an object, not {}", describe(&value)))),
    }
}

fn syntax(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let what = match error.classify() {
        serde_json::error::Category::Eof => "ends before its JSON is complete",
        // Our own message, of `Document`.
        serde_json::error::Category::Data => text,
        _ if text == "trailing characters" => "something follows the JSON object",
        _ if text == "recursion limit exceeded" => "is nested too deeply",
        _ => &format!("is not JSON: {text}"),
    };
    Error::config("", format!("line {line}, column {column}: {what}"))
}

/// A `Value` without a key that is there twice: of two `namespaces`, which one does the author mean?
struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor).map(Self)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> std::result::Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Document(value)) = access.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key \"{}\" is there twice", key.escape_debug())));
            }
            let Document(value) = access.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Gives the document its types.
pub fn typed<'de, T: Deserialize<'de>>(document: &'de Value) -> Result<T> {
    // To keep the path takes longer than the rest, and is of use only if there is an error.
    T::deserialize(document).or_else(|_| serde_path_to_error::deserialize(document)).map_err(|error| {
        let pointer = pointer::from_path(error.path());
        explain(document, pointer, &error.inner().to_string())
    })
}

/// Turns serde's message, which speaks of Rust types, into one for the author of the file.
fn explain(document: &Value, pointer: String, text: &str) -> Error {
    if let Some(field) = quoted(text.strip_prefix("missing field ")) {
        return Error::config(pointer::join(&pointer, field), "is missing");
    }
    let null = Value::Null;
    let found = describe(document.pointer(&pointer).unwrap_or(&null));
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        let names: Vec<_> = rest.split('`').skip(1).step_by(2).skip(1).collect();
        let kind = kind_of_name(&pointer);
        return Error::config(pointer, format!("unknown {kind} {found}; known are {}", names.join(", ")));
    }
    // How the types of oci-spec refuse a capability.
    if text.starts_with("no variant for ") {
        return Error::config(pointer, format!("unknown capability {found}"));
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => Error::config(pointer, format!("must be {}, not {found}", in_words(expected))),
        None => Error::config(pointer, format!("{found} is not allowed here")),
    }
}

/// What is between the first two backquotes.
fn quoted(text: Option<&str>) -> Option<&str> {
    text?.split('`').nth(1)
}

/// What a name at `pointer` is the name of.
fn kind_of_name(pointer: &str) -> &'static str {
    const KINDS: &[(&str, &str, &str)] = &[
        ("/process/rlimits/", "/type", "resource limit"),
        ("/process/scheduler/policy", "", "scheduling policy"),
        ("/process/scheduler/flags/", "", "scheduling flag"),
        ("/process/ioPriority/class", "", "I/O priority class"),
        ("/linux/namespaces/", "/type", "namespace type"),
        ("/linux/devices/", "/type", "device type"),
        ("/linux/resources/devices/", "/type", "device type"),
        ("/linux/seccomp/architectures/", "", "architecture"),
        ("/linux/seccomp/flags/", "", "flag"),
        ("/linux/seccomp/", "/op", "operator"),
        ("/linux/seccomp/", "ction", "action"),
        ("/linux/personality/domain", "", "domain"),
        ("/linux/memoryPolicy/mode", "", "mode"),
        ("/linux/memoryPolicy/flags/", "", "flag"),
    ];
    let kind = KINDS.iter().find(|(start, end, _)| pointer.starts_with(start) && pointer.ends_with(end));
    kind.map_or("value", |(.., kind)| kind)
}

/// An expectation of serde in the words of JSON.
fn in_words(expected: &str) -> String {
    let (low, high) = match expected {
        "u8" => (0, u64::from(u8::MAX)),
        "u16" => (0, u64::from(u16::MAX)),
        "u32" => (0, u64::from(u32::MAX)),
        "u64" | "usize" => (0, u64::MAX),
        "i32" => (i64::from(i32::MIN), i32::MAX as u64),
        "i64" | "isize" => (i64::MIN, i64::MAX as u64),
        "a boolean" => return "true or false".into(),
        "a sequence" => return "a list".into(),
        "a map" => return "an object".into(),
        _ if expected.starts_with("struct ") => return "an object".into(),
        // Strings, paths and names of enumerations.
        _ => return "a string".into(),
    };
    format!("a whole number from {low} to {high}")
}

/// What is there, short enough for one line.
pub fn describe(value: &Value) -> String {
    const MOST: usize = 60;
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        Value::String(text) if text.chars().count() > MOST => {
            let start: String = text.chars().take(MOST).collect();
            format!("\"{}…\"", start.escape_debug())
        }
        Value::String(text) => format!("\"{}\"", text.escape_debug()),
    }
}
