// SPDX-License-Identifier: Apache-2.0
//! The fields of `linux.resources` with a single value: which file holds each, and how it is written there.
//!
//! Not here, since there is nothing to write: `memory.kernel` (its limit cannot be set since Linux 5.16) and
//! `memory.useHierarchy` (always so since 5.11).

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};

use super::super::dir::Dir;
use super::super::{Place, Version};
use super::values::*;
use super::{POINTER, Write, Writes, unsupported};
use crate::error::{Error, Kind, Result};

/// A field of config.json.
pub(super) struct Row {
    /// Its pointer below `/linux/resources`.
    field: &'static str,
    /// The version 1 name of the controller that it needs.
    controller: &'static str,
    get: fn(&LinuxResources) -> Option<i128>,
    /// The value that asks for nothing, so that it may be asked for even where there is no such controller or file.
    neutral: Option<i128>,
    v1: Target,
    v2: Target,
}

/// What a field becomes.
enum Target {
    /// This file, with this conversion.
    File(&'static str, Convert),
    /// This one, or else the other one (there are two I/O schedulers).
    Either([(&'static str, Convert); 2]),
    /// More than one field counts.
    With(&'static str, fn(&LinuxResources, &Place) -> Converted),
    /// This version cannot do it.
    None,
}

use Target::{Either, File, None as Missing, With};

/// All of them, in the order in which they are written.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    Row { field: "/memory/limit", controller: "memory", get: |r| given(memory(r)?.limit()), neutral: Some(-1),
          v1: File("memory.limit_in_bytes", bytes_v1), v2: File("memory.max", bytes_v2) },
    Row { field: "/memory/swap", controller: "memory", get: memory_and_swap, neutral: Some(-1),
          v1: With("memory.memsw.limit_in_bytes", memory_and_swap_v1), v2: With("memory.swap.max", swap_v2) },
    Row { field: "/memory/reservation", controller: "memory", get: |r| given(memory(r)?.reservation()), neutral: Some(-1),
          v1: File("memory.soft_limit_in_bytes", bytes_v1), v2: File("memory.low", bytes_v2) },
    Row { field: "/memory/kernelTCP", controller: "memory", get: |r| given(memory(r)?.kernel_tcp()), neutral: Some(-1),
          v1: File("memory.kmem.tcp.limit_in_bytes", bytes_v1), v2: Missing },
    Row { field: "/memory/swappiness", controller: "memory", get: |r| int(memory(r)?.swappiness()), neutral: None,
          v1: File("memory.swappiness", swappiness), v2: Missing },
    Row { field: "/memory/disableOOMKiller", controller: "memory",
          get: |r| memory(r)?.disable_oom_killer().map(i128::from), neutral: Some(0),
          v1: File("memory.oom_control", plain), v2: Missing },

    // Idle before shares: a group that is idle refuses a weight.
    Row { field: "/cpu/idle", controller: "cpu", get: |r| int(cpu(r)?.idle()), neutral: Some(0),
          v1: File("cpu.idle", flag), v2: File("cpu.idle", flag) },
    Row { field: "/cpu/shares", controller: "cpu", get: shares, neutral: Some(1024),
          v1: File("cpu.shares", shares_v1), v2: File("cpu.weight", weight) },
    Row { field: "/cpu/quota", controller: "cpu", get: |r| given(cpu(r)?.quota()), neutral: Some(-1),
          v1: File("cpu.cfs_quota_us", quota), v2: With("cpu.max", cpu_max_of_quota) },
    Row { field: "/cpu/period", controller: "cpu", get: |r| given(cpu(r)?.period()), neutral: None,
          v1: File("cpu.cfs_period_us", period), v2: With("cpu.max", cpu_max_of_period) },
    Row { field: "/cpu/burst", controller: "cpu", get: |r| int(cpu(r)?.burst()), neutral: Some(0),
          v1: File("cpu.cfs_burst_us", plain), v2: File("cpu.max.burst", plain) },
    Row { field: "/cpu/realtimePeriod", controller: "cpu", get: |r| given(cpu(r)?.realtime_period()), neutral: None,
          v1: File("cpu.rt_period_us", plain), v2: Missing },
    Row { field: "/cpu/realtimeRuntime", controller: "cpu", get: |r| int(cpu(r)?.realtime_runtime()), neutral: Some(0),
          v1: File("cpu.rt_runtime_us", realtime), v2: Missing },

    Row { field: "/pids/limit", controller: "pids", get: |r| int(r.pids().as_ref().map(LinuxPids::limit)), neutral: Some(-1),
          v1: File("pids.max", count), v2: File("pids.max", count) },

    Row { field: "/blockIO/weight", controller: "blkio", get: |r| given(block_io(r)?.weight()), neutral: None,
          v1: Either([("blkio.weight", io_weight), ("blkio.bfq.weight", io_weight)]),
          v2: Either([("io.bfq.weight", io_weight), ("io.weight", io_weight_v2)]) },
    Row { field: "/blockIO/leafWeight", controller: "blkio", get: |r| given(block_io(r)?.leaf_weight()), neutral: None,
          v1: File("blkio.leaf_weight", io_weight), v2: Missing },

    Row { field: "/network/classID", controller: "net_cls",
          get: |r| int(r.network().as_ref().and_then(|network| network.class_id())), neutral: Some(0),
          v1: File("net_cls.classid", plain), v2: Missing },
];

type Text = (&'static str, &'static str, fn(&LinuxCpu) -> &Option<String>);

/// The two whose value is a text.
const CPUSET: [Text; 2] = [("/cpu/cpus", "cpuset.cpus", LinuxCpu::cpus), ("/cpu/mems", "cpuset.mems", LinuxCpu::mems)];

/// Compiles all rows.
pub(super) fn compile<'a>(writes: &mut Writes<'a>, resources: &'a LinuxResources) -> Result<()> {
    for row in ROWS {
        if let Some(value) = (row.get)(resources) {
            row.compile(writes, resources, value)?;
        }
    }
    for (field, file, get) in CPUSET {
        if let Some(text) = cpu(resources).and_then(|cpu| get(cpu).as_deref()).filter(|text| !text.is_empty()) {
            let pointer = format!("{POINTER}{field}");
            let place = writes.place("cpuset", &pointer)?;
            if !text.bytes().all(|b| b.is_ascii_digit() || b",-".contains(&b)) {
                return Err(Error::config(pointer, format!("{text:?} is not a list such as \"0-3,7\"")));
            }
            writes.push(place, "cpuset", pointer, file, text.to_owned(), None);
        }
    }
    check_before_update(writes, resources)
}

impl Row {
    fn compile<'a>(&self, writes: &mut Writes<'a>, resources: &LinuxResources, value: i128) -> Result<()> {
        let pointer = format!("{POINTER}{}", self.field);
        let optional = self.neutral == Some(value);
        let place = match writes.place(self.controller, &pointer) {
            Err(_) if optional => return Ok(()),
            found => found?,
        };
        let target = match place.version {
            Version::V1 => &self.v1,
            Version::V2 => &self.v2,
        };
        let bad = |why: String| Error::config(pointer.as_str(), why);
        let (file, converted, instead) = match target {
            File(file, convert) => (*file, convert(value).map_err(bad)?, None),
            Either([(file, convert), (other, convert_other)]) => {
                (*file, convert(value).map_err(bad)?, convert_other(value).map_err(bad)?.map(|value| (*other, value)))
            }
            With(file, convert) => (*file, convert(resources, place).map_err(bad)?, None),
            Missing if optional => return Ok(()),
            Missing => return Err(unsupported(&pointer, "cgroup version 2 has no such setting")),
        };
        if let Some(value) = converted {
            let (pointer, file) = (pointer.into(), file.into());
            writes.list.push(Write { place, controller: self.controller, pointer, file, value, instead, optional });
        }
        Ok(())
    }
}

/// `memory.checkBeforeUpdate`: version 1 refuses a limit below what is in use by itself, the unified hierarchy
/// would kill.
fn check_before_update(writes: &Writes<'_>, resources: &LinuxResources) -> Result<()> {
    let Some(memory) = memory(resources).filter(|memory| memory.check_before_update() == Some(true)) else {
        return Ok(());
    };
    let (Some(limit), Some(place)) = (memory.limit().filter(|&l| l > 0), writes.cgroup.with_controller("memory"))
    else {
        return Ok(());
    };
    let current = |dir: Dir| dir.read("memory.current").ok()?.trim().parse::<i64>().ok();
    match Dir::open(&place.path).ok().and_then(current) {
        Some(current) if place.version == Version::V2 && current > limit => {
            let pointer = format!("{POINTER}/memory/limit");
            let why = format!("{pointer}: {current} bytes are in use, more than {limit}");
            let mut error = Error::new(Kind::Failed, why).at(pointer);
            error.errno = libc::EBUSY;
            Err(error)
        }
        _ => Ok(()),
    }
}

// --- Fields that depend on others -------------------------------------------------------------------

fn int<T: Into<i128>>(value: Option<T>) -> Option<i128> {
    value.map(Into::into)
}

/// A number of one of the older fields, where 0 stands for "not set": that is what clients that always send all
/// fields mean by it, and what runc and crun understand.
fn given<T: Into<i128>>(value: Option<T>) -> Option<i128> {
    int(value).filter(|&value| value != 0)
}

fn memory(resources: &LinuxResources) -> Option<&LinuxMemory> {
    resources.memory().as_ref()
}

fn cpu(resources: &LinuxResources) -> Option<&LinuxCpu> {
    resources.cpu().as_ref()
}

fn block_io(resources: &LinuxResources) -> Option<&LinuxBlockIo> {
    resources.block_io().as_ref()
}

/// An idle group has a weight of its own, and refuses another.
fn shares(resources: &LinuxResources) -> Option<i128> {
    let cpu = cpu(resources)?;
    given(cpu.shares()).filter(|_| cpu.idle() != Some(1))
}

/// Memory without bounds needs swap without bounds, since the sum is at least the part.
fn memory_and_swap(resources: &LinuxResources) -> Option<i128> {
    let memory = memory(resources)?;
    given(memory.swap()).or_else(|| given(memory.limit()).filter(|&limit| limit == -1))
}

fn memory_and_swap_v1(resources: &LinuxResources, _: &Place) -> Converted {
    let swap = memory_and_swap(resources).unwrap_or(-1);
    match memory(resources).and_then(|memory| given(memory.limit())) {
        Some(limit) if swap > 0 && limit > swap => Err(less_than_memory(swap, limit)),
        Some(-1) if swap > 0 => Err("memory without a limit needs swap without a limit".to_owned()),
        _ => bytes_v1(swap),
    }
}

/// config.json has the sum of memory and swap, the unified hierarchy swap alone. An update may leave the memory as it is.
fn swap_v2(resources: &LinuxResources, place: &Place) -> Converted {
    let swap = memory_and_swap(resources).unwrap_or(-1);
    if swap < 0 {
        return bytes_v2(swap);
    }
    let in_force = || Dir::open(&place.path).ok()?.read("memory.max").ok()?.trim().parse().ok();
    match memory(resources).and_then(|memory| given(memory.limit())).or_else(in_force) {
        Some(limit) if limit > swap => Err(less_than_memory(swap, limit)),
        Some(limit) if limit > 0 => plain(swap - limit),
        _ => Err("it is the sum of memory and swap, so that memory.limit must be given too".to_owned()),
    }
}

fn less_than_memory(swap: i128, limit: i128) -> String {
    format!("{swap} is less than the {limit} of memory.limit, but it is the sum of memory and swap")
}

/// `cpu.max` is "quota period"; a quota alone leaves the period.
fn cpu_max_of_quota(resources: &LinuxResources, _: &Place) -> Converted {
    let cpu = cpu(resources);
    let Some(quota) = cpu.and_then(|cpu| given(cpu.quota())).map_or(Ok(None), quota)? else { return Ok(None) };
    let quota = if quota == "-1" { "max" } else { &quota };
    let period = cpu.and_then(|cpu| given(cpu.period())).map_or(Ok(None), period)?;
    Ok(Some(period.map_or_else(|| quota.to_owned(), |period| format!("{quota} {period}"))))
}

/// A period alone: the quota in force must be repeated.
fn cpu_max_of_period(resources: &LinuxResources, place: &Place) -> Converted {
    let Some(cpu) = cpu(resources) else { return Ok(None) };
    let Some(period) = given(cpu.period()).map_or(Ok(None), period)? else { return Ok(None) };
    if given(cpu.quota()).is_some() {
        return Ok(None); // The row of the quota writes both.
    }
    let now = Dir::open(&place.path).and_then(|dir| dir.read("cpu.max")).unwrap_or_default();
    let quota = now.split_ascii_whitespace().next().unwrap_or("max");
    Ok(Some(format!("{quota} {period}")))
}
