// SPDX-License-Identifier: Apache-2.0
//! Talking with the host over the control socket, and with the starter over the connection to the
//! gate: one packet a message, descriptors by SCM_RIGHTS.

use brig_wire::{Act, FILES_MAX, LastWord, Message, TEXT_MAX, kind};
use linux_raw_sys::general::iovec;
use linux_raw_sys::net::{MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, SCM_RIGHTS, SOL_SOCKET, cmsghdr, msghdr};

use crate::buffer::Buffer;
use crate::sys::{self, Abi, Errno, Fd, exit};

/// What may follow a failure's message: the output of a hook, the log of a filesystem.
pub type Text = Buffer<{ TEXT_MAX + 1 }>;

/// Why a step failed.
#[derive(Clone, Copy)]
pub struct Failure {
    /// What was being done.
    pub act: Act,
    /// The errno(3) value, or 0.
    pub errno: i32,
    /// Depends on the act; -1 if it has none.
    pub value: i64,
}

/// How a step, or a part of it, ended.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure without a value.
    pub fn new(act: Act, errno: Errno) -> Self {
        Self { act, errno: errno.into_raw(), value: -1 }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::new(Act::Step, errno)
    }
}

/// Says what was being done when a system call failed.
pub trait During<T> {
    /// The same result, with `act` in the failure.
    fn during(self, act: Act) -> Outcome<T>;
}

impl<T> During<T> for sys::Result<T> {
    fn during(self, act: Act) -> Outcome<T> {
        self.map_err(|errno| Failure::new(act, errno))
    }
}

/// Memory for init's last word.
pub type Memory = &'static mut [u8];

/// Maps the memory for it.
pub fn map_last_word(fd: &Fd) -> sys::Result<Memory> {
    sys::map_shared(fd, LastWord::SIZE)
}

/// Tells of the failure of a step, and ends. The exit status is what a shell would give.
pub fn fail(channel: Option<&Fd>, last_word: Option<&mut Memory>, step: u32, failure: Failure, text: &[u8]) -> ! {
    let Failure { act, errno, value } = failure;
    let message = Message { kind: kind::FAILED, step, errno, act: act as u32, value };
    match (last_word, channel) {
        // To send it may be denied by now.
        (Some(memory), _) => LastWord::write(memory, &message, text),
        (None, Some(socket)) => drop(send(socket, message, text, None)),
        (None, None) => {}
    }
    exit(match act {
        Act::NotFound => 127,
        Act::NotExecutable => 126,
        _ => 1,
    })
}

/// Descriptors that came with a message.
pub type Files = [Option<Fd>; FILES_MAX];

/// A control message with descriptors.
#[repr(C)]
struct Rights {
    header: cmsghdr,
    numbers: [i32; FILES_MAX],
}

impl Rights {
    /// Room for `count` descriptors, the first of which is `first`.
    fn new(count: usize, first: i32) -> Self {
        let (level, kind) = (SOL_SOCKET as i32, SCM_RIGHTS as i32);
        let mut numbers = [-1; FILES_MAX];
        numbers[0] = first;
        Self { header: cmsghdr { cmsg_len: Self::length(count), cmsg_level: level, cmsg_type: kind }, numbers }
    }

    const fn length(count: usize) -> usize {
        size_of::<cmsghdr>() + count * size_of::<i32>()
    }
}

/// Sends `message`, `text` behind it, and perhaps a descriptor.
pub fn send(socket: &Fd, message: Message, text: &[u8], fd: Option<&Fd>) -> sys::Result<()> {
    let bytes = message.encode();
    let mut parts =
        [&bytes, text].map(|part| iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() as _ });
    let mut rights = fd.map(|fd| Rights::new(1, fd.number()));
    let packet = packet(&mut parts, rights.as_mut());
    sys::sendmsg(socket, &packet, MSG_NOSIGNAL).map(drop)
}

/// Receives a message and the descriptors that came with it; `None` if the other end is closed, or
/// what came is no message.
pub fn receive(socket: &Fd) -> Option<(Message, Files)> {
    let mut bytes = [0; Message::SIZE];
    let mut parts = [iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() as _ }];
    let mut rights = Rights::new(FILES_MAX, -1);
    let mut packet = packet(&mut parts, Some(&mut rights));
    let count = sys::recvmsg(socket, &mut packet, MSG_CMSG_CLOEXEC).ok()?;
    let files = rights.numbers.map(|number| (number >= 0).then(|| Fd::adopt(number as u32)));
    let (message, _) = Message::decode(bytes.get(..count)?)?;
    Some((message, files))
}

fn packet(parts: &mut [iovec], rights: Option<&mut Rights>) -> msghdr {
    let mut packet = msghdr::zeroed();
    packet.msg_iov = parts.as_mut_ptr().cast();
    packet.msg_iovlen = parts.len();
    if let Some(rights) = rights {
        packet.msg_controllen = rights.header.cmsg_len;
        packet.msg_control = core::ptr::from_mut(rights).cast();
    }
    packet
}
