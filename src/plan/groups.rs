// SPDX-License-Identifier: Apache-2.0
//! The supplementary groups of a container's programs: those of the specification and no other, where the kernel lets us
//! set them.

use brig_wire::{Numbers, Sink, Step};

use super::Steps;
use crate::sys::privilege;

/// The caller's groups stay as they are, whatever others the specification has. It is what podman asks for with
/// `--group-add keep-groups`.
pub const KEEP: &str = "run.oci.keep_original_groups";

/// What is done about the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// They are set.
    Set,
    /// They are set, unless there are none: the caller's were dropped already, or never can be.
    Add,
    /// They stay the caller's.
    Keep,
}

impl Groups {
    /// As the annotations have it.
    pub fn asked<'a>(annotations: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let keep = annotations.into_iter().any(|(name, value)| name == KEEP && value == "1");
        if keep { Self::Keep } else { Self::Set }
    }

    /// The same for a program in a user namespace of its own, which began without groups, or for one of a `limited` caller,
    /// in whose user namespace groups may be denied to all.
    pub fn within(self, user_namespace: bool, limited: bool) -> Self {
        match self {
            Self::Set if user_namespace || (limited && privilege::denies_groups()) => Self::Add,
            other => other,
        }
    }

    /// Sets these groups.
    pub fn step(self, steps: &mut Steps, groups: &[u32]) {
        if self == Self::Keep || (self == Self::Add && groups.is_empty()) {
            return;
        }
        let mut store = Sink::new();
        steps.push(Step::Groups { list: Numbers::pack(groups.iter().copied(), &mut store) });
    }

    /// Becomes root of a user namespace.
    pub fn become_root(self, steps: &mut Steps) {
        steps.push(Step::BecomeRoot { keep_groups: (self == Self::Keep).into() });
    }
}
