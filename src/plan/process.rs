// SPDX-License-Identifier: Apache-2.0
//! The container's program: limits, identity, privileges, and its execution at last.

use std::ffi::CString;
use std::path::Path;

use brig_wire::Step;
use caps::Capability;
use oci_spec::runtime::{Capabilities, PosixRlimitType as Rlimit, Process};

use super::builder::{path, text, texts, with_strings};
use super::scheduling::{self, Moment};
use super::seccomp::{self, Filter};
use super::{Common, Groups, Steps, devices};
use crate::error::{Error, Result};

/// PATH where process.env has none: what execvp(3) callers expect.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// linux/resource.h, by the names of the spec.
fn rlimit_number(kind: Rlimit) -> u32 {
    let number = match kind {
        Rlimit::RlimitCpu => libc::RLIMIT_CPU,
        Rlimit::RlimitFsize => libc::RLIMIT_FSIZE,
        Rlimit::RlimitData => libc::RLIMIT_DATA,
        Rlimit::RlimitStack => libc::RLIMIT_STACK,
        Rlimit::RlimitCore => libc::RLIMIT_CORE,
        Rlimit::RlimitRss => libc::RLIMIT_RSS,
        Rlimit::RlimitNproc => libc::RLIMIT_NPROC,
        Rlimit::RlimitNofile => libc::RLIMIT_NOFILE,
        Rlimit::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        Rlimit::RlimitAs => libc::RLIMIT_AS,
        Rlimit::RlimitLocks => libc::RLIMIT_LOCKS,
        Rlimit::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        Rlimit::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        Rlimit::RlimitNice => libc::RLIMIT_NICE,
        Rlimit::RlimitRtprio => libc::RLIMIT_RTPRIO,
        Rlimit::RlimitRttime => libc::RLIMIT_RTTIME,
    };
    number as _
}

/// A program, and what it is started with.
pub struct Program<'a> {
    /// What config.json, or the caller of an exec, says of it.
    pub process: &'a Process,
    /// Where that stands in the document that errors are about.
    pub at: &'static str,
    /// What all programs of the container have.
    pub common: &'a Common,
    /// What is done about its supplementary groups.
    pub groups: Groups,
    /// The container's filter.
    pub filter: Option<&'a Filter>,
    /// Files beyond stdio.
    pub extra_files: usize,
    /// When it gets its scheduling policy.
    pub scheduled: Moment,
}

impl Program<'_> {
    /// Its files.
    pub fn files(&self, steps: &mut Steps) {
        steps.origin("").push_files(&devices::files(self.process, self.extra_files));
    }

    /// A session of its own, with its terminal, in the process that becomes the program.
    pub fn session(&self, steps: &mut Steps) {
        steps.origin("").push(Step::Setsid {});
        let has = |name: &str| self.env().iter().any(|entry| entry.starts_with(name));
        if self.extra_files > 0 && has("LISTEN_FDS=") && !has("LISTEN_PID=") {
            self.origin(steps, "/env").push(Step::ListenPid {});
        }
        if self.process.terminal() == Some(true) {
            self.origin(steps, "/terminal").push(Step::ControllingTty {});
        }
    }

    /// In the container's root, all but the last: what can fail, and what takes privileges.
    pub fn prepare(&self, steps: &mut Steps) -> Result<()> {
        let process = self.process;
        if process.terminal() != Some(true) && process.user().uid() != 0 {
            self.origin(steps, "/user/uid").push(Step::StdioOwner { uid: process.user().uid() });
        }
        self.common.steps(steps);
        if self.scheduled == Moment::Prepared {
            scheduling::of_init(steps, process);
        }
        for (index, limit) in process.rlimits().iter().flatten().enumerate() {
            let (soft, hard) = (limit.soft(), limit.hard());
            let limit = Step::Rlimit { resource: rlimit_number(limit.typ()), soft, hard };
            self.origin(steps, &format!("/rlimits/{index}")).push(limit);
        }
        if !self.env().iter().any(|entry| entry.starts_with("HOME=")) {
            self.origin(steps, "/user/uid").push(Step::Home { uid: process.user().uid() });
        }
        self.origin(steps, "/cwd").push(Step::Cwd { path: &path(process.cwd(), &self.pointer("/cwd"))? });
        if let Some(mask) = process.user().umask() {
            self.origin(steps, "/user/umask").push(Step::Umask { mask });
        } else {
            // init's own umask is 0, for the modes of what it makes.
            steps.origin("").push(Step::Umask { mask: 0o022 });
        }
        let capabilities = self.capabilities()?;
        self.identity(steps, &capabilities);
        match self.needed_to_the_last() {
            0 => self.set_all_capabilities(steps, &capabilities),
            needed => self.set_capabilities(steps, &capabilities.and(needed)),
        }
        if self.has_no_new_privileges() {
            self.origin(steps, "/noNewPrivileges").push(Step::NoNewPrivileges {});
        }
        let candidates = self.candidates()?;
        self.origin(steps, "/args/0");
        with_strings(&candidates, |candidates| steps.push(Step::FindProgram { candidates }));
        Ok(())
    }

    /// The last: its filter, and its execution.
    pub fn execute(&self, steps: &mut Steps) -> Result<()> {
        let late = self.needed_to_the_last() != 0;
        if self.scheduled == Moment::Last {
            scheduling::of_exec(steps, self.process);
        }
        // Which the filter may forbid.
        if late && !self.filter_first() {
            self.set_all_capabilities(steps, &self.capabilities()?);
        }
        if let Some(filter) = self.filter {
            steps.origin("/linux/seccomp");
            if filter.listener.is_some() {
                let [notifying, rest] = &seccomp::split(filter);
                steps.push(Step::SeccompListener { flags: filter.flags, program: notifying });
                let flags = filter.flags & !(seccomp::WAIT_KILLABLE_RECV as u32);
                steps.push(Step::Seccomp { flags, program: rest });
            } else {
                steps.push(Step::Seccomp { flags: filter.flags, program: &filter.program });
            }
        }
        if self.filter_first() {
            self.set_all_capabilities(steps, &self.capabilities()?);
        }
        let candidates = self.candidates()?;
        let (args, env) = (texts(self.args(), &self.pointer("/args"))?, texts(self.env(), &self.pointer("/env"))?);
        self.origin(steps, "/args/0");
        with_strings(&candidates, |candidates| {
            with_strings(&args, |args| with_strings(&env, |env| steps.push(Step::Exec { candidates, args, env })))
        });
        Ok(())
    }

    fn args(&self) -> &[String] {
        self.process.args().as_deref().unwrap_or_default()
    }

    fn env(&self) -> &[String] {
        self.process.env().as_deref().unwrap_or_default()
    }

    fn has_no_new_privileges(&self) -> bool {
        self.process.no_new_privileges() == Some(true)
    }

    /// Without no_new_privs, loading a filter takes CAP_SYS_ADMIN, so the capabilities go after it.
    fn filter_first(&self) -> bool {
        self.filter.is_some() && !self.has_no_new_privileges()
    }

    /// The capabilities that `execute` takes, as a mask; those of the program come behind that.
    fn needed_to_the_last(&self) -> u64 {
        let filter = if self.filter_first() { Capability::CAP_SYS_ADMIN.bitmask() } else { 0 };
        let policy = if self.scheduled == Moment::Last { Capability::CAP_SYS_NICE.bitmask() } else { 0 };
        filter | policy
    }

    /// The paths that `args[0]` may mean: itself if it has a slash, else one in each directory of PATH.
    fn candidates(&self) -> Result<Vec<CString>> {
        let program = self.args().first().map(String::as_str).unwrap_or_default();
        let pointer = &self.pointer("/args/0");
        if program.contains('/') {
            return Ok(vec![text(program, pointer)?]);
        }
        let search = self.env().iter().rev().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
        // An empty entry is the current directory (environ(7)).
        search
            .split(':')
            .map(|directory| if directory.is_empty() { "." } else { directory })
            .map(|directory| path(&Path::new(directory).join(program), pointer))
            .collect()
    }

    /// A field of the process.
    fn pointer(&self, field: &str) -> String {
        [self.at, field].concat()
    }

    fn origin<'s>(&self, steps: &'s mut Steps, field: &str) -> &'s mut Steps {
        steps.origin(self.pointer(field))
    }

    /// Groups and ids; the capabilities of root are kept over the change and put right afterwards.
    fn identity(&self, steps: &mut Steps, capabilities: &Sets) {
        let user = self.process.user();
        self.origin(steps, "/capabilities/bounding").push(Step::BoundingSet { keep: capabilities.bounding });
        self.origin(steps, "/user").push(Step::KeepCaps {});
        let groups = user.additional_gids().as_deref().unwrap_or_default();
        self.groups.step(self.origin(steps, "/user/additionalGids"), groups);
        self.origin(steps, "/user").push(Step::User { uid: user.uid(), gid: user.gid() });
    }

    fn capabilities(&self) -> Result<Sets> {
        let capabilities = self.process.capabilities().as_ref();
        let mask = |name: &str, set: Option<&Option<Capabilities>>| -> Result<u64> {
            let mut mask = 0;
            for capability in set.into_iter().flatten().flatten() {
                let text = capability.to_string();
                let known = format!("CAP_{}", text.trim_start_matches("CAP_")).parse::<Capability>();
                let pointer = || self.pointer(&format!("/capabilities/{name}"));
                let unknown = |_| Error::config(pointer(), format!("unknown capability {text}"));
                mask |= known.map_err(unknown)?.bitmask();
            }
            Ok(mask)
        };
        let permitted = mask("permitted", capabilities.map(|sets| sets.permitted()))?;
        let inheritable = mask("inheritable", capabilities.map(|sets| sets.inheritable()))?;
        let ambient = mask("ambient", capabilities.map(|sets| sets.ambient()))?;
        // capabilities(7); and config.md has what cannot be granted as a warning. `runc spec` asked for it for years.
        let grantable = ambient & permitted & inheritable;
        if grantable != ambient {
            let at = self.pointer("/capabilities/ambient");
            log::warn!("{at}: what is not permitted and inheritable as well cannot be ambient, and is left out");
        }
        Ok(Sets {
            bounding: mask("bounding", capabilities.map(|sets| sets.bounding()))?,
            effective: mask("effective", capabilities.map(|sets| sets.effective()))?,
            permitted,
            inheritable,
            ambient: grantable,
        })
    }

    fn set_all_capabilities(&self, steps: &mut Steps, sets: &Sets) {
        self.set_capabilities(steps, sets);
        self.origin(steps, "/capabilities/ambient").push(Step::Ambient { raise: sets.ambient });
    }

    fn set_capabilities(&self, steps: &mut Steps, sets: &Sets) {
        let &Sets { effective, permitted, inheritable, .. } = sets;
        self.origin(steps, "/capabilities").push(Step::Capabilities { effective, permitted, inheritable });
    }
}

/// The five capability sets as masks. What is unset is empty, the bounding set too (runtime-spec, config.md).
struct Sets {
    bounding: u64,
    effective: u64,
    permitted: u64,
    inheritable: u64,
    ambient: u64,
}

impl Sets {
    /// These and some more, of which a change from root to another user left nothing effective.
    fn and(&self, more: u64) -> Self {
        Self { effective: self.effective | more, permitted: self.permitted | more, ..*self }
    }
}
