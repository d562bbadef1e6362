// SPDX-License-Identifier: Apache-2.0
//! Checks of the smaller members of `linux`.

use std::path::{Component, Path};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, LinuxResources, Spec};

use super::Problems;
use crate::spec::personality;

/// What fits into a dev_t of the kernel: 12 and 20 bits.
const MAJOR_MAX: i64 = 0xfff;
const MINOR_MAX: i64 = 0xf_ffff;

fn has_parent_steps(path: &Path) -> bool {
    path.components().any(|component| component == Component::ParentDir)
}

/// `maskedPaths` and `readonlyPaths`.
pub fn paths(spec: &Spec, problems: &mut Problems) {
    let Some(linux) = spec.linux() else { return };
    for (name, paths) in [("maskedPaths", linux.masked_paths()), ("readonlyPaths", linux.readonly_paths())] {
        for (index, path) in paths.iter().flatten().enumerate() {
            if !path.starts_with('/') {
                problems.add(format!("/linux/{name}/{index}"), format!("{path:?} is not an absolute path"));
            }
        }
    }
}

/// `rootfsPropagation`.
pub fn propagation(spec: &Spec, problems: &mut Problems) {
    const NAMES: &[&str] =
        &["shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable"];
    if let Some(name) = spec.linux().as_ref().and_then(|linux| linux.rootfs_propagation().as_deref())
        && !NAMES.contains(&name)
    {
        problems.add("/linux/rootfsPropagation", format!("{name:?} is none of {}", NAMES.join(", ")));
    }
}

/// `personality`. The domain is checked by its type.
pub fn personality(spec: &Spec, problems: &mut Problems) {
    let personality = spec.linux().as_ref().and_then(|linux| linux.personality().as_ref());
    for (index, name) in
        personality.and_then(|personality| personality.flags().as_ref()).into_iter().flatten().enumerate()
    {
        if personality::flag(name).is_none() {
            let message = format!("unknown personality flag {name:?}; known are {}", personality::names());
            problems.add(format!("/linux/personality/flags/{index}"), message);
        }
    }
}

/// `cgroupsPath`. What it means depends on the driver.
pub fn cgroups_path(spec: &Spec, problems: &mut Problems) {
    if let Some(path) = spec.linux().as_ref().and_then(|linux| linux.cgroups_path().as_ref())
        && has_parent_steps(path)
    {
        problems.add("/linux/cgroupsPath", format!("{path:?} must have no \"..\""));
    }
}

/// `devices`.
pub fn devices(spec: &Spec, problems: &mut Problems) {
    let devices = spec.linux().as_ref().and_then(|linux| linux.devices().as_deref()).unwrap_or_default();
    for (index, device) in devices.iter().enumerate() {
        let at = |member: &str| format!("/linux/devices/{index}/{member}");
        let path = device.path();
        if !path.is_absolute() {
            problems.add(at("path"), format!("{path:?} is not an absolute path"));
        } else if has_parent_steps(path) || path.file_name().is_none() {
            problems.add(at("path"), format!("{path:?} must name a file, and have no \"..\""));
        } else if devices[..index].iter().any(|other| other.path() == path && !same_device(other, device)) {
            problems.add(at("path"), format!("{path:?} is another device above"));
        }
        match device.typ() {
            LinuxDeviceType::A => problems.add(at("type"), "unknown device type \"a\"; known are b, c, u, p"),
            LinuxDeviceType::P => {}
            LinuxDeviceType::B | LinuxDeviceType::C | LinuxDeviceType::U => {
                for (member, value, most) in
                    [("major", device.major(), MAJOR_MAX), ("minor", device.minor(), MINOR_MAX)]
                {
                    if !(0..=most).contains(&value) {
                        problems.add(at(member), format!("must be a whole number from 0 to {most}, not {value}"));
                    }
                }
            }
        }
        // Some write the type of the file into it as well.
        if let Some(mode) = device.file_mode()
            && mode > 0o177_777
        {
            problems.add(at("fileMode"), format!("{mode} ({mode:#o}) is not the mode of a file"));
        }
    }
}

fn same_device(one: &LinuxDevice, other: &LinuxDevice) -> bool {
    let kind = |device: &LinuxDevice| match device.typ() {
        LinuxDeviceType::U => LinuxDeviceType::C,
        kind => kind,
    };
    kind(one) == kind(other)
        && (kind(one) == LinuxDeviceType::P || (one.major(), one.minor()) == (other.major(), other.minor()))
}

/// `resources.devices`.
pub fn device_rules(resources: &LinuxResources, problems: &mut Problems) {
    for (index, rule) in resources.devices().iter().flatten().enumerate() {
        let at = |member: &str| format!("/linux/resources/devices/{index}/{member}");
        if let Some(kind @ (LinuxDeviceType::U | LinuxDeviceType::P)) = rule.typ() {
            problems.add(at("type"), format!("unknown device type {:?}; known are a, b, c", kind.as_str()));
        }
        // -1 is how some write "any".
        for (member, value) in [("major", rule.major()), ("minor", rule.minor())] {
            if let Some(value) = value
                && !(-1..=i64::from(u32::MAX)).contains(&value)
            {
                problems.add(at(member), format!("{value} is not the number of a device"));
            }
        }
        if let Some(access) = rule.access()
            && access.contains(|c| !matches!(c, 'r' | 'w' | 'm'))
        {
            problems.add(at("access"), format!("{access:?} must be made of the letters r, w and m"));
        }
    }
}

/// Limits that no version of cgroups has a meaning for. The rest is up to the cgroup at hand.
pub fn ranges(resources: &LinuxResources, problems: &mut Problems) {
    for (index, entry) in resources.hugepage_limits().iter().flatten().enumerate() {
        if entry.limit() < 0 {
            let message = format!("must be a number of bytes, not {}", entry.limit());
            problems.add(format!("/linux/resources/hugepageLimits/{index}/limit"), message);
        }
    }
    if let Some(memory) = resources.memory() {
        for (member, value) in
            [("limit", memory.limit()), ("reservation", memory.reservation()), ("swap", memory.swap())]
        {
            if let Some(value) = value
                && value < -1
            {
                let message = format!("must be a number of bytes, or -1 for no limit, not {value}");
                problems.add(format!("/linux/resources/memory/{member}"), message);
            }
        }
        if let Some(swappiness) = memory.swappiness()
            && swappiness > 100
        {
            problems.add("/linux/resources/memory/swappiness", format!("must be from 0 to 100, not {swappiness}"));
        }
    }
    if let Some(idle) = resources.cpu().as_ref().and_then(|cpu| cpu.idle())
        && !(0..=1).contains(&idle)
    {
        problems.add("/linux/resources/cpu/idle", format!("must be 0 or 1, not {idle}"));
    }
}
