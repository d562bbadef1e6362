// SPDX-License-Identifier: Apache-2.0
//! The one error type: data for programs (kind, errno, JSON pointer) and a sentence for people.

use std::borrow::Cow;
use std::io;

/// What kind of failure it is; the numbers are those of `brig_status` in the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// The operating system refused.
    Failed = -1,
    /// An argument is wrong.
    Invalid = -2,
    /// No such container or process.
    NotFound = -3,
    /// The id is taken.
    Exists = -4,
    /// Not in this state of the container.
    State = -5,
    /// This kernel or this build cannot do it.
    Unsupported = -6,
    /// Time is up, or the caller gave up.
    Canceled = -7,
    /// The object is the parent's.
    Forked = -8,
    /// A defect of brig.
    Bug = -9,
    /// config.json, or the bundle around it, is wrong.
    Config = -10,
    /// The container's program cannot be executed.
    Program = -11,
    /// A hook failed.
    Hook = -12,
}

/// A failure, down to its root cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure it is.
    pub kind: Kind,
    /// The errno(3) at the root, or 0.
    pub errno: i32,
    /// Where in config.json, as a JSON pointer (RFC 6901), if it is about a field.
    pub pointer: Option<String>,
    /// One line: what failed, causes joined by ": ".
    pub message: String,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that no system call is behind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, errno: 0, pointer: None, message: message.into() }
    }

    /// config.json is wrong at `pointer`. The message starts with the pointer, so that it is clear
    /// even where only the text is shown.
    pub fn config(pointer: impl Into<String>, message: impl AsRef<str>) -> Self {
        let pointer = pointer.into();
        let message = format!("{}: {}", place(&pointer, "config.json"), message.as_ref());
        Self { kind: Kind::Config, errno: 0, pointer: Some(pointer), message }
    }

    /// The system refused `what`: "cannot open /x" and an errno.
    pub fn os(what: impl AsRef<str>, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let errno = error.raw_os_error().unwrap_or(0);
        let kind = if errno == libc::ENOSYS { Kind::Unsupported } else { Kind::Failed };
        Self { kind, errno, pointer: None, message: format!("{}: {}", what.as_ref(), describe(&error)) }
    }

    /// The same error as another kind.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The same error, about this field of config.json.
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer.get_or_insert(pointer.into());
        self
    }

    /// Says what was being done.
    pub fn context(mut self, what: impl AsRef<str>) -> Self {
        self.message = format!("{}: {}", what.as_ref(), self.message);
        self
    }
}

/// How a message writes a pointer into the document `name`: in one line, whatever is in its keys.
pub fn place<'a>(pointer: &'a str, name: &'a str) -> Cow<'a, str> {
    match pointer {
        "" => name.into(),
        _ if pointer.contains(char::is_control) => pointer.escape_debug().to_string().into(),
        _ => pointer.into(),
    }
}

/// The text of an errno as strerror(3) has it, without Rust's " (os error N)".
pub fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((description, _)) => description.to_owned(),
        None => text,
    }
}

/// Adds what was being done to the errors of system calls.
pub trait Context<T> {
    /// "cannot open /x" — evaluated only on failure.
    fn context<S: AsRef<str>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context<S: AsRef<str>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| Error::os(what(), error))
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn context<S: AsRef<str>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| Error::os(what(), error))
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn context<S: AsRef<str>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| Error::os(what(), error))
    }
}

impl<T> Context<T> for Result<T> {
    fn context<S: AsRef<str>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| error.context(what()))
    }
}
