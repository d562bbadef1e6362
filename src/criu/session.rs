// SPDX-License-Identifier: Apache-2.0
//! The conversation with one `criu swrk`: a request, what CRIU tells meanwhile, its answer.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use prost::Message;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendFlags, recvmsg, sendmsg,
};

use super::rpc::{Features, Kind, Notify, Options, Request, Response};
use crate::error::{Context, Error, Kind as ErrorKind, Result};
use crate::sys::pidfd;

/// Longer than any of CRIU's messages.
const MESSAGE_MAX: usize = 64 * 1024;

/// Our end of the socket that a `criu swrk` has been given.
pub struct Session {
    socket: OwnedFd,
}

/// Why CRIU did not do what it was asked for.
pub enum Stopped {
    /// It gave up because we wanted that, for this reason.
    ByUs(Error),
    /// This is what it says, no more than a sentence: the rest is in its log.
    ByItself(Error),
}

/// What CRIU tells in the midst of its work, and waits for an answer to.
pub struct Told {
    /// What it is at, such as "post-restore".
    pub what: String,
    /// The pid of the container's init, where it is about that.
    pub pid: i32,
    /// The terminal, where it is about that.
    pub file: Option<OwnedFd>,
}

impl Session {
    /// Takes over the socket.
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// CRIU's version, as 40101 for 4.1.1.
    pub fn version(&self) -> Result<u32> {
        self.send(&Request { kind: Kind::Version.into(), ..Request::default() })?;
        let version = self.receive(None)?.0.version.ok_or_else(|| strange("no version"))?;
        let part = |part: i32| u32::try_from(part).unwrap_or_default();
        Ok(part(version.major) * 10000 + part(version.minor) * 100 + part(version.sublevel.unwrap_or_default()))
    }

    /// Which of all features CRIU finds on this kernel.
    pub fn features(&self) -> Result<Features> {
        let asked = Features { mem_track: Some(true), lazy_pages: Some(true) };
        let kind = Kind::FeatureCheck.into();
        self.send(&Request { kind, features: Some(asked), ..Request::default() })?;
        Ok(self.receive(None)?.0.features.unwrap_or_default())
    }

    /// Has it done. `told` is called with what CRIU tells; if it fails, CRIU gives up, and that is the failure. Once
    /// `cancel` is readable it is not waited for any longer.
    pub fn perform(
        &self,
        kind: Kind,
        options: Options,
        cancel: Option<BorrowedFd<'_>>,
        mut told: impl FnMut(Told) -> Result<()>,
    ) -> std::result::Result<(), Stopped> {
        let mut refusal = None;
        let done = self.converse(kind, options, cancel, &mut told, &mut refusal);
        match (done, refusal) {
            (_, Some(refusal)) => Err(Stopped::ByUs(refusal)),
            (Err(error), None) if error.kind == ErrorKind::Canceled => Err(Stopped::ByUs(error)),
            (done, None) => done.map_err(Stopped::ByItself),
        }
    }

    fn converse(
        &self,
        kind: Kind,
        options: Options,
        cancel: Option<BorrowedFd<'_>>,
        told: &mut impl FnMut(Told) -> Result<()>,
        refusal: &mut Option<Error>,
    ) -> Result<()> {
        self.send(&Request { kind: kind.into(), options: Some(options), ..Request::default() })?;
        loop {
            let (response, file) = self.receive(cancel)?;
            if response.kind == i32::from(Kind::Notify) {
                let Notify { script, pid } = response.notify.unwrap_or_default();
                let answer = told(Told { what: script.unwrap_or_default(), pid: pid.unwrap_or_default(), file });
                let success = answer.is_ok();
                // The first one is the reason; others follow when CRIU undoes.
                *refusal = refusal.take().or(answer.err());
                self.send(&Request { kind: Kind::Notify.into(), notify_success: Some(success), ..Request::default() })?;
                continue;
            }
            return match response.success {
                true if response.kind == i32::from(kind) => Ok(()),
                true => Err(strange("an answer to something else")),
                false => Err(failure(&response)),
            };
        }
    }

    fn send(&self, request: &Request) -> Result<()> {
        let bytes = request.encode_to_vec();
        let mut none = SendAncillaryBuffer::default();
        match sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut none, SendFlags::NOSIGNAL) {
            // That it has ended is told by `receive`.
            Err(rustix::io::Errno::PIPE) => Ok(()),
            result => result.map(drop).context(|| "cannot talk to criu"),
        }
    }

    fn receive(&self, cancel: Option<BorrowedFd<'_>>) -> Result<(Response, Option<OwnedFd>)> {
        let what = || "cannot hear from criu";
        if let Some(cancel) = cancel {
            let ready = pidfd::readable(&[cancel, self.socket.as_fd()], None).context(what)?;
            if ready == Some(0) {
                return Err(canceled());
            }
        }
        let mut bytes = vec![0; MESSAGE_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let length = loop {
            let mut slices = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.socket, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => break 0,
                result => break result.context(what)?.bytes,
            }
        };
        if length == 0 {
            return Err(Error::new(ErrorKind::Failed, "criu ended without an answer"));
        }
        let file = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        let response = Response::decode(&bytes[..length]).map_err(|error| strange(&error.to_string()))?;
        Ok((response, file))
    }
}

/// That the caller gave up.
pub fn canceled() -> Error {
    Error::new(ErrorKind::Canceled, "canceled by the caller")
}

fn strange(what: &str) -> Error {
    Error::new(ErrorKind::Failed, format!("criu answered with something unexpected: {what}"))
}

fn failure(response: &Response) -> Error {
    let errno = response.cr_errno.filter(|errno| *errno > 0).unwrap_or_default();
    let text = match (&response.cr_errmsg, errno) {
        (Some(text), _) if !text.trim().is_empty() => text.trim().replace('\n', "; "),
        (_, 0) => "it failed".to_owned(),
        (_, errno) => crate::error::describe(&std::io::Error::from_raw_os_error(errno)),
    };
    Error { errno, ..Error::new(ErrorKind::Failed, text) }
}
