// SPDX-License-Identifier: Apache-2.0
//! From what init reports, a step and an errno, to an error that names the field and says what happened.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;

use brig_wire::{Act, Message, Step};
use serde::{Deserialize, Serialize};

use super::Steps;
use super::common::mode_name;
use super::scheduling::policy_name;
use crate::error::{Error, Kind, describe};

/// What has to be known of a step to tell of its failure. Those of the steps behind the gate are kept in the
/// container's record, since whoever starts it has no plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The field of config.json that it comes from.
    pointer: String,
    /// The path or name that a person looks for.
    subject: String,
    /// Whether a program was looked for in the directories of PATH.
    searched: bool,
    /// The options of a new filesystem.
    options: Vec<String>,
}

/// The places of the steps behind the gate, by the steps' indices.
pub fn places_after_gate(steps: &Steps) -> BTreeMap<u32, Place> {
    let numbered = (0..).zip(steps.iter());
    let after = numbered.skip_while(|(_, (step, _))| !matches!(step, Step::Gate {}));
    let searched = is_searched(steps);
    after.map(|(index, (step, origin))| (index, Place::of(&step, origin, searched))).collect()
}

/// The error behind a `FAILED` message about a step of `steps`; `text` came with it.
pub fn failure(steps: &Steps, message: &Message, text: &str) -> Error {
    let place = steps.get(message.step).map(|(step, origin)| Place::of(&step, origin, is_searched(steps)));
    Place::failure(place.as_ref(), message, text)
}

/// Whether the program is given by a name alone.
fn is_searched(steps: &Steps) -> bool {
    let is_name = |name: &CStr| !name.to_bytes().contains(&b'/');
    steps.iter().any(|(step, _)| matches!(step, Step::Exec { args, .. } if args.iter().next().is_some_and(is_name)))
}

impl Place {
    fn of(step: &Step<'_>, origin: &str, searched: bool) -> Self {
        let searched = searched && matches!(step, Step::FindProgram { .. } | Step::Exec { .. });
        let options = match step {
            Step::NewMount { options, .. } | Step::Reconfigure { options, .. } => options.iter().map(lossy).collect(),
            _ => Vec::new(),
        };
        Self { pointer: origin.to_owned(), subject: subject(step, searched), searched, options }
    }

    /// The error behind a `FAILED` message about this place.
    pub fn failure(place: Option<&Self>, message: &Message, text: &str) -> Error {
        let Some(place) = place else {
            return Error::new(Kind::Bug, format!("init failed at step {}, which is not in its plan", message.step));
        };
        let act = Act::from_code(message.act).unwrap_or(Act::Step);
        let kind = match act {
            Act::NotFound | Act::NotExecutable => Kind::Program,
            Act::HookExec | Act::HookExit | Act::HookSignal | Act::HookTimeout => Kind::Hook,
            Act::NotOrdinary | Act::InsideProc | Act::Outside | Act::OnFile | Act::OnDirectory => Kind::Config,
            Act::Malformed => Kind::Bug,
            _ => Kind::Failed,
        };
        let mut sentence = place.sentence(act, message);
        if !text.trim().is_empty() {
            sentence = format!("{sentence}: {}", text.trim().replace('\n', "; "));
        }
        let pointer = Some(&place.pointer).filter(|pointer| !pointer.is_empty()).cloned();
        let start = pointer.as_ref().map_or(String::new(), |pointer| format!("{pointer}: "));
        Error { kind, errno: message.errno, pointer, message: format!("{start}{sentence}") }
    }

    fn sentence(&self, act: Act, message: &Message) -> String {
        let what = &self.subject;
        let errno = describe(&io::Error::from_raw_os_error(message.errno));
        match act {
            Act::NotFound if self.searched => format!("{what}: executable file not found in $PATH"),
            Act::NotFound => format!("{what}: no such file or directory"),
            Act::NotExecutable => format!("{what}: cannot execute it: {}", errno.to_lowercase()),
            Act::HookExec => format!("hook {what} cannot be executed: {errno}"),
            Act::HookExit => format!("hook {what} failed with exit status {}", message.value),
            Act::HookSignal => format!("hook {what} was killed by signal {}", message.value),
            Act::HookTimeout => format!("hook {what} did not end within its timeout and was killed"),
            Act::NotOrdinary => {
                format!("{what} must be mounted on an ordinary directory, not through a symbolic link: {errno}")
            }
            Act::OnFile => format!("{what} is not a directory, but what is mounted there is"),
            Act::OnDirectory => format!("{what} is a directory, but what is mounted there is not"),
            Act::InsideProc => format!("{what} is inside procfs, where only a few files may be mounted over"),
            Act::Outside => format!("{what} is outside the container's root"),
            Act::WrongDevice => format!("{what} is there already and is not the device that it should be"),
            Act::Fault => format!("{what}: injected fault"),
            Act::Write if message.errno == libc::ENOENT && self.pointer.ends_with("/apparmorProfile") => {
                format!("{what}: no such profile is loaded")
            }
            Act::FsConfig => {
                let option = usize::try_from(message.value).ok().and_then(|index| self.options.get(index));
                format!("{what}: option \"{}\": {errno}", option.map_or("source", String::as_str))
            }
            Act::MemoryPolicy if message.errno == libc::ENOSYS => {
                format!("{what}: the kernel has no NUMA (CONFIG_NUMA): {errno}")
            }
            // mount_too_revealing() of the kernel.
            Act::FsMount if message.errno == libc::EPERM && what == "filesystem proc" => {
                format!("{what}: cannot {}: {errno} (where parts of /proc are hidden it can only be bound)", act.text())
            }
            Act::SetGroups if message.errno == libc::EPERM => {
                format!("{what}: cannot {}: {errno} (is setgroups(2) denied in the user namespace?)", act.text())
            }
            Act::Step => format!("{what}: {errno}"),
            act => format!("{what}: cannot {}: {errno}", act.text()),
        }
    }
}

fn lossy(text: &CStr) -> String {
    text.to_string_lossy().into_owned()
}

/// What a step is about, in a few words.
fn subject(step: &Step<'_>, searched: bool) -> String {
    match *step {
        Step::NewMount { fstype, .. } | Step::NewMountOrClone { fstype, .. } => format!("filesystem {}", lossy(fstype)),
        Step::CloneTree { path, .. } | Step::Cwd { path } | Step::SetRootAt { path } => lossy(path),
        Step::Attach { target, .. } => lossy(target),
        Step::Mkdir { path, .. }
        | Step::Symlink { path, .. }
        | Step::Device { path, .. }
        | Step::Touch { path }
        | Step::ShowDirectory { path }
        | Step::Mask { path }
        | Step::ReadOnly { path }
        | Step::InsideAttr { path, .. }
        | Step::Resemble { path, .. }
        | Step::Reconfigure { path, .. }
        | Step::RunHook { path, .. } => lossy(path),
        Step::Sysctl { path, value } | Step::ProcSelf { path, value } => format!("{} = {}", lossy(path), lossy(value)),
        Step::Hostname { name } | Step::Domainname { name } => format!("name \"{}\"", lossy(name)),
        Step::FindProgram { candidates } | Step::Exec { candidates, .. } => {
            let path = candidates.iter().next().map(lossy).unwrap_or_default();
            if searched { path.rsplit('/').next().unwrap_or_default().to_owned() } else { path }
        }
        Step::Rlimit { soft, hard, .. } => format!("limit {soft}:{hard}"),
        Step::Groups { list } => format!("groups {:?}", list.iter().collect::<Vec<_>>()),
        Step::User { uid, gid } => format!("user {uid}:{gid}"),
        Step::Scheduler { policy, .. } => format!("scheduling policy {}", policy_name(policy)),
        Step::IoPriority { .. } => "I/O priority".to_owned(),
        Step::Affinity { .. } => "CPU affinity".to_owned(),
        Step::MemoryPolicy { mode, .. } => format!("memory policy {}", mode_name(mode)),
        _ => words(step.name()),
    }
}

/// "JoinNamespace" as "join namespace".
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
