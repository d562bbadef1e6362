// SPDX-License-Identifier: Apache-2.0
//! JSON pointers (RFC 6901): how an error says which field it means.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// A key as a pointer writes it: `~` is `~0` and `/` is `~1`.
pub fn escape(key: &str) -> Cow<'_, str> {
    match key.contains(['~', '/']) {
        true => Cow::Owned(key.replace('~', "~0").replace('/', "~1")),
        false => Cow::Borrowed(key),
    }
}

/// The key that [`escape`] wrote.
pub fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// `pointer` with one more step, a key or an index.
pub fn join(pointer: &str, step: impl Display) -> String {
    let step = step.to_string();
    format!("{pointer}/{}", escape(&step))
}

/// The pointer of a path that serde_path_to_error kept.
pub fn from_path(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer = join(&pointer, index),
            Segment::Map { key } => pointer = join(&pointer, key),
            // The value of an enumeration is no place of its own.
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    pointer
}

/// A place in a document; it becomes a pointer, by `to_string`, only if somebody wants to know.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The place it is in, and the step from there; `None` is the document.
    from: Option<(&'a Place<'a>, Step<'a>)>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The whole document.
    pub fn document() -> Self {
        Self { from: None }
    }

    /// The member `key` of the object here.
    pub fn key(&'a self, key: &'a str) -> Self {
        Self { from: Some((self, Step::Key(key))) }
    }

    /// The element `index` of the list here.
    pub fn index(&'a self, index: usize) -> Self {
        Self { from: Some((self, Step::Index(index))) }
    }
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            None => Ok(()),
            Some((parent, Step::Key(key))) => write!(f, "{parent}/{}", escape(key)),
            Some((parent, Step::Index(index))) => write!(f, "{parent}/{index}"),
        }
    }
}

/// Calls `visit` with each place that `pattern` matches, in the order of the document. A pattern is
/// a pointer in which `*` stands for every key or index.
pub fn each<'a>(document: &'a Value, pattern: &str, visit: &mut impl FnMut(&Place<'_>, &'a Value)) {
    descend(document, &Place::document(), pattern, visit);
}

fn descend<'a>(value: &'a Value, at: &Place<'_>, rest: &str, visit: &mut impl FnMut(&Place<'_>, &'a Value)) {
    let Some(rest) = rest.strip_prefix('/') else { return visit(at, value) };
    let (step, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match value {
        Value::Object(object) if step == "*" => {
            for (key, value) in object {
                descend(value, &at.key(key), rest, visit);
            }
        }
        Value::Array(list) if step == "*" => {
            for (index, value) in list.iter().enumerate() {
                descend(value, &at.index(index), rest, visit);
            }
        }
        Value::Object(object) => {
            if let Some(value) = object.get(step) {
                descend(value, &at.key(step), rest, visit);
            }
        }
        _ => {}
    }
}

/// [`each`], for changing what is there.
pub fn each_mut(value: &mut Value, pattern: &str, visit: &mut impl FnMut(&mut Value)) {
    let Some(rest) = pattern.strip_prefix('/') else { return visit(value) };
    let (step, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match value {
        Value::Object(object) if step == "*" => object.values_mut().for_each(|value| each_mut(value, rest, visit)),
        Value::Array(list) if step == "*" => list.iter_mut().for_each(|value| each_mut(value, rest, visit)),
        Value::Object(object) => {
            if let Some(value) = object.get_mut(step) {
                each_mut(value, rest, visit);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_find_all_places() {
        let document = json!({"a": [{"b": 1}, {}, {"b": 2}], "c": {"x/y": {"b": 3}, "~": {"b": 4}}, "d": 5});
        let found = |pattern: &str| {
            let mut found = Vec::new();
            each(&document, pattern, &mut |at, value| found.push(format!("{at}={value}")));
            found
        };
        assert_eq!(found("/a/*/b"), ["/a/0/b=1", "/a/2/b=2"]);
        assert_eq!(found("/c/*/b"), ["/c/x~1y/b=3", "/c/~0/b=4"]);
        assert_eq!(found("/d"), ["/d=5"]);
        assert_eq!(found("/d/*"), Vec::<String>::new());
        assert_eq!(found("/e"), Vec::<String>::new());
        for (at, value) in [("/c/x~1y/b", 3), ("/c/~0/b", 4)] {
            assert_eq!(document.pointer(at), Some(&json!(value)));
        }
    }
}
