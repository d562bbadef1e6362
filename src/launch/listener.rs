// SPDX-License-Identifier: Apache-2.0
//! The listener of a filter that notifies: to whom it goes (config-linux.md, "The Container Process State").

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, sendmsg, socket_with,
};
use serde_json::json;

use super::Record;
use crate::error::{Context, Error, Kind, Result};
use crate::sys::seccomp;

/// How long an agent may take to accept us, and again to read.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends the listener of process `pid` to where the record says, with the state of the container; gives it back if it
/// is the caller's.
pub fn hand_over(record: &Record, status: &str, pid: i32, file: OwnedFd) -> Result<Option<OwnedFd>> {
    let listener = record.listener.as_ref().ok_or_else(none)?;
    // What is in the container may be able to change the mind of an init that joins it.
    if !seccomp::is_listener(&file) {
        return Err(none());
    }
    let Some(path) = &listener.path else { return Ok(Some(file)) };
    let mut state = json!({
        "ociVersion": record.oci_version,
        "fds": ["seccompFd"],
        "pid": pid,
        "state": record.state_value(status, record.init.as_ref().map(|init| init.pid)),
    });
    if let Some(metadata) = &listener.metadata {
        state["metadata"] = json!(metadata);
    }
    let at = "/linux/seccomp/listenerPath";
    let what = || format!("{at}: cannot send the seccomp listener to {}", path.display());
    send(path, state.to_string().as_bytes(), file.as_fd()).context(what).map_err(|error| error.at(at))?;
    Ok(None)
}

/// The error of an init that says what it should not.
pub fn none() -> Error {
    Error::new(Kind::Bug, "init sent no seccomp listener")
}

/// One connection for one message; the file goes with its first bytes.
fn send(path: &Path, mut text: &[u8], file: BorrowedFd<'_>) -> io::Result<()> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    let address = SocketAddrUnix::new(path)?;
    retry_on_intr(|| connect(&socket, &address)).map_err(in_time)?;
    let files = [file];
    let mut files = Some(&files[..]);
    while !text.is_empty() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if let Some(files) = files.take() {
            ancillary.push(SendAncillaryMessage::ScmRights(files));
        }
        let parts = [IoSlice::new(text)];
        let sent = retry_on_intr(|| sendmsg(&socket, &parts, &mut ancillary, SendFlags::NOSIGNAL)).map_err(in_time)?;
        text = text.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// The kernel's answer to a timeout is "try again".
fn in_time(error: Errno) -> io::Error {
    if error == Errno::AGAIN { Errno::TIMEDOUT.into() } else { error.into() }
}
