// SPDX-License-Identifier: Apache-2.0
//! The container's program: limits, identity, privileges, and its execution at last.

use std::ffi::CString;
use std::path::Path;

use brig_wire::{Numbers, POINT_COMMIT, Sink, Step};
use oci_spec::runtime::{Capabilities, PosixRlimitType as Rlimit, Process};

use super::builder::{path, text, texts, with_strings};
use super::{Context, Steps, devices, hooks, seccomp};
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

/// From the new root to the program: all that can fail is done before the gate, so that `create` reports it.
pub fn steps(steps: &mut Steps, context: &Context<'_>, process: &Process) -> Result<()> {
    steps.origin("").push_files(&devices::files(context.spec, context.inputs.extra_files));
    steps.push(Step::Setsid {});
    if process.terminal() == Some(true) {
        steps.origin("/process/terminal").push(Step::ControllingTty {});
    } else if process.user().uid() != 0 {
        steps.origin("/process/user/uid").push(Step::StdioOwner { uid: process.user().uid() });
    }
    for (index, limit) in process.rlimits().iter().flatten().enumerate() {
        steps.origin(format!("/process/rlimits/{index}")).push(Step::Rlimit {
            resource: rlimit_number(limit.typ()),
            soft: limit.soft(),
            hard: limit.hard(),
        });
    }
    let env = process.env().as_deref().unwrap_or_default();
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        steps.origin("/process/user/uid").push(Step::Home { uid: process.user().uid() });
    }
    steps.origin("/process/cwd").push(Step::Cwd { path: &path(process.cwd(), "/process/cwd")? });
    if let Some(mask) = process.user().umask() {
        steps.origin("/process/user/umask").push(Step::Umask { mask });
    } else {
        // init's own umask is 0, for the modes of what it makes.
        steps.origin("").push(Step::Umask { mask: 0o022 });
    }

    let capabilities = Sets::read(process)?;
    let filter = match context.spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref()) {
        Some(seccomp) => seccomp::compile(seccomp, context.inputs.seccomp_cache)?,
        None => None,
    };
    let no_new_privileges = process.no_new_privileges() == Some(true);
    // Without no_new_privs, loading a filter takes CAP_SYS_ADMIN, so the capabilities go after it.
    let filter_first = filter.is_some() && !no_new_privileges;

    identity(steps, process, &capabilities);
    if filter_first {
        capabilities.and_for_filter().step(steps);
    } else {
        capabilities.steps(steps);
    }
    if no_new_privileges {
        steps.origin("/process/noNewPrivileges").push(Step::NoNewPrivileges {});
    }

    let args = process.args().as_deref().unwrap_or_default();
    let candidates = candidates(args, env)?;
    steps.origin("/process/args/0");
    with_strings(&candidates, |candidates| steps.push(Step::FindProgram { candidates }));
    steps.origin("").push(Step::Sync { point: POINT_COMMIT });
    steps.push(Step::Gate {});

    hooks::start_container(steps, context.spec)?;
    if let Some(filter) = &filter {
        let step = Step::Seccomp { flags: filter.flags, program: &filter.program };
        steps.origin("/linux/seccomp").push(step);
    }
    if filter_first {
        capabilities.steps(steps);
    }
    let (args, env) = (texts(args, "/process/args")?, texts(env, "/process/env")?);
    steps.origin("/process/args/0");
    with_strings(&candidates, |candidates| {
        with_strings(&args, |args| with_strings(&env, |env| steps.push(Step::Exec { candidates, args, env })))
    });
    Ok(())
}

/// Groups and ids; the capabilities of root are kept over the change and put right by [`Sets::steps`].
fn identity(steps: &mut Steps, process: &Process, capabilities: &Sets) {
    let user = process.user();
    steps.origin("/process/capabilities/bounding").push(Step::BoundingSet { keep: capabilities.bounding });
    steps.origin("/process/user").push(Step::KeepCaps {});
    let groups = user.additional_gids().as_deref().unwrap_or_default();
    let mut store = Sink::new();
    steps.origin("/process/user/additionalGids");
    steps.push(Step::Groups { list: Numbers::pack(groups.iter().copied(), &mut store) });
    steps.origin("/process/user").push(Step::User { uid: user.uid(), gid: user.gid() });
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
    fn read(process: &Process) -> Result<Self> {
        let capabilities = process.capabilities().as_ref();
        let mask = |name: &str, set: Option<&Option<Capabilities>>| -> Result<u64> {
            let mut mask = 0;
            for capability in set.into_iter().flatten().flatten() {
                let text = capability.to_string();
                let known = format!("CAP_{}", text.trim_start_matches("CAP_")).parse::<caps::Capability>();
                let unknown =
                    |_| Error::config(format!("/process/capabilities/{name}"), format!("unknown capability {text}"));
                mask |= known.map_err(unknown)?.bitmask();
            }
            Ok(mask)
        };
        Ok(Self {
            bounding: mask("bounding", capabilities.map(|sets| sets.bounding()))?,
            effective: mask("effective", capabilities.map(|sets| sets.effective()))?,
            permitted: mask("permitted", capabilities.map(|sets| sets.permitted()))?,
            inheritable: mask("inheritable", capabilities.map(|sets| sets.inheritable()))?,
            ambient: mask("ambient", capabilities.map(|sets| sets.ambient()))?,
        })
    }

    /// These and what it takes to load a filter; of it, a change from root to another user left nothing effective.
    fn and_for_filter(&self) -> Self {
        let admin = caps::Capability::CAP_SYS_ADMIN.bitmask();
        Self { effective: self.effective | admin, permitted: self.permitted | admin, ..*self }
    }

    fn steps(&self, steps: &mut Steps) {
        self.step(steps);
        steps.origin("/process/capabilities/ambient").push(Step::Ambient { raise: self.ambient });
    }

    fn step(&self, steps: &mut Steps) {
        let &Self { effective, permitted, inheritable, .. } = self;
        steps.origin("/process/capabilities").push(Step::Capabilities { effective, permitted, inheritable });
    }
}

/// The paths that args[0] may mean: itself if it has a slash, else one in each directory of PATH.
pub(super) fn candidates(args: &[String], env: &[String]) -> Result<Vec<CString>> {
    let program = args.first().map(String::as_str).unwrap_or_default();
    let pointer = "/process/args/0";
    if program.contains('/') {
        return Ok(vec![text(program, pointer)?]);
    }
    let search = env.iter().rev().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    // An empty entry is the current directory (environ(7)).
    search
        .split(':')
        .map(|directory| if directory.is_empty() { "." } else { directory })
        .map(|directory| path(&Path::new(directory).join(program), pointer))
        .collect()
}
