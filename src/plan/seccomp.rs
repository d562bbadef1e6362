// SPDX-License-Identifier: Apache-2.0
//! linux.seccomp → a BPF program, by libseccomp; kept, since compiling a usual profile takes longer than all
//! else there is to plan.

mod bpf;
mod cache;
mod compile;
mod layers;
mod notify;
mod ranges;
#[cfg(test)]
mod tests;
mod unknown;

use std::path::Path;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompFilterFlag as Flag};

pub use self::notify::{Listener, split};
use crate::error::{Error, Kind, Result};
use crate::sys;

/// For a filter with a listener only, of which there is one.
pub const WAIT_KILLABLE_RECV: libc::c_ulong = libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

/// A filter ready for seccomp(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// SECCOMP_FILTER_FLAG_*.
    pub flags: u32,
    /// An array of struct sock_filter in the byte order of this machine.
    pub program: Vec<u8>,
    /// Who answers what it notifies of.
    pub listener: Option<Listener>,
}

impl Filter {
    /// Refuses a filter that ends whoever calls execve(2), and with that init: nobody could tell it from a program that
    /// was executed and ended at once.
    pub fn check(&self) -> Result<()> {
        let decision = bpf::run(&self.program, bpf::NATIVE, libc::SYS_execve, [0; 6]);
        match decision.map(|decision| decision & libc::SECCOMP_RET_ACTION_FULL) {
            Some(libc::SECCOMP_RET_KILL_PROCESS | libc::SECCOMP_RET_KILL_THREAD | libc::SECCOMP_RET_TRAP) => {
                let text = "the filter kills whoever calls execve, so that no program could be executed";
                Err(Error::config("/linux/seccomp", text))
            }
            _ => Ok(()),
        }
    }
}

/// The filter of a section `linux.seccomp` that is in a cache: in this process, or in the directory `cache`. It is there
/// only if the same text was validated and compiled before, by this version of brig. One that notifies is never known.
pub fn known(text: &str, cache: Option<&Path>) -> Option<Filter> {
    let (flags, program) = is_plain(text).then(|| cache::find(&source(text), cache))??;
    Some(Filter { flags, program, listener: None })
}

/// Compiles a section, which stands as `text` in config.json, or finds it in a cache. `None` if it allows everything.
pub fn compile(seccomp: &LinuxSeccomp, text: &str, cache: Option<&Path>) -> Result<Option<Filter>> {
    let no_rules = seccomp.syscalls().as_ref().is_none_or(Vec::is_empty);
    if no_rules && seccomp.default_action() == Action::ScmpActAllow {
        return Ok(None);
    }
    let source = if is_plain(text) { source(text) } else { source(&shared(seccomp)?) };
    let (_, program) = cache::compiled(&source, cache, || {
        let program = compile::program(seccomp)?;
        let listens = Listener::of(seccomp, &program).is_some();
        Ok((flags(seccomp, listens)?, program))
    })?;
    let listener = Listener::of(seccomp, &program);
    Ok(Some(Filter { flags: flags(seccomp, listener.is_some())?, program, listener }))
}

/// Whether all that a filter is made of can be told from the text: to whom notifications go is not in the filter, and
/// escapes might hide that there are any.
fn is_plain(text: &str) -> bool {
    !text.contains("SCMP_ACT_NOTIFY") && !text.contains('\\')
}

/// A section that notifies, without what its program does not depend on and what differs from container to container.
fn shared(seccomp: &LinuxSeccomp) -> Result<String> {
    let mut seccomp = seccomp.clone();
    seccomp.set_flags(None).set_listener_path(None).set_listener_metadata(None);
    serde_json::to_string(&seccomp).map_err(|error| Error::new(Kind::Bug, error.to_string()))
}

/// All that a filter depends on.
fn source(text: &str) -> Vec<u8> {
    let libseccomp = libseccomp::ScmpVersion::current().map_or_else(|_| String::new(), |version| version.to_string());
    let [version, machine] = [env!("CARGO_PKG_VERSION"), std::env::consts::ARCH];
    ["brig ", version, " ", machine, ", libseccomp ", &libseccomp, "\n", text].concat().into_bytes()
}

/// The flags for seccomp(2). Without a list it is SPEC_ALLOW as with the other runtimes: before Linux 5.16 any
/// filter else slows the program down by a mitigation that hardly any needs. An empty list is none.
fn flags(seccomp: &LinuxSeccomp, listens: bool) -> Result<u32> {
    let Some(flags) = seccomp.flags() else { return Ok(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as u32) };
    let mut sum = 0;
    for (index, flag) in flags.iter().enumerate() {
        let (bit, needs) = match flag {
            Flag::SeccompFilterFlagLog => (libc::SECCOMP_FILTER_FLAG_LOG, 0),
            Flag::SeccompFilterFlagSpecAllow => (libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0),
            // init has one thread.
            Flag::SeccompFilterFlagTsync => (0, 0),
            // Of use, and allowed by the kernel, only with a listener.
            Flag::SeccompFilterFlagWaitKillableRecv if !listens => (0, 0),
            Flag::SeccompFilterFlagWaitKillableRecv => (WAIT_KILLABLE_RECV, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER),
        };
        if bit != 0 && !sys::seccomp::has_flags((bit | needs) as u32) {
            let at = format!("/linux/seccomp/flags/{index}");
            return Err(Error::config(at, format!("this kernel does not know {flag}")).kind(Kind::Unsupported));
        }
        sum |= bit as u32;
    }
    Ok(sum)
}
