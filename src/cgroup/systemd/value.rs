// SPDX-License-Identifier: Apache-2.0
//! Values of D-Bus: what systemd's properties are made of, in the byte order of this machine (D-Bus Specification,
//! "Type System" and "Marshaling").

/// A value that knows its type.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cgroup) enum Value {
    /// BOOLEAN, `b`.
    Bool(bool),
    /// BYTE, `y`.
    Byte(u8),
    /// INT16, `n`.
    I16(i16),
    /// UINT16, `q`.
    U16(u16),
    /// INT32, `i`.
    I32(i32),
    /// UINT32, `u`.
    U32(u32),
    /// INT64, `x`.
    I64(i64),
    /// UINT64, `t`.
    U64(u64),
    /// DOUBLE, `d`.
    F64(f64),
    /// STRING, `s`.
    Text(String),
    /// OBJECT_PATH, `o`.
    Path(String),
    /// SIGNATURE, `g`.
    Signature(String),
    /// ARRAY, `a`: the signature of its elements, and these.
    Array(String, Vec<Value>),
    /// STRUCT, in parentheses.
    Struct(Vec<Value>),
    /// VARIANT, `v`.
    Variant(Box<Value>),
}

impl Value {
    /// A string.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Appends the type.
    pub(super) fn signature(&self, out: &mut String) {
        match self {
            Self::Bool(_) => out.push('b'),
            Self::Byte(_) => out.push('y'),
            Self::I16(_) => out.push('n'),
            Self::U16(_) => out.push('q'),
            Self::I32(_) => out.push('i'),
            Self::U32(_) => out.push('u'),
            Self::I64(_) => out.push('x'),
            Self::U64(_) => out.push('t'),
            Self::F64(_) => out.push('d'),
            Self::Text(_) => out.push('s'),
            Self::Path(_) => out.push('o'),
            Self::Signature(_) => out.push('g'),
            Self::Array(of, _) => {
                out.push('a');
                out.push_str(of);
            }
            Self::Struct(fields) => {
                out.push('(');
                fields.iter().for_each(|field| field.signature(out));
                out.push(')');
            }
            Self::Variant(_) => out.push('v'),
        }
    }

    /// Appends the bytes; `out` starts at a multiple of eight in the message.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => number(out, &u32::from(*value).to_ne_bytes()),
            Self::Byte(value) => out.push(*value),
            Self::I16(value) => number(out, &value.to_ne_bytes()),
            Self::U16(value) => number(out, &value.to_ne_bytes()),
            Self::I32(value) => number(out, &value.to_ne_bytes()),
            Self::U32(value) => number(out, &value.to_ne_bytes()),
            Self::I64(value) => number(out, &value.to_ne_bytes()),
            Self::U64(value) => number(out, &value.to_ne_bytes()),
            Self::F64(value) => number(out, &value.to_ne_bytes()),
            Self::Text(text) | Self::Path(text) => {
                number(out, &(text.len() as u32).to_ne_bytes());
                out.extend(text.as_bytes());
                out.push(0);
            }
            Self::Signature(text) => signature_bytes(out, text),
            Self::Array(of, elements) => {
                number(out, &[0; 4]);
                let length_at = out.len() - 4;
                // The length does not count the padding before the first element.
                pad(out, alignment(of.as_bytes().first().copied().unwrap_or(b'y')));
                let start = out.len();
                elements.iter().for_each(|element| element.write(out));
                let length = ((out.len() - start) as u32).to_ne_bytes();
                out.iter_mut().skip(length_at).zip(length).for_each(|(byte, new)| *byte = new);
            }
            Self::Struct(fields) => {
                pad(out, 8);
                fields.iter().for_each(|field| field.write(out));
            }
            Self::Variant(inner) => {
                let mut signature = String::new();
                inner.signature(&mut signature);
                signature_bytes(out, &signature);
                inner.write(out);
            }
        }
    }
}

/// A number is aligned to its own size.
fn number(out: &mut Vec<u8>, bytes: &[u8]) {
    pad(out, bytes.len());
    out.extend(bytes);
}

fn signature_bytes(out: &mut Vec<u8>, text: &str) {
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
    out.push(0);
}

/// Fills up with zeros to a multiple of `to`.
pub(super) fn pad(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

fn alignment(kind: u8) -> usize {
    match kind {
        b'y' | b'g' | b'v' => 1,
        b'n' | b'q' => 2,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 4,
    }
}

/// Reads values out of a part of a message that starts at a multiple of eight.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// How deep values may be in one another: the limit of the specification for arrays and structs together.
const DEPTH: u32 = 64;

impl<'a> Reader<'a> {
    /// From the start.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// All values of a signature; `None` if the bytes are none.
    pub(super) fn all(&mut self, signature: &str) -> Option<Vec<Value>> {
        let mut rest = signature.as_bytes();
        let mut values = Vec::new();
        while !rest.is_empty() {
            values.push(self.one(&mut rest, DEPTH)?);
        }
        Some(values)
    }

    /// One value, whose type is taken off the front of `signature`.
    fn one(&mut self, signature: &mut &[u8], depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let (&kind, rest) = signature.split_first()?;
        *signature = rest;
        Some(match kind {
            b'y' => Value::Byte(self.take::<1>()?[0]),
            b'b' => Value::Bool(self.u32()? != 0),
            b'n' => Value::I16(i16::from_ne_bytes(self.take()?)),
            b'q' => Value::U16(u16::from_ne_bytes(self.take()?)),
            b'i' => Value::I32(i32::from_ne_bytes(self.take()?)),
            b'u' | b'h' => Value::U32(self.u32()?),
            b'x' => Value::I64(i64::from_ne_bytes(self.take()?)),
            b't' => Value::U64(u64::from_ne_bytes(self.take()?)),
            b'd' => Value::F64(f64::from_ne_bytes(self.take()?)),
            b's' => Value::Text(self.text()?),
            b'o' => Value::Path(self.text()?),
            b'g' => Value::Signature(self.short_text()?),
            b'v' => {
                let inner = self.short_text()?;
                Value::Variant(Box::new(self.one(&mut inner.as_bytes(), depth)?))
            }
            b'a' => self.array(signature, depth)?,
            // The entries of a dictionary are structs of two.
            b'(' | b'{' => {
                self.align(8)?;
                let mut fields = Vec::new();
                while !matches!(signature.first()?, b')' | b'}') {
                    fields.push(self.one(signature, depth)?);
                }
                *signature = signature.get(1..)?;
                // One without fields has no bytes either: an array of such would not end.
                (!fields.is_empty()).then_some(Value::Struct(fields))?
            }
            _ => return None,
        })
    }

    fn array(&mut self, signature: &mut &[u8], depth: u32) -> Option<Value> {
        let (of, rest) = signature.split_at(first_type(signature)?);
        *signature = rest;
        let length = self.u32()? as usize;
        self.align(alignment(*of.first()?))?;
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len())?;
        let mut elements = Vec::new();
        while self.at < end {
            elements.push(self.one(&mut &*of, depth)?);
        }
        (self.at == end).then(|| Value::Array(String::from_utf8_lossy(of).into_owned(), elements))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.align(N)?;
        let bytes = self.bytes.get(self.at..self.at + N)?;
        self.at += N;
        bytes.try_into().ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        self.string(length)
    }

    fn short_text(&mut self) -> Option<String> {
        let length = self.take::<1>()?[0].into();
        self.string(length)
    }

    fn string(&mut self, length: usize) -> Option<String> {
        let end = self.at.checked_add(length)?;
        let text = self.bytes.get(self.at..end)?;
        self.at = end + 1; // A zero byte follows.
        String::from_utf8(text.to_vec()).ok()
    }

    fn align(&mut self, to: usize) -> Option<()> {
        self.at = self.at.next_multiple_of(to);
        (self.at <= self.bytes.len()).then_some(())
    }
}

/// How long the first complete type of a signature is.
pub(super) fn first_type(signature: &[u8]) -> Option<usize> {
    let arrays = signature.iter().take_while(|&&kind| kind == b'a').count();
    let mut open = 0usize;
    for (index, kind) in signature.iter().enumerate().skip(arrays) {
        match kind {
            b'(' | b'{' => open += 1,
            b')' | b'}' => open = open.checked_sub(1)?,
            _ => {}
        }
        if open == 0 {
            return Some(index + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Value> {
        let pair = |name: &str, value| Value::Struct(vec![Value::text(name), Value::Variant(Box::new(value))]);
        vec![
            Value::Byte(7),
            Value::Path("/a".to_owned()),
            Value::Array(
                "(sv)".to_owned(),
                vec![
                    pair("PIDs", Value::Array("u".to_owned(), vec![Value::U32(1), Value::U32(2)])),
                    pair("TasksMax", Value::U64(u64::MAX)),
                    pair("Delegate", Value::Bool(true)),
                    pair("Few", Value::I16(-2)),
                    pair("Half", Value::F64(0.5)),
                ],
            ),
            Value::Array("x".to_owned(), vec![]),
            Value::Signature("a(sv)".to_owned()),
        ]
    }

    fn bytes(values: &[Value]) -> (String, Vec<u8>) {
        let (mut signature, mut bytes) = (String::new(), Vec::new());
        for value in values {
            value.signature(&mut signature);
            value.write(&mut bytes);
        }
        (signature, bytes)
    }

    /// The example of the specification: an array of one INT64 has padding that its length does not count.
    #[test]
    #[cfg(target_endian = "little")]
    fn padding_is_that_of_the_specification() {
        let (signature, bytes) = bytes(&[Value::Array("x".to_owned(), vec![Value::I64(5)])]);
        assert_eq!(signature, "ax");
        assert_eq!(bytes, [8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_written_is_read() {
        let (signature, bytes) = bytes(&sample());
        assert_eq!(signature, "yoa(sv)axg");
        assert_eq!(Reader::new(&bytes).all(&signature), Some(sample()));
    }

    #[test]
    fn nonsense_is_none_and_ends() {
        let (signature, bytes) = bytes(&sample());
        for end in 0..bytes.len() - 1 {
            assert_eq!(Reader::new(&bytes[..end]).all(&signature), None, "{end} bytes");
        }
        let deep = "a".repeat(100) + "y";
        for bad in ["a", "(", "(y", ")", "()", "a()", "z", deep.as_str()] {
            assert_eq!(Reader::new(&[8; 64]).all(bad), None, "{bad}");
        }
    }
}
