// SPDX-License-Identifier: Apache-2.0
//! The counters of version 1, by controller.

use rustix::io::Result;

use super::file::Files;
use super::{Hugetlb, Stats};

/// Nanoseconds of a clock tick, as these files count them: USER_HZ, which is 100 on all architectures that brig runs on.
const TICK: u64 = 10_000_000;

pub(super) fn cpu_usage(files: &Files, stats: &mut Stats) -> Result<()> {
    let usage = &mut stats.cpu.usage;
    usage.total = files.number("cpuacct.usage")?;
    let ticks = files.table("cpuacct.stat")?;
    let time = |mode| ticks.get(mode).copied().unwrap_or_default() * TICK;
    (usage.user, usage.kernel) = (time("user"), time("system"));
    let numbers = |text: &str| text.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect::<Vec<u64>>();
    usage.percpu = numbers(&files.text("cpuacct.usage_percpu")?);
    // A head, then a processor, its user and its system time.
    for line in files.text("cpuacct.usage_all")?.lines().skip(1) {
        if let [_, user, kernel] = numbers(line)[..] {
            usage.percpu_user.push(user);
            usage.percpu_kernel.push(kernel);
        }
    }
    Ok(())
}

pub(super) fn throttling(files: &Files, stats: &mut Stats) -> Result<()> {
    let table = files.table("cpu.stat")?;
    let value = |name| table.get(name).copied().unwrap_or_default();
    let throttling = &mut stats.cpu.throttling;
    throttling.periods = value("nr_periods");
    throttling.throttled_periods = value("nr_throttled");
    throttling.throttled_time = value("throttled_time");
    Ok(())
}

pub(super) fn cpuset(files: &Files, stats: &mut Stats) -> Result<()> {
    let cpuset = &mut stats.cpuset;
    cpuset.cpus = files.set("cpuset.cpus")?;
    cpuset.cpu_exclusive = files.number("cpuset.cpu_exclusive")?;
    cpuset.mems = files.set("cpuset.mems")?;
    cpuset.mem_hardwall = files.number("cpuset.mem_hardwall")?;
    cpuset.mem_exclusive = files.number("cpuset.mem_exclusive")?;
    cpuset.memory_migrate = files.number("cpuset.memory_migrate")?;
    cpuset.memory_spread_page = files.number("cpuset.memory_spread_page")?;
    cpuset.memory_spread_slab = files.number("cpuset.memory_spread_slab")?;
    cpuset.memory_pressure = files.number("cpuset.memory_pressure")?;
    cpuset.sched_load_balance = files.number("cpuset.sched_load_balance")?;
    // The only one that may be negative.
    cpuset.sched_relax_domain_level = files.text("cpuset.sched_relax_domain_level")?.trim().parse().unwrap_or_default();
    Ok(())
}

pub(super) fn memory(files: &Files, stats: &mut Stats) -> Result<()> {
    let entry = |kind: &str| {
        let names = ["limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"]
            .map(|it| format!("memory.{kind}{it}"));
        files.entry(names.each_ref().map(String::as_str))
    };
    let memory = &mut stats.memory;
    memory.usage = entry("")?;
    memory.swap = entry("memsw.")?;
    memory.kernel = entry("kmem.")?;
    memory.kernel_tcp = entry("kmem.tcp.")?;
    memory.raw = files.table("memory.stat")?;
    memory.cache = memory.raw.get("cache").copied().unwrap_or_default();
    memory.event_count = files.table("memory.oom_control")?;
    memory.event_count.retain(|name, _| name == "oom_kill");
    Ok(())
}

pub(super) fn pids(files: &Files, stats: &mut Stats) -> Result<()> {
    stats.pids.current = files.number("pids.current")?;
    // None at all is 0 here.
    stats.pids.limit = Some(files.number("pids.max")?).filter(|limit| *limit != u64::MAX).unwrap_or_default();
    Ok(())
}

/// The names in the output, and those of the files: with the scheduler BFQ, with CFQ on kernels before 5.0, and the two
/// counters that there are without either.
const BLKIO: [(&str, &[&str]); 8] = [
    (
        "ioServiceBytesRecursive",
        &["bfq.io_service_bytes_recursive", "io_service_bytes_recursive", "throttle.io_service_bytes_recursive"],
    ),
    ("ioServicedRecursive", &["bfq.io_serviced_recursive", "io_serviced_recursive", "throttle.io_serviced_recursive"]),
    ("ioQueueRecursive", &["bfq.io_queued_recursive", "io_queued_recursive"]),
    ("ioServiceTimeRecursive", &["bfq.io_service_time_recursive", "io_service_time_recursive"]),
    ("ioWaitTimeRecursive", &["bfq.io_wait_time_recursive", "io_wait_time_recursive"]),
    ("ioMergedRecursive", &["bfq.io_merged_recursive", "io_merged_recursive"]),
    ("ioTimeRecursive", &["bfq.time_recursive", "time_recursive"]),
    ("sectorsRecursive", &["bfq.sectors_recursive", "sectors_recursive"]),
];

pub(super) fn blkio(files: &Files, stats: &mut Stats) -> Result<()> {
    for (name, candidates) in BLKIO {
        for candidate in candidates {
            let entries = files.devices(&format!("blkio.{candidate}"))?;
            if !entries.is_empty() {
                stats.blkio.tables.insert(name, entries);
                break;
            }
        }
    }
    Ok(())
}

pub(super) fn hugetlb(files: &Files, stats: &mut Stats) -> Result<()> {
    for size in files.page_sizes(".usage_in_bytes")? {
        // What is reserved counts from the reservation on, not from the first touch (Linux 5.7).
        let reserved = format!("hugetlb.{size}.rsvd");
        let kind = if files.has(&format!("{reserved}.usage_in_bytes")) { reserved } else { format!("hugetlb.{size}") };
        let number = |name| files.number(&format!("{kind}.{name}"));
        let entry = Hugetlb {
            usage: number("usage_in_bytes")?,
            max: number("max_usage_in_bytes")?,
            failcnt: number("failcnt")?,
        };
        stats.hugetlb.insert(size, entry);
    }
    Ok(())
}
