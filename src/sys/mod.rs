// SPDX-License-Identifier: Apache-2.0
//! A thin safe layer over the system calls that no library we use has; the only room besides `ffi` with `unsafe`.

pub mod bpf;
pub mod files;
pub mod memfd;
pub mod memory;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod pidfd;
pub mod privilege;
pub mod seccomp;
pub mod security;
pub mod socket;
pub mod spawn;
