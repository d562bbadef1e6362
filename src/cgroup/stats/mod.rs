// SPDX-License-Identifier: Apache-2.0
//! What a container has used, read from its cgroups.
//!
//! The names are those of the `data` that `runc events --stats` prints, since programs read that: so is what is left
//! out when it is zero. A file that a kernel or a hierarchy does not have counts as zero.

mod file;
mod v1;
mod v2;

use std::collections::BTreeMap;

use serde::Serialize;

pub(super) use self::file::Files;
use super::{Cgroup, Place, Version};
use crate::error::{Context, Result};

/// What the cgroups of a container have counted.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Stats {
    cpu: Cpu,
    cpuset: Cpuset,
    memory: Memory,
    pids: Pids,
    blkio: Blkio,
    hugetlb: BTreeMap<String, Hugetlb>,
}

/// Processor time in nanoseconds.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Cpu {
    usage: CpuUsage,
    throttling: Throttling,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct CpuUsage {
    #[serde(skip_serializing_if = "is_zero")]
    total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_kernel: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    percpu_user: Vec<u64>,
    kernel: u64,
    user: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    #[serde(skip_serializing_if = "is_zero")]
    periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_periods: u64,
    #[serde(skip_serializing_if = "is_zero")]
    throttled_time: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Cpuset {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cpus: Vec<u16>,
    cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mems: Vec<u16>,
    mem_hardwall: u64,
    mem_exclusive: u64,
    memory_migrate: u64,
    memory_spread_page: u64,
    memory_spread_slab: u64,
    memory_pressure: u64,
    sched_load_balance: u64,
    sched_relax_domain_level: i64,
}

/// Bytes. No limit is the largest number that the hierarchy has.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Memory {
    #[serde(skip_serializing_if = "is_zero")]
    cache: u64,
    usage: MemoryEntry,
    swap: MemoryEntry,
    kernel: MemoryEntry,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: MemoryEntry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
    event_count: BTreeMap<String, u64>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct MemoryEntry {
    limit: u64,
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Pids {
    #[serde(skip_serializing_if = "is_zero")]
    current: u64,
    #[serde(skip_serializing_if = "is_zero")]
    limit: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Blkio {
    #[serde(flatten)]
    tables: BTreeMap<&'static str, Vec<BlkioEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct BlkioEntry {
    #[serde(skip_serializing_if = "is_zero")]
    major: u64,
    #[serde(skip_serializing_if = "is_zero")]
    minor: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    op: String,
    #[serde(skip_serializing_if = "is_zero")]
    value: u64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Hugetlb {
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

/// How long processes waited for a resource: shares of time in percent, and microseconds in all
/// (Documentation/accounting/psi.rst).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Pressure {
    /// At least one process waited.
    some: Stall,
    /// All of them did.
    full: Stall,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Stall {
    avg10: f64,
    avg60: f64,
    avg300: f64,
    total: u64,
}

impl Pressure {
    /// For how long at least one process waited, in microseconds.
    pub(crate) fn stalled(&self) -> u64 {
        self.some.total
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Cgroup {
    /// Reads all counters, of each resource in the hierarchy where its controller is.
    pub(crate) fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        // By what it is responsible for, since version 1 may have each controller in a hierarchy of its own, or two in one.
        let v1: [(&str, Fill); 6] = [
            ("cpuacct", v1::cpu_usage),
            ("cpu", v1::throttling),
            ("cpuset", v1::cpuset),
            ("memory", v1::memory),
            ("pids", v1::pids),
            ("blkio", v1::blkio),
        ];
        for (controller, fill) in v1.into_iter().chain([("hugetlb", v1::hugetlb as Fill)]) {
            if let Some(place) = self.in_v1(controller) {
                read(place, fill, &mut stats)?;
            }
        }
        let Some(unified) = self.unified() else { return Ok(stats) };
        let v2: [(&[&str], Fill); 6] = [
            (&["cpu", "cpuacct"], v2::cpu),
            (&["cpuset"], v2::cpuset),
            (&["memory"], v2::memory),
            (&["pids"], v2::pids),
            (&["blkio"], v2::io),
            (&["hugetlb"], v2::hugetlb),
        ];
        for (controllers, fill) in v2 {
            if controllers.iter().all(|controller| self.in_v1(controller).is_none()) {
                read(unified, fill, &mut stats)?;
            }
        }
        // Here for every cgroup, whatever controllers there are.
        read(unified, v2::pressure, &mut stats)?;
        Ok(stats)
    }

    fn in_v1(&self, controller: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.version == Version::V1 && place.has(controller))
    }
}

/// Reads the files of one resource.
type Fill = fn(&Files, &mut Stats) -> rustix::io::Result<()>;

fn read(place: &Place, fill: Fill, stats: &mut Stats) -> Result<()> {
    let fill = |files: Option<Files>| files.map_or(Ok(()), |files| fill(&files, stats));
    Files::of(place).and_then(fill).context(|| format!("cannot read the counters of {}", place.path.display()))
}
