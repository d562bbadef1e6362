// SPDX-License-Identifier: Apache-2.0
//! Why a command failed, in one line.

use std::borrow::Cow;
use std::io;

use crate::ffi;

/// The result of everything in this program that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, as the user will read it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library's; it says all there is to say.
    #[error(transparent)]
    Brig(#[from] ffi::Error),
    /// The system refused: what, and why.
    #[error("{what}: {}", describe(why))]
    System {
        /// Such as "cannot open /x".
        what: String,
        /// The errno, or what else there is.
        why: io::Error,
    },
    /// The command makes no sense, or asks for what cannot be had.
    #[error("{0}")]
    Refused(Cow<'static, str>),
}

impl Error {
    /// A refusal of our own.
    pub fn refused(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(message.into())
    }
}

/// An errno's text as strerror(3) has it, without Rust's " (os error N)".
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((description, _)) => description.to_owned(),
        None => text,
    }
}

/// Adds what was being done to the errors of system calls.
pub trait Context<T> {
    /// "cannot open /x"; evaluated only on failure.
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|why| Error::System { what: what().into(), why: why.into() })
    }
}
