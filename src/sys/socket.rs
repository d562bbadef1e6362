// SPDX-License-Identifier: Apache-2.0
//! Sockets that carry messages and descriptors between the host and init.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use brig_wire::{FILES_MAX, Message, TEXT_MAX};

/// A connected pair: one end for us, one for init.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends a message, and up to [`FILES_MAX`] descriptors with it.
pub fn send(socket: impl AsFd, message: &Message, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    }
    sendmsg(socket, &[IoSlice::new(&message.encode())], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// What came.
#[derive(Debug)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// The text behind it.
    pub text: String,
    /// The descriptor that came with it.
    pub file: Option<OwnedFd>,
}

/// Receives a message; `None` when the other side has closed.
pub fn receive(socket: impl AsFd) -> io::Result<Option<Received>> {
    let mut bytes = [0; Message::SIZE + TEXT_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            // The second is told once, before all that is queued: the peer has ended with something of ours unread,
            // but it may have said why.
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
            result => break result?.bytes,
        }
    };
    if received == 0 {
        return Ok(None);
    }
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    let (message, text) = Message::decode(&bytes[..received]).ok_or(io::Error::from_raw_os_error(libc::EPROTO))?;
    Ok(Some(Received { message, text: String::from_utf8_lossy(text).into_owned(), file }))
}
