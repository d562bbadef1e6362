// SPDX-License-Identifier: Apache-2.0
//! The fields of `linux.resources` that are lists or maps: one write an entry.

use oci_spec::runtime::{LinuxBlockIo, LinuxResources, LinuxThrottleDevice};

use super::super::Version;
use super::values::{Convert, io_weight, io_weight_v2};
use super::{POINTER, Writes, unsupported};
use crate::error::{Error, Result};

type Throttle = (&'static str, &'static str, &'static str, fn(&LinuxBlockIo) -> &Option<Vec<LinuxThrottleDevice>>);

/// Field, version 1 file, key in `io.max`.
#[rustfmt::skip]
const THROTTLES: [Throttle; 4] = [
    ("throttleReadBpsDevice",   "blkio.throttle.read_bps_device",   "rbps",  LinuxBlockIo::throttle_read_bps_device),
    ("throttleWriteBpsDevice",  "blkio.throttle.write_bps_device",  "wbps",  LinuxBlockIo::throttle_write_bps_device),
    ("throttleReadIOPSDevice",  "blkio.throttle.read_iops_device",  "riops", LinuxBlockIo::throttle_read_iops_device),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops", LinuxBlockIo::throttle_write_iops_device),
];

/// Compiles all lists.
pub(super) fn compile<'a>(writes: &mut Writes<'a>, resources: &'a LinuxResources) -> Result<()> {
    if let Some(block_io) = resources.block_io() {
        weights(writes, block_io)?;
        throttles(writes, block_io)?;
    }
    huge_pages(writes, resources)?;
    interfaces(writes, resources)?;
    rdma(writes, resources)?;
    unified(writes, resources)
}

fn weights(writes: &mut Writes<'_>, block_io: &LinuxBlockIo) -> Result<()> {
    for (index, entry) in block_io.weight_device().iter().flatten().enumerate() {
        let pointer = format!("{POINTER}/blockIO/weightDevice/{index}");
        let place = writes.place("blkio", &pointer)?;
        let device = device(entry.major(), entry.minor(), &pointer)?;
        if let Some(weight) = entry.weight().filter(|&weight| weight != 0) {
            let pointer = format!("{pointer}/weight");
            let line = |convert: Convert| match convert(weight.into()) {
                Ok(weight) => Ok(format!("{device} {}", weight.unwrap_or_default())),
                Err(why) => Err(Error::config(pointer.as_str(), why)),
            };
            let (file, instead) = match place.version {
                Version::V1 => ("blkio.weight_device", ("blkio.bfq.weight_device", line(io_weight)?)),
                Version::V2 => ("io.bfq.weight", ("io.weight", line(io_weight_v2)?)),
            };
            let value = line(io_weight)?;
            writes.push(place, "blkio", pointer, file, value, Some(instead));
        }
        if let Some(weight) = entry.leaf_weight().filter(|&weight| weight != 0) {
            let pointer = format!("{pointer}/leafWeight");
            if place.version == Version::V2 {
                return Err(unsupported(&pointer, "cgroup version 2 has no such setting"));
            }
            io_weight(weight.into()).map_err(|why| Error::config(pointer.as_str(), why))?;
            writes.push(place, "blkio", pointer, "blkio.leaf_weight_device", format!("{device} {weight}"), None);
        }
    }
    Ok(())
}

fn throttles(writes: &mut Writes<'_>, block_io: &LinuxBlockIo) -> Result<()> {
    for (field, file, key, get) in THROTTLES {
        for (index, entry) in get(block_io).iter().flatten().enumerate() {
            let pointer = format!("{POINTER}/blockIO/{field}/{index}");
            let place = writes.place("blkio", &pointer)?;
            let device = device(entry.major(), entry.minor(), &pointer)?;
            let rate = entry.rate();
            let (file, value) = match place.version {
                Version::V1 => (file, format!("{device} {rate}")), // 0 removes the limit.
                Version::V2 if rate == 0 => ("io.max", format!("{device} {key}=max")),
                Version::V2 => ("io.max", format!("{device} {key}={rate}")),
            };
            writes.push(place, "blkio", pointer, file, value, None);
        }
    }
    Ok(())
}

fn huge_pages(writes: &mut Writes<'_>, resources: &LinuxResources) -> Result<()> {
    for (index, entry) in resources.hugepage_limits().iter().flatten().enumerate() {
        let pointer = format!("{POINTER}/hugepageLimits/{index}");
        let size = entry.page_size();
        // It becomes a part of a file's name.
        if !is_page_size(size) {
            let why = format!("{size:?} is not a size such as \"64KB\", \"2MB\" or \"1GB\"");
            return Err(Error::config(format!("{pointer}/pageSize"), why));
        }
        let pointer = format!("{pointer}/limit");
        let place = writes.place("hugetlb", &pointer)?;
        let suffix = match place.version {
            Version::V1 => "limit_in_bytes",
            Version::V2 => "max",
        };
        let value = entry.limit().to_string();
        writes.push(place, "hugetlb", pointer.clone(), format!("hugetlb.{size}.{suffix}"), value.clone(), None);
        // Reservations too, where the kernel counts them (Linux 5.7): what is reserved in excess of the limit would be
        // a SIGBUS at first touch.
        writes.push(place, "hugetlb", pointer, format!("hugetlb.{size}.rsvd.{suffix}"), value, None);
        writes.list.last_mut().into_iter().for_each(|write| write.optional = true);
    }
    Ok(())
}

fn is_page_size(text: &str) -> bool {
    let number = ["KB", "MB", "GB"].iter().find_map(|unit| text.strip_suffix(unit));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn interfaces(writes: &mut Writes<'_>, resources: &LinuxResources) -> Result<()> {
    let priorities = resources.network().as_ref().and_then(|network| network.priorities().as_ref());
    for (index, entry) in priorities.into_iter().flatten().enumerate() {
        let pointer = format!("{POINTER}/network/priorities/{index}");
        one_word(entry.name(), &format!("{pointer}/name"))?;
        let place = writes.place("net_prio", &pointer)?;
        writes.push(
            place,
            "net_prio",
            pointer,
            "net_prio.ifpriomap",
            format!("{} {}", entry.name(), entry.priority()),
            None,
        );
    }
    Ok(())
}

fn rdma(writes: &mut Writes<'_>, resources: &LinuxResources) -> Result<()> {
    for (name, limits) in resources.rdma().iter().flatten() {
        let pointer = format!("{POINTER}/rdma/{}", escape(name));
        one_word(name, &pointer)?;
        let place = writes.place("rdma", &pointer)?;
        let handles = limits.hca_handles().map(|handles| format!(" hca_handle={handles}"));
        let objects = limits.hca_objects().map(|objects| format!(" hca_object={objects}"));
        if handles.is_some() || objects.is_some() {
            let value = [Some(name.clone()), handles, objects].into_iter().flatten().collect();
            writes.push(place, "rdma", pointer, "rdma.max", value, None);
        }
    }
    Ok(())
}

/// Files of the unified hierarchy by name.
fn unified<'a>(writes: &mut Writes<'a>, resources: &'a LinuxResources) -> Result<()> {
    let mut entries: Vec<_> = resources.unified().iter().flatten().collect();
    entries.sort_unstable(); // The map's own order is a different one each time.
    for (file, value) in entries {
        let pointer = format!("{POINTER}/unified/{}", escape(file));
        let Some((controller, knob)) = file.split_once('.').filter(|_| !file.contains(['/', '\0'])) else {
            return Err(Error::config(pointer, "it is not the name of a cgroup file, such as \"memory.high\""));
        };
        // The core's own files are no resources: by them processes could be moved, frozen or killed.
        if controller == "cgroup" && !knob.starts_with("max.") && knob != "pressure" {
            return Err(Error::config(pointer, "this file does not set a resource"));
        }
        let Some(place) = writes.cgroup.unified() else {
            return Err(unsupported(&pointer, "this host has cgroup version 1 only, and the field is for version 2"));
        };
        let controller = if controller == "io" { "blkio" } else { controller };
        // Files such as io.max take one line a write.
        for line in value.lines().filter(|line| !line.is_empty()) {
            writes.push(place, controller, pointer.clone(), file.as_str(), line.to_owned(), None);
        }
    }
    Ok(())
}

fn device(major: i64, minor: i64, pointer: &str) -> Result<String> {
    for (number, field) in [(major, "major"), (minor, "minor")] {
        if u32::try_from(number).is_err() {
            return Err(Error::config(format!("{pointer}/{field}"), format!("{number} is no device number")));
        }
    }
    Ok(format!("{major}:{minor}"))
}

/// A name that is written between spaces must have none.
fn one_word(name: &str, pointer: &str) -> Result<()> {
    match name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        true => Err(Error::config(pointer, format!("{name:?} is no name"))),
        false => Ok(()),
    }
}

/// A key as a part of a JSON pointer (RFC 6901).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
