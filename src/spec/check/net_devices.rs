// SPDX-License-Identifier: Apache-2.0
//! Checks of `linux.netDevices`.

use oci_spec::runtime::{LinuxNamespaceType as Type, Spec};

use super::Problems;
use super::namespaces::find;
use crate::spec::pointer::join;

/// IFNAMSIZ of linux/if.h, without the NUL.
const NAME_MAX: usize = 15;

/// The names there and here, and that the devices have a place to go to.
pub fn names(spec: &Spec, problems: &mut Problems) {
    const POINTER: &str = "/linux/netDevices";
    let devices = spec.linux().as_ref().and_then(|linux| linux.net_devices().as_ref());
    let Some(devices) = devices.filter(|devices| !devices.is_empty()) else { return };
    if find(spec, Type::Network).is_none() {
        problems.add(POINTER, "network devices need a network namespace in /linux/namespaces");
    }
    let mut devices: Vec<_> = devices.iter().collect();
    devices.sort_by_key(|(name, _)| *name);
    let mut taken = Vec::new();
    for (name, device) in devices {
        let at = join(POINTER, name);
        name_of_device(name, &at, problems);
        let renamed = device.name().as_deref().filter(|name| !name.is_empty());
        if let Some(renamed) = renamed {
            name_of_device(renamed, &join(&at, "name"), problems);
        }
        let inside = renamed.unwrap_or(name);
        if taken.contains(&inside) {
            problems.add(at, format!("a second device that is called {inside:?} in the container"));
        }
        taken.push(inside);
    }
}

/// dev_valid_name() of the kernel.
fn name_of_device(name: &str, at: &str, problems: &mut Problems) {
    if name.len() > NAME_MAX {
        problems.add(at, format!("{name:?} must be at most {NAME_MAX} bytes long"));
    } else if matches!(name, "" | "." | "..")
        || name.contains(|letter: char| letter == '/' || letter == ':' || letter.is_ascii_whitespace())
    {
        problems.add(at, format!("{name:?} is not the name of a network device"));
    }
}
