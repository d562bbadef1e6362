// SPDX-License-Identifier: Apache-2.0
//! Limits as properties of a unit: those files of the unified hierarchy that systemd would write itself.

use super::Property;
use super::value::Value;
use crate::cgroup::devices::{Exception, MKNOD, Policy, READ, Type, WRITE};
use crate::cgroup::dir;

/// What a file's text is as properties.
type Convert = fn(&str, &str) -> Option<Vec<Property>>;

/// File, property, conversion.
#[rustfmt::skip]
const ROWS: [(&str, &str, Convert); 12] = [
    ("memory.max",      "MemoryMax",          number),
    ("memory.high",     "MemoryHigh",         number),
    ("memory.low",      "MemoryLow",          number),
    ("memory.min",      "MemoryMin",          number),
    ("memory.swap.max", "MemorySwapMax",      number),
    ("pids.max",        "TasksMax",           tasks),
    ("cpu.weight",      "CPUWeight",          number),
    ("io.weight",       "IOWeight",           number),
    ("cpu.max",         "CPUQuotaPerSecUSec", quota),
    ("cpuset.cpus",     "AllowedCPUs",        mask),
    ("cpuset.mems",     "AllowedMemoryNodes", mask),
    ("cpu.idle",        "CPUWeight",          idle),
];

/// The files that systemd writes.
pub(in crate::cgroup) fn files() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|(file, ..)| *file)
}

/// The properties for files and their texts. What there is none for is left to cgroupfs alone.
pub(in crate::cgroup) fn of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Property> {
    let row = |(file, text): (&str, &str)| {
        let (_, property, convert) = ROWS.iter().find(|(name, ..)| *name == file)?;
        convert(property, text.trim())
    };
    let mut properties: Vec<Property> = files.filter_map(row).flatten().collect();
    // A weight that is given counts, and not that there is none because the group is not idle.
    if properties.iter().filter(|(name, _)| name == "CPUWeight").count() > 1 {
        properties.retain(|(name, value)| name != "CPUWeight" || *value != UNSET);
    }
    properties
}

/// As for a weight that was never given.
const UNSET: Value = Value::U64(u64::MAX);

/// A number; "max" is the greatest there is.
fn number(property: &str, text: &str) -> Option<Vec<Property>> {
    let value = if text == "max" { u64::MAX } else { text.parse().ok()? };
    Some(vec![(property.to_owned(), Value::U64(value))])
}

/// A number of processes. systemd has no 0; to a container whose init is there, 1 says the same.
fn tasks(property: &str, text: &str) -> Option<Vec<Property>> {
    number(property, if text == "0" { "1" } else { text })
}

/// "quota period", of which the latter may be missing: microseconds of each second, and the period.
fn quota(property: &str, text: &str) -> Option<Vec<Property>> {
    let (quota, period) = text.split_once(' ').unwrap_or((text, "100000"));
    let period: u64 = period.trim().parse().ok().filter(|&period| period > 0)?;
    let each_second = match quota {
        "max" => u64::MAX,
        // systemd keeps hundredths of a processor: rounded up, so as not to take away what was asked for.
        quota => quota.parse::<u64>().ok()?.saturating_mul(1_000_000).div_ceil(period).next_multiple_of(10_000),
    };
    Some(vec![("CPUQuotaPeriodUSec".to_owned(), Value::U64(period)), (property.to_owned(), Value::U64(each_second))])
}

/// A list such as "0-3,7" as a bit for each number, the lowest first.
fn mask(property: &str, text: &str) -> Option<Vec<Property>> {
    /// More than any kernel has processors.
    const MOST: usize = 1 << 16;
    let mut bytes = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok().filter(|&last| last < MOST)?);
        for bit in first..=last {
            if bytes.len() <= bit / 8 {
                bytes.resize(bit / 8 + 1, 0u8);
            }
            bytes.get_mut(bit / 8).into_iter().for_each(|byte| *byte |= 1 << (bit % 8));
        }
    }
    Some(vec![(property.to_owned(), Value::Array("y".to_owned(), bytes.into_iter().map(Value::Byte).collect()))])
}

/// A group that is idle is one of weight 0 to systemd; one that is not any more has the default, as in the kernel.
fn idle(property: &str, text: &str) -> Option<Vec<Property>> {
    let value = if text == "1" { Value::U64(0) } else { UNSET };
    Some(vec![(property.to_owned(), value)])
}

/// A policy as DevicePolicy and DeviceAllow; `None` where these have no words for it: where all is allowed but some, or a
/// major number has no name in /proc/devices.
pub(super) fn devices(policy: &Policy) -> Option<Vec<Property>> {
    if policy.allow {
        return None;
    }
    let names = dir::read_whole("/proc/devices").unwrap_or_default();
    let names = String::from_utf8_lossy(&names);
    let entry = |exception: &Exception| {
        let access: String = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')]
            .iter()
            .filter(|(bit, _)| exception.access & bit != 0)
            .map(|it| it.1)
            .collect();
        Some(Value::Struct(vec![Value::Text(specifier(exception, &names)?), Value::Text(access)]))
    };
    let entries = policy.exceptions.iter().map(entry).collect::<Option<Vec<_>>>()?;
    Some(vec![
        ("DevicePolicy".to_owned(), Value::text("strict")),
        ("DeviceAllow".to_owned(), Value::Array("(ss)".to_owned(), entries)),
    ])
}

/// A device, or a group of them, as systemd.resource-control(5) names it.
fn specifier(exception: &Exception, names: &str) -> Option<String> {
    let (kind, heading) = match exception.kind {
        Type::Char => ("char", "Character devices:"),
        Type::Block => ("block", "Block devices:"),
    };
    match (exception.major, exception.minor) {
        (Some(major), Some(minor)) => Some(format!("/dev/{kind}/{major}:{minor}")),
        (None, None) => Some(format!("{kind}-*")),
        (Some(major), None) => {
            let section = names.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.is_empty());
            let mut pairs = section.filter_map(|line| line.trim().split_once(' '));
            pairs.find(|(number, _)| number.parse() == Ok(major)).map(|(_, name)| format!("{kind}-{name}"))
        }
        (None, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(file: &str, text: &str) -> Vec<(String, Value)> {
        of([(file, text)].into_iter())
    }

    #[test]
    fn files_become_properties() {
        let number = |name: &str, value| (name.to_owned(), Value::U64(value));
        assert_eq!(one("memory.max", "max"), [number("MemoryMax", u64::MAX)]);
        assert_eq!(one("pids.max", "33"), [number("TasksMax", 33)]);
        assert_eq!(one("pids.max", "0"), [number("TasksMax", 1)]);
        assert_eq!(
            one("cpu.max", "50000 100000"),
            [number("CPUQuotaPeriodUSec", 100_000), number("CPUQuotaPerSecUSec", 500_000)]
        );
        assert_eq!(
            one("cpu.max", "33333 100000"),
            [number("CPUQuotaPeriodUSec", 100_000), number("CPUQuotaPerSecUSec", 340_000)]
        );
        assert_eq!(one("hugetlb.2MB.max", "1"), []);
        assert_eq!(one("cpu.idle", "1"), [number("CPUWeight", 0)]);
        assert_eq!(one("cpu.idle", "0"), [number("CPUWeight", u64::MAX)]);
        let both = [("cpu.weight", "59"), ("cpu.idle", "0")];
        for files in [both, [both[1], both[0]]] {
            assert_eq!(of(files.into_iter()), [number("CPUWeight", 59)]);
        }
        let bytes = |bytes: &[u8]| Value::Array("y".to_owned(), bytes.iter().map(|&byte| Value::Byte(byte)).collect());
        assert_eq!(one("cpuset.cpus", "0-3,9"), [("AllowedCPUs".to_owned(), bytes(&[0x0f, 0x02]))]);
        assert_eq!(one("cpuset.cpus", "0-99999999"), []);
    }

    #[test]
    fn devices_are_named() {
        let names = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  7 loop\n";
        let about = |kind, major, minor| Exception { kind, major, minor, access: READ };
        assert_eq!(specifier(&about(Type::Char, Some(1), Some(3)), names).as_deref(), Some("/dev/char/1:3"));
        assert_eq!(specifier(&about(Type::Char, Some(136), None), names).as_deref(), Some("char-pts"));
        assert_eq!(specifier(&about(Type::Block, Some(7), None), names).as_deref(), Some("block-loop"));
        assert_eq!(specifier(&about(Type::Block, Some(136), None), names), None);
        assert_eq!(specifier(&about(Type::Block, None, None), names).as_deref(), Some("block-*"));
    }
}
