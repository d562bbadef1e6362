// SPDX-License-Identifier: Apache-2.0
//! What all programs of a container have by its `linux` section: the personality and the memory policy. create
//! compiles it and keeps it in the record, for every exec.

use brig_wire::Step;
use oci_spec::runtime::{Linux, LinuxMemoryPolicy, MemoryPolicyFlagType as Flag, MemoryPolicyModeType as Mode};
use serde::{Deserialize, Serialize};

use super::Steps;
use crate::error::{Error, Result};
use crate::spec::number_list::{NODES_MAX, mask};
use crate::spec::personality::persona;

/// As system calls take it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// For personality(2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    personality: Option<u32>,
    /// For set_mempolicy(2): the mode with its flags, and the bitmask of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_policy: Option<(u32, Vec<u8>)>,
}

impl Common {
    /// Compiles the section, which the spec room has validated.
    pub fn compile(linux: &Linux) -> Result<Self> {
        Ok(Self {
            personality: linux.personality().as_ref().map(persona),
            memory_policy: linux.memory_policy().as_ref().map(memory_policy).transpose()?,
        })
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets it for the process, and for those that it forks.
    pub fn steps(&self, steps: &mut Steps) {
        if let Some(value) = self.personality {
            steps.origin("/linux/personality").push(Step::Personality { value });
        }
        if let Some((mode, nodes)) = &self.memory_policy {
            steps.origin("/linux/memoryPolicy").push(Step::MemoryPolicy { mode: *mode, nodes });
        }
    }
}

/// MPOL_* of linux/mempolicy.h.
const MODES: [(Mode, u32, &str); 7] = [
    (Mode::MpolDefault, 0, "MPOL_DEFAULT"),
    (Mode::MpolPreferred, 1, "MPOL_PREFERRED"),
    (Mode::MpolBind, 2, "MPOL_BIND"),
    (Mode::MpolInterleave, 3, "MPOL_INTERLEAVE"),
    (Mode::MpolLocal, 4, "MPOL_LOCAL"),
    (Mode::MpolPreferredMany, 5, "MPOL_PREFERRED_MANY"),
    (Mode::MpolWeightedInterleave, 6, "MPOL_WEIGHTED_INTERLEAVE"),
];
/// The flags are above the modes.
const MODE_BITS: u32 = 0xfff;

/// The name of a mode, which may have flags in it.
pub fn mode_name(mode: u32) -> &'static str {
    MODES.iter().find(|known| known.1 == mode & MODE_BITS).map_or("unknown", |known| known.2)
}

fn memory_policy(policy: &LinuxMemoryPolicy) -> Result<(u32, Vec<u8>)> {
    let mode = MODES.iter().find(|mode| mode.0 == policy.mode()).map_or(0, |mode| mode.1);
    let mode = policy.flags().iter().flatten().fold(mode, |mode, flag| {
        mode | match flag {
            Flag::MpolFNumaBalancing => 1 << 13,
            Flag::MpolFRelativeNodes => 1 << 14,
            Flag::MpolFStaticNodes => 1 << 15,
        }
    });
    let nodes = policy.nodes().as_deref().map_or(Ok(Vec::new()), |list| {
        mask(list, NODES_MAX).map_err(|message| Error::config("/linux/memoryPolicy/nodes", message))
    })?;
    Ok((mode, nodes))
}
