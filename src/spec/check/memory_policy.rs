// SPDX-License-Identifier: Apache-2.0
//! Checks of `linux.memoryPolicy` by the rules of set_mempolicy(2), which says EINVAL to all that is wrong.

use oci_spec::runtime::{MemoryPolicyFlagType as Flag, MemoryPolicyModeType as Mode, Spec};

use super::Problems;
use crate::spec::number_list::{NODES_MAX, mask};

const NODES: &str = "/linux/memoryPolicy/nodes";
const FLAGS: &str = "/linux/memoryPolicy/flags";

/// Which nodes and flags each mode takes.
pub fn memory_policy(spec: &Spec, problems: &mut Problems) {
    let Some(policy) = spec.linux().as_ref().and_then(|linux| linux.memory_policy().as_ref()) else { return };
    let (mode, nodes) = (policy.mode(), policy.nodes().as_deref());
    let has = |flag| policy.flags().iter().flatten().any(|one| *one == flag);
    match (mode, nodes) {
        (Mode::MpolDefault | Mode::MpolLocal, Some(_)) => problems.add(NODES, format!("{mode} takes no nodes")),
        (Mode::MpolDefault | Mode::MpolLocal | Mode::MpolPreferred, None) => {}
        (_, None) => problems.add(NODES, format!("is missing: {mode} needs it")),
        (_, Some(list)) => {
            if let Err(message) = mask(list, NODES_MAX) {
                problems.add(NODES, message);
            }
        }
    }
    if has(Flag::MpolFStaticNodes) && has(Flag::MpolFRelativeNodes) {
        problems.add(FLAGS, "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
    }
    if has(Flag::MpolFNumaBalancing) && !matches!(mode, Mode::MpolBind | Mode::MpolPreferredMany) {
        problems.add(FLAGS, format!("MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY, not for {mode}"));
    }
    if nodes.is_none()
        && let Some(flag) = [Flag::MpolFStaticNodes, Flag::MpolFRelativeNodes].into_iter().find(|flag| has(*flag))
    {
        problems.add(FLAGS, format!("{flag} has no use without nodes"));
    }
}
