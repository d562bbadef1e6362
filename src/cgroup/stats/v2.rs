// SPDX-License-Identifier: Apache-2.0
//! The counters of the unified hierarchy, brought to the form of version 1's (Documentation/admin-guide/cgroup-v2.rst).

use rustix::io::Result;

use super::file::Files;
use super::{BlkioEntry, Hugetlb, MemoryEntry, Stats};

/// Nanoseconds of a microsecond.
const MICROSECOND: u64 = 1000;

pub(super) fn cpu(files: &Files, stats: &mut Stats) -> Result<()> {
    let table = files.table("cpu.stat")?;
    let value = |name| table.get(name).copied().unwrap_or_default();
    let (usage, throttling) = (&mut stats.cpu.usage, &mut stats.cpu.throttling);
    usage.total = value("usage_usec") * MICROSECOND;
    usage.user = value("user_usec") * MICROSECOND;
    usage.kernel = value("system_usec") * MICROSECOND;
    throttling.periods = value("nr_periods");
    throttling.throttled_periods = value("nr_throttled");
    throttling.throttled_time = value("throttled_usec") * MICROSECOND;
    Ok(())
}

pub(super) fn cpuset(files: &Files, stats: &mut Stats) -> Result<()> {
    stats.cpuset.cpus = files.set("cpuset.cpus.effective")?;
    stats.cpuset.mems = files.set("cpuset.mems.effective")?;
    Ok(())
}

pub(super) fn memory(files: &Files, stats: &mut Stats) -> Result<()> {
    let memory = &mut stats.memory;
    memory.raw = files.table("memory.stat")?;
    memory.cache = memory.raw.get("file").copied().unwrap_or_default();
    memory.event_count = files.table("memory.events")?;
    let count = |name| memory.event_count.get(name).copied().unwrap_or_default();
    let entry = |kind: &str| -> Result<MemoryEntry> {
        let number = |name| files.number(&format!("memory.{kind}{name}"));
        Ok(MemoryEntry { limit: number("max")?, usage: number("current")?, max: number("peak")?, failcnt: 0 })
    };
    memory.usage = MemoryEntry { failcnt: count("max"), ..entry("")? };
    // Memory and swap together, as version 1 counts; whose peaks need not be at the same time.
    let swap = entry("swap.")?;
    memory.swap = MemoryEntry {
        limit: swap.limit.saturating_add(memory.usage.limit),
        usage: swap.usage + memory.usage.usage,
        max: 0,
        failcnt: files.table("memory.swap.events")?.get("max").copied().unwrap_or_default(),
    };
    memory.kernel.usage = memory.raw.get("kernel").copied().unwrap_or_default();
    Ok(())
}

pub(super) fn pids(files: &Files, stats: &mut Stats) -> Result<()> {
    super::v1::pids(files, stats)
}

/// What is counted of a device, as the table and the operation of version 1.
const IO: [(&str, &str, &str); 6] = [
    ("rbytes", "ioServiceBytesRecursive", "Read"),
    ("wbytes", "ioServiceBytesRecursive", "Write"),
    ("dbytes", "ioServiceBytesRecursive", "Discard"),
    ("rios", "ioServicedRecursive", "Read"),
    ("wios", "ioServicedRecursive", "Write"),
    ("dios", "ioServicedRecursive", "Discard"),
];

pub(super) fn io(files: &Files, stats: &mut Stats) -> Result<()> {
    for line in files.text("io.stat")?.lines() {
        let mut words = line.split(' ');
        let Some((major, minor)) = words.next().and_then(|device| device.split_once(':')) else { continue };
        let number = |text: &str| text.parse().unwrap_or_default();
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            if let Some((_, table, op)) = IO.iter().find(|(name, ..)| *name == key) {
                let (major, minor, value) = (number(major), number(minor), number(value));
                let entry = BlkioEntry { major, minor, op: (*op).to_owned(), value };
                stats.blkio.tables.entry(table).or_default().push(entry);
            }
        }
    }
    Ok(())
}

pub(super) fn hugetlb(files: &Files, stats: &mut Stats) -> Result<()> {
    for size in files.page_sizes(".current")? {
        let usage = files.number(&format!("hugetlb.{size}.current"))?;
        let events = files.table(&format!("hugetlb.{size}.events"))?;
        let failcnt = events.get("max").copied().unwrap_or_default();
        stats.hugetlb.insert(size, Hugetlb { usage, max: 0, failcnt });
    }
    Ok(())
}

pub(super) fn pressure(files: &Files, stats: &mut Stats) -> Result<()> {
    stats.cpu.psi = files.pressure("cpu.pressure")?;
    stats.memory.psi = files.pressure("memory.pressure")?;
    stats.blkio.psi = files.pressure("io.pressure")?;
    Ok(())
}
