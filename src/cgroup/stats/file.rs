// SPDX-License-Identifier: Apache-2.0
//! The shapes that counters have in files of cgroupfs.

use std::collections::BTreeMap;

use rustix::io::{Errno, Result};

use super::{BlkioEntry, MemoryEntry, Pressure, Stall};
use crate::cgroup::Place;
use crate::cgroup::dir::Dir;

/// The files of one cgroup. What is not there reads as empty.
pub(in crate::cgroup) struct Files(Dir);

impl Files {
    /// Opens the cgroup; `None` if it is gone.
    pub(in crate::cgroup) fn of(place: &Place) -> Result<Option<Self>> {
        absent(Dir::open(&place.path).map(|dir| Some(Self(dir))))
    }

    /// All of a file.
    pub(in crate::cgroup) fn text(&self, name: &str) -> Result<String> {
        absent(self.0.read(name))
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, name: &str) -> bool {
        rustix::fs::accessat(&self.0, name, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok()
    }

    /// A number; `max` is the largest.
    pub(super) fn number(&self, name: &str) -> Result<u64> {
        Ok(number(self.text(name)?.trim()))
    }

    /// Lines of a name and a number each.
    pub(in crate::cgroup) fn table(&self, name: &str) -> Result<BTreeMap<String, u64>> {
        let text = self.text(name)?;
        let entries = text.lines().filter_map(|line| line.split_once(' '));
        Ok(entries.map(|(key, value)| (key.to_owned(), number(value))).collect())
    }

    /// Ranges such as `0-2,7`.
    pub(super) fn set(&self, name: &str) -> Result<Vec<u16>> {
        let text = self.text(name)?;
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse::<u16>().ok().zip(last.parse().ok())
        };
        Ok(text.trim().split(',').filter_map(range).flat_map(|(first, last)| first..=last).collect())
    }

    /// A use, its limit and how it went, in four files.
    pub(super) fn entry(&self, names: [&str; 4]) -> Result<MemoryEntry> {
        let [limit, usage, max, failcnt] = names.map(|name| self.number(name));
        Ok(MemoryEntry { limit: limit?, usage: usage?, max: max?, failcnt: failcnt? })
    }

    /// Lines of `major:minor [operation] number`; the sum over all devices at the end is none of them.
    pub(super) fn devices(&self, name: &str) -> Result<Vec<BlkioEntry>> {
        let text = self.text(name)?;
        let entry = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            let (major, minor) = words.next()?.split_once(':')?;
            let value = words.next_back()?;
            let op = words.next().unwrap_or_default().to_owned();
            Some(BlkioEntry { major: number(major), minor: number(minor), op, value: number(value) })
        };
        Ok(text.lines().filter_map(entry).collect())
    }

    /// The figures of a pressure file; `None` if the kernel has none, or they are off.
    pub(in crate::cgroup) fn pressure(&self, name: &str) -> Result<Option<Pressure>> {
        let text = self.text(name)?;
        let mut pressure = Pressure::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("some", rest)) => pressure.some = stall(rest),
                Some(("full", rest)) => pressure.full = stall(rest),
                _ => {}
            }
        }
        Ok((!text.is_empty()).then_some(pressure))
    }

    /// The sizes of huge pages, as `2MB`, that there are files for.
    pub(super) fn page_sizes(&self, suffix: &str) -> Result<Vec<String>> {
        let names = self.0.names()?;
        let size = |name: &String| {
            let size = name.strip_prefix("hugetlb.")?.strip_suffix(suffix)?;
            (!size.contains('.')).then(|| size.to_owned())
        };
        Ok(names.iter().filter_map(size).collect())
    }
}

fn stall(text: &str) -> Stall {
    let mut stall = Stall::default();
    for (key, value) in text.split(' ').filter_map(|item| item.split_once('=')) {
        let share = || value.parse().unwrap_or_default();
        match key {
            "avg10" => stall.avg10 = share(),
            "avg60" => stall.avg60 = share(),
            "avg300" => stall.avg300 = share(),
            "total" => stall.total = number(value),
            _ => {}
        }
    }
    stall
}

fn number(text: &str) -> u64 {
    if text == "max" { u64::MAX } else { text.parse().unwrap_or_default() }
}

/// A kernel without the file, a controller that is off, and a cgroup that was removed meanwhile.
fn absent<T: Default>(result: Result<T>) -> Result<T> {
    match result {
        Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => Ok(T::default()),
        other => other,
    }
}
