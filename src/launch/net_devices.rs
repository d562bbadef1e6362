// SPDX-License-Identifier: Apache-2.0
//! Network devices that the container is given: moved from the caller's network namespace to the container's, and put
//! back if the create fails.
//!
//! Init makes the socket by which the container's namespace is reached, since a socket stays in the namespace of its
//! maker. When the container is gone, the kernel takes care of its devices: virtual ones end with their namespace,
//! others go to the first network namespace of the machine.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use oci_spec::runtime::LinuxNetDevice;
use rustix::fs::{Mode, OFlags, fstat, open};

use crate::error::{Context, Error, Kind, Result};
use crate::spec::pointer::join;
use crate::sys::netlink::{Address, Link, Netlink};

/// The field.
const POINTER: &str = "/linux/netDevices";

/// Devices that were moved; dropped before they are left to the container, they come back.
pub struct NetDevices {
    host: Netlink,
    inside: Netlink,
    /// The caller's network namespace.
    home: OwnedFd,
    moved: Vec<Moved>,
}

/// A device, and what it was.
struct Moved {
    name: String,
    inside: String,
    was_up: bool,
    addresses: Vec<Address>,
}

impl NetDevices {
    /// Moves all devices to the network namespace of `pid`, where `socket` was made.
    pub fn give(devices: &HashMap<String, LinuxNetDevice>, socket: OwnedFd, pid: i32) -> Result<Self> {
        let namespace = |path: String| {
            let file = open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            file.context(|| format!("cannot open {path}"))
        };
        let home = namespace("/proc/thread-self/ns/net".into())?;
        let target = namespace(format!("/proc/{pid}/ns/net"))?;
        let identity = |file: &OwnedFd| fstat(file).map(|stat| (stat.st_dev, stat.st_ino));
        let what = || "cannot look at a network namespace";
        if identity(&home).context(what)? == identity(&target).context(what)? {
            return Err(Error::config(POINTER, "the container's network namespace is that of the caller"));
        }
        let host = Netlink::open().context(|| "cannot make a netlink socket")?;
        let mut all = Self { host, inside: Netlink::adopt(socket), home, moved: Vec::new() };
        let mut devices: Vec<_> = devices.iter().collect();
        devices.sort_by_key(|(name, _)| *name);
        for (name, device) in devices {
            let inside = device.name().as_deref().filter(|name| !name.is_empty()).unwrap_or(name);
            all.give_one(name, inside, &target)?;
        }
        Ok(all)
    }

    /// They are the container's now.
    pub fn leave(mut self) {
        self.moved.clear();
    }

    fn give_one(&mut self, name: &str, inside: &str, target: &OwnedFd) -> Result<()> {
        let pointer = join(POINTER, name);
        let failed = |what: String| {
            let pointer = pointer.clone();
            move |error: io::Error| Error::os(format!("{pointer}: {what}"), error).at(pointer)
        };
        let link = self.host.link(name).map_err(failed(format!("cannot find {name}")))?;
        let link = link.ok_or_else(|| {
            let error = Error::config(pointer.as_str(), format!("there is no network device {name}"));
            Error { errno: libc::ENODEV, ..error }
        })?;
        if self.inside.link(inside).map_err(failed(format!("cannot look for {inside}")))?.is_some() {
            let text = format!("the container's network namespace has a device {inside} already");
            return Err(Error { errno: libc::EEXIST, ..Error::config(pointer.as_str(), text) });
        }
        let addresses = self.host.addresses(link).map_err(failed(format!("cannot read the addresses of {name}")))?;
        let moved = Moved { name: name.into(), inside: inside.into(), was_up: link.is_up, addresses };
        let result = self.host.move_to(link, target, inside);
        // It may have been moved, but not renamed.
        if result.is_ok() || self.host.link(name).ok().flatten().map(|found| found.index) != Some(link.index) {
            self.moved.push(moved);
        }
        match result {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                let text = format!("{pointer}: {name} is of a kind that stays in its network namespace");
                return Err(Error { errno: libc::EINVAL, ..Error::new(Kind::Unsupported, text).at(pointer) });
            }
            result => result.map_err(failed(format!("cannot move {name} to the container")))?,
        }
        let there = find(&mut self.inside, inside).map_err(failed(format!("cannot find {inside} in the container")))?;
        for address in self.moved.last().iter().flat_map(|moved| &moved.addresses) {
            self.inside.add(there, address).map_err(failed(format!("cannot give {inside} its addresses back")))?;
        }
        self.inside.up(there).map_err(failed(format!("cannot set {inside} up")))
    }

    fn take_back(&mut self, moved: &Moved) -> io::Result<()> {
        let link = match self.inside.link(&moved.inside)? {
            Some(link) => link,
            None => find(&mut self.inside, &moved.name)?,
        };
        self.inside.move_to(link, self.home.as_fd(), &moved.name)?;
        let link = find(&mut self.host, &moved.name)?;
        for address in &moved.addresses {
            self.host.add(link, address)?;
        }
        if moved.was_up { self.host.up(link) } else { Ok(()) }
    }
}

impl Drop for NetDevices {
    fn drop(&mut self) {
        while let Some(moved) = self.moved.pop() {
            if let Err(error) = self.take_back(&moved) {
                log::warn!("cannot take the network device {} back: {error}", moved.name);
            }
        }
    }
}

fn find(netlink: &mut Netlink, name: &str) -> io::Result<Link> {
    netlink.link(name)?.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
}
