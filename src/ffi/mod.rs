// SPDX-License-Identifier: Apache-2.0
//! The C ABI, and nothing else: one file a noun, each function one line over the room behind it.
//!
//! What every entry has in common is here: the boundary that turns errors and panics into a status,
//! handles with their NULL, type and fork checks, and the reading of C strings and option structs.
//! Doc comments in this room are the text of `include/brig.h`, so they speak to C programmers.

#![allow(non_camel_case_types)]

mod checkpoint;
mod container;
mod error;
mod exec;
#[cfg(test)]
mod layout;
mod library;
mod monitor;
mod process;
mod runtime;

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

pub use checkpoint::*;
pub use container::*;
pub use error::*;
pub use exec::*;
pub use library::*;
pub use monitor::*;
pub use process::*;
pub use runtime::*;

use crate::error::{Error, Kind, Result};

/// Runs the body of an entry: a failure or a panic becomes a status and, if asked for, an object.
fn boundary(error: *mut *mut brig_error, body: impl FnOnce() -> Result<()>) -> brig_status {
    quiet_panics();
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return brig_status::BRIG_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let text = (panic.downcast_ref::<&str>().copied())
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("no message");
            Error::new(Kind::Bug, format!("this is a defect of brig: {text}"))
        }
    };
    let status = brig_status::from(failure.kind);
    // SAFETY: the caller gives NULL or a place for one pointer.
    if let Some(place) = unsafe { error.as_mut() } {
        *place = Box::into_raw(Box::new(brig_error::from(failure)));
    }
    status
}

/// Keeps Rust's panic message off the host's stderr; [`boundary`] hands it to the caller instead.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}

/// What every handle starts with.
struct Head {
    magic: u32,
    owner: u32,
}

impl Head {
    fn new<T: Object>() -> Self {
        Self { magic: T::MAGIC, owner: std::process::id() }
    }
}

/// A counted, opaque object of the ABI: an `Arc` behind a raw pointer.
trait Object: Sized {
    /// Tells the types apart in memory, for a pointer of the wrong type.
    const MAGIC: u32;
    /// As in "`container` is NULL".
    const NOUN: &'static str;

    fn head(&self) -> &Head;

    /// Gives the caller a reference of its own.
    fn give(self) -> *mut Self {
        Arc::into_raw(Arc::new(self)).cast_mut()
    }
}

/// Borrows the object behind a handle for the length of a call.
fn handle<'a, T: Object>(pointer: *mut T) -> Result<&'a T> {
    // SAFETY: the caller owns a reference to the object, or passes NULL.
    let object = unsafe { pointer.as_ref() }.ok_or_else(|| invalid(T::NOUN, "is NULL"))?;
    if object.head().magic != T::MAGIC {
        return Err(invalid(T::NOUN, "is not such a handle, or was given back already"));
    }
    if object.head().owner != std::process::id() {
        return Err(Error::new(Kind::Forked, format!("{}: was made before fork(2) and is the parent's", T::NOUN)));
    }
    Ok(object)
}

/// One more reference; NULL stays NULL.
fn retain<T: Object>(pointer: *mut T) -> *mut T {
    if !pointer.is_null() {
        // SAFETY: not NULL, so made by `Object::give` and still referenced by the caller.
        unsafe { Arc::increment_strong_count(pointer.cast_const()) };
    }
    pointer
}

/// One reference less; NULL is fine.
fn release<T: Object>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: not NULL, so made by `Object::give`; the caller gives its reference back.
        drop(unsafe { Arc::from_raw(pointer.cast_const()) });
    }
}

fn invalid(argument: &str, what: &str) -> Error {
    Error::new(Kind::Invalid, format!("{argument}: {what}"))
}

/// A string argument that must be there.
fn string<'a>(argument: &str, pointer: *const c_char) -> Result<&'a CStr> {
    optional(pointer).ok_or_else(|| invalid(argument, "is NULL"))
}

/// A string argument that may be NULL.
fn optional<'a>(pointer: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller gives NULL or a string that ends in NUL and lives for the call.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) })
}

/// A string argument as text.
fn text<'a>(argument: &str, value: &'a CStr) -> Result<&'a str> {
    value.to_str().map_err(|_| invalid(argument, "is not UTF-8"))
}

/// The place for an output; checked before anything is done.
fn output<'a, T>(argument: &str, pointer: *mut T) -> Result<&'a mut T> {
    // SAFETY: the caller gives NULL or a place for one T.
    unsafe { pointer.as_mut() }.ok_or_else(|| invalid(argument, "is NULL"))
}

/// A list of ids; NULL is `None`, which stands for all.
fn ids<'a>(pointer: *const *const c_char, count: usize) -> Result<Option<Vec<&'a str>>> {
    if pointer.is_null() {
        return if count == 0 { Ok(None) } else { Err(invalid("ids", "does not go with id_count")) };
    }
    if count > 1 << 20 {
        return Err(invalid("id_count", "is too large"));
    }
    // SAFETY: the caller says that so many pointers are there.
    let pointers = unsafe { std::slice::from_raw_parts(pointer, count) };
    pointers.iter().map(|&id| text("ids", string("ids", id)?)).collect::<Result<_>>().map(Some)
}

/// An optional descriptor, where 0 means none.
fn descriptor<'a>(argument: &str, fd: c_int) -> Result<Option<BorrowedFd<'a>>> {
    match fd {
        0 => Ok(None),
        // SAFETY: the caller keeps the file open for the call.
        fd if fd > 0 => Ok(Some(unsafe { BorrowedFd::borrow_raw(fd) })),
        _ => Err(invalid(argument, "is negative; none is 0")),
    }
}

/// The files for a program: its stdio, and those behind it.
fn files<'a>(stdio: *const c_int, fds: *const c_int, fd_count: usize) -> Result<(Option<[c_int; 3]>, &'a [c_int])> {
    if fds.is_null() != (fd_count == 0) {
        return Err(invalid("fds", "does not go with fd_count"));
    }
    if fd_count > 1 << 16 {
        return Err(invalid("fd_count", "is too large"));
    }
    // SAFETY: the caller gives NULL or three numbers.
    let stdio = (!stdio.is_null()).then(|| unsafe { *stdio.cast::<[c_int; 3]>() });
    let fds = match fd_count {
        0 => &[][..],
        // SAFETY: the caller says that so many numbers are there.
        count => unsafe { std::slice::from_raw_parts(fds, count) },
    };
    Ok((stdio, fds))
}

/// A string for the caller, to be freed with `brig_string_free`.
fn give_string(text: impl Into<Vec<u8>>) -> Result<*mut c_char> {
    let text = CString::new(text).map_err(|_| Error::new(Kind::Bug, "a text has a NUL in it"))?;
    Ok(text.into_raw())
}

/// A struct of options that starts with its size.
///
/// # Safety
/// Valid for all-zero bytes, without padding, and its first member is `size_t size`.
unsafe trait Options: Copy {}

/// Reads an options struct of this or another version of the header: what is missing is zero, what is
/// unknown must be zero. NULL is all zero.
fn options<T: Options>(argument: &str, pointer: *const T) -> Result<T> {
    // SAFETY: `Options` types are valid when all zero.
    let mut options: T = unsafe { std::mem::zeroed() };
    if pointer.is_null() {
        return Ok(options);
    }
    // SAFETY: not NULL, so it points to at least its own size member.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < size_of::<usize>() || size > 4096 {
        return Err(invalid(argument, "has no sensible size: set it with BRIG_INIT"));
    }
    // SAFETY: the caller says that `size` bytes are there.
    let given = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let known = size.min(size_of::<T>());
    if given[known..].iter().any(|&byte| byte != 0) {
        return Err(Error::new(Kind::Unsupported, format!("{argument}: asks for what this version does not know")));
    }
    // SAFETY: `known` bytes are within both, which do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(given.as_ptr(), (&raw mut options).cast::<u8>(), known) };
    Ok(options)
}

/// Flags that are not among `known` are refused.
fn known_flags(given: u64, known: u64) -> Result<u64> {
    match given & !known {
        0 => Ok(given),
        unknown => Err(Error::new(Kind::Unsupported, format!("flags: {unknown:#x} is unknown to this version"))),
    }
}
