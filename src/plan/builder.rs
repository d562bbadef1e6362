// SPDX-License-Identifier: Apache-2.0
//! Collects steps into the flat bytes of a plan, and remembers what bytes cannot: which field of
//! config.json each step came from, and where descriptors go that are only opened at launch.

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use brig_wire::{Header, NO_FAULT, Numbers, Sink, Step, Strings, fd};

use crate::error::{Error, Result};

/// A descriptor of the host that a step uses, by what it is for: its number is not known before launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The n-th namespace that is joined by its path.
    Namespace(usize),
    /// The n-th mount source that the host clones, for a user namespace that could not reach it.
    Source(usize),
    /// The container's descriptor n: stdio, then the caller's extra files.
    File(usize),
    /// The hook state.
    State,
    /// The terminal made by the plan itself.
    Terminal,
    /// The file for the supervisor's record.
    Exit,
    /// The version 2 cgroup, if there is one.
    Cgroup,
    /// The memory for init's last word.
    LastWord,
}

/// A compiled plan and what the host needs to know about it.
#[derive(Default)]
pub struct Steps {
    bytes: Vec<u8>,
    count: u32,
    origins: Vec<String>,
    slots: Vec<(usize, Slot)>,
    origin: String,
}

impl Steps {
    /// An empty plan.
    pub fn new() -> Self {
        Self { bytes: vec![0; Header::SIZE], ..Self::default() }
    }

    /// The steps pushed from here on come from this field of config.json ("" for brig's own).
    pub fn origin(&mut self, pointer: impl Into<String>) -> &mut Self {
        self.origin = pointer.into();
        self
    }

    /// Appends a step.
    pub fn push(&mut self, step: Step<'_>) {
        step.encode(&mut self.bytes);
        self.origins.push(self.origin.clone());
        self.count += 1;
    }

    /// Appends a step whose *first* field is a descriptor that launch fills in.
    pub fn push_slot(&mut self, slot: Slot, step: Step<'_>) {
        self.push_slots(&[slot], step);
    }

    /// Appends a step whose first fields are such descriptors.
    pub fn push_slots(&mut self, slots: &[Slot], step: Step<'_>) {
        // The fields follow the step's number.
        let fields = self.bytes.len() + 4;
        self.slots.extend(slots.iter().enumerate().map(|(index, slot)| (fields + 4 * index, *slot)));
        self.push(step);
    }

    /// Appends the arrangement of the container's descriptors.
    pub fn push_files(&mut self, files: &[Slot]) {
        // Number, length, then the list.
        let list = self.bytes.len() + 8;
        for (index, slot) in files.iter().enumerate().filter(|(_, slot)| **slot != Slot::Terminal) {
            self.slots.push((list + 4 * index, *slot));
        }
        let numbers = files.iter().map(|slot| if *slot == Slot::Terminal { fd::TTY } else { 0 });
        let mut store = Sink::new();
        self.push(Step::Fds { list: Numbers::pack(numbers, &mut store) });
    }

    /// Puts the real numbers in, writes the header, and gives the bytes for init.
    pub fn finish(&self, number: impl Fn(Slot) -> RawFd, fail_at: Option<u32>) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for &(offset, slot) in &self.slots {
            bytes[offset..offset + 4].copy_from_slice(&number(slot).to_le_bytes());
        }
        let length = bytes.len() as u32;
        let header = Header { steps: self.count, length, fail_at: fail_at.unwrap_or(NO_FAULT) };
        bytes[..Header::SIZE].copy_from_slice(&header.encode());
        bytes
    }

    /// The steps with the field each came from.
    pub fn iter(&self) -> impl Iterator<Item = (Step<'_>, &str)> {
        brig_wire::steps(&self.bytes).zip(&self.origins).map(|((_, step), origin)| (step, origin.as_str()))
    }

    /// The step with this index, and its field.
    pub fn get(&self, index: u32) -> Option<(Step<'_>, &str)> {
        self.iter().nth(index as usize)
    }

    /// Which slot the step at `index` names, for people.
    pub fn slots(&self) -> impl Iterator<Item = (u32, Slot)> + '_ {
        let mut starts = Vec::with_capacity(self.count as usize);
        let mut at = Header::SIZE;
        let mut scratch = Sink::new();
        for (step, _) in self.iter() {
            starts.push(at);
            scratch.clear();
            step.encode(&mut scratch);
            at += scratch.len();
        }
        self.slots
            .iter()
            .map(move |&(offset, slot)| (starts.partition_point(|&start| start <= offset) as u32 - 1, slot))
    }
}

/// A text for the kernel. The spec room has refused NUL in every field; this is the last line.
pub fn text(value: impl AsRef<[u8]>, pointer: &str) -> Result<CString> {
    CString::new(value.as_ref()).map_err(|_| Error::config(pointer, "has a NUL character in it"))
}

/// A path for the kernel.
pub fn path(value: &Path, pointer: &str) -> Result<CString> {
    text(value.as_os_str().as_bytes(), pointer)
}

/// Several texts, with the index in the pointer.
pub fn texts(values: &[String], pointer: &str) -> Result<Vec<CString>> {
    values.iter().enumerate().map(|(index, value)| text(value, &format!("{pointer}/{index}"))).collect()
}

/// A list of texts as a field of a step, for the length of one expression.
pub fn with_strings<R>(strings: &[impl AsRef<CStr>], body: impl FnOnce(Strings<'_>) -> R) -> R {
    let mut store = Sink::new();
    body(Strings::pack(strings.iter(), &mut store))
}
