// SPDX-License-Identifier: Apache-2.0
//! Values as text, in the format of GVariant that `gdbus` and `busctl --json=off` users know: `true`, `'a'`, `uint64 5`,
//! `@as []`, `['a', 'b']`, `(1, 'x')`, `<5>`. For annotations that set properties of the unit.
//!
//! A number without a type is an int32, or a double if it has a point or an exponent.

use super::value::{Value, first_type};

type Result<T> = std::result::Result<T, String>;

/// The words that name a type, and its signature.
const WORDS: [(&str, &str); 11] = [
    ("boolean", "b"),
    ("byte", "y"),
    ("int16", "n"),
    ("uint16", "q"),
    ("int32", "i"),
    ("uint32", "u"),
    ("int64", "x"),
    ("uint64", "t"),
    ("double", "d"),
    ("string", "s"),
    ("objectpath", "o"),
];

/// How deep values may be in one another.
const DEPTH: u32 = 16;

/// Reads all of the text as one value.
pub(super) fn parse(text: &str) -> Result<Value> {
    let mut parser = Parser { rest: text.trim() };
    let value = parser.value(None, DEPTH)?;
    match parser.rest {
        "" => Ok(value),
        rest => Err(format!("there is more after the value: {rest:?}")),
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn value(&mut self, kind: Option<&str>, depth: u32) -> Result<Value> {
        let depth = depth.checked_sub(1).ok_or("values are too deep in one another")?;
        if self.eat('@') {
            let end = first_type(self.rest.as_bytes()).ok_or("there is no type after @")?;
            let given = self.rest.get(..end).ok_or("there is no type after @")?;
            self.rest = self.rest.get(end..).unwrap_or_default().trim_start();
            return self.value(Some(given), depth);
        }
        match self.rest.chars().next() {
            None => Err("there is no value".to_owned()),
            Some('[') => self.array(kind, depth),
            Some('(') => self.tuple(kind, depth),
            Some('<') => {
                self.eat('<');
                let inner = self.value(None, depth)?;
                self.expect('>')?;
                is(kind, "v")?;
                Ok(Value::Variant(Box::new(inner)))
            }
            Some(quote @ ('\'' | '"')) => {
                let text = self.quoted(quote)?;
                match kind.unwrap_or("s") {
                    "s" => Ok(Value::Text(text)),
                    "o" => Ok(Value::Path(text)),
                    "g" => Ok(Value::Signature(text)),
                    other => Err(format!("a text is no value of type {other:?}")),
                }
            }
            Some(_) => self.word(kind, depth),
        }
    }

    fn array(&mut self, kind: Option<&str>, depth: u32) -> Result<Value> {
        self.eat('[');
        let mut of = match kind {
            Some(kind) => {
                Some(kind.strip_prefix('a').ok_or(format!("an array is no value of type {kind:?}"))?.to_owned())
            }
            None => None,
        };
        let mut elements = Vec::new();
        while !self.eat(']') {
            if !elements.is_empty() {
                self.expect(',')?;
            }
            let element = self.value(of.as_deref(), depth)?;
            // The first element says what the others are.
            of.get_or_insert_with(|| signature(&element));
            elements.push(element);
        }
        Ok(Value::Array(of.ok_or("an empty array needs a type, such as @as []")?, elements))
    }

    fn tuple(&mut self, kind: Option<&str>, depth: u32) -> Result<Value> {
        self.eat('(');
        let mut kinds = match kind {
            Some(kind) => {
                let inner = kind.strip_prefix('(').and_then(|kind| kind.strip_suffix(')'));
                Some(inner.ok_or(format!("a tuple is no value of type {kind:?}"))?)
            }
            None => None,
        };
        let mut fields = Vec::new();
        while !self.eat(')') {
            if !fields.is_empty() {
                self.expect(',')?;
                if self.eat(')') {
                    break; // (1,) has one field.
                }
            }
            let kind = match &mut kinds {
                Some(rest) => {
                    let end = first_type(rest.as_bytes()).ok_or("the tuple has more fields than its type")?;
                    let (first, others) = rest.split_at(end);
                    *rest = others;
                    Some(first)
                }
                None => None,
            };
            fields.push(self.value(kind, depth)?);
        }
        match kinds {
            Some(rest) if !rest.is_empty() => Err("the tuple has fewer fields than its type".to_owned()),
            _ if fields.is_empty() => Err("a tuple has fields".to_owned()),
            _ => Ok(Value::Struct(fields)),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            match char {
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, same @ ('\\' | '\'' | '"'))) => text.push(same),
                    _ => return Err("after \\ there is none of n t \\ ' \"".to_owned()),
                },
                _ if char == quote => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default().trim_start();
                    return Ok(text);
                }
                _ => text.push(char),
            }
        }
        Err("a text does not end".to_owned())
    }

    fn word(&mut self, kind: Option<&str>, depth: u32) -> Result<Value> {
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if let Some((_, named)) = WORDS.iter().find(|(name, _)| *name == word) {
            is(kind, named)?;
            return self.value(Some(named), depth);
        }
        if let "true" | "false" = word {
            is(kind, "b")?;
            return Ok(Value::Bool(word == "true"));
        }
        number(word, kind).ok_or_else(|| match kind {
            Some(kind) => format!("{word:?} is no value of type {kind:?}"),
            None => format!("{word:?} is no value (texts need quotes)"),
        })
    }

    fn eat(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: char) -> Result<()> {
        if self.eat(sign) { Ok(()) } else { Err(format!("{sign:?} is missing before {:?}", self.rest)) }
    }
}

fn is(wanted: Option<&str>, found: &str) -> Result<()> {
    match wanted {
        Some(wanted) if wanted != found => Err(format!("a value of type {found:?} stands where {wanted:?} is wanted")),
        _ => Ok(()),
    }
}

fn number(word: &str, kind: Option<&str>) -> Option<Value> {
    let floats = !word.starts_with("0x") && word.contains(['.', 'e', 'E']);
    let integer = || match word.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => word.parse::<i128>().ok(),
    };
    Some(match kind.unwrap_or(if floats { "d" } else { "i" }) {
        "y" => Value::Byte(integer()?.try_into().ok()?),
        "n" => Value::I16(integer()?.try_into().ok()?),
        "q" => Value::U16(integer()?.try_into().ok()?),
        "i" => Value::I32(integer()?.try_into().ok()?),
        "u" => Value::U32(integer()?.try_into().ok()?),
        "x" => Value::I64(integer()?.try_into().ok()?),
        "t" => Value::U64(integer()?.try_into().ok()?),
        "d" => Value::F64(word.parse().ok()?),
        _ => return None,
    })
}

fn signature(value: &Value) -> String {
    let mut signature = String::new();
    value.signature(&mut signature);
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let text = |text: &str| Value::text(text);
        for (given, expected) in [
            ("true", Value::Bool(true)),
            ("'a b'", text("a b")),
            ("\"it's\"", text("it's")),
            (r"'it\'s'", text("it's")),
            ("5", Value::I32(5)),
            ("-5", Value::I32(-5)),
            ("2.5", Value::F64(2.5)),
            ("uint64 18446744073709551615", Value::U64(u64::MAX)),
            ("uint32 0x10", Value::U32(16)),
            ("@t 7", Value::U64(7)),
            ("@as []", Value::Array("s".to_owned(), vec![])),
            ("['a', 'b']", Value::Array("s".to_owned(), vec![text("a"), text("b")])),
            ("[uint64 1, 2]", Value::Array("t".to_owned(), vec![Value::U64(1), Value::U64(2)])),
            ("('a', true)", Value::Struct(vec![text("a"), Value::Bool(true)])),
            (
                "@a(ss) [('/dev/null', 'rw')]",
                Value::Array("(ss)".to_owned(), vec![Value::Struct(vec![text("/dev/null"), text("rw")])]),
            ),
            ("<'a'>", Value::Variant(Box::new(text("a")))),
        ] {
            assert_eq!(parse(given), Ok(expected), "{given}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let deep = "[".repeat(100);
        for given in [
            "",
            "a",
            "'a",
            "5 6",
            "[]",
            "[1, 'a']",
            "(",
            "uint64 -1",
            "uint64 'a'",
            "@b 5",
            "@",
            "()",
            "@(ss) ('a',)",
            r"'\x'",
            "byte 256",
            &deep,
        ] {
            assert!(parse(given).is_err(), "{given}: {:?}", parse(given));
        }
    }
}
