// SPDX-License-Identifier: Apache-2.0
//! Which namespaces are new, which are joined, and whether one init is enough for that.
//!
//! One clone3(2) makes the new namespaces, but not in every case: a new user namespace needs its id maps
//! before anything can be done in it, joined pid and time namespaces only hold children, and a new time
//! namespace takes its offsets before its first member. Then a first init joins and clones the
//! second with CLONE_PARENT, so that the host stays the parent.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use brig_wire::{POINT_MAPS, Step};
use oci_spec::runtime::{Linux, LinuxNamespaceType as Kind, Process, Spec};

use super::builder::{Slot, Steps, text};
use super::{Groups, Inputs, cgroups, scheduling};
use crate::error::{Error, Result};

const NEWTIME: u64 = libc::CLONE_NEWTIME as u64;
const NEWUSER: u64 = libc::CLONE_NEWUSER as u64;
const NEWCGROUP: u64 = libc::CLONE_NEWCGROUP as u64;

/// A namespace that is joined.
pub struct Join {
    /// Its CLONE_NEW* flag.
    pub flag: u64,
    /// Where it is.
    pub path: PathBuf,
    /// The field that names it.
    pub pointer: String,
}

/// The namespaces of a container.
#[derive(Default)]
pub struct Namespaces {
    /// CLONE_NEW* of those to be made.
    pub new: u64,
    /// Those to be joined, in the order in which init does it.
    pub join: Vec<Join>,
}

impl Namespaces {
    /// Reads linux.namespaces. `privileged`: the caller is root of the host.
    pub fn read(linux: &Linux, privileged: bool) -> Self {
        let mut namespaces = Self::default();
        for (index, namespace) in linux.namespaces().iter().flatten().enumerate() {
            let flag = namespace.typ() as u64;
            match namespace.path() {
                None => namespaces.new |= flag,
                Some(path) => namespaces.join.push(Join {
                    flag,
                    path: path.clone(),
                    pointer: format!("/linux/namespaces/{index}/path"),
                }),
            }
        }
        // Root may enter all others only as long as it is root of the host; an ordinary user only once it is root
        // in the user namespace that owns them.
        namespaces.join.sort_by_key(|join| (join.flag == NEWUSER) == privileged);
        namespaces
    }

    /// Those that are the container's own, or were given to it, as CLONE_NEW*.
    pub fn flags(&self) -> u64 {
        self.join.iter().fold(self.new, |flags, join| flags | join.flag)
    }

    /// Whether the container has a namespace of this kind that is not the caller's.
    pub fn has(&self, kind: Kind) -> bool {
        let flag = kind as u64;
        self.new & flag != 0 || self.joins(flag)
    }

    /// Whether a new one of this kind is made.
    pub fn makes(&self, kind: Kind) -> bool {
        self.new & kind as u64 != 0
    }

    fn joins(&self, flag: u64) -> bool {
        self.join.iter().any(|join| join.flag == flag)
    }

    /// Whether a first init has to prepare the ground for the second.
    pub fn two_stages(&self) -> bool {
        self.new & (NEWUSER | NEWTIME) != 0 || [Kind::Pid, Kind::Time, Kind::User].iter().any(|&k| self.joins(k as u64))
    }

    /// Refuses to set what `pointer` asks for if it would be set for the caller too: the container joins a namespace by
    /// its path, but it is the one that the caller is in.
    pub fn refuse_own(&self, kind: Kind, pointer: &str) -> Result<()> {
        let Some(join) = self.join.iter().find(|join| join.flag == kind as u64) else { return Ok(()) };
        let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        let theirs = identity(&join.path);
        if theirs.is_some() && theirs == identity(Path::new(&format!("/proc/thread-self/ns/{kind}"))) {
            let message = format!("would be set for the host, whose own namespace {} is", join.pointer);
            return Err(Error::config(pointer, message));
        }
        Ok(())
    }

    /// Whether the first of two inits gets the program's scheduling policy, for the second to inherit: in a user
    /// namespace no privilege counts for that.
    pub fn schedules(&self, process: &Process) -> bool {
        self.has(Kind::User) && scheduling::is_inherited(process)
    }

    /// The supervisor stays out of everything, and clones the container's init in the host's place.
    pub fn supervise(&self, steps: &mut Steps) {
        let step = Step::Supervise { exit: 0, cgroup: 0, flags: self.spawn_flags() };
        steps.origin("").push_slots(&[Slot::Exit, Slot::Cgroup], step);
    }

    /// The flags for the clone3(2) of the container's first init.
    pub fn spawn_flags(&self) -> u64 {
        if self.two_stages() { 0 } else { self.new & !NEWCGROUP }
    }

    /// The steps up to the point where init is in all namespaces but a new cgroup namespace. Of two inits, the first
    /// one enters the cgroups.
    pub fn steps(&self, steps: &mut Steps, spec: &Spec, inputs: &Inputs<'_>, groups: Groups) -> Result<()> {
        // While the host may still have to write the id maps as an ordinary user, init has to stay dumpable.
        let maps = self.new & NEWUSER != 0;
        if !maps {
            steps.origin("").push(Step::Undumpable {});
        }
        if self.two_stages() {
            cgroups::join(steps, inputs.cgroup, inputs.resctrl);
        }
        if let Some(process) = spec.process()
            && self.schedules(process)
        {
            scheduling::of_init(steps, process);
        }
        if self.new & NEWTIME != 0 {
            steps.origin("/linux/timeOffsets").push(Step::Unshare { flags: NEWTIME as u32 });
            if let Some(offsets) = time_offsets(spec) {
                steps.push(Step::OpenProc {});
                steps.push(Step::TimeOffsets { text: &text(offsets, "/linux/timeOffsets")? });
            }
        }
        for (index, join) in self.join.iter().enumerate() {
            let step = Step::JoinNamespace { fd: 0, kind: join.flag as u32 };
            steps.origin(join.pointer.as_str()).push_slot(Slot::Namespace(index), step);
        }
        steps.origin("/linux/namespaces");
        if self.two_stages() {
            steps.push(Step::Fork { flags: self.new & !(NEWCGROUP | NEWTIME) });
        }
        if maps {
            steps.origin("/linux/uidMappings");
            steps.push(Step::Sync { point: POINT_MAPS });
            groups.become_root(steps);
            steps.origin("").push(Step::Undumpable {});
        } else if self.joins(NEWUSER) {
            if has_mappings(spec) {
                // Repeated in config.json: the host compares them with those there are.
                steps.origin("/linux/uidMappings").push(Step::Sync { point: POINT_MAPS });
            }
            groups.become_root(steps);
        }
        Ok(())
    }
}

fn has_mappings(spec: &Spec) -> bool {
    let linux = spec.linux().as_ref();
    let lists = [linux.and_then(|it| it.uid_mappings().as_ref()), linux.and_then(|it| it.gid_mappings().as_ref())];
    lists.into_iter().flatten().any(|list| !list.is_empty())
}

/// The lines of /proc/PID/timens_offsets (time_namespaces(7)).
fn time_offsets(spec: &Spec) -> Option<String> {
    let offsets = spec.linux().as_ref()?.time_offsets().as_ref()?;
    let mut lines: Vec<_> = offsets
        .iter()
        .map(|(clock, offset)| {
            format!("{clock} {} {}\n", offset.secs().unwrap_or_default(), offset.nanosecs().unwrap_or_default())
        })
        .collect();
    lines.sort();
    (!lines.is_empty()).then(|| lines.concat())
}
