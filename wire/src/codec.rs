// SPDX-License-Identifier: Apache-2.0
//! The byte layout of single values: little-endian, unaligned, lengths before contents.

use core::ffi::CStr;
use core::fmt;

use crate::show::Style;

/// Takes values off the front of a run of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes `count` bytes, or nothing if there are fewer.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }
}

/// Where encoded bytes go.
#[cfg(feature = "alloc")]
pub type Sink = alloc::vec::Vec<u8>;

/// A value that can stand in a step.
pub trait Field<'a>: Sized {
    /// Reads one; `None` if the bytes end or are malformed.
    fn get(reader: &mut Reader<'a>) -> Option<Self>;

    /// Appends the encoding of `self`.
    #[cfg(feature = "alloc")]
    fn put(&self, out: &mut Sink);

    /// Whether the value says nothing to people.
    fn is_silent(&self, _: Style) -> bool {
        false
    }

    /// Prints the value for people; the style is for numbers.
    fn show(&self, style: Style, out: &mut dyn fmt::Write) -> fmt::Result;
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl<'a> Field<'a> for $type {
            fn get(reader: &mut Reader<'a>) -> Option<Self> {
                Some(Self::from_le_bytes(reader.take(size_of::<Self>())?.try_into().ok()?))
            }

            #[cfg(feature = "alloc")]
            fn put(&self, out: &mut Sink) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn is_silent(&self, style: Style) -> bool {
                style.omits(*self as u64)
            }

            fn show(&self, style: Style, out: &mut dyn fmt::Write) -> fmt::Result {
                style.print(self, *self as u64, out)
            }
        }
    )*};
}

integer!(u32, u64, i32, i64);

impl<'a> Field<'a> for &'a [u8] {
    fn get(reader: &mut Reader<'a>) -> Option<Self> {
        let length = u32::get(reader)?;
        reader.take(length as usize)
    }

    #[cfg(feature = "alloc")]
    fn put(&self, out: &mut Sink) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self);
    }

    fn is_silent(&self, style: Style) -> bool {
        matches!(style, Style::Hex) && self.is_empty()
    }

    fn show(&self, style: Style, out: &mut dyn fmt::Write) -> fmt::Result {
        match style {
            // A bitmask, as a number: its highest byte comes last.
            Style::Hex => {
                out.write_str("0x")?;
                self.iter().rev().skip_while(|byte| **byte == 0).try_for_each(|byte| write!(out, "{byte:02x}"))
            }
            _ => write!(out, "<{} bytes>", self.len()),
        }
    }
}

impl<'a> Field<'a> for &'a CStr {
    fn get(reader: &mut Reader<'a>) -> Option<Self> {
        CStr::from_bytes_with_nul(<&[u8]>::get(reader)?).ok()
    }

    #[cfg(feature = "alloc")]
    fn put(&self, out: &mut Sink) {
        self.to_bytes_with_nul().put(out);
    }

    fn show(&self, _: Style, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{self:?}")
    }
}

/// A list of strings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Strings<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The strings, in order. Each ends in NUL in the mapped plan itself, so its pointer can go
    /// straight to the kernel.
    pub fn iter(&self) -> impl Iterator<Item = &'a CStr> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        core::iter::from_fn(move || <&CStr>::get(&mut reader))
    }

    /// Encodes `strings` into `store`, which the result then borrows.
    #[cfg(feature = "alloc")]
    pub fn pack<'s>(strings: impl IntoIterator<Item = impl AsRef<CStr>>, store: &'s mut Sink) -> Strings<'s> {
        let mut count = 0;
        store.clear();
        for string in strings {
            string.as_ref().put(store);
            count += 1;
        }
        Strings { count, bytes: store }
    }
}

impl fmt::Debug for Strings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Field<'a> for Strings<'a> {
    fn get(reader: &mut Reader<'a>) -> Option<Self> {
        Some(Self { count: u32::get(reader)?, bytes: <&[u8]>::get(reader)? })
    }

    #[cfg(feature = "alloc")]
    fn put(&self, out: &mut Sink) {
        self.count.put(out);
        self.bytes.put(out);
    }

    fn show(&self, _: Style, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{self:?}")
    }
}

/// A list of unsigned numbers: ids, file descriptors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Numbers<'a> {
    bytes: &'a [u8],
}

impl<'a> Numbers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / 4
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The numbers as the kernel takes them: 32 bits each, little-endian, of any alignment.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        core::iter::from_fn(move || u32::get(&mut reader))
    }

    /// Encodes `numbers` into `store`, which the result then borrows.
    #[cfg(feature = "alloc")]
    pub fn pack(numbers: impl IntoIterator<Item = u32>, store: &mut Sink) -> Numbers<'_> {
        store.clear();
        for number in numbers {
            number.put(store);
        }
        Numbers { bytes: store }
    }
}

impl fmt::Debug for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Field<'a> for Numbers<'a> {
    fn get(reader: &mut Reader<'a>) -> Option<Self> {
        let bytes = <&[u8]>::get(reader)?;
        bytes.len().is_multiple_of(4).then_some(Self { bytes })
    }

    #[cfg(feature = "alloc")]
    fn put(&self, out: &mut Sink) {
        self.bytes.put(out);
    }

    fn show(&self, _: Style, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{self:?}")
    }
}
