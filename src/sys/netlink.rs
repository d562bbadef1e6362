// SPDX-License-Identifier: Apache-2.0
//! Network devices and their addresses, by rtnetlink(7). A socket acts on the network namespace that it was made in,
//! whoever holds it later, and keeps that alive.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// Kinds of messages and attributes of linux/netlink.h, linux/rtnetlink.h, linux/if_link.h and linux/if_addr.h.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_CREATE_EXCL: u16 = 0x600;
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_F_NODAD: u32 = 0x2;
const IFA_F_PERMANENT: u32 = 0x80;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
const IFF_UP: u32 = 1;

/// Sizes of struct nlmsghdr, ifinfomsg, ifaddrmsg and rtattr.
const HEADER: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;
const ATTRIBUTE: usize = 4;

/// The kernel sends no packet that is larger.
const PACKET: usize = 64 * 1024;

/// A network device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number in its network namespace.
    pub index: u32,
    /// Whether it is up.
    pub is_up: bool,
}

/// An address of a network device, ready to be added to another one.
#[derive(Clone, Debug)]
pub struct Address {
    family: u8,
    prefix: u8,
    attributes: Vec<u8>,
}

/// A socket for network devices.
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// For the network namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        // Without a protocol it is NETLINK_ROUTE.
        Ok(Self::adopt(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?))
    }

    /// With a socket that another process has made.
    pub fn adopt(socket: OwnedFd) -> Self {
        Self { socket, sequence: 0 }
    }

    /// The device of this name, if there is one.
    pub fn link(&mut self, name: &str) -> io::Result<Option<Link>> {
        let answers = match self.request(RTM_GETLINK, 0, &[&[0; LINK], &text(IFLA_IFNAME, name)]) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(None),
            result => result?,
        };
        let link = answers.iter().find_map(|(kind, body)| {
            let (index, flags) = (number(body, 4)?, number(body, 8)?);
            (*kind == RTM_NEWLINK).then_some(Link { index, is_up: flags & IFF_UP != 0 })
        });
        Ok(link)
    }

    /// The addresses of a device that mean something elsewhere too: given by somebody and not by a protocol
    /// (IFA_F_PERMANENT), and of global scope.
    pub fn addresses(&mut self, link: Link) -> io::Result<Vec<Address>> {
        let answers = self.request(RTM_GETADDR, NLM_F_DUMP, &[&[0; ADDRESS]])?;
        Ok(answers.iter().filter_map(|(kind, body)| address(*kind, body, link.index)).collect())
    }

    /// Moves a device to the network namespace that is open as `namespace`, and calls it `name` there. It is down then
    /// and has no addresses.
    pub fn move_to(&mut self, link: Link, namespace: impl AsFd, name: &str) -> io::Result<()> {
        let namespace = attribute(IFLA_NET_NS_FD, &namespace.as_fd().as_raw_fd().to_ne_bytes());
        self.request(RTM_SETLINK, 0, &[&change(link, 0), &namespace, &text(IFLA_IFNAME, name)]).map(drop)
    }

    /// Adds an address.
    pub fn add(&mut self, link: Link, address: &Address) -> io::Result<()> {
        let mut head = [address.family, address.prefix, 0, 0, 0, 0, 0, 0];
        head[4..].copy_from_slice(&link.index.to_ne_bytes());
        self.request(RTM_NEWADDR, NLM_F_CREATE_EXCL, &[&head, &address.attributes]).map(drop)
    }

    /// Sets a device up.
    pub fn up(&mut self, link: Link) -> io::Result<()> {
        self.request(RTM_SETLINK, 0, &[&change(link, IFF_UP)]).map(drop)
    }

    /// Sends a request; the kinds and contents of the answers.
    fn request(&mut self, kind: u16, flags: u16, parts: &[&[u8]]) -> io::Result<Vec<(u16, Vec<u8>)>> {
        self.sequence += 1;
        let body = parts.concat();
        let mut message = Vec::with_capacity(HEADER + body.len());
        message.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&(flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        message.extend_from_slice(&self.sequence.to_ne_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&body);
        send(&self.socket, &message, SendFlags::empty())?;
        let mut answers = Vec::new();
        let mut packet = vec![0; PACKET];
        loop {
            let (_, length) = match recv(&self.socket, packet.as_mut_slice(), RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            let mut rest = packet.get(..length).ok_or_else(malformed)?;
            while !rest.is_empty() {
                let size = number(rest, 0).ok_or_else(malformed)? as usize;
                let content = rest.get(HEADER..size).ok_or_else(malformed)?;
                let (kind, sequence) = (short(rest, 4).ok_or_else(malformed)?, number(rest, 8));
                rest = rest.get(aligned(size)..).unwrap_or_default();
                if sequence != Some(self.sequence) {
                    continue;
                }
                match kind {
                    NLMSG_ERROR | NLMSG_DONE => return end(content).map(|()| answers),
                    kind => answers.push((kind, content.to_vec())),
                }
            }
        }
    }
}

/// What the kernel says at the end: 0, or an errno with the sign of the kernel.
fn end(content: &[u8]) -> io::Result<()> {
    match number(content, 0).map(|code| code as i32) {
        Some(0) | None => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
    }
}

/// struct ifinfomsg that sets flags of a device.
fn change(link: Link, flags: u32) -> [u8; LINK] {
    let mut change = [0; LINK];
    for (place, value) in change[4..].chunks_exact_mut(4).zip([link.index, flags, flags]) {
        place.copy_from_slice(&value.to_ne_bytes());
    }
    change
}

fn address(kind: u16, body: &[u8], index: u32) -> Option<Address> {
    let (family, prefix, scope) = (*body.first()?, *body.get(1)?, *body.get(3)?);
    let mut flags = u32::from(*body.get(2)?);
    let mut attributes = Vec::new();
    let mut rest = body.get(ADDRESS..)?;
    while let Some(length) = short(rest, 0).map(usize::from).filter(|length| *length >= ATTRIBUTE) {
        let value = rest.get(ATTRIBUTE..length)?;
        match short(rest, 2)? {
            IFA_FLAGS => flags = number(value, 0)?,
            // Not its label, which has the old name of the device in it.
            kept @ (IFA_ADDRESS | IFA_LOCAL | IFA_BROADCAST | IFA_RT_PRIORITY) => {
                attributes.extend(attribute(kept, value));
            }
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    attributes.extend(attribute(IFA_FLAGS, &(flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE)).to_ne_bytes()));
    let lasts = kind == RTM_NEWADDR && number(body, 4)? == index && scope == 0 && flags & IFA_F_PERMANENT != 0;
    lasts.then_some(Address { family, prefix, attributes })
}

/// One attribute, with what aligns the next one.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from(((ATTRIBUTE + value.len()) as u16).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(aligned(bytes.len()), 0);
    bytes
}

fn text(kind: u16, text: &str) -> Vec<u8> {
    attribute(kind, &[text.as_bytes(), b"\0"].concat())
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn malformed() -> io::Error {
    io::Error::from_raw_os_error(libc::EPROTO)
}
