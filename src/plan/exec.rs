// SPDX-License-Identifier: Apache-2.0
//! One more program in a container that is there already: the plan of an exec. It joins what create made, and from
//! there on is the same.

use brig_wire::Step;
use oci_spec::runtime::Process;

use super::builder::{Slot, Steps};
use super::process::Program;
use super::scheduling::{self, Moment};
use super::seccomp::Filter;
use super::{Common, Groups, cgroups, devices, labels, oom_score};
use crate::cgroup::Cgroup;
use crate::error::Result;
use crate::sys::privilege;

const NEWPID: u64 = libc::CLONE_NEWPID as u64;
const NEWUSER: u64 = libc::CLONE_NEWUSER as u64;

/// The container that the program joins.
pub struct Joined<'a> {
    /// Those namespaces of its init that are not the caller's own, as CLONE_NEW*.
    pub namespaces: u64,
    /// Its cgroups, or some below them.
    pub cgroup: &'a Cgroup,
    /// Whether it is in groups of resctrl, into which the host puts the program.
    pub resctrl: bool,
    /// What all of its programs have.
    pub common: &'a Common,
    /// What is done about their supplementary groups.
    pub groups: Groups,
    /// Its seccomp filter.
    pub filter: Option<&'a Filter>,
    /// Its id, if it has a session keyring.
    pub keyring: Option<&'a str>,
}

/// A compiled exec.
pub struct Exec {
    /// What init does. [`Slot::Namespace`]`(0)` is a pidfd of the container's init; with a filter there is a
    /// [`Slot::LastWord`].
    pub steps: Steps,
    /// Whether it goes on in a second process, since only children are in a joined pid namespace.
    pub forks: bool,
    /// Whether it enters the unified cgroup by itself too, with those of version 1: it has to be somewhere else before.
    pub enters: bool,
    /// Whether its filter has a listener.
    pub listens: bool,
}

impl Exec {
    /// Compiles the process, which the spec room has validated. Pointers are relative to it.
    pub fn compile(process: &Process, container: &Joined<'_>, extra_files: usize) -> Result<Self> {
        let forks = container.namespaces & NEWPID != 0;
        let scheduled = if forks && !scheduling::is_inherited(process) { Moment::Last } else { Moment::Before };
        let Joined { common, filter, .. } = *container;
        let joins_user = container.namespaces & NEWUSER != 0;
        let groups = container.groups.within(joins_user, !joins_user && privilege::is_limited());
        let program = Program { process, at: "", common, groups, filter, extra_files, scheduled };
        let affinity = process.exec_cpu_affinity().as_ref();
        let initial = affinity.and_then(|affinity| affinity.initial().as_deref());
        let enters = initial.is_some();

        let mut steps = Steps::new();
        if filter.is_some() {
            steps.origin("").push_slot(Slot::LastWord, Step::LastWord { fd: 0 });
        }
        oom_score(&mut steps, process, "/oomScoreAdj")?;
        // By the procfs of the host, which is let go with its mount namespace.
        labels::process(&mut steps, process, "")?;
        if container.keyring.is_some() {
            labels::keyring_label(&mut steps, process, "")?;
        }
        scheduling::io_priority(&mut steps, process, "/ioPriority");
        // Before anybody in the container can see it (CVE-2016-9962).
        steps.origin("").push(Step::Undumpable {});
        scheduling::affinity(&mut steps, initial, "/execCPUAffinity/initial")?;
        cgroups::join(&mut steps, container.cgroup, enters || container.resctrl);
        let last = affinity.and_then(|affinity| affinity.cpu_affinity_final().as_deref());
        scheduling::affinity(&mut steps, last, "/execCPUAffinity/final")?;
        if scheduled == Moment::Before {
            scheduling::of_exec(&mut steps, process);
        }
        join(&mut steps, container.namespaces, container.groups);
        if let Some(id) = container.keyring {
            labels::keyring(&mut steps, id)?;
        }
        devices::console(steps.origin("/terminal"), process);
        program.files(&mut steps);
        program.prepare(&mut steps)?;
        // Against CAP_SYS_PTRACE outside of a user namespace nothing helps that is not dumpable. So until it is in the
        // container's pid namespace, where it can be seen, it has put down whatever is worth having.
        if forks {
            steps.origin("/linux/namespaces").push(Step::Fork { flags: 0 });
        }
        program.session(&mut steps);
        program.execute(&mut steps)?;
        let listens = container.filter.is_some_and(|filter| filter.listener.is_some());
        Ok(Self { steps, forks, enters, listens })
    }
}

/// All namespaces by one setns(2), since where the user namespace is among them, it is that which makes the others
/// permitted to an ordinary user.
fn join(steps: &mut Steps, namespaces: u64, groups: Groups) {
    steps.origin("/linux/namespaces");
    if namespaces != 0 {
        steps.push_slot(Slot::Namespace(0), Step::JoinNamespace { fd: 0, kind: namespaces as u32 });
    }
    if namespaces & NEWUSER != 0 {
        groups.become_root(steps);
    }
}
