// SPDX-License-Identifier: Apache-2.0
//! brig: an OCI container runtime that programs link.
//!
//! The public surface of this crate *is* the C ABI of `include/brig.h`; everything else is private, so
//! that a Rust client, the `brig` command among them, can use nothing that a C client cannot.
//!
//! The way through the house (docs/design.md): `ffi → container → launch → plan → spec`; `cgroup`,
//! `criu` and `rdt` hang below `launch` and `container`; everything may use `sys` and `error`.

#![deny(unsafe_code)]

mod cgroup;
mod container;
mod criu;
mod error;
#[allow(unsafe_code)]
mod ffi;
mod launch;
mod log;
mod plan;
mod rdt;
mod spec;
#[allow(unsafe_code)]
mod sys;
mod time;

pub use ffi::*;
