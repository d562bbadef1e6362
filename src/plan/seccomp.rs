// SPDX-License-Identifier: Apache-2.0
//! linux.seccomp → a BPF program, by libseccomp; kept, since compiling a usual profile takes longer than all
//! else there is to plan.

mod cache;
mod compile;
mod layers;
#[cfg(test)]
mod tests;
mod unknown;

use std::path::Path;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompFilterFlag as Flag};

use crate::error::Result;

/// A filter ready for seccomp(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// SECCOMP_FILTER_FLAG_*.
    pub flags: u32,
    /// An array of struct sock_filter in the byte order of this machine.
    pub program: Vec<u8>,
}

/// The filter of a section `linux.seccomp` that is in a cache: in this process, or in the directory `cache`. It is there
/// only if the same text was validated and compiled before, by this version of brig. One with notifications is not known,
/// since to whom they go is not in the filter; nor one with escapes, which might hide them.
pub fn known(text: &str, cache: Option<&Path>) -> Option<Filter> {
    if text.contains("SCMP_ACT_NOTIFY") || text.contains('\\') {
        return None;
    }
    cache::find(&source(text), cache).map(|(flags, program)| Filter { flags, program })
}

/// Compiles a section, which stands as `text` in config.json, or finds it in a cache. `None` if it allows everything.
pub fn compile(seccomp: &LinuxSeccomp, text: &str, cache: Option<&Path>) -> Result<Option<Filter>> {
    let no_rules = seccomp.syscalls().as_ref().is_none_or(Vec::is_empty);
    if no_rules && seccomp.default_action() == Action::ScmpActAllow {
        return Ok(None);
    }
    let compile = || Ok((flags(seccomp), compile::program(seccomp)?));
    let (flags, program) = cache::compiled(&source(text), cache, compile)?;
    Ok(Some(Filter { flags, program }))
}

/// All that a filter depends on.
fn source(text: &str) -> Vec<u8> {
    let libseccomp = libseccomp::ScmpVersion::current().map_or_else(|_| String::new(), |version| version.to_string());
    let [version, machine] = [env!("CARGO_PKG_VERSION"), std::env::consts::ARCH];
    ["brig ", version, " ", machine, ", libseccomp ", &libseccomp, "\n", text].concat().into_bytes()
}

/// The flags for seccomp(2). Without a list it is SPEC_ALLOW as with the other runtimes: before Linux 5.16 any
/// filter else slows the program down by a mitigation that hardly any needs. An empty list is none.
fn flags(seccomp: &LinuxSeccomp) -> u32 {
    let Some(flags) = seccomp.flags() else { return libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32 };
    let bit = |flag: &Flag| match flag {
        Flag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        Flag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // init has one thread.
        Flag::SeccompFilterFlagTsync => 0,
        // Of use, and allowed by the kernel, only with a listener.
        Flag::SeccompFilterFlagWaitKillableRecv => 0,
    };
    flags.iter().fold(0, |sum, flag| sum | bit(flag) as u32)
}
